/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>

#include "fastpath/kernel/kernel.h"

/* Sets the word in the settings that makes programs look at `captures` and `captured` at all. Set
 * last, cleared first. */
static int set_capturing(struct tw_kernel *kernel, bool on)
{
	return tw_kernel_store_setting(kernel, offsetof(struct tw_config, capturing), on);
}

int tw_kernel_capture_start(struct tw_kernel *kernel, uint32_t ifindex,
	const struct tw_capture_want *want, uint32_t ring_bytes, int *ret_ring_fd)
{
	tw_autofd int fd = bpf_map_create(
		BPF_MAP_TYPE_RINGBUF, "captured_ring", 0, 0, ring_bytes, NULL);
	int code;

	if (fd < 0)
		return -errno;
	if (bpf_map_update_elem(kernel->map_fd[TW_MAP_captured], &ifindex, &fd, BPF_ANY))
		return -errno;
	code = tw_kernel_capture_set(kernel, ifindex, want);
	if (!code)
		code = set_capturing(kernel, true);
	if (code) {
		tw_kernel_capture_stop(kernel, ifindex);
		return code;
	}
	*ret_ring_fd = TW_TAKE_FD(fd);
	return 0;
}

int tw_kernel_capture_set(
	struct tw_kernel *kernel, uint32_t ifindex, const struct tw_capture_want *want)
{
	return bpf_map_update_elem(kernel->map_fd[TW_MAP_captures], &ifindex, want, BPF_ANY)
		       ? -errno
		       : 0;
}

int tw_kernel_capture_get(struct tw_kernel *kernel, uint32_t ifindex, struct tw_capture_want *ret)
{
	struct tw_capture_want want;

	if (bpf_map_lookup_elem(kernel->map_fd[TW_MAP_captures], &ifindex, &want))
		return -errno;
	*ret = want;
	return 0;
}

void tw_kernel_capture_stop(struct tw_kernel *kernel, uint32_t ifindex)
{
	uint32_t any;

	bpf_map_delete_elem(kernel->map_fd[TW_MAP_captures], &ifindex);
	bpf_map_delete_elem(kernel->map_fd[TW_MAP_captured], &ifindex);
	if (bpf_map_get_next_key(kernel->map_fd[TW_MAP_captures], NULL, &any))
		set_capturing(kernel, false);
}

void tw_kernel_capture_clear(struct tw_kernel *kernel)
{
	static const enum tw_map maps[] = {TW_MAP_captures, TW_MAP_captured};
	uint32_t ifindex;

	set_capturing(kernel, false);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		while (!bpf_map_get_next_key(kernel->map_fd[maps[i]], NULL, &ifindex) &&
			!bpf_map_delete_elem(kernel->map_fd[maps[i]], &ifindex))
			continue;
}
