/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* listing.h: prints a list that the agent sends, as a table or as one JSON object per line.
 *
 *	static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_RULE,
 *		.columns = columns, .n_columns = TW_ARGS_N(columns), .add = add_row, …};
 *	return tw_listing_run(&listing, options->socket, options->json, &request, &view);
 *
 * Callers: ports, workloads, groups, flows, rules, counters, agents, policy.
 */
#pragma once

#include <stdbool.h>

#include "cli/sheet.h"
#include "link/link.h"

struct tw_listing {
	Tapwall__V1__Response__BodyCase body; /* kind of the responses that are rows */
	const struct tw_column *columns;
	size_t n_columns;
	const char *nothing; /* printed if there are no rows */
	bool slow;	     /* tapwall-slowd sends it, not the agent */
	size_t limit;	     /* rows to print at most; 0: all */
	/* True if a row is to be shown. NULL: all are. */
	bool (*keep)(const Tapwall__V1__Response *response, void *arg);
	/* Returns the number by which rows are sorted, the smallest first. NULL: as the rows arrive. */
	double (*key)(const Tapwall__V1__Response *response, void *arg);
	/* Adds the cells of one row, or none. `arg` is the one of tw_listing_run(). */
	void (*add)(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg);
	/* Called, if set, for each response that is no row, unless the output is JSON. */
	void (*other)(const Tapwall__V1__Response *response, void *arg);
	/* Called, if set, to print lines before the table. Returns an exit code. */
	int (*before)(void *arg);
	/* Called, if set, to print lines after the table, which has `shown` of `n` rows. Returns an
	 * exit code. */
	int (*after)(void *arg, size_t shown, size_t n);
};

/* Sends the request and prints the rows and any errors. Returns an exit code. */
int tw_listing_run(const struct tw_listing *listing, const char *socket, bool json,
	Tapwall__V1__Request *request, void *arg);
