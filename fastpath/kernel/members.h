/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* members.h: offsets of members of the kernel's structures, from its type information (BTF).
 *
 * Callers:    the loader, before load: bridge.c, offload.c.
 */
#pragma once

#include <linux/types.h>

struct btf;

/* Finds the offset of a member in bits, also within unnamed members. 0 or -ENOENT. */
int tw_members_find_bits(
	const struct btf *btf, const char *structure, const char *member, __u32 *ret_bits);
/* Finds the offset of a member in bytes. 0, or -ENOENT: there is none, or it is a bit-field. */
int tw_members_find(
	const struct btf *btf, const char *structure, const char *member, __u32 *ret_bytes);
