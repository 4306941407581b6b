/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "fastpath/kernel/bridge.h"
#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "fastpath/kernel/memory.h"
#include "tap.skel.h"

/* What the running kernel's type information says of its memory; `view` stays zero for tests. */
static int look_at_kernel(
	bool by_lookup, bool test, struct tw_memory *memory, struct tw_bridge_view *view)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	int code = tw_memory_init(kernel, memory);

	if (by_lookup)
		memory->type = 0;
	if (!code && memory->type && !test)
		tw_bridge_view_init(kernel, view);
	btf__free(kernel);
	return code;
}

int tw_kernel_open_object(struct tw_kernel *kernel, const struct tw_kernel_options *options)
{
	struct tw_memory memory = {0};
	struct tw_bridge_view view = {0};
	struct tw_clock clock = {0};
	struct tap_bpf *skeleton;
	int code = look_at_kernel(options->by_lookup, options->test, &memory, &view);

	if (code)
		return code;
	skeleton = tap_bpf__open();
	if (!skeleton)
		return -errno;
	skeleton->rodata->tw_test_mode = options->test;
	tw_clock_calibrate(&clock);
	skeleton->rodata->tw_jiffy_ns = clock.jiffy_ns;
	skeleton->rodata->tw_jiffies_start_ns = clock.start_ns;
	kernel->skeleton = skeleton;
	kernel->object = skeleton->obj;
	memcpy((void *)&skeleton->rodata->tw_memory, &memory, sizeof(memory));
	memcpy((void *)&skeleton->rodata->tw_view, &view, sizeof(view));
	kernel->facts.asks_bridges = view.known;
	kernel->facts.uplinks = view.database;
	return 0;
}

void tw_kernel_size_object(struct tw_kernel *kernel)
{
	kernel->skeleton->rodata->tw_rows = tw_conn_rows(kernel->facts.max_conns);
	kernel->skeleton->rodata->tw_slots = tw_conn_slots(kernel->facts.max_conns);
}

void tw_kernel_close_object(struct tw_kernel *kernel)
{
	tap_bpf__destroy(kernel->skeleton);
}
