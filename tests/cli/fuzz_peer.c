/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Feeds arbitrary bytes, in pieces, to one end of a link with requests from both ends, and
 * checks the bounds of open requests and streams. The first byte selects the size of the pieces,
 * and whether the socket accepts bytes. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "link/peer.h"
#include "link/reply.h"

#define TURNS_MAX 4000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t *at;
static size_t left;
static size_t piece;
static bool deaf;
static bool ended;
static unsigned int n_streams;
static unsigned int n_answers; /* answers to requests of this end */

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* ---- a transport of the test's own ---- */

static ssize_t fuzz_read(struct tw_stream *stream, void *bytes, size_t max, bool wait)
{
	size_t n = piece < left ? piece : left;

	if (n > max)
		n = max;
	memcpy(bytes, at, n);
	at += n;
	left -= n;
	return (ssize_t)n;
}

static ssize_t fuzz_write(struct tw_stream *stream, const void *bytes, size_t len, bool wait)
{
	return deaf ? -EAGAIN : (ssize_t)len;
}

static void fuzz_close(struct tw_stream *stream)
{
	close(stream->fd);
	free(stream);
}

/* stream.c lists these; here they are never dialled. */
const struct tw_transport tw_unix_transport = {.scheme = "unix"};
const struct tw_transport tw_tls_transport = {.scheme = "tls"};
const struct tw_transport tw_vsock_transport = {.scheme = "vsock"};

static const struct tw_transport transport = {
	.read = fuzz_read, .write = fuzz_write, .close = fuzz_close};

/* ---- what both ends ask ---- */

static int stream_next(struct tw_responses *responses, void *context, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyText policy = TAPWALL__V1__POLICY_TEXT__INIT;
	static uint8_t text[5000];

	policy.text.data = text;
	policy.text.len = sizeof(text);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY;
	response.policy = &policy;
	require(out->len < TW_PEER_OUT_MAX);
	return tw_reply_send(out, responses->id, &response, false) < 0 ? -ENOMEM
								       : TW_RESPONSES_MORE;
}

static void stream_done(struct tw_responses *responses)
{
	n_streams--;
	free(responses);
}

static int start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	require(role == TW_ROLE_SLOW_PATH);
	if (request->body_case != TAPWALL__V1__REQUEST__BODY_LOG)
		return tw_reply_send(out, request->id, &response, true);
	*ret = calloc(1, sizeof(**ret));
	require(*ret);
	**ret = (struct tw_responses){.next = stream_next, .done = stream_done, .id = request->id};
	require(++n_streams <= TW_PEER_ANSWERS);
	return 0;
}

static void on_answer(void *arg, Tapwall__V1__Response *response)
{
	unsigned int *last = arg;

	require(!*last);
	*last = !response || response->last;
	n_answers += *last;
}

static int opened(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	static unsigned int last[3];
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__PortsRequest ports = TAPWALL__V1__PORTS_REQUEST__INIT;

	request.body_case = TAPWALL__V1__REQUEST__BODY_PORTS;
	request.ports = &ports;
	for (int i = 0; i < 3; i++) {
		last[i] = 0;
		require(!tw_peer_ask(peer, &request, on_answer, &last[i], NULL));
	}
	return 0;
}

static void closed(void *arg, struct tw_peer *peer, const struct tw_err *err)
{
	require(err->code < 0 && err->text[0]);
	ended = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct tw_loop loop;
	struct tw_peer_options options = {.loop = &loop,
		.role = TW_ROLE_SLOW_PATH,
		.start = start,
		.opened = opened,
		.closed = closed};
	struct tw_stream *stream = calloc(1, sizeof(*stream));
	struct tw_peer *peer;

	require(stream && !tw_loop_init(&loop, NULL, NULL));
	*stream = (struct tw_stream){.transport = &transport,
		.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC),
		.open = true};
	at = data + (len > 0);
	left = len - (len > 0);
	piece = len ? 1 + (data[0] & 0x7f) * 37u : 1;
	deaf = len && data[0] & 0x80;
	ended = false;
	n_answers = 0;
	require(stream->fd >= 0 && !tw_peer_new(&options, stream, &peer));
	for (int i = 0; i < TURNS_MAX && !ended; i++) {
		struct epoll_event event;
		const struct tw_watch *watch;

		require(epoll_wait(loop.epoll_fd, &event, 1, 0) == 1);
		watch = event.data.ptr;
		watch->ready(watch->arg, event.events);
		if (!ended && i % 64 == 63)
			tw_peer_tick(peer);
	}
	if (!ended)
		tw_peer_free(peer);
	tw_loop_done(&loop);
	require(!n_streams && n_answers == 3);
	return 0;
}
