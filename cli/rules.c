/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "policy/text.h"

static const struct tw_column columns[] = {
	{.title = "#", .right = true},
	{.title = "RULE"},
	{.title = "ACTION"},
	{.title = "HITS", .right = true},
	{.title = "PACKETS", .right = true, .spare = 2},
	{.title = "BYTES", .right = true},
	{.title = "LAST HIT", .right = true},
	{.title = "LINE", .right = true, .spare = 3},
	{.title = "SAYS", .spare = 4},
};

struct view {
	const struct tw_rules_options *options;
	unsigned int n; /* rules so far, including those not shown */
};

static bool is_shown(const Tapwall__V1__Response *response, void *arg)
{
	struct view *view = arg;
	const struct tw_rules_options *options = view->options;

	view->n++;
	return (!options->name || tw_text_glob(options->name, response->rule->name)) &&
	       (!options->unused || !response->rule->hits);
}

static double sort_key(const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Rule *r = response->rule;
	struct view *view = arg;

	switch (view->options->sort) {
	case TW_RULE_SORT_HITS:
		return -(double)r->hits;
	case TW_RULE_SORT_PACKETS:
		return -(double)r->packets;
	case TW_RULE_SORT_BYTES:
		return -(double)r->bytes;
	default:
		return r->last_hit_s < 0 ? INFINITY : r->last_hit_s;
	}
}

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Rule *r = response->rule;
	enum tw_style style = r->hits ? TW_STYLE_PLAIN : TW_STYLE_DIM;
	struct view *view = arg;

	tw_sheet_cell(sheet, TW_STYLE_DIM, "%u", view->n);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", r->name);
	if (r->expired)
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", "ended");
	else if (r->disabled)
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", "disabled");
	else
		tw_sheet_cell(sheet, tw_style_of(r->action), "%s", r->action);
	tw_sheet_cell(sheet, style, "%s", tw_human_count(r->hits).text);
	tw_sheet_cell(sheet, style, "%s", tw_human_count(r->packets).text);
	tw_sheet_cell(sheet, style, "%s", tw_human_bytes(r->bytes).text);
	tw_sheet_cell(sheet, style, "%s", tw_human_span(r->last_hit_s).text);
	if (r->line)
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%u", r->line);
	else
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", "");
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", r->text);
}

int tw_rules_run(const void *values)
{
	const struct tw_rules_options *options = values;
	bool selects = options->name || options->unused;
	const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_RULE,
		.columns = columns,
		.n_columns = TW_ARGS_N(columns),
		.nothing = selects ? "the policy has no such rule" : "no policy is in force",
		.keep = is_shown,
		.key = options->sort ? sort_key : NULL,
		.add = add_row};
	Tapwall__V1__RulesRequest body = TAPWALL__V1__RULES_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct view view = {.options = options};

	request.body_case = TAPWALL__V1__REQUEST__BODY_RULES;
	request.rules = &body;
	return tw_listing_run(&listing, options->socket, options->json, &request, &view);
}
