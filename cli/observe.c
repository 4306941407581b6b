/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/gather.h"
#include "cli/human.h"
#include "cli/propose.h"
#include "cli/report.h"
#include "cli/seen_text.h"
#include "cli/sheet.h"
#include "fastpath/abi/names.h"
#include "link/json.h"
#include "sim/tuple.h"

#define PORTS_NAMED	8u /* ports that a warning names */
#define ADDRESSES_APART 8u /* addresses without a workload that have lines of their own */

/* Entries of one pair of workloads, or of addresses without one, and one service. */
struct row {
	const struct tw_seen_entry *entry; /* its newest */
	uint64_t n_addresses
		[TW_DIR__MAX]; /* addresses without a workload; 0: a workload, or one address */
	uint64_t n;
	uint64_t n_worked;
	uint64_t bytes;
	double first;
	double last;
};

struct view {
	const struct tw_observe_options *options;
	struct tw_gathered gathered;
	TW_VEC(struct row) rows;
};

/* ---- adding up ---- */

static int order(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Compares names, not their numbers, so that the order does not depend on what came first. */
static int compare_names(const struct tw_seen *seen, uint32_t x, uint32_t y)
{
	return x == y ? 0 : strcmp(tw_seen_name(seen, x), tw_seen_name(seen, y));
}

static int compare_ends(const struct tw_seen *seen, const struct row *a, const struct row *b)
{
	const struct tw_seen_entry *x = a->entry, *y = b->entry;

	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		int by = compare_names(seen, x->workload[dir], y->workload[dir]);

		if (!by)
			by = order(a->n_addresses[dir] != 0, b->n_addresses[dir] != 0);
		if (!by && !x->workload[dir] && !a->n_addresses[dir])
			by = memcmp(&x->addr[dir], &y->addr[dir], sizeof(x->addr[dir]));
		if (by)
			return by;
	}
	return 0;
}

static int compare_subjects(const void *a, const void *b, void *arg)
{
	const struct tw_seen_entry *x = ((const struct row *)a)->entry;
	const struct tw_seen_entry *y = ((const struct row *)b)->entry;
	const uint64_t keys[][2] = {{x->proto, y->proto}, {x->scan, y->scan},
		{x->detail, y->detail}, {x->verdict, y->verdict}, {x->ends, y->ends}};
	int by = compare_ends(arg, a, b);

	for (size_t i = 0; i < TW_ARGS_N(keys) && !by; i++)
		by = order(keys[i][0], keys[i][1]);
	if (!by)
		by = compare_names(arg, x->reason, y->reason);
	return by ? by : compare_names(arg, x->rule, y->rule);
}

/* Puts first what would be denied, then what is denied, then what is allowed. Within each, the largest
 * count comes first. */
static int compare_rows(const void *a, const void *b, void *arg)
{
	static const uint8_t ranks[TW_V__MAX] = {[TW_V_WOULD_DENY] = 1,
		[TW_V_REJECT] = 2,
		[TW_V_DENY] = 3,
		[TW_V_ALLOW] = 4,
		[TW_V_ASK] = 5};
	const struct row *x = a, *y = b;
	int by = order(ranks[x->entry->verdict], ranks[y->entry->verdict]);

	if (!by)
		by = order(y->n, x->n);
	return by ? by : compare_subjects(a, b, arg);
}

static void add_row(struct row *into, const struct row *more)
{
	into->n += more->n;
	into->n_worked += more->n_worked;
	into->bytes += more->bytes;
	if (more->first < into->first)
		into->first = more->first;
	if (more->last > into->last) {
		into->last = more->last;
		into->entry = more->entry;
	}
}

