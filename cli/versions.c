/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/versions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clean.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/style.h"
#include "link/json_message.h"

int tw_versions_number(const char *text, const char *name, const char *list, uint64_t *ret)
{
	char *end = NULL, hint[96];

	snprintf(hint, sizeof(hint), "%s lists the versions", list);
	errno = 0;
	if (text && *text >= '0' && *text <= '9')
		*ret = strtoull(text, &end, 10);
	if (!end || *end || errno || !*ret)
		return tw_report_error(TW_EXIT_USAGE, name, hint,
			text ? "'%s' is not the number of a version"
			     : "the number of a version is missing",
			tw_cleaned(text ? text : "").text);
	return TW_EXIT_OK;
}

/* ---- history ---- */

static const struct tw_column columns[] = {
	{.title = "NUMBER", .right = true},
	{.title = "TIME"},
	{.title = "AUTHOR"},
	{.title = "SIZE", .right = true},
	{.title = "STATE"},
	{.title = "COMMENT"},
	{.title = "FILE", .spare = 1},
};

static const char *author_of(const Tapwall__V1__PolicyVersion *v)
{
	return v->author[0] ? v->author : "(agent)";
}

static void add_version(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__PolicyVersion *v = response->policy_version;

	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%llu", (unsigned long long)v->version);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_time(v->time).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", author_of(v));
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(v->size).text);
	tw_sheet_cell(sheet, v->in_force ? TW_STYLE_GOOD : TW_STYLE_DIM, "%s",
		v->in_force ? "in force"
		: v->lost   ? "text not kept"
			    : "");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", v->comment);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", v->source);
}

static const struct tw_listing listing = {.body = TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION,
	.columns = columns,
	.n_columns = TW_ARGS_N(columns),
	.nothing = "no policy was in force at this host",
	.add = add_version};

int tw_versions_history(const char *socket, uint32_t limit, bool json)
{
	Tapwall__V1__PolicyVersionsRequest body = TAPWALL__V1__POLICY_VERSIONS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.limit = limit;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS;
	request.policy_versions = &body;
	return tw_listing_run(&listing, socket, json, &request, NULL);
}

/* ---- one policy ---- */

struct finding {
	struct tw_buf *text;
	uint64_t in_force, before; /* numbers; 0: not found */
	bool json, found;
};

static int ask_versions(const char *socket, uint64_t number, bool raw, tw_agent_answer *answer,
	struct finding *finding)
{
	struct tw_agent_call call = {
		.socket = socket, .raw = raw, .answer = answer, .arg = finding};
	Tapwall__V1__PolicyVersionsRequest body = TAPWALL__V1__POLICY_VERSIONS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.version = number;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS;
	request.policy_versions = &body;
	return tw_agent_ask(&call, &request);
}

static void print_current(const Tapwall__V1__PolicyVersion *v)
{
	printf("%spolicy %llu%s, from %s\n", tw_style_on(TW_STYLE_STRONG),
		(unsigned long long)v->version, tw_style_off(), v->source);
	printf("  in force since %s, by %s\n", tw_human_time(v->time).text, author_of(v));
	if (v->comment[0])
		printf("  %s\n", v->comment);
}

static int on_current(void *arg, const Tapwall__V1__Response *response)
{
	struct finding *finding = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION ||
		!response->policy_version->in_force || finding->found)
		return TW_EXIT_OK;
	finding->found = true;
	if (finding->json)
		return tw_report_json(tw_json_response(response));
	print_current(response->policy_version);
	return TW_EXIT_OK;
}

int tw_versions_current(const char *socket, bool json)
{
	struct finding finding = {.json = json};
	int code = ask_versions(socket, 0, json, on_current, &finding);

	if (code || finding.found)
		return code;
	return tw_report_error(
		TW_EXIT_NO, "policy", "apply one", "no policy is in force at this host");
}

static int on_text(void *arg, const Tapwall__V1__Response *response)
{
	struct finding *finding = arg;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_POLICY)
		tw_buf_add(finding->text, response->policy->text.data, response->policy->text.len);
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION && finding->json)
		return tw_report_json(tw_json_response(response));
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION)
		tw_buf_add(finding->text, response->policy_version->text.data,
			response->policy_version->text.len);
	return finding->text->failed ? tw_report_memory() : TW_EXIT_OK;
}

int tw_versions_fetch(const char *socket, uint64_t number, bool optional, struct tw_buf *text)
{
	struct finding finding = {.text = text};
	struct tw_agent_call call = {.socket = socket,
		.raw = true,
		.optional = optional,
		.answer = on_text,
		.arg = &finding};
	Tapwall__V1__PolicyRequest body = TAPWALL__V1__POLICY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	if (number)
		return ask_versions(socket, number, true, on_text, &finding);
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &body;
	return tw_agent_ask(&call, &request);
}

int tw_versions_show(const char *socket, const char *number, bool json)
{
	tw_auto_buf struct tw_buf text = {0};
	struct finding finding = {.text = &text, .json = json};
	uint64_t wanted = 0;
	int code = tw_versions_number(number, "--show", "tapwall policy --history", &wanted);

	if (!code)
		code = ask_versions(socket, wanted, true, on_text, &finding);
	if (!code && text.len)
		fwrite(text.data, 1, text.len, stdout);
	return code;
}

static int on_before(void *arg, const Tapwall__V1__Response *response)
{
	struct finding *finding = arg;
	const Tapwall__V1__PolicyVersion *v = response->policy_version;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION)
		return TW_EXIT_OK;
	if (v->in_force)
		finding->in_force = v->version;
	else if (finding->in_force && !finding->before && !v->lost)
		finding->before = v->version;
	return TW_EXIT_OK;
}

int tw_versions_before(const char *socket, uint64_t *ret)
{
	struct finding finding = {0};
	int code = ask_versions(socket, 0, false, on_before, &finding);

	if (code)
		return code;
	if (!finding.before)
		return tw_report_error(TW_EXIT_NO, "rollback",
			"tapwall policy --history lists the earlier policies",
			"no earlier policy is kept");
	*ret = finding.before;
	return TW_EXIT_OK;
}
