/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall policy: stores policies at tapwall-slowd, and shows what is in force at its agents. */
#include "cli/policy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/vec.h"
#include "cli/agent.h"
#include "cli/apply.h"
#include "cli/human.h"
#include "cli/listing.h"
#include "cli/report.h"
#include "cli/style.h"
#include "cli/versions.h"
#include "link/json_message.h"

#define TW_POLICY_LIST "tapwall policy log"
#define TEXT(text)     ((char *)(uintptr_t)(text))

/* ---- push ---- */

struct push {
	const struct tw_policy_options *options;
	bool refused; /* an agent refused the policy */
};

static const char *state_text(const Tapwall__V1__PolicyTarget *t)
{
	static const struct {
		const char *state, *text;
	} rows[] = {{"in-force", "in force"}, {"drift", "DRIFT"}, {"refused", "REFUSED"},
		{"waiting", "away; gets it when it connects"}, {"away", "away"},
		{"returning", "not confirmed; returns"}};

	for (size_t i = 0; i < TW_ARGS_N(rows); i++)
		if (!strcmp(t->state, rows[i].state))
			return rows[i].text;
	return t->state;
}

static enum tw_style state_style(const Tapwall__V1__PolicyTarget *t)
{
	if (!strcmp(t->state, "in-force"))
		return TW_STYLE_GOOD;
	if (!strcmp(t->state, "drift") || !strcmp(t->state, "refused"))
		return TW_STYLE_BAD;
	return TW_STYLE_WARN;
}

static void print_version(const Tapwall__V1__PolicyVersion *v)
{
	printf("%sversion %llu%s %s by %s\n", tw_style_on(TW_STYLE_STRONG),
		(unsigned long long)v->version, tw_style_off(),
		v->stored_before ? "was stored before," : "is stored,", v->author);
}

static void print_target(const Tapwall__V1__PolicyTarget *t)
{
	printf("  %s: %s%s%s%s%s", t->agent, tw_style_on(state_style(t)), state_text(t),
		tw_style_off(), t->error[0] ? ": " : "", t->error);
	if (t->confirm_left_s > 0)
		printf("; returns in %s unless tapwall policy confirm is called",
			tw_human_span(t->confirm_left_s).text);
	putchar('\n');
	fflush(stdout);
}

static int on_pushed(void *arg, const Tapwall__V1__Response *response)
{
	struct push *push = arg;
	const Tapwall__V1__PolicyTarget *target = NULL;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_POLICY_TARGET)
		target = response->policy_target;
	push->refused |= target && !strcmp(target->state, "refused");
	if (push->options->json)
		return response->body_case ? tw_report_json(tw_json_response(response))
					   : TW_EXIT_OK;
	if (target)
		print_target(target);
	else if (response->body_case == TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION)
		print_version(response->policy_version);
	return TW_EXIT_OK;
}

/* Splits a list of names at its commas. `names` points into `text`. Returns 0 or -ENOMEM. */
static int split_names(char *text, Tapwall__V1__PolicyPushRequest *push)
{
	TW_VEC(char *) names = {0};
	char *rest = NULL;

	for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
		if (tw_vec_push(&names, name)) {
			tw_vec_done(&names);
			return -ENOMEM;
		}
	push->agents = names.at;
	push->n_agents = names.n;
	return 0;
}

static int fill_push(const struct tw_policy_options *options, struct tw_buf *text,
	Tapwall__V1__PolicyPushRequest *body)
{
	struct tw_err err = {0};

	if (!options->what == !options->stored)
		return tw_report_error(TW_EXIT_USAGE, "policy push", "see --help",
			"needs a file, or the number of a version in --stored");
	if (options->stored)
		return tw_versions_number(
			options->stored, "--stored", TW_POLICY_LIST, &body->version);
	if (tw_folder_read(options->what, text, &err) < 0)
		return tw_report_err(&err);
	if (!text->len)
		return tw_report_error(TW_EXIT_NO, options->what, NULL, "the policy is empty");
	body->text.data = (uint8_t *)text->data;
	body->text.len = text->len;
	return TW_EXIT_OK;
}

