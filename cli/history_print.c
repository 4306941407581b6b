/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/history_print.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/human.h"
#include "link/flow.h"

#define US_PER_S 1e6

static const struct tw_column row_columns[] = {
	{.title = "TIME"},
	{.title = "VERDICT"},
	{.title = "PROTO"},
	{.title = "FROM"},
	{.title = ""},
	{.title = "TO"},
	{.title = "PACKETS", .right = true, .spare = 5},
	{.title = "BYTES", .right = true, .spare = 2},
	{.title = "REPLY BYTES", .right = true, .spare = 3},
	{.title = "LASTED", .right = true, .spare = 1},
	{.title = "RULE"},
	{.title = "WHY"},
	{.title = "AGENT", .spare = 4},
};

static const struct tw_column total_columns[] = {
	{.title = "SOURCE"},
	{.title = "CONNECTIONS", .right = true},
	{.title = "DENIALS", .right = true},
	{.title = "PACKETS", .right = true, .spare = 3},
	{.title = "REPLIES", .right = true, .spare = 3},
	{.title = "BYTES", .right = true},
	{.title = "REPLY BYTES", .right = true},
};

#define TOTALS(name, key)                                                                     \
	static const struct tw_column name[] = {{.title = key},                               \
		{.title = "CONNECTIONS", .right = true}, {.title = "DENIALS", .right = true}, \
		{.title = "PACKETS", .right = true, .spare = 3},                              \
		{.title = "REPLIES", .right = true, .spare = 3},                              \
		{.title = "BYTES", .right = true}, {.title = "REPLY BYTES", .right = true}}
TOTALS(destination_columns, "DESTINATION");
TOTALS(service_columns, "SERVICE");
TOTALS(rule_columns, "RULE");

static const struct tw_column use_columns[] = {
	{.title = "RULE"},
	{.title = "LAST USED"},
	{.title = "AGO", .right = true},
	{.title = "DECIDED", .right = true},
};

static const struct tw_column source_columns[] = {
	{.title = "AGENT"},
	{.title = "EVENTS"},
	{.title = "ROWS", .right = true},
	{.title = "MISSING", .right = true},
	{.title = "LAST"},
	{.title = "WHY"},
};

void tw_history_print_begin(struct tw_sheet *sheet, enum tw_history_what what, bool uses)
{
	static const struct tw_column *const columns[] = {
		[TW_HISTORY_WHAT_CONNECTIONS] = row_columns,
		[TW_HISTORY_WHAT_TALKERS] = total_columns,
		[TW_HISTORY_WHAT_DESTINATIONS] = destination_columns,
		[TW_HISTORY_WHAT_SERVICES] = service_columns,
		[TW_HISTORY_WHAT_RULES] = rule_columns,
		[TW_HISTORY_WHAT_WHO] = total_columns,
		[TW_HISTORY_WHAT_STATUS] = source_columns,
	};
	static const size_t n_columns[] = {
		[TW_HISTORY_WHAT_CONNECTIONS] = TW_ARGS_N(row_columns),
		[TW_HISTORY_WHAT_TALKERS] = TW_ARGS_N(total_columns),
		[TW_HISTORY_WHAT_DESTINATIONS] = TW_ARGS_N(destination_columns),
		[TW_HISTORY_WHAT_SERVICES] = TW_ARGS_N(service_columns),
		[TW_HISTORY_WHAT_RULES] = TW_ARGS_N(rule_columns),
		[TW_HISTORY_WHAT_WHO] = TW_ARGS_N(total_columns),
		[TW_HISTORY_WHAT_STATUS] = TW_ARGS_N(source_columns),
	};

	*sheet = (struct tw_sheet){.columns = uses ? use_columns : columns[what],
		.n_columns = uses ? TW_ARGS_N(use_columns) : n_columns[what]};
}

static void add_connection(struct tw_sheet *sheet, const Tapwall__V1__HistoryRow *r)
{
	bool denied = !strcmp(r->event, "deny");
	struct tw_flow_words words = {0};

	tw_flow_words(r->proto, r->icmp_type, r->from, r->to, &words);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_human_time((double)r->time_us / US_PER_S).text);
	tw_sheet_cell(sheet, tw_style_of(r->verdict), "%s", r->verdict);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s%s", words.proto, words.id);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.from);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", tw_glyph(TW_GLYPH_ARROW));
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", words.to);
	tw_sheet_cell(
		sheet, TW_STYLE_PLAIN, "%s", tw_human_count(r->packets_out + r->packets_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(r->bytes_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", denied ? "" : tw_human_bytes(r->bytes_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", denied ? "" : tw_human_span(r->duration_s).text);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", r->rule);
	/* If a rule denied, the reason adds nothing to the rule's name. */
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s%s", !strcmp(r->event, "live") ? "live, " : "",
		denied ? (r->rule[0] && !strcmp(r->reason, "policy") ? "" : r->reason) : r->state);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", r->agent);
}

