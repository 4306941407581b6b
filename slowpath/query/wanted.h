/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wanted.h: turns a HistoryRequest into a query of the history.
 *
 * Callers:    search.c.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "link/link.h"
#include "slowpath/history/read.h"

#define TW_WANTED_MAX	  10000u /* rows of an answer */
#define TW_WANTED_DEFAULT 100u
#define TW_WANTED_SKIP	  50000u /* rows of one microsecond that a continued query may skip */

/* A query. Its texts are copies that it owns. */
struct tw_wanted {
	Tapwall__V1__HistoryRequest__About about;
	struct tw_history_query query; /* `limit` does not count the rows to skip */
	enum tw_history_order order;
	uint32_t skip;
	char *texts[8];
	unsigned int n_texts;
};

/* Reads a request, whose texts are at most TW_LINK_TEXT_MAX long. Returns 0, or a negative errno with `err` filled
 * in. In either case the caller calls tw_wanted_done(). */
int tw_wanted_read(
	const Tapwall__V1__HistoryRequest *request, struct tw_wanted *ret, struct tw_err *err);
void tw_wanted_done(struct tw_wanted *wanted);
