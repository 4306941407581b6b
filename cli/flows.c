/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <string.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "link/flow.h"

static const struct tw_column columns[] = {
	{.title = "PROTO"},
	{.title = "FROM"},
	{.title = ""},
	{.title = "TO"},
	{.title = "APP", .spare = 5},
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

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Flow *f = response->flow;
	struct tw_flow_words words;
	char vlan[16] = "";

	tw_flow_words(f->proto, f->icmp_type, f->from, f->to, &words);
	if (f->vlan)
		snprintf(vlan, sizeof(vlan), " vlan %u", f->vlan & 0xfff);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s%s%s", words.proto, words.id, vlan);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.from);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_glyph(TW_GLYPH_ARROW));
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.to);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", f->application);
	tw_sheet_cell(sheet, state_style(f->state), "%s%s", f->state, f->adopted ? "*" : "");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(f->packets_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(f->packets_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(f->bytes_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(f->bytes_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(f->age_s).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(f->idle_s).text);
	cell_gate(sheet, f->out);
	cell_gate(sheet, f->in);
}

struct view {
	const struct tw_flows_options *options;
	uint64_t untracked; /* number of connections without a record */
};

static double sort_key(const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Flow *f = response->flow;
	struct view *view = arg;

	switch (view->options->sort) {
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

static bool is_refused(const Tapwall__V1__Gate *gate)
{
	return gate && (!strcmp(gate->verdict, "deny") || !strcmp(gate->verdict, "reject"));
}

static bool is_shown(const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Flow *f = response->flow;
	const struct tw_flows_options *options = ((struct view *)arg)->options;

	if (options->denied && !is_refused(f->out) && !is_refused(f->in))
		return false;
	return tw_filter_has(&options->filter, f->proto, f->from, f->to, f->out, f->in, "");
}

/* True if the client leaves connections out, so that it must also count those that remain. */
static bool selects(const struct tw_flows_options *options)
{
	return options->denied || tw_filter_is_set(&options->filter);
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

static int after(void *arg, size_t shown, size_t n)
{
	struct view *view = arg;

	if (n) {
		printf("\n%s connection%s", tw_human_count(shown).text, shown == 1 ? "" : "s");
		if (shown < n)
			printf(" of %s", tw_human_count(n).text);
		putchar('\n');
	}
	return selects(view->options) ? TW_EXIT_OK : print_untracked(view);
}

int tw_flows_run(const void *values)
{
	struct tw_flows_options options = *(const struct tw_flows_options *)values;
	bool sorted = !options.json || options.sort != TW_FLOW_SORT_AUTO;
	struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_FLOW,
		.columns = columns,
		.n_columns = TW_ARGS_N(columns),
		.limit = options.limit,
		.keep = is_shown,
		.key = sorted ? sort_key : NULL,
		.add = add_row,
		.after = after};
	Tapwall__V1__FlowsRequest body = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct view view = {.options = &options};

	if (tw_filter_init(&options.filter))
		return TW_EXIT_USAGE;
	listing.nothing = selects(&options) ? "no such connection is open"
					    : "no connection is open";
	if (options.workload)
		body.workload = (char *)options.workload;
	if (!sorted && !selects(&options))
		body.limit = options.limit;
	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &body;
	return tw_listing_run(&listing, options.socket, options.json, &request, &view);
}
