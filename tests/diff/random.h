/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* random.h: a pseudo-random generator with the same sequence on every platform (xorshift64*, Vigna
 * 2016). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tw_random {
	uint64_t state; /* not 0 */
};

static inline struct tw_random tw_random_from(uint64_t seed)
{
	return (struct tw_random){seed * 0x9e3779b97f4a7c15u + 0x2545f4914f6cdd1du};
}

static inline uint64_t tw_random_bits(struct tw_random *r)
{
	if (!r->state)
		r->state = 1;
	r->state ^= r->state >> 12;
	r->state ^= r->state << 25;
	r->state ^= r->state >> 27;
	return r->state * 0x2545f4914f6cdd1du;
}

/* Returns a number from 0 to n - 1. */
static inline uint32_t tw_random_below(struct tw_random *r, uint32_t n)
{
	return (uint32_t)((tw_random_bits(r) >> 32) * n >> 32);
}

static inline bool tw_random_one_in(struct tw_random *r, uint32_t n)
{
	return tw_random_below(r, n) == 0;
}
