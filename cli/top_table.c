/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/human.h"
#include "cli/report.h"
#include "cli/sheet.h"
#include "cli/top.h"
#include "link/flow.h"
#include "link/json.h"

typedef Tapwall__V1__TopRow row_t;

const char *const tw_top_views[] = {
	[TW_TOP_PORTS] = "ports",
	[TW_TOP_FLOWS] = "connections",
	[TW_TOP_RULES] = "rules",
	[TW_TOP_REASONS] = "reasons",
	NULL,
};

const char *const tw_top_sorts[] = {
	[TW_TOP_SORT_BYTES] = "bytes",
	[TW_TOP_SORT_PACKETS] = "packets",
	[TW_TOP_SORT_NEW] = "new",
	[TW_TOP_SORT_DENIED] = "denied",
	[TW_TOP_SORT_NAME] = "name",
	NULL,
};

/* ---- rows ---- */

void tw_top_clear(struct tw_top *top)
{
	tw_vec_foreach (&top->rows, row)
		tapwall__v1__top_row__free_unpacked(*row, NULL);
	top->rows.n = 0;
}

void tw_top_done(struct tw_top *top)
{
	tw_top_clear(top);
	tw_vec_done(&top->rows);
}

int tw_top_add(struct tw_top *top, const Tapwall__V1__TopRow *row)
{
	size_t len = tapwall__v1__top_row__get_packed_size(row);
	tw_autofree uint8_t *packed = malloc(len ? len : 1);
	row_t *copy = NULL;

	if (packed) {
		tapwall__v1__top_row__pack(row, packed);
		copy = tapwall__v1__top_row__unpack(NULL, len, packed);
	}
	if (!copy || tw_vec_push(&top->rows, copy) < 0) {
		tapwall__v1__top_row__free_unpacked(copy, NULL);
		return -ENOMEM;
	}
	return 0;
}

static enum tw_top_view view_of(const row_t *row)
{
	switch (row->what_case) {
	case TAPWALL__V1__TOP_ROW__WHAT_PORT:
		return TW_TOP_PORTS;
	case TAPWALL__V1__TOP_ROW__WHAT_FLOW:
		return TW_TOP_FLOWS;
	case TAPWALL__V1__TOP_ROW__WHAT_RULE:
		return TW_TOP_RULES;
	case TAPWALL__V1__TOP_ROW__WHAT_REASON:
		return TW_TOP_REASONS;
	default:
		return TW_TOP_VIEW__MAX;
	}
}

size_t tw_top_count(const struct tw_top *top, enum tw_top_view view)
{
	size_t n = 0;

	tw_vec_foreach (&top->rows, row)
		n += view_of(*row) == view;
	return n;
}

/* ---- order ---- */

static double weight(const row_t *row, enum tw_top_sort sort)
{
	switch (sort) {
	case TW_TOP_SORT_BYTES:
		return row->bytes_out + row->bytes_in;
	case TW_TOP_SORT_NEW:
		return row->opened_out + row->opened_in;
	case TW_TOP_SORT_DENIED:
		return row->denied_out + row->denied_in;
	case TW_TOP_SORT_PACKETS:
		return row->packets_out + row->packets_in;
	default:
		return 0;
	}
}

static const char *name_of(const row_t *row)
{
	switch (view_of(row)) {
	case TW_TOP_PORTS:
		return row->port->name;
	case TW_TOP_RULES:
		return row->rule->name;
	case TW_TOP_REASONS:
		return row->reason->reason;
	case TW_TOP_FLOWS:
		return row->flow->from ? row->flow->from->address : "";
	default:
		return "";
	}
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct tw_top *top = arg;
	const row_t *x = *(row_t *const *)a, *y = *(row_t *const *)b;
	double p = weight(x, top->sort), q = weight(y, top->sort);

	if (p != q)
		return p > q ? -1 : 1;
	/* Rows with equal figures, or without them, are sorted by packets, then by name. */
	if (top->sort != TW_TOP_SORT_NAME) {
		p = weight(x, TW_TOP_SORT_PACKETS);
		q = weight(y, TW_TOP_SORT_PACKETS);
		if (p != q)
			return p > q ? -1 : 1;
	}
	return strcmp(name_of(x), name_of(y));
}

void tw_top_order(struct tw_top *top)
{
	if (top->rows.n)
		qsort_r(top->rows.at, top->rows.n, sizeof(*top->rows.at), compare, top);
}

void tw_top_close(struct tw_top *top, const Tapwall__V1__TopSample *sample)
{
	top->sample = *sample;
	tw_top_order(top);
}

/* ---- tables ---- */

static const struct tw_column port_columns[] = {
	{.title = "PORT"},
	{.title = "WORKLOAD"},
	{.title = "STATE", .spare = 3},
	{.title = "OUT/s", .right = true, .spare = 1},
	{.title = "IN/s", .right = true, .spare = 1},
	{.title = "BYTES OUT/s", .right = true},
	{.title = "BYTES IN/s", .right = true},
	{.title = "NEW OUT", .right = true, .spare = 2},
	{.title = "NEW IN", .right = true, .spare = 2},
	{.title = "DENIED", .right = true},
};

