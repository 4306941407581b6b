/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "fastpath/kernel/bridge.h"
#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "tap.skel.h"

int tw_kernel_open_object(struct tw_kernel *kernel, bool test)
{
	struct tap_bpf *skeleton = tap_bpf__open();
	struct tw_bridge_view view = {0};
	struct tw_clock clock = {0};

	if (!skeleton)
		return -errno;
	skeleton->rodata->tw_test_mode = test;
	tw_clock_calibrate(&clock);
	skeleton->rodata->tw_jiffy_ns = clock.jiffy_ns;
	skeleton->rodata->tw_jiffies_start_ns = clock.start_ns;
	kernel->skeleton = skeleton;
	kernel->object = skeleton->obj;
	if (!test)
		tw_bridge_view_init(&view);
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
