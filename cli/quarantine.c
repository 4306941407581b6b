/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall quarantine: shuts all ports of a workload, whatever the policy says. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clean.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/style.h"
#include "link/json_message.h"
#include "policy/text.h"

#define FOR_MAX_S  (366u * 86400)
#define TEXT(text) ((char *)(uintptr_t)(text))

static const struct tw_column columns[] = {
	{.title = "WORKLOAD"},
	{.title = "BY"},
	{.title = "SINCE"},
	{.title = "UNTIL"},
	{.title = "REASON"},
	{.title = "NOTE"},
};

/* Appends the text, `n` names, and the number of further ones. */
static void add_names(
	struct tw_buf *out, const char *text, char *const *names, size_t n, size_t all)
{
	if (!all)
		return;
	tw_buf_addf(out, "%s%s", out->len ? "; " : "", text);
	for (size_t i = 0; i < n; i++)
		tw_buf_addf(out, "%s %s", i ? "," : "", names[i]);
	if (all > n)
		tw_buf_addf(out, " and %zu more", all - n);
}

/* Writes where the quarantine is not in force. */
static void fill_note(const Tapwall__V1__Quarantine *q, struct tw_buf *out)
{
	if (q->only_at[0])
		tw_buf_addf(out, "only at %s, the slow path's list lacks it", q->only_at);
	else if (q->ended > 0)
		tw_buf_addf(out, "ended at %s%s%s", tw_human_time(q->ended).text,
			q->ended_by[0] ? " by " : ": its time was over", q->ended_by);
	add_names(out, "waits for", q->waiting, q->n_waiting, q->waiting_all);
	add_names(out, "lifted at", q->lifted_at, q->n_lifted_at, q->n_lifted_at);
	tw_buf_adds(out, "");
}

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Quarantine *q = response->quarantine;
	const struct tw_quarantine_options *options = arg;
	bool through = q->change && !options->everywhere;
	tw_auto_buf struct tw_buf note = {0};

	fill_note(q, &note);
	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", q->workload);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s%s", q->who, through ? " (slow path)" : "");
	tw_sheet_cell(
		sheet, TW_STYLE_PLAIN, "%s", q->since > 0 ? tw_human_time(q->since).text : "");
	if (q->only_at[0])
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", "");
	else
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s",
			q->until > 0 ? tw_human_time(q->until).text : "it is lifted");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", q->reason);
	tw_sheet_cell(sheet, TW_STYLE_WARN, "%s", note.data ? note.data : "");
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_QUARANTINE,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "no workload is in quarantine",
	.add = add_row};

/* A change that agents have not answered yet. */
struct change {
	const struct tw_quarantine_options *options;
	bool told;    /* an answer was printed */
	bool refused; /* at least one agent refused it */
};

static void print_target(const Tapwall__V1__QuarantineTarget *t)
{
	bool bad = !strcmp(t->state, "refused"), good = !strcmp(t->state, "accepted");

	printf("  %s: %s%s%s%s%s", t->agent,
		tw_style_on(bad	   ? TW_STYLE_BAD
			    : good ? TW_STYLE_GOOD
				   : TW_STYLE_WARN),
		t->state, tw_style_off(), t->error[0] ? ": " : "", t->error);
	if (t->ports)
		printf(", %u port%s shut", t->ports, t->ports == 1 ? "" : "s");
	printf("%s\n", !strcmp(t->state, "away") ? "; it follows when it connects" : "");
	fflush(stdout);
}

static void print_row(const struct tw_quarantine_options *options, const Tapwall__V1__Quarantine *q)
{
	if (!q || q->ended > 0)
		printf("%s is no longer in quarantine\n", tw_cleaned(options->workload).text);
	else if (q->until > 0)
		printf("%s is in quarantine until %s\n", q->workload, tw_human_time(q->until).text);
	else
		printf("%s is in quarantine until it is lifted\n", q->workload);
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct change *change = arg;
	const Tapwall__V1__QuarantineTarget *target = NULL;
	const Tapwall__V1__Quarantine *q = NULL;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_QUARANTINE_TARGET)
		target = response->quarantine_target;
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_QUARANTINE)
		q = response->quarantine;
	change->refused |= target && !strcmp(target->state, "refused");
	change->told |= q || target;
	if (change->options->json)
		return q || target ? tw_report_json(tw_json_response(response)) : TW_EXIT_OK;
	if (target)
		print_target(target);
	else if (q || !change->told)
		print_row(change->options, q);
	return TW_EXIT_OK;
}

static int check_options(
	const struct tw_quarantine_options *options, Tapwall__V1__QuarantineRequest *body)
{
	if (options->ended && (!options->everywhere || options->workload))
		return tw_report_error(
			TW_EXIT_USAGE, "--ended", "see --help", "is for a list with --everywhere");
	if (!options->workload)
		return options->lift || options->reason || options->time
			       ? tw_report_error(TW_EXIT_USAGE, "quarantine", "see --help",
					 "WORKLOAD is missing")
			       : TW_EXIT_OK;
	if (options->lift ? options->reason || options->time : !options->reason)
		return tw_report_error(TW_EXIT_USAGE, "quarantine", "see --help",
			options->lift ? "--lift needs no reason and no time"
				      : "--reason is missing");
	if (options->time &&
		(tw_text_seconds(options->time, FOR_MAX_S, &body->for_s) || !body->for_s))
		return tw_report_error(TW_EXIT_USAGE, "--for",
			"write 30m, 2h or 7d, at most a year", "invalid time '%s'",
			tw_cleaned(options->time).text);
	return TW_EXIT_OK;
}

int tw_quarantine_run(const void *values)
{
	struct tw_quarantine_options options = *(const struct tw_quarantine_options *)values;
	struct change change = {.options = &options};
	struct tw_agent_call call = {.socket = options.everywhere ? options.slow : options.socket,
		.slow = options.everywhere,
		.raw = options.json,
		.answer = on_answer,
		.arg = &change};
	struct tw_listing list = listing;
	Tapwall__V1__QuarantinesRequest rows = TAPWALL__V1__QUARANTINES_REQUEST__INIT;
	Tapwall__V1__QuarantineRequest body = TAPWALL__V1__QUARANTINE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	int code = check_options(&options, &body);

	if (code)
		return code;
	if (!options.workload) {
		list.slow = options.everywhere;
		rows.ended = options.ended;
		request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINES;
		request.quarantines = &rows;
		return tw_listing_run(&list, call.socket, options.json, &request, &options);
	}
	body.workload = TEXT(options.workload);
	body.reason = TEXT(options.reason ? options.reason : "");
	body.lift = options.lift;
	request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINE;
	request.quarantine = &body;
	code = tw_agent_ask(&call, &request);
	return code ? code : change.refused ? TW_EXIT_NO : TW_EXIT_OK;
}
