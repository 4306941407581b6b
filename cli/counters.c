/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/sheet.h"

static const struct tw_column columns[] = {
	{.title = "REASON"},
	{.title = "OUT", .right = true},
	{.title = "IN", .right = true},
	{.title = "MEANS"},
};

struct view {
	const struct tw_counters_options *options;
	struct tw_sheet sheet;
};

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Counter *c)
{
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", c->reason);
	tw_sheet_cell(
		sheet, c->out ? TW_STYLE_PLAIN : TW_STYLE_DIM, "%s", tw_human_count(c->out).text);
	tw_sheet_cell(
		sheet, c->in ? TW_STYLE_PLAIN : TW_STYLE_DIM, "%s", tw_human_count(c->in).text);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", c->text);
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__Counter *c = response->counter;
	struct view *view = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_COUNTER)
		return TW_EXIT_OK;
	if (view->options->json)
		return tw_json_print(json_pack("{s:o, s:o, s:o, s:o}", "reason",
			tw_json_text(c->reason), "text", tw_json_text(c->text), "out",
			tw_json_u64(c->out), "in", tw_json_u64(c->in)));
	if (c->out || c->in || view->options->all)
		add_row(&view->sheet, c);
	return TW_EXIT_OK;
}

int tw_counters_run(const void *values)
{
	const struct tw_counters_options *options = values;
	Tapwall__V1__CountersRequest body = TAPWALL__V1__COUNTERS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct view view = {
		.options = options, .sheet = {.columns = columns, .n_columns = TW_ARGS_N(columns)}};
	struct tw_agent_call call = {
		.socket = options->socket, .raw = options->json, .answer = on_answer, .arg = &view};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_COUNTERS;
	request.counters = &body;
	code = tw_agent_ask(&call, &request);
	if (!code && !options->json)
		code = tw_sheet_show(&view.sheet, "no frame has come by yet");
	tw_sheet_done(&view.sheet);
	return code;
}
