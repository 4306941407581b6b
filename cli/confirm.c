/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall confirm: keeps a policy that was applied with --confirm. */
#include <stdio.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "link/json.h"

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const struct tw_confirm_options *options = arg;
	const Tapwall__V1__Applied *applied = response->applied;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_APPLIED)
		return TW_EXIT_OK;
	if (options->json)
		return tw_report_json(
			json_pack("{s:o, s:o}", "source", tw_json_text(applied->source),
				"generation", tw_json_u64(applied->generation)));
	printf("%s, generation %llu, is confirmed\n", applied->source,
		(unsigned long long)applied->generation);
	return TW_EXIT_OK;
}

int tw_confirm_run(const void *values)
{
	struct tw_confirm_options options = *(const struct tw_confirm_options *)values;
	struct tw_agent_call call = {.socket = options.socket,
		.raw = options.json,
		.answer = on_answer,
		.arg = &options};
	Tapwall__V1__ConfirmRequest body = TAPWALL__V1__CONFIRM_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_CONFIRM;
	request.confirm = &body;
	return tw_agent_ask(&call, &request);
}
