/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* partition.h: cuts a line of numbers into intervals, so that sets tell no two numbers of one apart.
 *
 * What:       interval i is [keys[i], keys[i + 1]), the last ends with the line; intervals that lie
 *             in the same sets are of one class. Neighbours of one class are one interval.
 * How:        a walk over the bounds of all sets. A class is known by the sum of its sets' random
 *             numbers, 128 bits wide (Zobrist hashing): chance is the only enemy.
 */
#pragma once

#include "base/vec.h"
#include "policy/set.h"

struct tw_partition {
	TW_VEC(tw_u128) keys;
	TW_VEC(uint32_t) classes; /* one a key */
	size_t n_classes;
	TW_VEC(tw_u128) sample;	  /* a number of each class */
	TW_VEC(uint32_t) first;	  /* members of class c: members[first[c] … first[c + 1]) */
	TW_VEC(uint32_t) members; /* numbers of sets, in no order */
};

/* How far a partition may go, and what it is to find out. */
struct tw_partition_limits {
	size_t bounds;	/* of all sets together */
	size_t members; /* of all classes together; 0: not asked for */
};

/* Cuts the line [lo, hi] by n sets. 0; -E2BIG; -ENOMEM. `partition` comes in empty, and must be done()
 * either way. */
int tw_partition_make(struct tw_partition *partition, const struct tw_set *const *sets, size_t n,
	tw_u128 lo, tw_u128 hi, const struct tw_partition_limits *limits);
void tw_partition_done(struct tw_partition *partition);
/* Number of the interval that a number is in. */
size_t tw_partition_find(const struct tw_partition *partition, tw_u128 number);
