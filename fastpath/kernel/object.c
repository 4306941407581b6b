/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/kernel/bridge.h"
#include "fastpath/kernel/clock.h"
#include "fastpath/kernel/kernel.h"
#include "tap.skel.h"

/* The running kernel's; 0 where programs do not ask. */
static struct tw_bridge_calls bridge_calls;

/* Calls of kernel functions are named by numbers that differ from kernel to kernel. They stand in the
 * program itself and in functions that it runs apart, which are a part of it by now. */
static int set_calls(struct bpf_program *prog, struct bpf_prog_load_opts *opts, long cookie)
{
	const struct tw_bridge_calls *calls = &bridge_calls;
	size_t n = bpf_program__insn_cnt(prog);
	tw_autofree struct bpf_insn *insns = tw_alloc_array(n, sizeof(*insns));

	(void)opts;
	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(prog), n * sizeof(*insns));
	for (size_t i = 0; calls->word && i < n; i++) {
		if (insns[i].code != (BPF_JMP | BPF_CALL) || insns[i].src_reg)
			continue;
		if (insns[i].imm != TW_CALL_CONTEXT && insns[i].imm != TW_CALL_WORD)
			continue;
		insns[i].src_reg = BPF_PSEUDO_KFUNC_CALL;
		insns[i].imm = (__s32)(insns[i].imm == TW_CALL_WORD ? calls->word : calls->context);
	}
	return bpf_program__set_insns(prog, insns, n);
}

/* Has libbpf ask set_calls() about each program of section tc right before it is loaded. Once. */
static int handle_programs(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = set_calls);
	static int handler;

	if (!handler)
		handler = libbpf_register_prog_handler("tc", BPF_PROG_TYPE_SCHED_CLS, 0, &opts);
	return handler < 0 ? handler : 0;
}

int tw_kernel_open_object(struct tw_kernel *kernel, bool test)
{
	struct tw_bridge_view view = {0};
	struct tw_clock clock = {0};
	struct tap_bpf *skeleton;
	int code = handle_programs();

	if (code)
		return code;
	skeleton = tap_bpf__open();
	if (!skeleton)
		return -errno;
	skeleton->rodata->tw_test_mode = test;
	tw_clock_calibrate(&clock);
	skeleton->rodata->tw_jiffy_ns = clock.jiffy_ns;
	skeleton->rodata->tw_jiffies_start_ns = clock.start_ns;
	kernel->skeleton = skeleton;
	kernel->object = skeleton->obj;
	if (!test)
		tw_bridge_view_init(&view, &bridge_calls);
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
