/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read.h: queries of the history.
 *
 * A query sees the rows that were committed when it began; the writer continues meanwhile. Damaged
 * blocks are left out and listed.
 * Source:     blocks are skipped by their time and their dictionaries (block.h); sums are taken
 *             from rollups if the query has no condition but a time (rollup.h).
 * Callers:    any thread or process with a reader of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "slowpath/history/question.h"
#include "slowpath/history/totals.h"
#include "slowpath/history/row.h"

#define TW_HISTORY_LIMIT_MAX 100000u

struct tw_history_query {
	struct tw_history_filter filter;
	uint32_t limit;	   /* rows returned, at most TW_HISTORY_LIMIT_MAX; 0: none */
	bool oldest_first; /* false: newest first */
	bool count;	   /* count all matching rows, not only those returned */
};

/* A damaged part of a block, or an unreadable one. */
struct tw_history_damage {
	uint64_t block;
	unsigned int column; /* enum tw_history_column */
	uint64_t from_us, to_us;
	uint64_t rows;
};

/* Answer to a query. Free with tw_history_result_done(). */
struct tw_history_result {
	struct tw_history_row *rows;
	size_t n;
	uint64_t matched; /* number of matching rows, if counted */
	struct tw_history_total *totals;
	size_t n_totals;
	uint64_t blocks, blocks_read; /* blocks within the time; those read past dictionaries */
	struct tw_history_damage *damage;
	size_t n_damage;
	uint64_t damaged_rollups;
};

enum tw_history_order {
	TW_HISTORY_ORDER_BYTES,
	TW_HISTORY_ORDER_CONNECTIONS,
	TW_HISTORY_ORDER_DENIALS,
	TW_HISTORY_ORDER__MAX
};

struct tw_history_reader;

/* Opens a history to read. Returns 0 with `ret_reader` owned by the caller, or a negative errno with `err`
 * filled: -ENOENT if there is none. */
int tw_history_reader_open(
	const char *path, struct tw_history_reader **ret_reader, struct tw_err *err);
void tw_history_reader_free(struct tw_history_reader *reader); /* accepts NULL */
TW_DEFINE_AUTO(tw_history_reader)

void tw_history_result_done(struct tw_history_result *result);

/* Finds rows. `ret_result` is zeroed and filled. Returns 0, or a negative errno with nothing to
 * free. */
int tw_history_select(struct tw_history_reader *reader, const struct tw_history_query *query,
	struct tw_history_result *ret_result);

/* Adds up rows by one dimension and returns the `limit` largest totals, by `order`. If the filter names
 * only a time, the time is rounded outward to minutes. Returns as above. */
int tw_history_top(struct tw_history_reader *reader, const struct tw_history_filter *filter,
	enum tw_history_dimension dimension, enum tw_history_order order, uint32_t limit,
	struct tw_history_result *ret_result);

/* Returns the text of a name, valid until the reader is freed; "" for 0 and unknown numbers. */
const char *tw_history_text(struct tw_history_reader *reader, uint32_t name);

/* Use of a rule at either end: time of the last row that it decided, and number of such rows. */
struct tw_history_use {
	uint32_t rule; /* name */
	uint64_t last_us, rows;
};

/* Sets `ret_uses` to all rules that ever decided a row, including dropped rows, in no particular
 * order. The caller frees it. Returns 0 or a negative errno. */
int tw_history_uses(
	struct tw_history_reader *reader, struct tw_history_use **ret_uses, size_t *ret_n);

/* Facts about the file. */
struct tw_history_extent {
	uint64_t rows, blocks, bytes;  /* bytes: without the free space in the file */
	uint64_t oldest_us, newest_us; /* 0: no rows */
};

int tw_history_get_extent(struct tw_history_reader *reader, struct tw_history_extent *ret_extent);

/* Sets `ret_last_us` to the time when a rule last decided a row, 0 if never. Returns 0 or a
 * negative errno. */
int tw_history_rule_used(struct tw_history_reader *reader, const char *rule, uint64_t *ret_last_us);
