/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "cli/sheet.h"
#include "link/flow.h"
#include "link/json.h"

static const struct tw_column columns[] = {
	{.title = "PROTO"},
	{.title = "FROM"},
	{.title = ""},
	{.title = "TO"},
	{.title = "STATE"},
	{.title = "PACKETS", .right = true, .spare = 3},
	{.title = "REPLIES", .right = true, .spare = 3},
	{.title = "BYTES", .right = true, .spare = 2},
	{.title = "REPLY BYTES", .right = true, .spare = 4},
	{.title = "AGE", .right = true, .spare = 1},
	{.title = "IDLE", .right = true},
	{.title = "OUT RULE"},
	{.title = "IN RULE"},
};

static enum tw_style state_style(const char *state)
{
	if (!strcmp(state, "established") || !strcmp(state, "udp-replied") ||
		!strcmp(state, "replied"))
		return TW_STYLE_GOOD;
	if (!strcmp(state, "syn-sent") || strstr(state, "unreplied"))
		return TW_STYLE_WARN;
	return TW_STYLE_DIM;
}

static void cell_gate(struct tw_sheet *sheet, const Tapwall__V1__Gate *gate)
{
	if (!gate)
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_glyph(TW_GLYPH_DOT));
	else if (!strcmp(gate->verdict, "allow"))
		tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", gate->rule);
	else
		tw_sheet_cell(
			sheet, tw_style_of(gate->verdict), "%s: %s", gate->verdict, gate->rule);
}

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Flow *f)
{
	struct tw_flow_words words;

	tw_flow_words(f->proto, f->icmp_type, f->from, f->to, &words);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s%s", words.proto, words.id);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.from);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_glyph(TW_GLYPH_ARROW));
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.to);
	tw_sheet_cell(sheet, state_style(f->state), "%s", f->state);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(f->packets_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(f->packets_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(f->bytes_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(f->bytes_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(f->age_s).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(f->idle_s).text);
	cell_gate(sheet, f->out);
	cell_gate(sheet, f->in);
}

/* A flow to be sorted: a row of the sheet, or a line of JSON. */
struct waiting {
	double key;   /* sort key; the smallest comes first */
	size_t index; /* row number, or offset of the line */
};

struct view {
	const struct tw_flows_options *options;
	struct tw_sheet sheet;
	struct tw_buf lines; /* JSON lines, each ending with a NUL */
	TW_VEC(struct waiting) waiting;
	uint64_t untracked; /* number of connections without a record */
};

static double sort_key(unsigned int sort, const Tapwall__V1__Flow *f)
{
	switch (sort) {
	case TW_FLOW_SORT_AGE:
		return f->age_s;
	case TW_FLOW_SORT_PACKETS:
		return -((double)f->packets_out + (double)f->packets_in);
	case TW_FLOW_SORT_BYTES:
		return -((double)f->bytes_out + (double)f->bytes_in);
	default:
		return f->idle_s;
	}
}

static int compare(const void *a, const void *b)
{
	const struct waiting *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static int add_line(struct view *view, const Tapwall__V1__Flow *f)
{
	tw_autofree char *line = tw_json_line(tw_flow_json(f));

	if (!line)
		return tw_report_memory();
	tw_buf_add(&view->lines, line, strlen(line) + 1);
	return view->lines.failed ? tw_report_memory() : TW_EXIT_OK;
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__Flow *f = response->flow;
	struct view *view = arg;
	struct waiting waiting;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_FLOW)
		return TW_EXIT_OK;
	if (view->options->json && view->options->sort == TW_FLOW_SORT_AUTO)
		return tw_report_json(tw_flow_json(f));
	waiting.key = sort_key(view->options->sort, f);
	waiting.index = view->options->json ? view->lines.len : view->waiting.n;
	if (!view->options->json)
		add_row(&view->sheet, f);
	else if (add_line(view, f))
		return TW_EXIT_INTERNAL;
	return tw_vec_push(&view->waiting, waiting) < 0 ? tw_report_memory() : TW_EXIT_OK;
}

/* Adds the untracked connections of one port, unless --workload names another workload. */
static int on_port(void *arg, const Tapwall__V1__Response *response)
{
	struct view *view = arg;
	const char *workload = view->options->workload;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_PORT &&
		(!workload || !strcmp(workload, response->port->workload)))
		view->untracked += response->port->untracked;
	return TW_EXIT_OK;
}

static int print_untracked(struct view *view)
{
	Tapwall__V1__PortsRequest body = TAPWALL__V1__PORTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {
		.socket = view->options->socket, .answer = on_port, .arg = view};
	int code;

	request.body_case = TAPWALL__V1__REQUEST__BODY_PORTS;
	request.ports = &body;
	code = tw_agent_ask(&call, &request);
	if (!code && view->untracked)
		printf("%s half open beyond a port's quota, without a record; see tapwall ports --json\n",
			tw_human_count(view->untracked).text);
	return code;
}

static void print_total(size_t shown, size_t all)
{
	printf("\n%s connection%s", tw_human_count(shown).text, shown == 1 ? "" : "s");
	if (shown < all)
		printf(" of %s", tw_human_count(all).text);
	putchar('\n');
}

static int show(struct view *view)
{
	size_t n = view->waiting.n, limit = view->options->limit;
	tw_autofree size_t *order = tw_alloc_array(n, sizeof(*order));
	int code;

	if (!order)
		return tw_report_memory();
	if (n)
		qsort(view->waiting.at, n, sizeof(*view->waiting.at), compare);
	if (!limit || limit > n)
		limit = n;
	for (size_t i = 0; i < limit; i++) {
		if (view->options->json)
			puts(view->lines.data + view->waiting.at[i].index);
		else
			order[i] = view->waiting.at[i].index;
	}
	if (view->options->json)
		return TW_EXIT_OK;
	view->sheet.order = order;
	view->sheet.n_order = limit;
	code = tw_sheet_show(&view->sheet, "no connection is open");
	if (!code && n)
		print_total(limit, n);
	return code ? code : print_untracked(view);
}

int tw_flows_run(const void *values)
{
	const struct tw_flows_options *options = values;
	bool sorted = !options->json || options->sort != TW_FLOW_SORT_AUTO;
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct view view = {
		.options = options, .sheet = {.columns = columns, .n_columns = TW_ARGS_N(columns)}};
	struct tw_agent_call call = {
		.socket = options->socket, .raw = options->json, .answer = on_answer, .arg = &view};
	int code;

	if (options->workload)
		body.workload = (char *)options->workload;
	if (!sorted)
		body.limit = options->limit;
	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	code = tw_agent_ask(&call, &request);
	if (!code && sorted)
		code = show(&view);
	tw_sheet_done(&view.sheet);
	tw_buf_done(&view.lines);
	tw_vec_done(&view.waiting);
	return code;
}
