/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall adopt: opens or closes adoption windows at running ports. */
#include <stdio.h>

#include "base/clean.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "policy/policy.h"
#include "policy/text.h"

struct view {
	const struct tw_adopt_options *options;
	uint32_t seconds;
};

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const struct view *view = arg;
	uint32_t n = 0;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_ADOPTING)
		return TW_EXIT_OK;
	n = response->adopting->ports;
	if (view->options->json)
		return tw_report_json(json_pack("{s:I, s:I}", "ports", (json_int_t)n, "seconds",
			(json_int_t)view->seconds));
	if (view->options->stop) {
		printf("%u adoption window%s closed\n", n, n == 1 ? "" : "s");
		return TW_EXIT_OK;
	}
	printf("for %s, %u port%s of %s accept%s TCP connections without a record, if the policy "
	       "allows them\n",
		tw_human_span(view->seconds).text, n, n == 1 ? "" : "s",
		view->options->workload ? tw_cleaned(view->options->workload).text : "this host",
		n == 1 ? "s" : "");
	return TW_EXIT_OK;
}

int tw_adopt_run(const void *values)
{
	const struct tw_adopt_options *options = values;
	struct view view = {.options = options};
	struct tw_agent_call call = {
		.socket = options->socket, .raw = options->json, .answer = on_answer, .arg = &view};
	Tapwall__V1__AdoptRequest body = TAPWALL__V1__ADOPT_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	if (options->stop == (options->time != NULL))
		return tw_report_error(TW_EXIT_USAGE, "adopt",
			"write --for TIME to open a window, or --stop to close it",
			options->stop ? "--for and --stop exclude each other"
				      : "a time is missing");
	if (options->time && (tw_text_seconds(options->time, TW_ADOPT_SECONDS_MAX, &view.seconds) ||
				     !view.seconds))
		return tw_report_error(TW_EXIT_USAGE, "--for", "write 60s, 10m or 2h, at most 24h",
			"invalid time '%s'", tw_cleaned(options->time).text);
	if (options->workload)
		body.workload = (char *)(uintptr_t)options->workload;
	body.for_s = view.seconds;
	body.stop = options->stop;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ADOPT;
	request.adopt = &body;
	return tw_agent_ask(&call, &request);
}
