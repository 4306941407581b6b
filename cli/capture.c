/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clean.h"
#include "cli/agent.h"
#include "cli/cli.h"
#include "cli/human.h"
#include "cli/report.h"
#include "sim/pcapng_writer.h"

#define FILE_MODE 0600 /* a capture holds the guests' traffic: readable by its owner only */

struct session {
	const struct tw_capture_options *options;
	struct tw_link_client *client;
	struct tw_pcapng_writer *writer; /* NULL: text output, or the file is not open yet */
	int fd;
	bool told_ports;
	size_t n_ports; /* ports at the last message */
	uint64_t n_frames;
	uint64_t lost;
};

/* ---- ending ---- */

static volatile sig_atomic_t agent_fd = -1;

/* Asks the agent to end the capture. The agent sends the frames still buffered and its last
 * response. */
static void on_signal(int sig)
{
	shutdown(agent_fd, SHUT_WR);
}

static void begun(void *arg, struct tw_link_client *client)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
	struct session *session = arg;
	/* A second signal ends the program at once. */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};

	session->client = client;
	agent_fd = tw_link_client_fd(client);
	for (size_t i = 0; i < TW_ARGS_N(signals); i++)
		sigaction(signals[i], &action, NULL);
	if (session->options->seconds)
		alarm(session->options->seconds);
}

/* ---- frames ---- */

static int write_frame(struct session *session, const Tapwall__V1__CapturedFrame *frame)
{
	char comment[TW_CAPTURE_COMMENT_MAX], description[300];
	struct tw_err err = {0};
	const struct tw_pcapng_note note = {
		.time_ns = frame->time_ns,
		.interface = frame->port,
		.description = description,
		.dir = strcmp(frame->direction, "in") ? TW_DIR_OUT : TW_DIR_IN,
		.comment = tw_capture_comment(frame, comment),
		.data = frame->data.data,
		.len = (uint32_t)frame->data.len,
		.wire_len = frame->len,
		.lost = frame->lost_before,
	};

	snprintf(description, sizeof(description), "%.200s, directions as the workload sees them",
		frame->workload[0] ? frame->workload : "no workload");
	return tw_pcapng_writer_add(session->writer, &note, &err) < 0 ? tw_report_err(&err)
								      : TW_EXIT_OK;
}

static int on_frame(struct session *session, const Tapwall__V1__CapturedFrame *frame)
{
	const struct tw_capture_options *options = session->options;

	if (options->count && session->n_frames >= options->count)
		return TW_EXIT_OK;
	session->n_frames++;
	if (options->count && session->n_frames == options->count)
		shutdown(agent_fd, SHUT_WR);
	if (session->writer)
		return write_frame(session, frame);
	if (options->json)
		return tw_capture_print_json(frame);
	tw_capture_print(frame);
	return TW_EXIT_OK;
}

/* Flushes the output if all received frames are written, so that none is held back while the
 * program waits for the next one. */
static int flush(struct session *session)
{
	struct tw_err err = {0};

	if (tw_link_client_has_more(session->client))
		return TW_EXIT_OK;
	if (session->writer)
		return tw_pcapng_writer_flush(session->writer, &err) < 0 ? tw_report_err(&err)
									 : TW_EXIT_OK;
	if (fflush(stdout))
		return tw_report_error(TW_EXIT_INTERNAL, "stdout", NULL, "cannot write the output");
	return TW_EXIT_OK;
}

/* Prints the captured ports to stderr, because stdout may carry the frames. */
static void tell_ports(struct session *session, const Tapwall__V1__CaptureState *state)
{
	const struct tw_cleaned target = tw_cleaned(session->options->workload);
	size_t n = state->n_ports;

	/* The agent also sends its state when frames are lost; losses are printed at the end. */
	if (session->told_ports && n == session->n_ports)
		return;
	session->n_ports = n;
	if (!n)
		fprintf(stderr, "tapwall: %s: no port on this host yet; waiting for one\n",
			target.text);
	else if (session->told_ports || isatty(STDERR_FILENO)) {
		fprintf(stderr, "tapwall: %s: capturing at", target.text);
		for (size_t i = 0; i < state->n_ports; i++)
			fprintf(stderr, "%s %s", i ? "," : "", state->ports[i]);
		fputc('\n', stderr);
	}
	session->told_ports = true;
}

