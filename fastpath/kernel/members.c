/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/kernel/members.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#define DEPTH_MAX 4 /* sk_buff.csum_start: a structure in a union, twice */

static int find_member(const struct btf *btf, const struct btf_type *type, const char *name,
	int depth, __u32 *ret_bits)
{
	const struct btf_member *member = btf_members(type);

	for (__u32 i = 0; i < btf_vlen(type); i++) {
		const char *its = btf__name_by_offset(btf, member[i].name_off);
		const struct btf_type *inner = btf__type_by_id(btf, member[i].type);
		__u32 bits = btf_member_bit_offset(type, i), more = 0;

		if (!strcmp(its, name)) {
			*ret_bits = bits;
			return 0;
		}
		if (!*its && depth && btf_is_composite(inner) &&
			!find_member(btf, inner, name, depth - 1, &more)) {
			*ret_bits = bits + more;
			return 0;
		}
	}
	return -ENOENT;
}

int tw_members_find_bits(
	const struct btf *btf, const char *structure, const char *member, __u32 *ret_bits)
{
	__s32 id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);

	if (id < 0)
		return -ENOENT;
	return find_member(btf, btf__type_by_id(btf, (__u32)id), member, DEPTH_MAX, ret_bits);
}

int tw_members_find(
	const struct btf *btf, const char *structure, const char *member, __u32 *ret_bytes)
{
	__u32 bits;

	if (tw_members_find_bits(btf, structure, member, &bits) || bits % 8)
		return -ENOENT;
	*ret_bytes = bits / 8;
	return 0;
}