/* Adds the key of a total: the address, service or rule whose figures it adds up. */
static void add_key(struct tw_sheet *sheet, const Tapwall__V1__HistoryTotal *t)
{
	if (t->others)
		tw_sheet_cell(sheet, TW_STYLE_DIM, "others");
	else if (t->address[0])
		tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s%s%s", t->name, t->name[0] ? " " : "",
			t->address);
	else if (!strncmp(t->proto, "icmp", 4))
		tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s/%u.%u", t->proto, t->port >> 8 & 0xff,
			t->port & 0xff);
	else if (t->proto[0] && t->port)
		tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s/%u", t->proto, t->port);
	else if (t->proto[0])
		tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", t->proto);
	else
		tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", t->name[0] ? t->name : "no rule");
}

static void add_total(struct tw_sheet *sheet, const Tapwall__V1__HistoryTotal *t)
{
	add_key(sheet, t);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(t->connections).text);
	tw_sheet_cell(sheet, t->denials ? TW_STYLE_BAD : TW_STYLE_PLAIN, "%s",
		tw_human_count(t->denials).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(t->packets_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(t->packets_in).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(t->bytes_out).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(t->bytes_in).text);
}

static void add_use(struct tw_sheet *sheet, const Tapwall__V1__HistoryUse *u)
{
	double last = (double)u->last_us / US_PER_S, now = (double)time(NULL);

	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", u->rule);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", u->last_us ? tw_human_time(last).text : "never");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s",
		u->last_us ? tw_human_span(now > last ? now - last : 0).text : "");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(u->rows).text);
}

static void add_source(struct tw_sheet *sheet, const Tapwall__V1__HistorySource *s)
{
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", s->agent);
	tw_sheet_cell(sheet, s->followed ? TW_STYLE_GOOD : TW_STYLE_BAD, "%s",
		s->followed ? "followed" : "not followed");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_count(s->rows).text);
	tw_sheet_cell(sheet, s->lost ? TW_STYLE_WARN : TW_STYLE_PLAIN, "%s",
		tw_human_count(s->lost).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s",
		s->last_us ? tw_human_time((double)s->last_us / US_PER_S).text : "never");
	tw_sheet_cell(sheet, TW_STYLE_WARN, "%s", s->followed ? "" : s->why);
}

void tw_history_print_add(struct tw_sheet *sheet, const Tapwall__V1__Response *response)
{
	switch (response->body_case) {
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW:
		add_connection(sheet, response->history_row);
		break;
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_TOTAL:
		add_total(sheet, response->history_total);
		break;
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_USE:
		add_use(sheet, response->history_use);
		break;
	case TAPWALL__V1__RESPONSE__BODY_HISTORY_SOURCE:
		add_source(sheet, response->history_source);
		break;
	default:
		break;
	}
}

static void put_line(const char *name, const char *text)
{
	printf("%s%-10s%s %s\n", tw_style_on(TW_STYLE_DIM), name, tw_style_off(), text);
}

void tw_history_print_state(const Tapwall__V1__HistoryState *s)
{
	char text[512];
	int n;

	put_line("file", s->path);
	if (s->failing[0]) {
		snprintf(text, sizeof(text), "%sfailing for %s: %.200s; agents keep their events%s",
			tw_style_on(TW_STYLE_BAD), tw_human_span(s->failing_s).text, s->failing,
			tw_style_off());
		put_line("writing", text);
	}
	snprintf(text, sizeof(text), "%s in %s blocks, %s", tw_human_count(s->rows).text,
		tw_human_count(s->blocks).text, tw_human_bytes(s->bytes).text);
	put_line("rows", text);
	if (s->pending) {
		snprintf(text, sizeof(text), "%s rows are to be written",
			tw_human_count(s->pending).text);
		put_line("waiting", text);
	}
	if (s->oldest_us) {
		snprintf(text, sizeof(text), "%s to %s",
			tw_human_time((double)s->oldest_us / US_PER_S).text,
			tw_human_time((double)s->newest_us / US_PER_S).text);
		put_line("from", text);
	}
	n = snprintf(text, sizeof(text), "%s, ",
		s->bytes_max ? tw_human_bytes(s->bytes_max).text : "any size");
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%s",
		s->age_max_s > 0 ? tw_human_span(s->age_max_s).text : "any age");
	if (s->dropped)
		snprintf(text + n, sizeof(text) - (size_t)n,
			"; %s rows were dropped since tapwall-slowd started",
			tw_human_count(s->dropped).text);
	put_line("keeps", text);
}
