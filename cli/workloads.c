/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/listing.h"
#include "cli/style.h"

static const struct tw_column columns[] = {
	{.title = "WORKLOAD"},
	{.title = "PORT"},
	{.title = "STATE"},
	{.title = "FOUND BY"},
	{.title = "MAC", .spare = 1},
	{.title = "NAMED PORT", .spare = 2},
	{.title = "ADDRESSES", .spare = 3},
};

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Workload *w = response->workload;
	char addresses[512] = "";
	size_t len = 0;

	for (size_t i = 0; i < w->n_addresses && len < sizeof(addresses); i++)
		len += (size_t)snprintf(addresses + len, sizeof(addresses) - len, "%s%s",
			i ? " " : "", w->addresses[i]);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", w->name);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", w->port);
	tw_sheet_cell(sheet, w->port[0] ? tw_style_of(w->state) : TW_STYLE_WARN, "%s",
		w->port[0] ? w->state : "not on this host");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", w->found_by);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", w->mac);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", w->named);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", addresses);
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_WORKLOAD,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "the policy in force has no workload",
	.add = add_row};

int tw_workloads_run(const void *values)
{
	const struct tw_workloads_options *options = values;
	Tapwall__V1__WorkloadsRequest body = TAPWALL__V1__WORKLOADS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_WORKLOADS;
	request.workloads = &body;
	return tw_listing_run(&listing, options->socket, options->json, &request, NULL);
}
