/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* memory.bpf.h: reads kernel memory by address (memory.h).
 *
 * Bounds:     a read of a word is one load, and a few instructions of the kernel that check the
 *             address.
 */
#pragma once

#include "fastpath/kernel/memory.h"
#include "fastpath/path/bytes.h"

/* Set before load. */
const volatile struct tw_memory tw_memory = {0};

static void *(*const kernel_context)(void *context) = (void *)TW_CALL_CONTEXT;
static const __u64 *(*const kernel_words)(const void *at, __u32 type) = (void *)TW_CALL_WORDS;

/* Returns the TW_MEMORY_WORDS aligned words at an address; index them by constants. Each is read
 * where it is used, in whole or in part; an unreadable word is 0. */
tw_inline const __u64 *words_at(__u64 at)
{
	return kernel_words((const void *)at, tw_memory.type);
}

/* Returns the aligned word at an address; 0 if unreadable. A kernel without these functions copies
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

/* Returns the aligned word with the byte at `offset`, shifted so that the byte is lowest. */
tw_inline __u64 word_at(__u64 base, __u32 offset)
{
	return read_word(base + (offset & ~7u)) >> 8 * (offset & 7);
}

/* Returns a pointer as a number: for the verifier, the difference of two pointers is one. */
tw_inline __u64 address_of(const void *pointer)
{
	return (__u64)pointer - (__u64)words_at(0);
}
