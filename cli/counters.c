/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"

static const struct tw_column columns[] = {
	{.title = "REASON"},
	{.title = "OUT", .right = true},
	{.title = "IN", .right = true},
	{.title = "MEANS"},
};

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const struct tw_counters_options *options = arg;
	const Tapwall__V1__Counter *c = response->counter;

	if (!c->out && !c->in && !options->all)
		return;
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", c->reason);
	tw_sheet_cell(
		sheet, c->out ? TW_STYLE_PLAIN : TW_STYLE_DIM, "%s", tw_human_count(c->out).text);
	tw_sheet_cell(
		sheet, c->in ? TW_STYLE_PLAIN : TW_STYLE_DIM, "%s", tw_human_count(c->in).text);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", c->text);
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_COUNTER,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "no frame has been counted yet",
	.add = add_row};

int tw_counters_run(const void *values)
{
	struct tw_counters_options options = *(const struct tw_counters_options *)values;
	Tapwall__V1__CountersRequest body = TAPWALL__V1__COUNTERS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_COUNTERS;
	request.counters = &body;
	return tw_listing_run(&listing, options.socket, options.json, &request, &options);
}
