/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/offload.h"

#include <endian.h>
#include <errno.h>
#include <stddef.h>

#include "fastpath/kernel/members.h"

/* The programs split words by the layout of a little-endian machine, follow whole pointers, and
 * read a checksum's start and offset at once. */
static int check_layout(const struct tw_offload_view *view)
{
	if (__BYTE_ORDER != __LITTLE_ENDIAN || sizeof(void *) != sizeof(__u64))
		return -ENOENT;
	if (view->csum_start % sizeof(__u32) ||
		view->csum_offset != view->csum_start + sizeof(__u16))
		return -ENOENT;
	return (view->head | view->data) % sizeof(__u64) ? -ENOENT : 0;
}

int tw_offload_view_init(const struct btf *kernel, struct tw_offload_view *ret)
{
	struct tw_offload_view view = {0};
	const struct {
		const char *structure, *member;
		__u32 *offset;
	} wanted[] = {
		{"sk_buff", "csum_start", &view.csum_start},
		{"sk_buff", "csum_offset", &view.csum_offset},
		{"sk_buff", "inner_mac_header", &view.inner_mac},
		{"sk_buff", "inner_network_header", &view.inner_network},
		{"sk_buff", "head", &view.head},
		{"sk_buff", "data", &view.data},
		{"sk_buff", "end", &view.end},
		{"skb_shared_info", "gso_type", &view.gso_type},
	};

	if (!kernel || tw_members_find_bits(kernel, "sk_buff", "ip_summed", &view.summed))
		return -ENOENT;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (tw_members_find(
			    kernel, wanted[i].structure, wanted[i].member, wanted[i].offset))
			return -ENOENT;
	if (check_layout(&view))
		return -ENOENT;
	*ret = view;
	return 0;
}
