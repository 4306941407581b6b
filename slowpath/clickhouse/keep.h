/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* keep.h: limits of the history in ClickHouse: the oldest partitions are dropped.
 *
 * How:        a piece is a partition with the rows that arrived in a span of time. Its number is the start
 *             of the span in minutes. The next piece begins after a day, or after a 16th of the limits.
 *             Before a piece is dropped, the last uses of its rules are stored: history_uses.
 * Callers:    writer.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "slowpath/clickhouse/server.h"
#include "slowpath/history/history.h"

#define TW_KEEP_LOOK_NS 60000000000u /* between two looks at the limits */

struct tw_keep {
	struct tw_history_limits limits;
	uint32_t piece;	    /* number of the piece to which rows are added */
	uint64_t n_rows;    /* rows of the piece */
	uint64_t looked_ns; /* time of the last look; 0: none */
};

/* Finds the newest piece. Returns 0, or a negative errno with `err` filled in. */
int tw_keep_begin(struct tw_keep *keep, struct tw_clickhouse *server, struct tw_err *err);
/* Returns the piece for the next batch. */
uint32_t tw_keep_piece(struct tw_keep *keep);
/* Notes that a batch was committed. */
void tw_keep_note(struct tw_keep *keep, size_t n_rows);
/* Drops the oldest pieces beyond the limits. Does nothing within TW_KEEP_LOOK_NS of the last look. Adds the number of
 * dropped rows to `dropped`. Returns 0, or a negative errno with `err` filled in. */
int tw_keep_apply(
	struct tw_keep *keep, struct tw_clickhouse *server, uint64_t *dropped, struct tw_err *err);
