/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload.h: locates in a frame's metadata what the kernel will do to it after the programs.
 *
 * Why:        completing a checksum and segmentation rewrite bytes after the verdict, and struct
 *             __sk_buff shows neither.
 * How:        offload.c finds offsets in the kernel's type information (BTF), the loader puts them
 *             into read-only data, and offload.bpf.h reads there.
 * Callers:    the loader, before load; tap.bpf.c.
 */
#pragma once

#include <linux/types.h>

struct btf;

/* Offsets in struct sk_buff, and one in struct skb_shared_info; in bytes, except for the first. */
struct tw_offload_view {
	__u32 summed; /* ip_summed, in bits */
	__u32 csum_start;
	__u32 csum_offset;
	__u32 inner_mac;
	__u32 inner_network;
	__u32 head;
	__u32 data;
	__u32 end;
	__u32 gso_type;
	__u32 pad;
};

/* Fills the view. 0, or -ENOENT if this kernel's type information lacks something: then the
 * programs must not be loaded. */
int tw_offload_view_init(const struct btf *kernel, struct tw_offload_view *ret);
