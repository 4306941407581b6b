/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/ask.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>

#include "fastpath/kernel/kernel.h"

void tw_kernel_ask_until(struct tw_kernel *kernel, uint32_t tick)
{
	tw_kernel_store_setting(kernel, offsetof(struct tw_config, ask_until), tick);
}

void tw_kernel_ask_rate(struct tw_kernel *kernel, uint32_t rate)
{
	tw_kernel_store_setting(kernel, offsetof(struct tw_config, ask_rate), rate);
}

void tw_kernel_ask_quota(struct tw_kernel *kernel, uint32_t entries)
{
	tw_kernel_store_setting(kernel, offsetof(struct tw_config, ask_quota), entries);
}

int tw_kernel_reinject(struct tw_kernel *kernel, const struct tw_kernel_frame *frame)
{
	struct __sk_buff ctx = {.mark = frame->mark,
		.ingress_ifindex = frame->origin,
		.cb = {frame->ifindex, frame->dir == TW_DIR_OUT ? BPF_F_INGRESS : 0}};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->data,
		.data_size_in = (__u32)frame->len, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		.repeat = 1);

	if (bpf_prog_test_run_opts(kernel->reinject_fd, &opts))
		return -errno;
	return (int)opts.retval;
}