static int push_run(const struct tw_policy_options *options)
{
	struct push push = {.options = options};
	tw_auto_buf struct tw_buf text = {0};
	struct tw_agent_call call = {.socket = options->socket,
		.file = options->what ? tw_file_label(options->what) : NULL,
		.text = &text,
		.slow = true,
		.raw = options->json,
		.answer = on_pushed,
		.arg = &push};
	Tapwall__V1__PolicyPushRequest body = TAPWALL__V1__POLICY_PUSH_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_autofree char *whole = options->what ? realpath(options->what, NULL) : NULL;
	tw_autofree char *names = tw_strdup(options->agents);
	int code = fill_push(options, &text, &body);

	if (code)
		return code;
	if (!names || (strcmp(names, "all") != 0 && split_names(names, &body) < 0))
		return tw_report_memory();
	if (strcmp(options->agents, "all") != 0 && !body.n_agents)
		return tw_report_error(
			TW_EXIT_USAGE, "--agents", "write A,B or all", "names no agent");
	body.source = whole ? whole : TEXT(call.file ? call.file : "");
	body.comment = TEXT(options->message ? options->message : "");
	body.allow_unprotect = options->allow_unprotect;
	code = tw_apply_confirm_time(options->confirm, &body.confirm_s);
	if (code) {
		free(body.agents);
		return code;
	}
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY_PUSH;
	request.policy_push = &body;
	code = tw_agent_ask(&call, &request);
	free(body.agents);
	return code ? code : push.refused ? TW_EXIT_NO : TW_EXIT_OK;
}

/* ---- log, show ---- */

static const struct tw_column log_columns[] = {
	{.title = "VERSION", .right = true},
	{.title = "TIME"},
	{.title = "AUTHOR"},
	{.title = "SIZE", .right = true},
	{.title = "SHA-256"},
	{.title = "COMMENT"},
	{.title = "FILE", .spare = 1},
};

static void add_version(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__PolicyVersion *v = response->policy_version;
	char sha256[13] = "";

	for (size_t i = 0; i < 6 && i < v->sha256.len; i++)
		snprintf(sha256 + 2 * i, 3, "%02x", v->sha256.data[i]);
	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%llu", (unsigned long long)v->version);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_time(v->time).text);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", v->author);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_bytes(v->size).text);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", sha256);
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", v->comment);
	tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", v->source);
}

static const struct tw_listing log_listing = {.body = TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION,
	.columns = log_columns,
	.n_columns = TW_ARGS_N(log_columns),
	.slow = true,
	.nothing = "no version is stored",
	.add = add_version};

static int log_run(const struct tw_policy_options *options)
{
	Tapwall__V1__PolicyVersionsRequest body = TAPWALL__V1__POLICY_VERSIONS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.limit = options->limit;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS;
	request.policy_versions = &body;
	return tw_listing_run(&log_listing, options->socket, options->json, &request, NULL);
}

struct fetch {
	struct tw_buf *text; /* NULL: print the version as JSON */
};

static int on_version(void *arg, const Tapwall__V1__Response *response)
{
	struct fetch *fetch = arg;

	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION)
		return TW_EXIT_OK;
	if (!fetch->text)
		return tw_report_json(tw_json_response(response));
	tw_buf_add(fetch->text, response->policy_version->text.data,
		response->policy_version->text.len);
	return fetch->text->failed ? tw_report_memory() : TW_EXIT_OK;
}

int tw_policy_fetch(const struct tw_policy_options *options, uint64_t version, struct tw_buf *text)
{
	struct fetch fetch = {.text = text};
	struct tw_agent_call call = {.socket = options->socket,
		.slow = true,
		.raw = true,
		.answer = on_version,
		.arg = &fetch};
	Tapwall__V1__PolicyVersionsRequest body = TAPWALL__V1__POLICY_VERSIONS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.version = version;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS;
	request.policy_versions = &body;
	return tw_agent_ask(&call, &request);
}

