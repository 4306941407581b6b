/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>

#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "tap.skel.h"

/* Whether programs may read the kernel's memory as seat.bpf.h does it. */
static bool may_ask(void)
{
	static const char *const functions[] = {"bpf_cast_to_kern_ctx", "bpf_rdonly_cast"};
	struct btf *kernel = btf__load_vmlinux_btf();
	bool may = kernel != NULL;

	for (size_t i = 0; may && i < sizeof(functions) / sizeof(functions[0]); i++)
		may = btf__find_by_name_kind(kernel, functions[i], BTF_KIND_FUNC) > 0;
	btf__free(kernel);
	return may;
}

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
	skeleton->rodata->tw_may_ask = !test && may_ask();
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
