/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/agent.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

/* Limit for one answer. A live agent answers in milliseconds, and a policy of the largest size
 * within seconds. */
#define ANSWER_SECONDS 60

static bool tell_diagnostics(
	const struct tw_report_source *source, const Tapwall__V1__Response *response)
{
	bool errors = false;

	for (size_t i = 0; i < response->n_diagnostics; i++) {
		const Tapwall__V1__Diagnostic *d = response->diagnostics[i];
		bool warning = d->severity == TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING;

		errors |= !warning;
		tw_report_diag(source, warning ? TW_SEV_WARNING : TW_SEV_ERROR, d->line, d->column,
			d->text, d->hint);
	}
	return errors;
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

int tw_agent_ask(const struct tw_agent_call *call, Tapwall__V1__Request *request)
{
	const char *agent = call->agent ? call->agent : "";
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	struct tw_err err = {0};
	bool last = false;
	int ret = call->slow ? connect_slow(call->socket, &client, &err)
			     : tw_agent_connect(call->socket, &client, &agent, &err);

	if (ret < 0)
		return call->may_be_absent || call->optional ? TW_EXIT_NO_AGENT
							     : tw_agent_tell_unreachable(&err);
	request->agent = (char *)(uintptr_t)agent;
	request->id = 1;
	if (!call->patient && tw_link_client_set_timeout(client, ANSWER_SECONDS) < 0)
		return tw_report_error(
			TW_EXIT_INTERNAL, call->socket, NULL, "cannot set a time limit");
	if (tw_link_send(client, request, &err) < 0)
		return err.code == -EMSGSIZE ? tw_report_err(&err)
					     : tw_agent_tell_unreachable(&err);
	if (call->begun)
		call->begun(call->arg, client);
	while (!last && !ret) {
		Tapwall__V1__Response *response = NULL;
		struct tw_report_source source;
		bool errors;

		if (tw_link_receive(client, &response, &err) < 0) {
			tell_failed(call);
			if (call->optional)
				return TW_EXIT_NO_AGENT;
			return tw_agent_tell_unreachable(&err);
		}
		if (!call->raw)
			tw_link_clean(&response->base);
		last = response->last;
		if (response->error && call->optional) {
			tapwall__v1__response__free_unpacked(response, NULL);
			return TW_EXIT_NO;
		}
		if (response->error)
			tell_failed(call);
		source = source_of(call, response);
		errors = tell_diagnostics(&source, response);
		if (response->error)
			ret = tell_error(response->error, errors);
		else
			ret = call->answer(call->arg, response);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	return ret == TW_AGENT_ENOUGH ? TW_EXIT_OK : ret;
}
