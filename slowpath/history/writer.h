/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* writer.h: the state of the writer in memory.
 *
 * Invariants: 1. rows[0 … n_safe) are the tail, which is also in the file; the pieces of `tail`
 *                cover them in order. rows[n_safe … n_rows) wait for a commit.
 *             2. A transaction changes only `staged` and local variables. After COMMIT they replace
 *                the state, which needs no allocation.
 * Callers:    write.c and open.c.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "slowpath/history/block.h"
#include "slowpath/history/history.h"
#include "slowpath/history/names.h"
#include "slowpath/history/totals.h"

/* A block of the tail: rows[start … start + n). */
struct tw_history_piece {
	uint64_t id;
	size_t start, n;
	uint8_t tier;
};

/* Use of a rule in finished blocks, not yet written. */
struct tw_history_new_use {
	uint64_t last_us, rows;
};

struct tw_history_mark {
	char *source;
	uint64_t value;
	bool stored;
};

struct tw_history {
	sqlite3 *db;
	int lock_fd;
	struct tw_history_limits limits;
	struct tw_history_encoder *encoder;
	struct tw_history_names names;
	struct tw_history_totals *totals; /* totals of the blocks that the transaction finishes */
	TW_VEC(struct tw_history_new_use)
	uses; /* rule uses in the same blocks, by the rule's number */
	TW_VEC(struct tw_history_mark) marks;
	struct tw_history_row *rows; /* the tail, then rows not committed */
	size_t n_rows, n_safe;	     /* n_safe: rows of the tail */
	TW_VEC(struct tw_history_piece) tail;
	TW_VEC(struct tw_history_piece)
	staged;		   /* the tail after the commit */
	size_t n_finished; /* rows at the front that the transaction turns into blocks */
	uint64_t next_block, seq;
	struct tw_history_state state;
	uint64_t newest_us;
	int log_pages;
	sqlite3_stmt *put_block, *put_part, *drop_block, *drop_parts;
	struct tw_history_row *sorted; /* TW_HISTORY_BLOCK_ROWS of them */
	struct tw_history_arrival {
		uint64_t time_us;
		uint32_t index;
	} * order;
};