static const struct tw_column flow_columns[] = {
	{.title = "PROTO"},
	{.title = "FROM"},
	{.title = ""},
	{.title = "TO"},
	{.title = "STATE", .spare = 4},
	{.title = "OUT/s", .right = true, .spare = 1},
	{.title = "IN/s", .right = true, .spare = 1},
	{.title = "BYTES OUT/s", .right = true},
	{.title = "BYTES IN/s", .right = true},
	{.title = "AGE", .right = true, .spare = 3},
	{.title = "RULE", .spare = 2},
};

static const struct tw_column rule_columns[] = {
	{.title = "RULE"},
	{.title = "ACTION"},
	{.title = "HITS/s", .right = true},
	{.title = "PACKETS/s", .right = true},
	{.title = "BYTES/s", .right = true},
	{.title = "HITS", .right = true, .spare = 2},
	{.title = "LINE", .right = true, .spare = 1},
};

static const struct tw_column reason_columns[] = {
	{.title = "REASON"},
	{.title = "OUT/s", .right = true},
	{.title = "IN/s", .right = true},
	{.title = "MEANS", .spare = 1},
};

static const struct {
	const struct tw_column *columns;
	size_t n;
	const char *nothing;
} layouts[] = {
	[TW_TOP_PORTS] = {port_columns, TW_ARGS_N(port_columns), "no ports"},
	[TW_TOP_FLOWS] = {flow_columns, TW_ARGS_N(flow_columns), "no traffic"},
	[TW_TOP_RULES] = {rule_columns, TW_ARGS_N(rule_columns), "no rule has matched"},
	[TW_TOP_REASONS] = {reason_columns, TW_ARGS_N(reason_columns), "no frames"},
};

static void cell_rate(struct tw_sheet *sheet, enum tw_style style, double rate)
{
	tw_sheet_cell(sheet, rate > 0 ? style : TW_STYLE_DIM, "%s", tw_human_rate(rate).text);
}

static void cell_bytes(struct tw_sheet *sheet, double rate)
{
	tw_sheet_cell(sheet, rate > 0 ? TW_STYLE_STRONG : TW_STYLE_DIM, "%s",
		tw_human_bytes((uint64_t)(rate + 0.5)).text);
}

static void add_port(struct tw_sheet *sheet, const row_t *row)
{
	const char *state = tw_style_state(row->port->state, row->port->open);

	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", row->port->name);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", row->port->workload);
	tw_sheet_cell(sheet, tw_style_of(state), "%s", state);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_out);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_in);
	cell_bytes(sheet, row->bytes_out);
	cell_bytes(sheet, row->bytes_in);
	cell_rate(sheet, TW_STYLE_PLAIN, row->opened_out);
	cell_rate(sheet, TW_STYLE_PLAIN, row->opened_in);
	cell_rate(sheet, TW_STYLE_BAD, row->denied_out + row->denied_in);
}

static void add_flow(struct tw_sheet *sheet, const row_t *row)
{
	const Tapwall__V1__Flow *flow = row->flow;
	const Tapwall__V1__Gate *gate = flow->in ? flow->in : flow->out;
	struct tw_flow_words words;

	tw_flow_words(flow->proto, flow->icmp_type, flow->from, flow->to, &words);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", words.proto);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.from);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_glyph(TW_GLYPH_ARROW));
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.to);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", flow->state);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_out);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_in);
	cell_bytes(sheet, row->bytes_out);
	cell_bytes(sheet, row->bytes_in);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_human_span(flow->age_s).text);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", gate ? gate->rule : "");
}

static void add_rule(struct tw_sheet *sheet, const row_t *row)
{
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", row->rule->name);
	tw_sheet_cell(sheet, tw_style_of(row->rule->action), "%s", row->rule->action);
	cell_rate(sheet, TW_STYLE_PLAIN, row->opened_out);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_out);
	cell_bytes(sheet, row->bytes_out);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_human_count(row->rule->hits).text);
	if (row->rule->file[0])
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s:%u", row->rule->file, row->rule->line);
	else if (row->rule->line)
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%u", row->rule->line);
	else
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", "");
}

static void add_reason(struct tw_sheet *sheet, const row_t *row)
{
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", row->reason->reason);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_out);
	cell_rate(sheet, TW_STYLE_PLAIN, row->packets_in);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", row->reason->text);
}

int tw_top_table(const struct tw_top *top, enum tw_top_view view, size_t first, size_t limit,
	size_t width, FILE *out)
{
	static void (*const add[])(struct tw_sheet *, const row_t *) = {
		[TW_TOP_PORTS] = add_port,
		[TW_TOP_FLOWS] = add_flow,
		[TW_TOP_RULES] = add_rule,
		[TW_TOP_REASONS] = add_reason,
	};
	tw_auto_sheet struct tw_sheet sheet = {
		.columns = layouts[view].columns, .n_columns = layouts[view].n, .width = width};
	size_t n = 0;

	tw_vec_foreach (&top->rows, row) {
		if (view_of(*row) != view || n++ < first)
			continue;
		if (limit && n > first + limit)
			break;
		add[view](&sheet, *row);
	}
	if (sheet.cells.n || sheet.failed)
		return tw_sheet_print(&sheet, out);
	fprintf(out, "%s%s%s\n", tw_style_on(TW_STYLE_DIM), layouts[view].nothing, tw_style_off());
	return 0;
}

