/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/top.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/agent.h"
#include "cli/report.h"
#include "cli/style.h"

#define MS	     1000u
#define SCREEN_LIMIT 200 /* connections that the screen can scroll through */

struct session {
	const struct tw_top_options *options;
	struct tw_link_client *client;
	struct tw_top top;
	uint32_t n; /* intervals shown */
	uint32_t count;
	bool live;
};

static void begun(void *arg, struct tw_link_client *client)
{
	struct session *session = arg;

	session->client = client;
	/* If the terminal type is unknown, the output is text. */
	if (session->live && !tw_top_screen_begin(session->options)) {
		session->live = false;
		session->count = 1;
	}
}

/* Ends the screen before an error is printed, or the error would vanish with it. */
static void failed(void *arg)
{
	if (((struct session *)arg)->live)
		tw_top_screen_end();
}

/* Called when the agent has gone away. The next interval begins anew. */
static bool again(void *arg)
{
	struct session *session = arg;

	tw_top_clear(&session->top);
	session->client = NULL;
	return true;
}

static int print_text(const struct session *session)
{
	const struct tw_top_options *options = session->options;
	int code = 0;

	if (session->n)
		putchar('\n');
	tw_top_head(&session->top, stdout);
	for (enum tw_top_view view = 0; view < TW_TOP_VIEW__MAX && !code; view++) {
		if (options->view && options->view - 1 != view)
			continue;
		putchar('\n');
		code = tw_top_table(&session->top, view, 0, options->limit,
			tw_style_columns(STDOUT_FILENO), stdout);
	}
	return code < 0 ? tw_report_memory() : TW_EXIT_OK;
}

static int show(struct session *session)
{
	int code = TW_EXIT_OK;

	if (session->live) {
		if (tw_link_client_has_more(session->client))
			return TW_EXIT_OK; /* the next interval has already arrived */
		if (!tw_top_screen_show(&session->top, tw_link_client_fd(session->client)))
			return TW_AGENT_ENOUGH;
		return TW_EXIT_OK;
	}
	code = session->options->json ? tw_top_json(&session->top) : print_text(session);
	if (!code && fflush(stdout))
		code = tw_report_error(TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	return code;
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct session *session = arg;
	int code;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_TOP)
		return tw_top_add(&session->top, response->top) < 0 ? tw_report_memory()
								    : TW_EXIT_OK;
	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_SAMPLE)
		return TW_EXIT_OK;
	tw_top_close(&session->top, response->sample);
	code = show(session);
	tw_top_clear(&session->top);
	session->n++;
	if (!code && session->count && session->n >= session->count)
		return TW_AGENT_ENOUGH;
	return code;
}

int tw_top_run(const void *values)
{
	const struct tw_top_options *options = values;
	Tapwall__V1__TopRequest body = TAPWALL__V1__TOP_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct session session = {.options = options, .top = {.sort = options->sort}};
	struct tw_agent_call call = {.socket = options->socket,
		.answer = on_answer,
		.begun = begun,
		.failed = failed,
		.arg = &session,
		.patient = true};
	int code;

	session.live = !options->once && !options->json && !options->count &&
		       isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
	/* Output to a pipe or a file is one interval, unless --count asks for more. */
	session.count = options->count;
	if (options->once || (!session.live && !options->count))
		session.count = 1;
	/* If the number of intervals is fixed, the command ends when the agent goes away: a script must not
	 * wait forever. */
	call.again = session.count ? NULL : again;
	body.interval_ms = options->interval * MS;
	body.limit = options->limit;
	if (session.live && body.limit < SCREEN_LIMIT)
		body.limit = SCREEN_LIMIT;
	request.body_case = TAPWALL__V1__REQUEST__BODY_TOP;
	request.top = &body;
	code = tw_agent_ask(&call, &request);
	if (session.live)
		tw_top_screen_end();
	tw_top_done(&session.top);
	return code;
}
