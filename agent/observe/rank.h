/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rank.h: which connections moved most from one walk of the connection table to the next.
 *
 * Why:        a table of a million records is not shipped every second for the sake of a few rows.
 * How:        remembers the counters of connections that were active of late, by a hash of the key;
 *             what they grew by is what they moved. A connection that nothing went through for
 *             TW_RANK_MEMORY_S is forgotten, and ranked again one walk after it woke.
 * Bounds:     40 bytes for each of at most TW_RANK_MAX connections, twice; those beyond are not
 *             ranked.
 * Callers:    begin, meet for every live record, end; and again.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fastpath/abi/types.h"

#define TW_RANK_MEMORY_S 30
#define TW_RANK_MAX	 (1u << 20)

struct tw_rank;

/* A connection, and what went through it between the walks, by way. */
struct tw_rank_row {
	struct tw_key key;
	struct tw_conn conn;
	uint64_t packets[TW_WAY__MAX];
	uint64_t bytes[TW_WAY__MAX];
	uint64_t hash;
};

struct tw_rank_sums {
	uint64_t live;
	uint64_t opened; /* since the walk before */
	uint64_t moved;	 /* connections that anything went through */
};

/* `limit`: so many that moved the most bytes, and as many that moved the most packets. 0 or a
 * negative errno. */
int tw_rank_new(size_t limit, struct tw_rank **ret);
void tw_rank_free(struct tw_rank *rank); /* NULL is fine */
TW_DEFINE_AUTO(tw_rank)

void tw_rank_begin(struct tw_rank *rank, uint32_t now_tick);
/* 1 when it was opened since the walk before, 0, or -ENOMEM. */
int tw_rank_meet(struct tw_rank *rank, const struct tw_key *key, const struct tw_conn *conn);
/* The rows, each connection once, by bytes; the rank's own, until the next begin. After the first
 * walk there are none. */
size_t tw_rank_end(
	struct tw_rank *rank, const struct tw_rank_row **ret_rows, struct tw_rank_sums *ret_sums);
