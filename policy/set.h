/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* set.h: sets of numbers up to 128 bits, as ranges: addresses, protocols and ports alike.
 *
 * What:       struct tw_ranges is a set being built; struct tw_set is a finished one. A pool keeps
 *             each content once, so that equal sets have equal addresses.
 * Invariants: 1. A normal list is sorted, and between two ranges at least one number is missing.
 *             2. A finished set is normal and never changes.
 *             3. An address is its 128 bits as a number in host order; IPv4 is at ::ffff:0:0/96.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/types.h"
#include "policy/arena.h"
#include "policy/table.h"

typedef unsigned __int128 tw_u128;

#define TW_U128_MAX (~(tw_u128)0)
#define TW_V4_FIRST ((tw_u128)0xffff << 32)
#define TW_V4_LAST  (TW_V4_FIRST | 0xffffffff)

struct tw_range {
	tw_u128 lo;
	tw_u128 hi; /* inclusive */
};

struct tw_ranges {
	struct tw_range *at;
	size_t n;
	size_t max;
};

static inline void tw_ranges_done(struct tw_ranges *ranges)
{
	tw_vec_done(ranges);
}

#define tw_auto_ranges __attribute__((cleanup(tw_ranges_done)))

tw_u128 tw_set_number(const struct tw_addr *addr);
struct tw_addr tw_set_addr(tw_u128 number);

/* Return 0 or -ENOMEM, or a result. Operands must be normal, except for add and sort. */
int tw_ranges_add(struct tw_ranges *ranges, tw_u128 lo, tw_u128 hi);
void tw_ranges_sort(struct tw_ranges *ranges); /* sorts and merges the ranges */
int tw_ranges_add_all(struct tw_ranges *ranges, const struct tw_ranges *more);
/* Replace the contents of `ret`, which must not be an operand. */
int tw_ranges_minus(const struct tw_ranges *a, const struct tw_ranges *b, struct tw_ranges *ret);
int tw_ranges_and(const struct tw_ranges *a, const struct tw_ranges *b, struct tw_ranges *ret);
bool tw_ranges_contain(const struct tw_ranges *a, const struct tw_ranges *b); /* b within a */
bool tw_ranges_overlap(const struct tw_ranges *a, const struct tw_ranges *b);
bool tw_ranges_has(const struct tw_ranges *ranges, tw_u128 number);
/* Returns the index of the first range that does not end before `number`, or n. */
size_t tw_ranges_seek(const struct tw_ranges *ranges, tw_u128 number);

struct tw_set {
	struct tw_ranges r; /* `max` is unused */
	uint32_t id;	    /* index in the pool plus the pool's first_id */
	uint32_t family;    /* TW_FAMILY_* bits of its members */
	uint64_t digest[2]; /* digest of its content, the same in every pool */
};

#define TW_FAMILY_V4  1u
#define TW_FAMILY_V6  2u
#define TW_FAMILY_ANY 3u

struct tw_sets {
	struct tw_arena arena;
	TW_VEC(const struct tw_set *) all;
	struct tw_index index;
	uint64_t seed;
	size_t n_ranges;   /* number of ranges in all sets together */
	uint32_t first_id; /* 0, or above the ids of a pool whose sets are used beside these */
	const struct tw_set *everything;
	const struct tw_set *empty;
};

/* The pool starts with `everything` and `empty`. Returns 0 or -ENOMEM; done() must be called in
 * either case. */
int tw_sets_init(struct tw_sets *sets, uint64_t seed, uint32_t first_id);
void tw_sets_done(struct tw_sets *sets);
/* Returns the pool's set with the content of `ranges`, which must be normal, or NULL if out of
 * memory. */
const struct tw_set *tw_sets_intern(struct tw_sets *sets, const struct tw_ranges *ranges);
