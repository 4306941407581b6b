/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall quarantine: shuts all ports of a workload, whatever the policy says. */
#include <stdio.h>

#include "base/clean.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/report.h"
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
};

static void add_row(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__Quarantine *q = response->quarantine;

	tw_sheet_cell(sheet, TW_STYLE_NAME, "%s", q->workload);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", q->who);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_time(q->since).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s",
		q->until > 0 ? tw_human_time(q->until).text : "it is lifted");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", q->reason);
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_QUARANTINE,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "no workload is in quarantine",
	.add = add_row};

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const struct tw_quarantine_options *options = arg;
	const Tapwall__V1__Quarantine *q = response->quarantine;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_QUARANTINE)
		q = NULL;
	if (q && options->json)
		return tw_report_json(tw_json_quarantine(q));
	if (options->json)
		return TW_EXIT_OK;
	if (!q)
		printf("%s is no longer in quarantine\n", tw_cleaned(options->workload).text);
	else if (q->until > 0)
		printf("%s is in quarantine until %s\n", q->workload, tw_human_time(q->until).text);
	else
		printf("%s is in quarantine until it is lifted\n", q->workload);
	return TW_EXIT_OK;
}

int tw_quarantine_run(const void *values)
{
	struct tw_quarantine_options options = *(const struct tw_quarantine_options *)values;
	struct tw_agent_call call = {.socket = options.socket,
		.raw = options.json,
		.answer = on_answer,
		.arg = &options};
	Tapwall__V1__QuarantinesRequest list = TAPWALL__V1__QUARANTINES_REQUEST__INIT;
	Tapwall__V1__QuarantineRequest body = TAPWALL__V1__QUARANTINE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	if (!options.workload) {
		request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINES;
		request.quarantines = &list;
		return tw_listing_run(&listing, options.socket, options.json, &request, NULL);
	}
	if (options.lift ? options.reason || options.time : !options.reason)
		return tw_report_error(TW_EXIT_USAGE, "quarantine", "see --help",
			options.lift ? "--lift needs no reason and no time"
				     : "--reason is missing");
	if (options.time && (tw_text_seconds(options.time, FOR_MAX_S, &body.for_s) || !body.for_s))
		return tw_report_error(TW_EXIT_USAGE, "--for",
			"write 30m, 2h or 7d, at most a year", "invalid time '%s'",
			tw_cleaned(options.time).text);
	body.workload = TEXT(options.workload);
	body.reason = TEXT(options.reason ? options.reason : "");
	body.lift = options.lift;
	request.body_case = TAPWALL__V1__REQUEST__BODY_QUARANTINE;
	request.quarantine = &body;
	return tw_agent_ask(&call, &request);
}
