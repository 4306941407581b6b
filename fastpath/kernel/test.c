/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>

#include "fastpath/kernel/kernel.h"

/* Reads the trace of the CPU that ran the program, which is the one with an outcome. */
static int read_outcome(struct tw_kernel *kernel, struct tw_outcome *ret)
{
	int fd = kernel->map_fd[TW_MAP_outcome], n_cpus = libbpf_num_possible_cpus();
	tw_autofree struct tw_outcome *all = NULL;
	const __u32 zero = 0;

	if (n_cpus < 0)
		return n_cpus;
	all = calloc((size_t)n_cpus, sizeof(*all));
	if (!all)
		return -ENOMEM;
	if (bpf_map_lookup_elem(fd, &zero, all))
		return -errno;
	for (int i = 0; i < n_cpus; i++)
		if (all[i].reason || all[i].verdict)
			*ret = all[i];
	memset(all, 0, (size_t)n_cpus * sizeof(*all));
	return bpf_map_update_elem(fd, &zero, all, BPF_ANY) ? -errno : 0;
}

int tw_kernel_test_run(struct tw_kernel *kernel, enum tw_dir dir, uint32_t ifindex, void *frame,
	size_t *len, size_t max, uint16_t gso_size, struct tw_beside *beside, uint32_t repeat,
	int *ret_code, uint32_t *ret_ns, struct tw_outcome *ret)
{
	struct __sk_buff ctx = {.mark = beside->mark,
		.ifindex = ifindex,
		.ingress_ifindex = dir == TW_DIR_OUT ? ifindex : beside->origin,
		.cb = {beside->number},
		.gso_size = gso_size,
		.gso_segs = gso_size ? (__u32)(*len / gso_size + 1) : 0};
	tw_autofree unsigned char *out = malloc(max ? max : 1);
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)*len,
		.data_out = out, .data_size_out = (__u32)max, .ctx_in = &ctx,
		.ctx_size_in = sizeof(ctx), .ctx_out = &ctx, .ctx_size_out = sizeof(ctx),
		.repeat = (int)repeat);

	if (!out)
		return -ENOMEM;
	if (bpf_prog_test_run_opts(kernel->prog_fd[dir], &opts))
		return -errno;
	memcpy(frame, out, opts.data_size_out);
	*len = opts.data_size_out;
	*beside = (struct tw_beside){ctx.mark, ctx.cb[0], ctx.ingress_ifindex};
	*ret_code = (int)opts.retval;
	*ret_ns = opts.duration;
	return ret ? read_outcome(kernel, ret) : 0;
}