/* Makes one row of each run of equal ones, if the run has more than `apart` rows. */
static void unite(struct view *view, size_t apart, enum tw_dir dir)
{
	struct row *at = view->rows.at;
	size_t n = 0, to;

	if (view->rows.n)
		qsort_r(at, view->rows.n, sizeof(*at), compare_subjects, &view->gathered.seen);
	for (size_t from = 0; from < view->rows.n; from = to) {
		struct row sum = at[from];

		for (to = from + 1; to < view->rows.n &&
				    !compare_subjects(&at[from], &at[to], &view->gathered.seen);
			to++)
			add_row(&sum, &at[to]);
		if (to - from > apart) {
			sum.n_addresses[dir] = sum.n_addresses[dir] ? to - from : 0;
			at[n++] = sum;
			continue;
		}
		for (size_t i = from; i < to; i++) {
			at[n] = at[i];
			at[n++].n_addresses[dir] = 0;
		}
	}
	view->rows.n = n;
}

static int add_up(struct view *view)
{
	struct tw_seen *seen = &view->gathered.seen;

	tw_vec_foreach (&seen->entries, entry) {
		struct row row = {.entry = entry,
			.n = entry->n,
			.n_worked = entry->n_worked,
			.bytes = entry->bytes,
			.first = entry->first,
			.last = entry->last};

		if (entry->verdict == TW_V_ALLOW && !view->options->allowed)
			continue;
		if (tw_vec_push(&view->rows, row) < 0)
			return tw_report_memory();
	}
	unite(view, 0, TW_DIR_OUT);
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		tw_vec_foreach (&view->rows, row)
			row->n_addresses[dir] = !row->entry->workload[dir];
		unite(view, ADDRESSES_APART, (enum tw_dir)dir);
	}
	if (view->rows.n)
		qsort_r(view->rows.at, view->rows.n, sizeof(*view->rows.at), compare_rows, seen);
	return TW_EXIT_OK;
}

/* ---- the policy in force ---- */

/* Judges an entry by the policy in force, because it may have been seen under another one. */
static int judge_again(
	struct tw_seen *seen, const struct tw_policy *policy, struct tw_seen_entry *entry)
{
	size_t rule[TW_DIR__MAX], decider = SIZE_MAX;
	uint8_t ends = 0;

	if (tw_propose_is_unsure(policy, entry))
		return TW_EXIT_OK;
	tw_propose_judge(policy, entry, rule);
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		enum tw_verdict action;

		if (rule[dir] == SIZE_MAX)
			continue;
		action = tw_policy_rule(policy, rule[dir])->action;
		if (action == TW_V_ASK)
			return TW_EXIT_OK;
		if (action == TW_V_ALLOW && ends)
			continue;
		if (action != TW_V_ALLOW && !ends)
			decider = rule[dir];
		if (action == TW_V_ALLOW)
			decider = rule[dir];
		else
			ends |= (uint8_t)(1u << dir);
	}
	entry->ends = ends;
	entry->verdict = ends ? TW_V_WOULD_DENY : TW_V_ALLOW;
	return decider == SIZE_MAX || !tw_seen_intern(seen, tw_policy_rule(policy, decider)->name,
					      &entry->rule)
		       ? TW_EXIT_OK
		       : tw_report_memory();
}

/* Judges the connections again by the policy in force: they were seen under any policy. */
static int judge_all(struct view *view)
{
	struct tw_gathered_policy in_force = {0};
	struct tw_seen *seen = &view->gathered.seen;
	int code = tw_gather_policy(view->options->gather.socket, &in_force);

	tw_vec_foreach (&seen->entries, entry)
		if (!code && in_force.policy &&
			!strcmp(tw_seen_name(seen, entry->reason), "policy") &&
			(entry->verdict == TW_V_ALLOW || entry->verdict == TW_V_WOULD_DENY))
			code = judge_again(seen, in_force.policy, entry);
	tw_rights_settle(&view->gathered.rights, in_force.policy);
	tw_gathered_policy_done(&in_force);
	return code;
}

/* ---- text ---- */

static const struct tw_column columns[] = {
	{.title = "VERDICT"},
	{.title = "FROM"},
	{.title = ""},
	{.title = "TO"},
	{.title = "SERVICE"},
	{.title = "COUNT", .right = true},
	{.title = "FIRST SEEN", .spare = 3},
	{.title = "LAST SEEN", .spare = 1},
	{.title = "RULE"},
	{.title = "REASON", .spare = 2},
	{.title = "EXAMPLE", .spare = 4},
};

