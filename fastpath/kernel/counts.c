/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "fastpath/kernel/kernel.h"

/* Sums one element of a per-CPU map, as an array of 64-bit counters. */
static int sum(const struct tw_kernel *kernel, enum tw_map map, uint32_t index, uint64_t *ret,
	size_t n_counters)
{
	int n_cpus = libbpf_num_possible_cpus();
	tw_autofree uint64_t *values = NULL;

	if (n_cpus < 0)
		return n_cpus;
	values = tw_alloc_array((size_t)n_cpus * n_counters, sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(tw_kernel_map_fd(kernel, map), &index, values) < 0)
		return -errno;
	for (size_t i = 0; i < n_counters; i++) {
		ret[i] = 0;
		for (size_t cpu = 0; cpu < (size_t)n_cpus; cpu++)
			ret[i] += values[cpu * n_counters + i];
	}
	return 0;
}

/* Returns the highest number of a CPU that may ever be there, plus 1: they may have gaps. */
static uint32_t cpu_numbers(void)
{
	__attribute__((cleanup(tw_cleanup_file)))
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	unsigned int cpu, highest = 0;
	int n_cpus = libbpf_num_possible_cpus();

	/* Ranges, such as 0-3,8-11 */
	while (file && fscanf(file, "%u", &cpu) == 1) {
		highest = cpu > highest ? cpu : highest;
		if (fgetc(file) == EOF)
			break;
	}
	return n_cpus > (int)highest ? (uint32_t)n_cpus : highest + 1;
}

static size_t rules_len(const struct tw_kernel *kernel)
{
	return (size_t)kernel->n_cpus * TW_RULES_MAX * sizeof(*kernel->rules);
}

void tw_counts_size(struct tw_kernel *kernel)
{
	struct bpf_map *map = bpf_object__find_map_by_name(
		kernel->object, tw_kernel_map_name(TW_MAP_rules));

	kernel->n_cpus = cpu_numbers();
	bpf_map__set_max_entries(map, kernel->n_cpus * TW_RULES_MAX);
}

int tw_counts_init(struct tw_kernel *kernel)
{
	void *rules = mmap(NULL, rules_len(kernel), PROT_READ | PROT_WRITE, MAP_SHARED,
		tw_kernel_map_fd(kernel, TW_MAP_rules), 0);

	if (rules == MAP_FAILED)
		return -errno;
	kernel->rules = rules;
	return 0;
}

void tw_counts_done(struct tw_kernel *kernel)
{
	if (kernel->rules)
		munmap(kernel->rules, rules_len(kernel));
	kernel->rules = NULL;
}

#define N_COUNTERS(type) (sizeof(type) / sizeof(uint64_t))

int tw_counts_port(const struct tw_kernel *kernel, uint32_t id, struct tw_port_count *ret)
{
	return sum(kernel, TW_MAP_port_counts, id, (uint64_t *)ret, N_COUNTERS(*ret));
}

int tw_counts_closes_lost(const struct tw_kernel *kernel, uint64_t *ret)
{
	const uint32_t zero = 0;
	struct tw_gc gc;

	if (bpf_map_lookup_elem(tw_kernel_map_fd(kernel, TW_MAP_gc), &zero, &gc) < 0)
		return -errno;
	*ret = gc.closes_lost;
	return 0;
}

int tw_counts_clear_port(const struct tw_kernel *kernel, uint32_t id)
{
	int n_cpus = libbpf_num_possible_cpus();
	tw_autofree struct tw_port_count *zeros = NULL;

	if (n_cpus < 0)
		return n_cpus;
	zeros = tw_alloc_array((size_t)n_cpus, sizeof(*zeros));
	if (!zeros)
		return -ENOMEM;
	if (bpf_map_update_elem(tw_kernel_map_fd(kernel, TW_MAP_port_counts), &id, zeros, BPF_ANY) <
		0)
		return -errno;
	return 0;
}

struct tw_rule_count tw_counts_rule(const struct tw_kernel *kernel, uint32_t slot)
{
	struct tw_rule_count total = {0};

	for (uint32_t cpu = 0; slot < TW_RULES_MAX && cpu < kernel->n_cpus; cpu++) {
		const struct tw_rule_count *count = &kernel->rules[tw_rule_index(slot, cpu)];

		total.hits += count->hits;
		total.packets += count->packets;
		total.bytes += count->bytes;
		if (count->last_ns > total.last_ns)
			total.last_ns = count->last_ns;
	}
	return total;
}

void tw_counts_clear_rule(const struct tw_kernel *kernel, uint32_t slot)
{
	for (uint32_t cpu = 0; slot < TW_RULES_MAX && cpu < kernel->n_cpus; cpu++)
		kernel->rules[tw_rule_index(slot, cpu)] = (struct tw_rule_count){0};
}

int tw_counts_reason(const struct tw_kernel *kernel, uint32_t reason, uint32_t dir, uint64_t *ret)
{
	return sum(kernel, TW_MAP_reasons, tw_reason_index(reason, dir), ret, 1);
}
