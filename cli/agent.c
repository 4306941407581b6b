/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/agent.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/vec.h"
#include "cli/report.h"

/* Limit for one answer. A live agent answers in milliseconds, and a policy of the largest size
 * within seconds. */
#define ANSWER_SECONDS 60

/* Time between attempts to reach an agent that has gone away. */
#define AGAIN_MS 200

static bool tell_diagnostics(
	const struct tw_report_source *source, const Tapwall__V1__Response *response)
{
	struct tw_diags diags = {0};

	for (size_t i = 0; i < response->n_diagnostics; i++) {
		const Tapwall__V1__Diagnostic *d = response->diagnostics[i];
		bool warning = d->severity == TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING;
		/* The texts belong to the response. */
		struct tw_diag diag = {.severity = warning ? TW_SEV_WARNING : TW_SEV_ERROR,
			.line = d->line,
			.column = d->column,
			.text = d->text,
			.hint = d->hint,
			.file = d->file[0] ? d->file : NULL,
			.file_line = d->file_line};

		diags.n_errors += !warning;
		if (tw_vec_push(&diags, diag) < 0) {
			tw_report_memory();
			break;
		}
	}
	tw_report_diags(source, &diags);
	for (size_t i = 0; i < diags.n; i++)
		if (!response->diagnostics[i]->file[0])
			free(diags.at[i].file);
	free(diags.at);
	return diags.n_errors;
}

static int tell_error(const Tapwall__V1__Error *error, bool told_already)
{
	struct tw_err err = {0};

	tw_err_set(&err, -error->code, error->place, error->hint, "%s", error->text);
	if (told_already && error->code == EINVAL)
		return TW_EXIT_NO;
	return tw_report_err(&err);
}

/* Any error other than a lack of permission or memory means that no agent runs. */
int tw_agent_tell_unreachable(const struct tw_err *err)
{
	int exit_code = tw_report_err(err);

	return exit_code == TW_EXIT_PERMISSION || err->code == -ENOMEM ? exit_code
								       : TW_EXIT_NO_AGENT;
}

static void tell_failed(const struct tw_agent_call *call)
{
	if (call->failed)
		call->failed(call->arg);
}

static struct tw_report_source source_of(
	const struct tw_agent_call *call, const Tapwall__V1__Response *response)
{
	struct tw_report_source source = {.file = "policy in force"};

	if (call->file) {
		source.file = call->file;
		source.text = call->text ? call->text->data : NULL;
		source.len = call->text ? call->text->len : 0;
	} else if (response->error && response->error->place[0]) {
		source.file = response->error->place;
	} else if (response->body_case == TAPWALL__V1__RESPONSE__BODY_APPLIED &&
		   response->applied->source[0]) {
		source.file = response->applied->source;
	}
	return source;
}

static int connect_slow(const char *socket, struct tw_link_client **ret, struct tw_err *err)
{
	int code = tw_link_connect(socket, ret, err);

	if (code < 0 && code != -EACCES)
		tw_err_set(err, code, socket,
			"start tapwall-slowd, or name its socket in TAPWALL_SLOW",
			"cannot reach tapwall-slowd: %s", strerror(-code));
	return code;
}

int tw_agent_connect(
	const char *socket, struct tw_link_client **ret, const char **ret_agent, struct tw_err *err)
{
	const char *slow = getenv("TAPWALL_SLOW");

	*ret_agent = "";
	if (strncmp(socket, TW_AGENT_SCHEME, strlen(TW_AGENT_SCHEME)) != 0)
		return tw_link_connect(socket, ret, err);
	*ret_agent = socket + strlen(TW_AGENT_SCHEME);
	return connect_slow(slow ? slow : TW_LINK_SLOW_SOCKET, ret, err);
}

/* State of the connection to an agent, for a request that is sent again after the connection ends. */
enum presence {
	PRESENCE_HERE,
	PRESENCE_ENDED, /* the connection ended before the last answer */
	PRESENCE_GONE,	/* no connection since then */
};

/* Receives the answers. Sets *presence to PRESENCE_ENDED if the connection ended before the last one. */
static int hear_answers(
	const struct tw_agent_call *call, struct tw_link_client *client, enum presence *presence)
{
	struct tw_err err = {0};
	bool last = false;
	int ret = TW_EXIT_OK;

	while (!last && !ret) {
		Tapwall__V1__Response *response = NULL;
		struct tw_report_source source;
		bool errors;

		if (tw_link_receive(client, &response, &err) < 0) {
			tell_failed(call);
			if (call->optional)
				return TW_EXIT_NO_AGENT;
			if (!call->again)
				return tw_agent_tell_unreachable(&err);
			*presence = PRESENCE_ENDED;
			return TW_EXIT_NO_AGENT;
		}
		if (!call->raw)
			tw_link_clean(&response->base);
		last = response->last;
		if (response->error)
			tell_failed(call);
		source = source_of(call, response);
		errors = tell_diagnostics(&source, response);
		if (response->error && call->optional)
			ret = TW_EXIT_NO;
		else if (response->error)
			ret = tell_error(response->error, errors);
		else
			ret = call->answer(call->arg, response);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	return ret;
}

static int ask_once(
	const struct tw_agent_call *call, Tapwall__V1__Request *request, enum presence *presence)
{
	const char *agent = call->agent ? call->agent : "";
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	bool again = *presence != PRESENCE_HERE;
	struct tw_err err = {0};
	int ret = call->slow ? connect_slow(call->socket, &client, &err)
			     : tw_agent_connect(call->socket, &client, &agent, &err);

	*presence = PRESENCE_HERE;
	request->agent = (char *)(uintptr_t)agent;
	request->id = 1;
	if (ret < 0 && (call->may_be_absent || call->optional))
		return TW_EXIT_NO_AGENT;
	if (!ret && !call->patient && tw_link_client_set_timeout(client, ANSWER_SECONDS) < 0)
		return tw_report_error(
			TW_EXIT_INTERNAL, call->socket, NULL, "cannot set a time limit");
	if (!ret)
		ret = tw_link_send(client, request, &err);
	if (ret < 0 && again && err.code != -EACCES && err.code != -ENOMEM) {
		*presence = PRESENCE_GONE;
		return TW_EXIT_NO_AGENT;
	}
	if (ret < 0)
		return err.code == -EMSGSIZE ? tw_report_err(&err)
					     : tw_agent_tell_unreachable(&err);
	if (again)
		tw_report_error(TW_EXIT_OK, call->socket, NULL, "connected again");
	if (call->begun)
		call->begun(call->arg, client);
	return hear_answers(call, client, presence);
}

int tw_agent_ask(const struct tw_agent_call *call, Tapwall__V1__Request *request)
{
	const struct timespec pause = {.tv_nsec = AGAIN_MS * 1000000};
	enum presence presence = PRESENCE_HERE;
	int ret = ask_once(call, request, &presence);

	while (presence != PRESENCE_HERE) {
		if (presence == PRESENCE_ENDED) {
			tw_report_error(ret, call->socket, "press Ctrl-C to stop",
				"the agent is gone; waiting for it to return");
			call->again(call->arg);
		}
		nanosleep(&pause, NULL);
		ret = ask_once(call, request, &presence);
	}
	return ret == TW_AGENT_ENOUGH ? TW_EXIT_OK : ret;
}