static void cell_end(
	struct tw_sheet *sheet, const struct tw_seen *seen, const struct row *row, enum tw_dir dir)
{
	const struct tw_seen_entry *entry = row->entry;
	const char *name = tw_seen_name(seen, entry->workload[dir]);
	char text[64];

	if (row->n_addresses[dir]) {
		tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s addresses",
			tw_human_count(row->n_addresses[dir]).text);
		return;
	}
	tw_sheet_cell(sheet, *name ? TW_STYLE_NAME : TW_STYLE_STRONG, "%s",
		*name ? name : tw_addr_format(&entry->addr[dir], text));
}

static void cells(struct tw_sheet *sheet, const struct tw_seen *seen, const struct row *row)
{
	const struct tw_seen_entry *entry = row->entry;
	const char *verdict = tw_verdict_name(entry->verdict);

	tw_sheet_cell(sheet, tw_style_of(verdict), "%s", verdict);
	cell_end(sheet, seen, row, TW_DIR_OUT);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_glyph(TW_GLYPH_ARROW));
	cell_end(sheet, seen, row, TW_DIR_IN);
	tw_sheet_cell(sheet, entry->scan ? TW_STYLE_WARN : TW_STYLE_STRONG, "%s",
		tw_seen_service(entry).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(row->n).text);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_seen_time(row->first).text);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_seen_time(row->last).text);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", tw_seen_name(seen, entry->rule));
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_seen_name(seen, entry->reason));
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_seen_example(entry).text);
}

static void warn(const char *text)
{
	printf("%s%s%s\n", tw_style_on(TW_STYLE_WARN), text, tw_style_off());
}

static void print_ports(const struct tw_gathered *g)
{
	size_t n = 0;

	if (!g->n_observed)
		warn("NOTHING IS OBSERVED: no port has mode: observe");
	if (!g->ports.n)
		return;
	printf("%snot observed:", tw_style_on(TW_STYLE_WARN));
	tw_vec_foreach (&g->ports, port) {
		if (n++ == PORTS_NAMED)
			break;
		printf("%s %s (%s)", n > 1 ? "," : "", port->name, port->state);
	}
	if (g->ports.n > PORTS_NAMED)
		printf(" and %s more", tw_human_count(g->ports.n - PORTS_NAMED).text);
	printf("%s\n", tw_style_off());
}

static void print_head(const struct tw_gathered *g)
{
	printf("Data: %s %s%s, and live connections",
		g->since > 0 ? tw_human_span(g->until - g->since).text : "an unknown time",
		g->history ? "from the history of " : "from the agent's journal",
		g->history ? g->source : "");
	if (g->policy_s >= 0)
		printf("; the policy in force is %s old", tw_human_span(g->policy_s).text);
	putchar('\n');
	if (g->elsewhere[0])
		printf("%sa longer history is at %s; run there: tapwall observe --socket agent:%s%s\n",
			tw_style_on(TW_STYLE_DIM), g->elsewhere, g->source, tw_style_off());
	tw_seen_warn(g, stdout);
	print_ports(g);
	putchar('\n');
}

static int print_rights(const struct tw_rights *rights)
{
	tw_auto_buf struct tw_buf out = {0};

	tw_vec_foreach (&rights->rows, row) {
		tw_buf_adds(&out, "  ");
		tw_rights_print(rights, row, &out);
		tw_buf_adds(&out, "\n");
	}
	if (out.failed)
		return tw_report_memory();
	if (out.len)
		printf("\nRights that frames lacked; grant the workloads what they need:\n%s",
			out.data);
	return TW_EXIT_OK;
}

static int print_text(const struct view *view)
{
	tw_auto_sheet struct tw_sheet sheet = {.columns = columns, .n_columns = TW_ARGS_N(columns)};
	uint32_t limit = view->options->limit;
	size_t shown = 0;
	int code;

	print_head(&view->gathered);
	tw_vec_foreach (&view->rows, row) {
		if (limit && shown == limit)
			break;
		cells(&sheet, &view->gathered.seen, row);
		shown++;
	}
	code = tw_sheet_show(&sheet,
		view->gathered.n_observed ? "nothing would be denied" : "nothing was denied");
	if (!code && shown < view->rows.n)
		printf("\n%s of %s lines; --limit 0 prints all\n", tw_human_count(shown).text,
			tw_human_count(view->rows.n).text);
	return code ? code : print_rights(&view->gathered.rights);
}

