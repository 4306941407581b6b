/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>

#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "tap.skel.h"

int tw_kernel_open_object(struct tw_kernel *kernel, bool test)
{
	struct tap_bpf *skeleton = tap_bpf__open();
	struct tw_clock clock = {0};

	if (!skeleton)
		return -errno;
	skeleton->rodata->tw_test_mode = test;
	tw_clock_calibrate(&clock);
	skeleton->rodata->tw_jiffy_ns = clock.jiffy_ns;
	skeleton->rodata->tw_jiffies_start_ns = clock.start_ns;
	kernel->skeleton = skeleton;
	kernel->object = skeleton->obj;
	return 0;
}

void tw_kernel_close_object(struct tw_kernel *kernel)
{
	tap_bpf__destroy(kernel->skeleton);
}
