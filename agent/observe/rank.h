/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rank.h: finds the connections with the most traffic between two walks of the connection table.
 *
 * Why:        sending a million records every second to show a few rows would cost too much.
 * How:        stores the counters of recently active connections by a hash of the key; their growth
 *             is the traffic. A connection idle for TW_RANK_MEMORY_S is forgotten, and ranked again
 *             one walk after it resumes.
 * Bounds:     two tables with 40 bytes for each of at most TW_RANK_MAX connections. Further
 *             connections are not ranked.
 * Callers:    agent/answer/top.c; per walk: begin, meet for every live record, end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fastpath/abi/types.h"

#define TW_RANK_MEMORY_S 30
#define TW_RANK_MAX	 (1u << 20)

struct tw_rank;

/* A connection and its traffic between the walks, by direction. */
struct tw_rank_row {
	struct tw_key key;
	struct tw_conn conn;
	uint64_t packets[TW_WAY__MAX];
	uint64_t bytes[TW_WAY__MAX];
	uint64_t hash;
};

struct tw_rank_sums {
	uint64_t live;
	uint64_t opened; /* connections opened since the previous walk */
	uint64_t moved;	 /* connections with traffic */
};

/* Ranks the `limit` connections with the most bytes, and as many with the most packets. Returns
 * 0 or a negative errno. */
int tw_rank_new(size_t limit, struct tw_rank **ret);
void tw_rank_free(struct tw_rank *rank); /* NULL is fine */
TW_DEFINE_AUTO(tw_rank)

void tw_rank_begin(struct tw_rank *rank, uint32_t now_tick);
/* Returns 1 if the connection was opened since the previous walk, otherwise 0, or -ENOMEM. */
int tw_rank_meet(struct tw_rank *rank, const struct tw_key *key, const struct tw_conn *conn);
/* Returns the rows by bytes, each connection once. They are owned by the rank and valid until
 * the next begin. After the first walk there are none. */
size_t tw_rank_end(
	struct tw_rank *rank, const struct tw_rank_row **ret_rows, struct tw_rank_sums *ret_sums);
