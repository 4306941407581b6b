/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall kill: ends live connections. */
#include <stdio.h>

#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/report.h"
#include "cli/style.h"
#include "link/json.h"

#define TEXT(text) ((char *)(uintptr_t)((text) ? (text) : ""))
#define TRIES	   8 /* a connection cannot be ended while a packet of it is being judged */

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	const Tapwall__V1__Removed *r = response->removed;
	Tapwall__V1__Removed *sum = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_REMOVED)
		return TW_EXIT_OK;
	sum->connections += r->connections;
	sum->answers += r->answers;
	sum->adopting += r->adopting;
	sum->missed = r->missed;
	return TW_EXIT_OK;
}

static void print_sum(const Tapwall__V1__Removed *sum)
{
	printf("%llu connection%s ended\n", (unsigned long long)sum->connections,
		sum->connections == 1 ? "" : "s");
	if (sum->missed)
		printf("%s%llu connections could not be ended, because packets kept arriving; repeat the command%s\n",
			tw_style_on(TW_STYLE_WARN), (unsigned long long)sum->missed,
			tw_style_off());
	if (sum->adopting)
		printf("%s%llu TCP connections may continue, because a port is observed or liberal, or has an adoption window; close windows with tapwall adopt --stop%s\n",
			tw_style_on(TW_STYLE_WARN), (unsigned long long)sum->adopting,
			tw_style_off());
}

int tw_kill_run(const void *values)
{
	struct tw_kill_options options = *(const struct tw_kill_options *)values;
	Tapwall__V1__Removed sum = TAPWALL__V1__REMOVED__INIT;
	struct tw_agent_call call = {.socket = options.socket,
		.raw = options.json,
		.patient = true,
		.answer = on_answer,
		.arg = &sum};
	Tapwall__V1__RemoveRequest body = TAPWALL__V1__REMOVE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	int code = tw_filter_init(&options.filter);

	if (code)
		return code;
	if (!options.all && !options.from && !options.to && !options.workload &&
		!tw_filter_is_set(&options.filter))
		return tw_report_error(TW_EXIT_USAGE, "kill", "add a filter, or write --all",
			"no filter is given, so every connection would be ended");
	body.proto = options.filter.proto ? options.filter.proto_name : TEXT(NULL);
	body.network = TEXT(options.filter.address);
	body.rule = TEXT(options.filter.rule);
	body.port = options.filter.port;
	body.from = TEXT(options.from);
	body.to = TEXT(options.to);
	body.workload = TEXT(options.workload);
	body.all = options.all;
	request.body_case = TAPWALL__V1__REQUEST__BODY_REMOVE;
	request.remove = &body;
	for (int i = 0; i < TRIES && !code && (!i || sum.missed); i++)
		code = tw_agent_ask(&call, &request);
	if (code)
		return code;
	if (options.json)
		code = tw_report_json(json_pack("{s:o, s:o, s:o, s:o}", "connections",
			tw_json_u64(sum.connections), "missed", tw_json_u64(sum.missed), "answers",
			tw_json_u64(sum.answers), "adopting", tw_json_u64(sum.adopting)));
	else
		print_sum(&sum);
	return code ? code : sum.connections ? TW_EXIT_OK : TW_EXIT_NO;
}
