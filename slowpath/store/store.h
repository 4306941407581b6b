/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* store.h: the place where the history is kept, behind one interface.
 *
 * Why:        one host keeps its history in a file (history/). Where that is not enough, a ClickHouse
 *             server keeps it (clickhouse/). The recorder and the queries know only this interface.
 * How:        rows, queries and results are those of history/. place.h opens a store.
 * Invariants: 1. What a commit has confirmed is in every later answer, once.
 *             2. Both stores give the same answers to the same rows (tests/clickhouse/same.c), except
 *                for sums that a file keeps as "others" (history/rollup.h).
 * Callers:    recorder.c writes, in one thread; search.c reads, in threads with a reader each.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "slowpath/history/history.h"
#include "slowpath/history/read.h"

/* How a store on a server is reached. Strings outlive the store. */
struct tw_store_access {
	const char *login; /* file with the user's name and password; NULL: none */
	const char *ca;	   /* file with certificates of CAs as PEM; NULL: those of the system */
	/* Monotonic time at which statements are aborted, so that their thread can end; 0: none. Any
	 * thread may set it. NULL: statements end by their timeouts only. */
	const _Atomic uint64_t *end_ns;
};

struct tw_store_writer;
struct tw_store_reader;

/* A writer's functions. All but `ready` are as their namesakes in history.h. */
struct tw_store_writer_ops {
	/* Prepares the store, if that was not done yet. Returns 0, or a negative errno with the state's `why`
	 * filled in; the caller tries again later. Until it succeeds, marks are not known. */
	int (*ready)(struct tw_store_writer *writer);
	int (*name)(struct tw_store_writer *writer, enum tw_history_noun noun, const char *text,
		uint32_t *ret_name);
	int (*append)(struct tw_store_writer *writer, const struct tw_history_row *rows, size_t n);
	int (*mark_source)(struct tw_store_writer *writer, const char *source, uint64_t value);
	uint64_t (*marked)(const struct tw_store_writer *writer, const char *source);
	int (*commit)(struct tw_store_writer *writer);
	void (*get_progress)(
		const struct tw_store_writer *writer, struct tw_history_state *ret_state);
	void (*free)(struct tw_store_writer *writer);
};

struct tw_store_writer {
	const struct tw_store_writer_ops *ops;
};

/* A reader's functions, as their namesakes in read.h. If one fails, `err` says why; its text may be
 * empty. */
struct tw_store_reader_ops {
	int (*select)(struct tw_store_reader *reader, const struct tw_history_query *query,
		struct tw_history_result *ret_result, struct tw_err *err);
	int (*top)(struct tw_store_reader *reader, const struct tw_history_filter *filter,
		enum tw_history_dimension dimension, enum tw_history_order order, uint32_t limit,
		struct tw_history_result *ret_result, struct tw_err *err);
	int (*uses)(struct tw_store_reader *reader, struct tw_history_use **ret_uses, size_t *ret_n,
		struct tw_err *err);
	int (*get_extent)(struct tw_store_reader *reader, struct tw_history_extent *ret_extent,
		struct tw_err *err);
	/* Valid until the next query. */
	const char *(*text)(struct tw_store_reader *reader, uint32_t name);
	void (*free)(struct tw_store_reader *reader);
};

struct tw_store_reader {
	const struct tw_store_reader_ops *ops;
};

static inline void tw_store_writer_free(struct tw_store_writer *writer) /* accepts NULL */
{
	if (writer)
		writer->ops->free(writer);
}

static inline void tw_store_reader_free(struct tw_store_reader *reader) /* accepts NULL */
{
	if (reader)
		reader->ops->free(reader);
}
