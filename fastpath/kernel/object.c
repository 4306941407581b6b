/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "fastpath/kernel/bridge.h"
#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "fastpath/kernel/memory.h"
#include "fastpath/kernel/offload.h"
#include "tap.skel.h"

/* Two readings of a clock differ by a tick plus the time that the reader was preempted. */
#define CLOCK_SLACK_NS 50000000ull

struct views {
	struct tw_memory memory;
	struct tw_bridge_view bridge;
	struct tw_offload_view offload;
};

/* Fills the views from the running kernel's type information; in tests, only the view of memory.
 * -ENOTSUP if frames' metadata cannot be read: a frame may then leave with headers other than those
 * judged. */
static int look_at_kernel(bool by_lookup, bool test, struct views *views)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int code = tw_memory_init(kernel, &views->memory);

	if (by_lookup)
		views->memory.type = 0;
	if (!code && views->memory.type && !test)
		tw_bridge_view_init(kernel, &views->bridge);
	if (!code && !test && tw_offload_view_init(kernel, &views->offload))
		code = -ENOTSUP;
	btf__free(kernel);
	return code;
}

/* Returns the 64-bit FNV-1a hash of the object's file. */
static uint64_t print_object(void)
{
	uint64_t print = 14695981039346656037u;
	size_t len;
	const unsigned char *bytes = tap_bpf__elf_bytes(&len);

	for (size_t i = 0; i < len; i++)
		print = (print ^ bytes[i]) * 1099511628211u;
	return print;
}

int tw_kernel_open_object(struct tw_kernel *kernel, const struct tw_kernel_options *options)
{
	struct views views = {0};
	struct tw_clock clock = {0};
	struct tap_bpf *skeleton;
	int code = look_at_kernel(options->by_lookup, options->test, &views);

	if (code)
		return code;
	skeleton = tap_bpf__open();
	if (!skeleton)
		return -errno;
	skeleton->rodata->tw_test_mode = options->test;
	skeleton->rodata->tw_in_qdisc = !kernel->facts.tcx && !options->test;
	skeleton->rodata->tw_object_print = print_object();
	tw_clock_calibrate(&clock);
	skeleton->rodata->tw_jiffy_ns = clock.jiffy_ns;
	skeleton->rodata->tw_jiffies_start_ns = clock.start_ns;
	kernel->skeleton = skeleton;
	kernel->object = skeleton->obj;
	memcpy((void *)&skeleton->rodata->tw_memory, &views.memory, sizeof(views.memory));
	memcpy((void *)&skeleton->rodata->tw_view, &views.bridge, sizeof(views.bridge));
	memcpy((void *)&skeleton->rodata->tw_offload_view, &views.offload, sizeof(views.offload));
	kernel->facts.asks_bridges = views.bridge.known;
	kernel->facts.uplinks = views.bridge.database;
	return 0;
}

void tw_kernel_size_object(struct tw_kernel *kernel)
{
	kernel->skeleton->rodata->tw_n_buckets = tw_conn_buckets(kernel->facts.max_conns);
	kernel->skeleton->rodata->tw_slots = tw_conn_slots(kernel->facts.max_conns);
}

bool tw_kernel_is_data(const struct tw_kernel *kernel, const void *data, size_t len)
{
	size_t own_len;
	const void *own = bpf_map__initial_value(kernel->skeleton->maps.rodata, &own_len);
	const size_t rest = sizeof(struct tap_bpf__rodata); /* unnamed tables */
	struct tap_bpf__rodata given, expected;

	if (!own || len != own_len || len < rest)
		return false;
	memcpy(&given, data, rest);
	memcpy(&expected, own, rest);
	if (given.tw_jiffies_start_ns - expected.tw_jiffies_start_ns + CLOCK_SLACK_NS >
		2 * CLOCK_SLACK_NS)
		return false;
	expected.tw_jiffies_start_ns = given.tw_jiffies_start_ns;
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison): both are bytes of one section */
	return !memcmp(&given, &expected, rest) &&
	       !memcmp((const char *)data + rest, (const char *)own + rest, len - rest);
}

void tw_kernel_close_object(struct tw_kernel *kernel)
{
	tap_bpf__destroy(kernel->skeleton);
}

int tw_kernel_copy_object(const struct tw_kernel *kernel, struct tap_bpf **ret)
{
	struct bpf_map *own, *of_copy = NULL;

	*ret = tap_bpf__open();
	if (!*ret)
		return -errno;
	/* Both objects have the same maps in the same order. */
	bpf_object__for_each_map (own, kernel->object) {
		int code;

		of_copy = bpf_object__next_map((*ret)->obj, of_copy);
		code = bpf_map__reuse_fd(of_copy, bpf_map__fd(own));
		if (code)
			return code;
	}
	return 0;
}

struct bpf_object *tw_kernel_object_of(const struct tap_bpf *copy)
{
	return copy->obj;
}

void tw_kernel_close_copy(struct tap_bpf *copy)
{
	tap_bpf__destroy(copy);
}
