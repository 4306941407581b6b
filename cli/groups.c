/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/buf.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/style.h"

static const struct tw_column columns[] = {
	{.title = "GROUP"},
	{.title = "ADDRESSES", .right = true},
	{.title = "WORKLOADS"},
	{.title = "NETWORKS"},
};

static void add_names(struct tw_sheet *sheet, enum tw_style style, char *const *names, size_t n)
{
	tw_auto_buf struct tw_buf text = {0};

	for (size_t i = 0; i < n; i++)
		tw_buf_addf(&text, "%s%s", i ? " " : "", names[i]);
	tw_sheet_cell(sheet, style, "%s", text.len ? text.data : "");
}

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Group *g = response->group;

	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", g->name);
	if (g->addresses == UINT64_MAX)
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", "2^64 or more");
	else
		tw_sheet_cell(sheet, g->addresses ? TW_STYLE_PLAIN : TW_STYLE_WARN, "%s",
			tw_human_count(g->addresses).text);
	add_names(sheet, TW_STYLE_NAME, g->workloads, g->n_workloads);
	add_names(sheet, TW_STYLE_PLAIN, g->networks, g->n_networks);
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_GROUP,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "the policy in force has no group",
	.add = add_row};

int tw_groups_run(const void *values)
{
	const struct tw_groups_options *options = values;
	Tapwall__V1__GroupsRequest body = TAPWALL__V1__GROUPS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_GROUPS;
	request.groups = &body;
	return tw_listing_run(&listing, options->socket, options->json, &request, NULL);
}
