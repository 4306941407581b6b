/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* listing.h: a list that the agent answers with, as a table, or as one object of JSON a line.
 *
 *	static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_RULE,
 *		.columns = columns, .n_columns = TW_ARGS_N(columns), .add = add_row, …};
 *	return tw_listing_run(&listing, options->socket, options->json, &request, &view);
 *
 * Callers: ports, workloads, rules, counters.
 */
#pragma once

#include <stdbool.h>

#include "cli/sheet.h"
#include "link/link.h"

struct tw_listing {
	Tapwall__V1__Response__BodyCase body; /* of the answers that are rows */
	const struct tw_column *columns;
	size_t n_columns;
	const char *nothing; /* in place of a table without rows */
	/* Adds the cells of one row, or none. `arg` is that of tw_listing_run(). */
	void (*add)(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg);
	/* Prints what comes before the table, if set; an exit code. */
	int (*before)(void *arg);
};

/* Asks, and prints what comes back. Returns an exit code, with everything told. */
int tw_listing_run(const struct tw_listing *listing, const char *socket, bool json,
	Tapwall__V1__Request *request, void *arg);
