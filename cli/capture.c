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
#include "base/clock.h"
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
	uint64_t lost;	      /* frames lost, as the present agent counts them */
	uint64_t lost_before; /* frames lost, as its predecessors counted them */
	uint64_t gap_ns;      /* time that the agent was away since the last frame; 0: it was not */
	uint64_t gone_ns;     /* time since which the agent is away; 0: it is not */
	uint64_t away_ns;     /* sum of all gaps that have ended */
	uint32_t n_gaps;
};

/* ---- ending ---- */

static volatile sig_atomic_t agent_fd = -1; /* -1: the agent is not there */
static volatile sig_atomic_t is_ending;

/* Asks the agent to end the capture. The agent sends the frames still buffered and its last
 * response. */
static void end_capture(void)
{
	is_ending = 1;
	if (agent_fd >= 0)
		shutdown(agent_fd, SHUT_WR);
}

static void on_signal(int sig)
{
	end_capture();
}

static void catch_signals(const struct tw_capture_options *options)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
	/* A second signal ends the program at once. */
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART};

	for (size_t i = 0; i < TW_ARGS_N(signals); i++)
		sigaction(signals[i], &action, NULL);
	if (options->seconds)
		alarm(options->seconds);
}

static void begun(void *arg, struct tw_link_client *client)
{
	struct session *session = arg;
	bool first = !session->client;

	session->client = client;
	agent_fd = tw_link_client_fd(client);
	if (first)
		catch_signals(session->options);
	/* A signal may have come while the agent was away. */
	if (is_ending)
		end_capture();
}

/* ---- the agent goes away and returns ---- */

static bool is_stopped(void *arg)
{
	return is_ending;
}

/* An agent that closes the connection before it has accepted the capture would do so again. */
static bool again(void *arg)
{
	struct session *session = arg;
	struct tw_err err = {0};

	agent_fd = -1;
	if (!session->told_ports || is_ending)
		return false;
	session->gone_ns = tw_clock_ns();
	session->lost_before += session->lost;
	session->lost = 0;
	/* What came so far must not be lost if the user gives up. An error will come again. */
	if (session->writer)
		tw_pcapng_writer_flush(session->writer, &err);
	else
		fflush(stdout);
	return true;
}

/* Called when the agent has accepted the capture again. */
static void end_gap(struct session *session)
{
	uint64_t away_ns = tw_clock_ns() - session->gone_ns;

	session->gone_ns = 0;
	session->away_ns += away_ns;
	session->gap_ns += away_ns;
	session->n_gaps++;
}

/* ---- frames ---- */

static int write_frame(struct session *session, const Tapwall__V1__CapturedFrame *frame)
{
	char comment[TW_CAPTURE_COMMENT_MAX], gap[TW_CAPTURE_GAP_MAX], description[300];
	struct tw_err err = {0};
	const struct tw_pcapng_note note = {
		.time_ns = frame->time_ns,
		.interface = frame->port,
		.description = description,
		.dir = strcmp(frame->direction, "in") ? TW_DIR_OUT : TW_DIR_IN,
		.comment = tw_capture_comment(frame, comment),
		.gap = tw_capture_gap(session->gap_ns, gap),
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
	int code = TW_EXIT_OK;

	if (options->count && session->n_frames >= options->count)
		return TW_EXIT_OK;
	session->n_frames++;
	if (options->count && session->n_frames == options->count)
		end_capture();
	if (session->writer)
		code = write_frame(session, frame);
	else if (options->json)
		code = tw_capture_print_json(frame, session->gap_ns);
	else
		tw_capture_print(frame, session->gap_ns);
	session->gap_ns = 0;
	return code;
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
	if (session->gone_ns && !response->error)
		end_gap(session);
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
	uint64_t lost = session->lost_before + session->lost;
	/* The last gap may have no end. */
	uint32_t n_gaps = session->n_gaps + (session->gone_ns != 0);
	uint64_t away_ns = session->away_ns +
			   (session->gone_ns ? tw_clock_ns() - session->gone_ns : 0);

	fprintf(stderr, "tapwall: %s: %s frame%s captured", tw_cleaned(options->workload).text,
		tw_human_count(session->n_frames).text, session->n_frames == 1 ? "" : "s");
	if (options->write)
		fprintf(stderr, " in %s",
			strcmp(options->write, "-") ? tw_cleaned(options->write).text : "stdout");
	if (lost)
		fprintf(stderr, "; %s %s not captured: the buffer was full",
			tw_human_count(lost).text, lost == 1 ? "was" : "were");
	if (n_gaps)
		fprintf(stderr, "; frames are missing: the agent was gone %u time%s, for %s",
			n_gaps, n_gaps == 1 ? "" : "s", tw_human_span((double)away_ns / 1e9).text);
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
		.again = again,
		.stopped = is_stopped,
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
