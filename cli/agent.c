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

/* Time within which a request is refused, by the agent or because tapwall-slowd does not reach it. */
#define SURE_MS 1000

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

/* ---- an agent that goes away ---- */

void tw_agent_tell_gone(const char *socket)
{
	tw_report_error(TW_EXIT_NO_AGENT, socket, "press Ctrl-C to stop",
		"the agent is gone; waiting for it to return");
}

void tw_agent_tell_back(const char *socket)
{
	tw_report_error(TW_EXIT_OK, socket, NULL, "connected again");
}

/* A peer that breaks the protocol is not gone: it would break it again. */
bool tw_agent_is_gone(int code)
{
	switch (code) {
	case -EPIPE:
	case -ECONNRESET:
	case -ECONNREFUSED:
	case -EHOSTUNREACH:
	case -ENETUNREACH:
	case -ETIMEDOUT:
		return true;
	default:
		return false;
	}
}

bool tw_agent_is_away(const Tapwall__V1__Error *error, const char *agent)
{
	return tw_agent_is_gone(-error->code) ||
	       (error->code == ENOENT && agent[0] && !strcmp(error->place, agent));
}

/* State of the connection to an agent, for a request that is sent again after the agent went away. */
enum presence {
	PRESENCE_HERE,
	PRESENCE_UNSURE, /* the request was sent again, but may still be refused */
	PRESENCE_ENDED,	 /* the agent went away before the last answer */
	PRESENCE_GONE,	 /* the agent has not been reached since then */
};

/* A request and its answers. */
struct exchange {
	const struct tw_agent_call *call;
	struct tw_link_client *client;
	const char *agent; /* agent to which tapwall-slowd passes the request; empty: none */
	enum presence presence;
};

static bool is_stopped(const struct tw_agent_call *call)
{
	return call->stopped && call->stopped(call->arg);
}

/* Called when the agent has the request. */
static void begin_answers(struct exchange *exchange, bool again)
{
	const struct tw_agent_call *call = exchange->call;

	exchange->presence = PRESENCE_HERE;
	if (again)
		tw_agent_tell_back(call->socket);
	if (call->begun)
		call->begun(call->arg, exchange->client);
}

/* Called when the agent is gone. True if the request will be sent again. */
static bool is_for_later(struct exchange *exchange)
{
	const struct tw_agent_call *call = exchange->call;

	if (!call->again)
		return false;
	if (exchange->presence == PRESENCE_UNSURE) {
		exchange->presence = PRESENCE_GONE;
		return true;
	}
	tell_failed(call);
	if (!call->again(call->arg))
		return false;
	exchange->presence = PRESENCE_ENDED;
	return true;
}

/* Handles an error of the connection. Returns an exit code. */
static int end_connection(struct exchange *exchange, const struct tw_err *err)
{
	const struct tw_agent_call *call = exchange->call;

	if (tw_agent_is_gone(err->code) && is_for_later(exchange))
		return TW_EXIT_NO_AGENT;
	tell_failed(call);
	if (is_stopped(call))
		return TW_EXIT_OK;
	return call->optional ? TW_EXIT_NO_AGENT : tw_agent_tell_unreachable(err);
}

/* Handles a response. Returns 0, an exit code or TW_AGENT_ENOUGH. */
static int hear_answer(struct exchange *exchange, Tapwall__V1__Response *response)
{
	const struct tw_agent_call *call = exchange->call;
	struct tw_report_source source;
	bool errors;

	if (!call->raw)
		tw_link_clean(&response->base);
	if (response->error && tw_agent_is_away(response->error, exchange->agent) &&
		is_for_later(exchange))
		return TW_EXIT_NO_AGENT;
	if (exchange->presence == PRESENCE_UNSURE)
		begin_answers(exchange, true);
	if (response->error)
		tell_failed(call);
	source = source_of(call, response);
	errors = tell_diagnostics(&source, response);
	if (response->error && call->optional)
		return TW_EXIT_NO;
	return response->error ? tell_error(response->error, errors)
			       : call->answer(call->arg, response);
}

/* Waits for the next response. Without one, the agent has accepted the request: a refusal comes at once, also from
 * tapwall-slowd. *ret is then NULL. */
static int receive(struct exchange *exchange, Tapwall__V1__Response **ret, struct tw_err *err)
{
	int code;

	*ret = NULL;
	if (exchange->presence != PRESENCE_UNSURE)
		return tw_link_receive(exchange->client, ret, err);
	code = tw_link_receive_within(exchange->client, SURE_MS, ret, err);
	if (code == -EAGAIN)
		begin_answers(exchange, true);
	return code == -EAGAIN || code == -EINTR ? 0 : code;
}

static int hear_answers(struct exchange *exchange)
{
	bool last = false;
	int ret = TW_EXIT_OK;

	while (!last && !ret) {
		Tapwall__V1__Response *response;
		struct tw_err err = {0};

		if (receive(exchange, &response, &err) < 0)
			return end_connection(exchange, &err);
		if (!response && exchange->presence == PRESENCE_UNSURE &&
			is_stopped(exchange->call))
			return TW_EXIT_OK;
		if (!response)
			continue;
		last = response->last;
		ret = hear_answer(exchange, response);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	return ret;
}

static int ask_once(
	const struct tw_agent_call *call, Tapwall__V1__Request *request, enum presence *presence)
{
	const char *agent = call->agent ? call->agent : "";
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	struct exchange exchange = {.call = call};
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
	exchange.client = client;
	exchange.agent = agent;
	exchange.presence = PRESENCE_UNSURE;
	if (!again)
		begin_answers(&exchange, false);
	ret = hear_answers(&exchange);
	*presence = exchange.presence == PRESENCE_UNSURE ? PRESENCE_HERE : exchange.presence;
	return ret;
}

int tw_agent_ask(const struct tw_agent_call *call, Tapwall__V1__Request *request)
{
	const struct timespec pause = {.tv_nsec = TW_AGENT_AGAIN_MS * 1000000};
	enum presence presence = PRESENCE_HERE;
	int ret = ask_once(call, request, &presence);

	while (presence != PRESENCE_HERE) {
		if (presence == PRESENCE_ENDED)
			tw_agent_tell_gone(call->socket);
		nanosleep(&pause, NULL);
		if (is_stopped(call))
			return TW_EXIT_OK;
		ret = ask_once(call, request, &presence);
	}
	return ret == TW_AGENT_ENOUGH ? TW_EXIT_OK : ret;
}
