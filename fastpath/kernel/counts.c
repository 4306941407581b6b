/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "fastpath/kernel/load.h"

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

int tw_counts_rule(const struct tw_kernel *kernel, uint32_t slot, struct tw_rule_count *ret)
{
	int n_cpus = libbpf_num_possible_cpus();
	tw_autofree struct tw_rule_count *counts = NULL;
	struct tw_rule_count total = {0};

	if (n_cpus < 0)
		return n_cpus;
	counts = tw_alloc_array((size_t)n_cpus, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	if (bpf_map_lookup_elem(tw_kernel_map_fd(kernel, TW_MAP_rules), &slot, counts) < 0)
		return -errno;
	for (int cpu = 0; cpu < n_cpus; cpu++) {
		total.hits += counts[cpu].hits;
		total.packets += counts[cpu].packets;
		total.bytes += counts[cpu].bytes;
		if (counts[cpu].last_ns > total.last_ns)
			total.last_ns = counts[cpu].last_ns;
	}
	*ret = total;
	return 0;
}

int tw_counts_reason(const struct tw_kernel *kernel, uint32_t reason, uint32_t dir, uint64_t *ret)
{
	return sum(kernel, TW_MAP_reasons, tw_reason_index(reason, dir), ret, 1);
}