/* ---- totals ---- */

void tw_top_head(const struct tw_top *top, FILE *out)
{
	row_t sum = TAPWALL__V1__TOP_ROW__INIT;
	size_t n_observed = 0;

	tw_vec_foreach (&top->rows, row) {
		if (view_of(*row) != TW_TOP_PORTS)
			continue;
		n_observed += !strcmp((*row)->port->state, "observed");
		sum.packets_out += (*row)->packets_out;
		sum.packets_in += (*row)->packets_in;
		sum.bytes_out += (*row)->bytes_out;
		sum.bytes_in += (*row)->bytes_in;
		sum.denied_out += (*row)->denied_out + (*row)->denied_in;
	}
	fprintf(out, "%s%.19s%s, %.1f s: %s of %s connections, %s moved, %s new/s\n",
		tw_style_on(TW_STYLE_STRONG), tw_human_time(top->sample.time).text, tw_style_off(),
		top->sample.seconds, tw_human_count(top->sample.connections).text,
		tw_human_count(top->sample.connections_max).text,
		tw_human_count(top->sample.moved).text, tw_human_rate(top->sample.opened).text);
	if (n_observed)
		fprintf(out, "%sOBSERVED: %zu port%s not enforced%s   ", tw_style_on(TW_STYLE_WARN),
			n_observed, n_observed == 1 ? "" : "s", tw_style_off());
	fprintf(out, "out %s/s, %s/s   in %s/s, %s/s   %sdenied %s/s%s\n",
		tw_human_rate(sum.packets_out).text,
		tw_human_bytes((uint64_t)(sum.bytes_out + 0.5)).text,
		tw_human_rate(sum.packets_in).text,
		tw_human_bytes((uint64_t)(sum.bytes_in + 0.5)).text,
		sum.denied_out > 0 ? tw_style_on(TW_STYLE_BAD) : "",
		tw_human_rate(sum.denied_out).text, sum.denied_out > 0 ? tw_style_off() : "");
}

/* ---- JSON ---- */

static json_t *pair(double out, double in)
{
	return json_pack("{s:o, s:o}", "out", tw_json_s(out), "in", tw_json_s(in));
}

static json_t *json_row(const row_t *row)
{
	json_t *rates = json_pack("{s:o}", "packets_s", pair(row->packets_out, row->packets_in));
	json_t *bytes = json_pack("{s:o}", "bytes_s", pair(row->bytes_out, row->bytes_in));

	switch (view_of(row)) {
	case TW_TOP_PORTS:
		return tw_json_merge(
			json_pack("{s:o, s:o, s:o, s:b, s:o, s:o}", "name",
				tw_json_text(row->port->name), "workload",
				tw_json_text(row->port->workload), "state",
				tw_json_text(row->port->state), "open", row->port->open, "denied_s",
				pair(row->denied_out, row->denied_in), "opened_s",
				pair(row->opened_out, row->opened_in)),
			tw_json_merge(rates, bytes));
	case TW_TOP_FLOWS:
		return tw_json_merge(tw_flow_json(row->flow), tw_json_merge(rates, bytes));
	case TW_TOP_RULES:
		json_decref(rates);
		json_decref(bytes);
		return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			tw_json_text(row->rule->name), "action", tw_json_text(row->rule->action),
			"line", tw_json_u64(row->rule->line), "hits_s", tw_json_s(row->opened_out),
			"packets_s", tw_json_s(row->packets_out), "bytes_s",
			tw_json_s(row->bytes_out));
	default:
		json_decref(bytes);
		return tw_json_merge(
			json_pack("{s:o}", "reason", tw_json_text(row->reason->reason)), rates);
	}
}

static json_t *json_rows(const struct tw_top *top, enum tw_top_view view)
{
	json_t *list = json_array();

	tw_vec_foreach (&top->rows, row)
		if (view_of(*row) == view && json_array_append_new(list, json_row(*row)) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

int tw_top_json(const struct tw_top *top)
{
	const Tapwall__V1__TopSample *sample = &top->sample;

	return tw_report_json(json_pack("{s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"time", sample->time, "seconds", tw_json_s(sample->seconds), "n_connections",
		tw_json_u64(sample->connections), "connections_max",
		tw_json_u64(sample->connections_max), "moved", tw_json_u64(sample->moved),
		"opened_s", tw_json_s(sample->opened), "ports", json_rows(top, TW_TOP_PORTS),
		"connections", json_rows(top, TW_TOP_FLOWS), "rules", json_rows(top, TW_TOP_RULES),
		"reasons", json_rows(top, TW_TOP_REASONS)));
}
