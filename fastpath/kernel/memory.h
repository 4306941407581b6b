/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* memory.h: lets programs read kernel memory by address.
 *
 * Why:        an array's elements are contiguous, so a word of an image can be read without a
 *             lookup of its chunk (image.bpf.h). Bridges' records can be read, which no helper
 *             offers (bridge.h).
 * How:        by the kernel functions bpf_cast_to_kern_ctx() and bpf_rdonly_cast() of Linux 6.2,
 *             which cost nothing. The second one turns an address into a pointer to a kernel
 *             structure. A read that faults gives 0. Only the structure's members may be read, so a
 *             type is used that begins with many integers.
 * Callers:    object.c, before load; the programs, by memory.bpf.h.
 */
#pragma once

#include <linux/types.h>

struct btf;

/* Placeholders for calls of kernel functions until their numbers are known: no helper has these.
 * (libbpf would search modules, too, for a function that this kernel lacks.) */
#define TW_CALL_CONTEXT 0x7a770001
#define TW_CALL_WORDS	0x7a770002

#define TW_MEMORY_WORDS 16 /* words of 64 bits, read from one pointer */

struct tw_memory {
	__u32 type; /* BTF id: a structure that begins with TW_MEMORY_WORDS integers; 0: none */
};

/* Fills *ret, and makes libbpf put the functions' numbers into all programs of section tc that it
 * loads from now on. ret->type stays 0 if this kernel lacks them. 0 or negative errno. `kernel`:
 * its type information; NULL: none. */
int tw_memory_init(const struct btf *kernel, struct tw_memory *ret);
