/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* filter.h: a filter as intervals of keys, and the rows of a block that it matches.
 *
 * A filter is a list of clauses that must all hold. A clause holds if one of its columns (one or two)
 * has a key in one of its intervals.
 * Callers:    read.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slowpath/history/cursor.h"
#include "slowpath/history/question.h"

#define TW_HISTORY_CLAUSES   12
#define TW_HISTORY_INTERVALS 18

struct tw_history_interval {
	struct tw_history_key low, high; /* both included */
};

struct tw_history_clause {
	uint32_t n_columns, n_intervals;
	enum tw_history_column column[2];
	struct tw_history_interval interval[TW_HISTORY_INTERVALS];
	/* In the current block: ids of the keys in the intervals. */
	uint32_t first[2][TW_HISTORY_INTERVALS];
	uint32_t count[2][TW_HISTORY_INTERVALS];
	bool all; /* the first column's key is in the intervals in every row */
};

struct tw_history_match {
	struct tw_history_clause clause[TW_HISTORY_CLAUSES];
	uint32_t n;
	bool never;			     /* the filter has a name that is not in the history */
	bool possible;			     /* the current block has keys for every clause */
	uint8_t mask[TW_HISTORY_BLOCK_ROWS]; /* 1: the row matches */
	uint8_t part[TW_HISTORY_BLOCK_ROWS];
};

/* Translates a filter; names are looked up in `db`. Returns 0 or a negative errno. */
int tw_history_match_init(
	struct tw_history_match *match, sqlite3 *db, const struct tw_history_filter *filter);

/* Sets `possible` for the cursor's block, from its dictionaries. Returns 0 or a negative errno. */
int tw_history_match_keys(struct tw_history_match *match, struct tw_history_cursor *cursor);

/* Sets the mask, and `ret_n` to the number of rows that match. `time`, if not NULL, bounds their time. Returns 0
 * or a negative errno. */
int tw_history_match_rows(struct tw_history_match *match, struct tw_history_cursor *cursor,
	const struct tw_history_filter *time, uint32_t *ret_n);