/* Opens the output only after the agent has accepted the request, so that a mistyped workload
 * does not overwrite an older capture. */
static int open_output(struct session *session)
{
	const struct tw_capture_options *options = session->options;
	uint32_t snap_len = options->snap_len ? options->snap_len : TW_CAPTURE_SNAP_MAX;
	struct tw_err err = {0};

	if (!options->write || session->writer)
		return TW_EXIT_OK;
	if (!strcmp(options->write, "-"))
		session->fd = dup(STDOUT_FILENO);
	else
		session->fd = open(
			options->write, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
	if (session->fd < 0)
		return tw_report_error(TW_EXIT_INTERNAL, options->write, NULL,
			"cannot write to it: %s", strerror(errno));
	if (tw_pcapng_writer_new(session->fd, options->write, snap_len, &session->writer, &err) < 0)
		return tw_report_err(&err);
	return TW_EXIT_OK;
}

static int on_answer(void *arg, const Tapwall__V1__Response *response)
{
	struct session *session = arg;
	int code = open_output(session);

	if (code)
		return code;
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_FRAME)
		code = on_frame(session, response->frame);
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_CAPTURE) {
		if (!response->last)
			tell_ports(session, response->capture);
		session->lost = response->capture->lost;
	}
	return code ? code : flush(session);
}

static void tell_end(const struct session *session)
{
	const struct tw_capture_options *options = session->options;

	fprintf(stderr, "tapwall: %s: %s frame%s captured", tw_cleaned(options->workload).text,
		tw_human_count(session->n_frames).text, session->n_frames == 1 ? "" : "s");
	if (options->write)
		fprintf(stderr, " in %s",
			strcmp(options->write, "-") ? tw_cleaned(options->write).text : "stdout");
	if (session->lost)
		fprintf(stderr, "; %s %s not captured: the buffer was full",
			tw_human_count(session->lost).text, session->lost == 1 ? "was" : "were");
	fputc('\n', stderr);
}

/* ---- the verb ---- */

static int run(struct session *session)
{
	const struct tw_capture_options *options = session->options;
	Tapwall__V1__CaptureRequest body = TAPWALL__V1__CAPTURE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	const struct tw_agent_call call = {.socket = options->socket,
		.answer = on_answer,
		.begun = begun,
		.arg = session,
		.patient = true};
	int code;

	body.workload = (char *)options->workload;
	body.dropped = options->dropped;
	body.snap_len = options->snap_len;
	body.buffer_mib = options->buffer;
	request.body_case = TAPWALL__V1__REQUEST__BODY_CAPTURE;
	request.capture = &body;
	code = tw_agent_ask(&call, &request);
	if (session->client && (!code || session->n_frames))
		tell_end(session);
	return code;
}

int tw_capture_run(const void *values)
{
	const struct tw_capture_options *options = values;
	struct session session = {.options = options, .fd = -1};
	int code;

	if (options->write && options->json)
		return tw_report_error(TW_EXIT_USAGE, "--json", "leave one of them out",
			"cannot be used with --write");
	if (options->write && !strcmp(options->write, "-") && isatty(STDOUT_FILENO))
		return tw_report_error(TW_EXIT_USAGE, "--write",
			"name a file, write to a pipe, or leave --write out",
			"cannot write a capture to a terminal");
	code = run(&session);
	tw_pcapng_writer_free(session.writer);
	if (session.fd >= 0)
		close(session.fd);
	return code;
}