/* ---- JSON ---- */

static json_t *end_json(const struct tw_seen *seen, const struct row *row, enum tw_dir dir)
{
	const struct tw_seen_entry *entry = row->entry;
	uint64_t n = row->n_addresses[dir];
	char text[64];

	return json_pack("{s:o, s:o, s:o}", "workload",
		tw_json_text(tw_seen_name(seen, entry->workload[dir])), "address",
		tw_json_text(tw_addr_format(&entry->addr[dir], text)), "addresses",
		tw_json_u64(n ? n : 1));
}

static json_t *ends_json(uint8_t ends)
{
	json_t *list = json_array();

	for (unsigned int dir = 0; dir < TW_DIR__MAX; dir++)
		if (ends & 1u << dir &&
			json_array_append_new(list, json_string(tw_dir_name(dir)))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int print_row(const struct tw_seen *seen, const struct row *row)
{
	const struct tw_seen_entry *entry = row->entry;
	json_t *what = json_pack("{s:s, s:o, s:o, s:o, s:b, s:o, s:o, s:o}", "verdict",
		tw_verdict_name(entry->verdict), "from", end_json(seen, row, TW_DIR_OUT), "to",
		end_json(seen, row, TW_DIR_IN), "service",
		tw_json_text(tw_seen_service(entry).text), "many_ports", entry->scan, "reason",
		tw_json_text(tw_seen_name(seen, entry->reason)), "rule",
		tw_json_text(tw_seen_name(seen, entry->rule)), "ends", ends_json(entry->ends));
	json_t *sums = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "count", tw_json_u64(row->n),
		"answered", tw_json_u64(row->n_worked), "bytes", tw_json_u64(row->bytes), "first",
		tw_json_s(row->first), "last", tw_json_s(row->last), "example",
		tw_json_text(tw_seen_example(entry).text));

	return tw_report_json(tw_json_merge(what, sums));
}

static json_t *ports_json(const struct tw_gathered *g)
{
	json_t *list = json_array();

	tw_vec_foreach (&g->ports, port)
		if (json_array_append_new(
			    list, json_pack("{s:o, s:o, s:o}", "port", tw_json_text(port->name),
					  "workload", tw_json_text(port->workload), "state",
					  tw_json_text(port->state)))) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int print_json(const struct view *view)
{
	const struct tw_gathered *g = &view->gathered;
	size_t shown = 0;
	int code = TW_EXIT_OK;

	tw_vec_foreach (&view->rows, row) {
		if (code || (view->options->limit && shown == view->options->limit))
			break;
		code = print_row(&g->seen, row);
		shown++;
	}
	if (code)
		return code;
	return tw_report_json(
		json_pack("{s:{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}}", "summary",
			"source", g->history ? "history" : "journal", "since",
			tw_json_s(g->since > 0 ? g->since : -1), "until", tw_json_s(g->until),
			"policy_age_s", tw_json_s(g->policy_s), "rows", tw_json_u64(view->rows.n),
			"lost", tw_json_u64(g->lost), "unread", tw_json_u64(g->unread), "beyond",
			tw_json_u64(g->seen.n_beyond), "observed", tw_json_u64(g->n_observed),
			"not_observed", ports_json(g), "rights", tw_rights_json(&g->rights)));
}

int tw_observe_run(const void *values)
{
	struct tw_observe_options options = *(const struct tw_observe_options *)values;
	struct view view = {.options = &options};
	int code = tw_filter_init(&options.gather.filter);

	if (!code)
		code = tw_gather(&options.gather, &view.gathered);
	if (!code)
		code = judge_all(&view);
	if (!code)
		code = add_up(&view);
	if (!code)
		code = options.json ? print_json(&view) : print_text(&view);
	tw_gathered_done(&view.gathered);
	tw_vec_done(&view.rows);
	return code;
}
