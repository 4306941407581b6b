/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* search.h: answers HistoryRequests in threads of their own.
 *
 * Why:        a query of the whole history reads for hundreds of milliseconds, and no module may
 *             block the loop. With two threads, a long query does not delay a short one.
 * How:        the loop queues a query, and its stream of responses waits. A thread runs the query
 *             with a reader of its own and keeps the answer in memory; the stream then sends it.
 * Bounds:     TW_SEARCH_MAX queries queued, running or being sent; TW_WANTED_MAX rows in an answer.
 *             If the client has gone, a queued query is dropped; a running one runs to its end.
 * Callers:    answer.c, in the loop's thread.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "link/link.h"
#include "link/server.h"
#include "slowpath/feed/feed.h"

#define TW_SEARCH_THREADS 2
#define TW_SEARCH_MAX	  64

struct tw_search;

struct tw_search_setup {
	struct tw_loop *loop;
	const char
		*path; /* the history, as in place.h, which a feed has open; NULL: none is kept */
	struct tw_store_access access;
	const struct tw_err *why; /* why none is kept, if `code` is set */
	struct tw_history_limits limits;
	struct tw_feed *feed;
	void (*told)(
		void *arg); /* called when an answer is ready: its stream must be asked again */
	void *arg;
};

/* Starts the threads. Returns 0, or a negative errno with `err` filled in. */
int tw_search_new(const struct tw_search_setup *setup, struct tw_search **ret, struct tw_err *err);
/* Must be called after all its streams have ended. NULL is fine. */
void tw_search_free(struct tw_search *query);

/* Starts the answer to a request: writes an error to `out`, or sets *ret to a stream. Returns 0 or a negative
 * errno. */
int tw_search_start(struct tw_search *query, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret);
