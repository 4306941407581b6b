/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* found.h: runs a query of the history, and writes its answer.
 *
 * Callers:    search.c, in one of its threads, with a reader of that thread.
 */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "slowpath/store/store.h"
#include "slowpath/query/wanted.h"

/* Appends all responses to the request `id`. For HistoryState, `state` has the facts that the reader cannot know;
 * its other fields are filled in. Returns 0, or a negative errno with `err` filled in and nothing appended. */
int tw_found_send(struct tw_store_reader *reader, const struct tw_wanted *wanted,
	Tapwall__V1__HistoryState *state, uint64_t id, struct tw_buf *out, struct tw_err *err);
