/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/report.h"
#include "cli/sheet.h"
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

struct view {
	const struct tw_workloads_options *options;
	struct tw_sheet sheet;
};

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Workload *w)
{
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

static int print_json(const Tapwall__V1__Workload *w)
{
	json_t *addresses = json_array();

	for (size_t i = 0; i < w->n_addresses; i++)
		json_array_append_new(addresses, tw_json_text(w->addresses[i]));
	return tw_json_print(
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name", tw_json_text(w->name),
			"port", tw_json_text(w->port), "state", tw_json_text(w->state), "found_by",
			tw_json_text(w->found_by), "mac", tw_json_text(w->mac), "named_port",
			tw_json_text(w->named), "addresses", addresses));
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct view *view = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_WORKLOAD)
		return TW_EXIT_OK;
	if (view->options->json)
		return print_json(response->workload);
	add_row(&view->sheet, response->workload);
	return TW_EXIT_OK;
}

int tw_workloads_run(const void *values)
{
	const struct tw_workloads_options *options = values;
	Tapwall__V1__WorkloadsRequest body = TAPWALL__V1__WORKLOADS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct view view = {
		.options = options, .sheet = {.columns = columns, .n_columns = TW_ARGS_N(columns)}};
	struct tw_agent_call call = {
		.socket = options->socket, .raw = options->json, .answer = on_answer, .arg = &view};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_WORKLOADS;
	request.workloads = &body;
	code = tw_agent_ask(&call, &request);
	if (!code && !options->json)
		code = tw_sheet_show(&view.sheet, "the policy in force has no workload");
	tw_sheet_done(&view.sheet);
	return code;
}
