/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* memory.bpf.h: reads the kernel's memory by address (memory.h).
 *
 * Bounds:     a read of a word is one load, with the few instructions that the kernel puts before it
 *             to see that the address is the kernel's.
 */
#pragma once

#include "fastpath/kernel/memory.h"
#include "fastpath/path/bytes.h"

/* Set before load. */
const volatile struct tw_memory tw_memory = {0};

static void *(*const kernel_context)(void *context) = (void *)TW_CALL_CONTEXT;
static const __u64 *(*const kernel_words)(const void *at, __u32 type) = (void *)TW_CALL_WORDS;

/* The TW_MEMORY_WORDS words from an address on, aligned, each read where it is used, in whole or in
 * part; 0 where nothing can be read. They are to be named by constants. */
tw_inline const __u64 *words_at(__u64 at)
{
	return kernel_words((const void *)at, tw_memory.type);
}

/* The aligned word at an address; 0 where nothing can be read. A kernel without these functions copies
 * it. */
tw_inline __u64 read_word(__u64 at)
{
	__u64 word;

	if (tw_memory.type)
		return *words_at(at);
	word = 0;
	bpf_probe_read_kernel(&word, sizeof(word), (const void *)at);
	return word;
}

/* The aligned word that holds the byte at `offset`, moved down so that the byte comes first. */
tw_inline __u64 word_at(__u64 base, __u32 offset)
{
	return read_word(base + (offset & ~7u)) >> 8 * (offset & 7);
}

/* A pointer as a number: to the kernel, the difference of two pointers is one. */
tw_inline __u64 address_of(const void *pointer)
{
	return (__u64)pointer - (__u64)words_at(0);
}
