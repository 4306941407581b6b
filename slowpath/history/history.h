/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* history.h: writes the history: ended connections and denied frames, durable once committed.
 *
 *	tw_history_open(path, &limits, &history, &err);
 *	tw_history_name(history, TW_HISTORY_WORKLOAD, "web-1", &row.workload[TW_DIR_OUT]);
 *	tw_history_append(history, &row, 1);
 *	tw_history_mark_source(history, "agent of host-1", sequence);
 *	tw_history_commit(history, &seq);       rows 1 … seq survive a crash; the source may forget
 *
 * A commit writes the appended rows as a small block of the tail. When the tail has 32,000 rows, the
 * commit replaces it by one block. All of a commit is one transaction of SQLite in WAL mode with
 * synchronous=FULL: it is there as a whole or not at all. If a commit fails (a full disk), nothing
 * is lost: its rows stay in memory, and the next commit includes them. When TW_HISTORY_PENDING_MAX
 * rows wait, tw_history_append() refuses more, so that the source keeps them.
 * Callers:    one process and one thread for each file; a lock keeps others out. Any number of readers
 *             (read.h), in other threads or processes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/cleanup.h"
#include "slowpath/history/row.h"

#define TW_HISTORY_PENDING_MAX 128000u
#define TW_HISTORY_NAMES_MAX   1000000u

/* Limits of the history; 0: no limit. The oldest blocks are dropped first. */
struct tw_history_limits {
	uint64_t bytes_max; /* size of the file, without the free space in it */
	uint64_t age_max_us;
};

/* Facts for status. */
struct tw_history_state {
	uint64_t seq;		   /* rows ever committed */
	uint64_t pending;	   /* rows appended and not committed */
	uint64_t blocks;	   /* blocks, including those of the tail */
	uint64_t rows;		   /* rows in the history */
	uint64_t bytes;		   /* size of the file, without the free space in it */
	uint64_t rows_dropped;	   /* dropped by the limits since it was opened */
	uint64_t damaged;	   /* blocks of the tail that were damaged when it was opened */
	uint64_t oldest_us;	   /* time of the oldest row; 0: none */
	int failing;		   /* negative errno of the last commit; 0: it succeeded */
	uint64_t failing_since_ns; /* monotonic */
	char why[TW_ERR_TEXT_MAX]; /* more about the failure than its errno; empty: nothing */
};

struct tw_history;

/* Opens the history, and creates it if there is none. Returns 0 with `ret_history` owned by the
 * caller, or a negative errno with `err` filled: -EBUSY if another process writes it, -EPROTO if it
 * has another schema. */
int tw_history_open(const char *path, const struct tw_history_limits *limits,
	struct tw_history **ret_history, struct tw_err *err);

/* Closes the history; accepts NULL. Rows that were not committed are lost. */
void tw_history_free(struct tw_history *history);
TW_DEFINE_AUTO(tw_history)

/* Sets `ret_name` to the number of a text, a new one if needed; 0 for "" and NULL. Returns 0, -ENOMEM, or
 * -ENOSPC if the history has TW_HISTORY_NAMES_MAX names. */
int tw_history_name(struct tw_history *history, enum tw_history_noun noun, const char *text,
	uint32_t *ret_name);

/* Appends rows, and returns 0. If more than TW_HISTORY_PENDING_MAX rows would wait for a commit,
 * appends nothing, and returns the error of the last commit, or -ENOBUFS if it succeeded. */
int tw_history_append(struct tw_history *history, const struct tw_history_row *rows, size_t n);

/* Stores the position up to which a source was read. It becomes durable together with the rows
 * appended before. Returns 0 or -ENOMEM. */
int tw_history_mark_source(struct tw_history *history, const char *source, uint64_t value);

/* Returns the last mark of a source, durable or not; 0: none. */
uint64_t tw_history_marked(const struct tw_history *history, const char *source);

/* Makes all that was appended durable. `ret_seq`, if not NULL, is set to the number of rows ever
 * committed. Returns 0, or a negative errno (-ENOSPC: the disk is full) with nothing changed. */
int tw_history_commit(struct tw_history *history, uint64_t *ret_seq);

/* Fills seq, pending, rows_dropped, damaged and failing, all known without reading the file. */
void tw_history_get_progress(const struct tw_history *history, struct tw_history_state *ret_state);

void tw_history_get_state(struct tw_history *history, struct tw_history_state *ret_state);
