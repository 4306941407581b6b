/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* partition.h: cuts a range of numbers into intervals whose numbers are in the same sets.
 *
 * What:       interval i is [keys[i], keys[i + 1]); the last one ends with the range. Intervals in
 *             the same sets form one class. Neighbours of one class are merged.
 * How:        a walk over the bounds of all sets. A class is identified by the sum of its sets'
 *             random 128-bit numbers (Zobrist hashing), so collisions happen only by chance.
 */
#pragma once

#include "base/vec.h"
#include "policy/set.h"

struct tw_partition {
	TW_VEC(tw_u128) keys;
	TW_VEC(uint32_t) classes; /* class of each interval */
	size_t n_classes;
	TW_VEC(tw_u128) sample;	  /* a sample number in each class */
	TW_VEC(uint32_t) first;	  /* sets of class c: members[first[c] … first[c + 1]) */
	TW_VEC(uint32_t) members; /* set numbers, unordered */
};

/* Limits and options of a partition. */
struct tw_partition_limits {
	size_t bounds;	/* limit of bounds, for all sets together */
	size_t members; /* limit of members, for all classes together; 0: no lists of members */
};

/* Cuts [lo, hi] by n sets. Returns 0, -E2BIG or -ENOMEM. `partition` must be empty, and done()
 * must be called in either case. */
int tw_partition_make(struct tw_partition *partition, const struct tw_set *const *sets, size_t n,
	tw_u128 lo, tw_u128 hi, const struct tw_partition_limits *limits);
void tw_partition_done(struct tw_partition *partition);
/* Returns the index of the interval that contains a number. */
size_t tw_partition_find(const struct tw_partition *partition, tw_u128 number);
