/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/kernel/bridge.h"
#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "tap.skel.h"

/* Calls of kernel functions are named by numbers that differ from kernel to kernel. */
static int set_calls(struct bpf_program *prog, const struct tw_bridge_calls *calls)
{
	size_t n = bpf_program__insn_cnt(prog);
	tw_autofree struct bpf_insn *insns = tw_alloc_array(n, sizeof(*insns));

	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	for (size_t i = 0; i < n; i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg)
			continue;
		if (insns[i].imm != TW_CALL_CONTEXT && insns[i].imm != TW_CALL_WORD)
			continue;
		insns[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
		insns[i].imm = (__s32)(insns[i].imm == TW_CALL_WORD ? calls->word : calls->context);
	}
	return bpf_program__set_insns(prog, insns, n);
}

/* Lets the programs ask bridges, where the kernel lets them. */
static int set_view(struct tap_bpf *skeleton)
{
	struct tw_bridge_view view = {0};
	struct tw_bridge_calls calls = {0};
	struct bpf_program *prog;
	int code = 0;

	tw_bridge_view_init(&view, &calls);
	if (!view.known)
		return 0;
	memcpy((void *)&skeleton->rodata->tw_view, &view, sizeof(view));
	bpf_object__for_each_program(prog, skeleton->obj) if (!code) code = set_calls(prog, &calls);
	return code;
}

int tw_kernel_open_object(struct tw_kernel *kernel, bool test)
{
	struct tap_bpf *skeleton = tap_bpf__open();
	struct tw_clock clock = {0};
	int code = 0;

	if (!skeleton)
		return -errno;
	skeleton->rodata->tw_test_mode = test;
	tw_clock_calibrate(&clock);
	skeleton->rodata->tw_jiffy_ns = clock.jiffy_ns;
	skeleton->rodata->tw_jiffies_start_ns = clock.start_ns;
	kernel->skeleton = skeleton;
	kernel->object = skeleton->obj;
	if (!test)
		code = set_view(skeleton);
	kernel->facts.asks_bridges = skeleton->rodata->tw_view.known;
	bpf_program__set_autoload(
		skeleton->progs.from_uplink, skeleton->rodata->tw_view.database != 0);
	return code;
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
