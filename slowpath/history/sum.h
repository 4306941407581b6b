/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sum.h: a checksum fast enough to verify every byte that a query reads.
 *
 * Four interleaved sums of 64-bit words and four sums of those sums (Fletcher, "An Arithmetic
 * Checksum for Serial Transmissions", 1982), mixed into 64 bits. Detects every single wrong word,
 * and swapped words. It does not detect deliberate changes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Four words, which may be unaligned in memory. */
typedef uint64_t tw_history_lanes __attribute__((vector_size(32), aligned(8)));

static inline uint64_t tw_history_mix(uint64_t a, uint64_t b)
{
	a = (a ^ b) * 0x9e3779b97f4a7c15u;
	return a ^ a >> 29;
}

/* Returns the checksum of `len` bytes; `seed` counts as a word before them. */
static inline uint64_t tw_history_sum(uint64_t seed, const void *data, size_t len)
{
	const uint8_t *at = data;
	tw_history_lanes sum = {seed, seed, seed, seed}, of_sums = {0}, word;
	uint64_t mixed = len;

	for (size_t left = len; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		sum += word;
		of_sums += sum;
	}
	if (len % sizeof(word)) {
		word = (tw_history_lanes){0};
		memcpy(&word, at, len % sizeof(word));
		sum += word;
		of_sums += sum;
	}
	for (int i = 0; i < 4; i++)
		mixed = tw_history_mix(tw_history_mix(mixed, sum[i]), of_sums[i]);
	return mixed;
}
