/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* memory.h: how programs read the kernel's memory by address.
 *
 * Why:        an array's elements stand one behind the other, so that a word of an image can be read
 *             without a lookup of its chunk (image.bpf.h); and bridges' records can be read, which no
 *             helper tells of (bridge.h).
 * How:        by the kernel functions bpf_cast_to_kern_ctx() and bpf_rdonly_cast(), which Linux has
 *             from 6.2 on and which cost nothing: the second makes of an address a pointer to a
 *             structure of a type of the kernel's. A read that faults gives 0. What may be read of it
 *             are the structure's members: hence a type that begins with many integers.
 * Callers:    object.c, before load; the programs, by memory.bpf.h.
 */
#pragma once

#include <linux/types.h>

struct btf;

/* What stands in the programs where a kernel function is called, until its number is known: no
 * helper has these. (libbpf, too, would look for a function that this kernel has not in modules.) */
#define TW_CALL_CONTEXT 0x7a770001
#define TW_CALL_WORDS	0x7a770002

#define TW_MEMORY_WORDS 16 /* of 64 bits, read from one pointer */

struct tw_memory {
	__u32 type; /* BTF id of a structure that begins with so many; 0: nothing can be read */
};

/* Finds out, and has libbpf put the functions' numbers into all programs of section tc that it loads
 * from now on; ret->type stays 0 where this kernel has none of it. 0 or negative errno. `kernel`: its
 * type information, NULL: it has none. */
int tw_memory_init(const struct btf *kernel, struct tw_memory *ret);