static int show_run(const struct tw_policy_options *options)
{
	tw_auto_buf struct tw_buf text = {0};
	uint64_t version = 0;
	int code = tw_versions_number(options->what, "policy show", TW_POLICY_LIST, &version);

	if (!code)
		code = tw_policy_fetch(options, version, options->json ? NULL : &text);
	if (!code && text.len)
		fwrite(text.data, 1, text.len, stdout);
	return code;
}

/* ---- status ---- */

static const struct tw_column status_columns[] = {
	{.title = "AGENT"},
	{.title = "WANTED", .right = true},
	{.title = "IN FORCE", .right = true},
	{.title = "STATE"},
	{.title = "FOR", .right = true},
	{.title = "RETURNS IN", .right = true},
	{.title = "SOURCE"},
	{.title = "ERROR"},
};

static void add_number(struct tw_sheet *sheet, uint64_t number, const char *none)
{
	if (number)
		tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%llu", (unsigned long long)number);
	else
		tw_sheet_cell(sheet, TW_STYLE_DIM, "%s", none);
}

static void add_target(struct tw_sheet *sheet, const Tapwall__V1__Response *response, void *arg)
{
	const Tapwall__V1__PolicyTarget *t = response->policy_target;

	tw_sheet_cell(sheet, TW_STYLE_STRONG, "%s", t->agent);
	add_number(sheet, t->wanted, "none");
	add_number(sheet, t->in_force, t->connected ? "its own" : "");
	tw_sheet_cell(sheet, state_style(t), "%s", state_text(t));
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", tw_human_span(t->since_s).text);
	tw_sheet_cell(sheet, TW_STYLE_WARN, "%s",
		t->confirm_left_s > 0 ? tw_human_span(t->confirm_left_s).text : "");
	tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", t->source);
	tw_sheet_cell(sheet, TW_STYLE_BAD, "%s", t->error);
}

static const struct tw_listing status_listing = {.body = TAPWALL__V1__RESPONSE__BODY_POLICY_TARGET,
	.columns = status_columns,
	.n_columns = TW_ARGS_N(status_columns),
	.slow = true,
	.nothing = "no agent has connected, and none is wanted to have a policy",
	.add = add_target};

static int status_run(const struct tw_policy_options *options)
{
	Tapwall__V1__PolicyTargetsRequest body = TAPWALL__V1__POLICY_TARGETS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY_TARGETS;
	request.policy_targets = &body;
	return tw_listing_run(&status_listing, options->socket, options->json, &request, NULL);
}

static int confirm_run(const struct tw_policy_options *options)
{
	struct push push = {.options = options};
	struct tw_agent_call call = {.socket = options->socket,
		.slow = true,
		.raw = options->json,
		.answer = on_pushed,
		.arg = &push};
	Tapwall__V1__ConfirmRequest body = TAPWALL__V1__CONFIRM_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_CONFIRM;
	request.confirm = &body;
	return tw_agent_ask(&call, &request);
}

int tw_policy_run(const void *values)
{
	const struct tw_policy_options *options = values;
	bool has_what = options->action && options->action != TW_POLICY_LOG &&
			options->action != TW_POLICY_STATUS && options->action != TW_POLICY_CONFIRM;

	if ((options->what && !has_what) || (options->other && options->action != TW_POLICY_DIFF))
		return tw_report_error(TW_EXIT_USAGE, "policy", "see --help",
			"unexpected argument '%s'",
			tw_cleaned(options->other && has_what ? options->other : options->what)
				.text);
	if (options->action && (options->history || options->show))
		return tw_report_error(TW_EXIT_USAGE, "policy", "leave out the action",
			"--history and --show take no action");
	if (options->history)
		return tw_versions_history(options->agent, options->limit, options->json);
	if (options->show)
		return tw_versions_show(options->agent, options->show, options->json);
	switch (options->action) {
	case TW_POLICY_CURRENT:
		return tw_versions_current(options->agent, options->json);
	case TW_POLICY_PUSH:
		return push_run(options);
	case TW_POLICY_LOG:
		return log_run(options);
	case TW_POLICY_SHOW:
		return show_run(options);
	case TW_POLICY_DIFF:
		return tw_policy_diff_run(options);
	case TW_POLICY_CONFIRM:
		return confirm_run(options);
	default:
		return status_run(options);
	}
}
