/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the windows of a peer: an end that sends more of a stream than it may is cut off; an end that keeps
 * to its window is not. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/loop.h"
#include "link/peer.h"

#define PIECE	  60000u
#define MESSAGES  (2 * TW_PEER_BEYOND / PIECE)
#define TURNS_MAX 100000

/* The other end, which sends the same response again and again. */
struct fixture {
	struct tw_buf message;
	size_t at; /* bytes of the message that were read */
	unsigned int sent;
	struct tw_peer *peer;
	bool consumes;
	bool ended;
	int code;
	char why[TW_ERR_TEXT_MAX];
	unsigned int got;
};

static struct fixture *fixture; /* global: the transport has no argument for it */

static ssize_t flood_read(struct tw_stream *stream, void *bytes, size_t max, bool wait)
{
	size_t n = fixture->message.len - fixture->at;

	if (fixture->sent == MESSAGES)
		return -EAGAIN;
	n = n < max ? n : max;
	memcpy(bytes, fixture->message.data + fixture->at, n);
	fixture->at += n;
	if (fixture->at == fixture->message.len) {
		fixture->at = 0;
		fixture->sent++;
	}
	return (ssize_t)n;
}

static ssize_t flood_write(struct tw_stream *stream, const void *bytes, size_t len, bool wait)
{
	return (ssize_t)len;
}

static void flood_close(struct tw_stream *stream)
{
	close(stream->fd);
	free(stream);
}

static const struct tw_transport flood_transport = {
	.read = flood_read, .write = flood_write, .close = flood_close};

static int start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	return -EPROTO;
}

static void on_answer(void *arg, Tapwall__V1__Response *response)
{
	struct fixture *f = arg;

	if (!response)
		return;
	f->got++;
	if (f->consumes)
		tw_peer_more(f->peer, response->id, f->message.len);
}

static int opened(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__PolicyRequest body = TAPWALL__V1__POLICY_REQUEST__INIT;
	struct fixture *f = arg;

	f->peer = peer;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &body;
	return tw_peer_ask(peer, &request, on_answer, f, NULL);
}

static void closed(void *arg, struct tw_peer *peer, const struct tw_err *err)
{
	struct fixture *f = arg;

	f->ended = true;
	f->code = err->code;
	snprintf(f->why, sizeof(f->why), "%s", err->text);
}

static void make_message(struct fixture *f)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyText policy = TAPWALL__V1__POLICY_TEXT__INIT;
	static uint8_t text[PIECE];

	policy.text.data = text;
	policy.text.len = sizeof(text);
	response.id = 1;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY;
	response.policy = &policy;
	assert_int_equal(tw_link_pack(&f->message, &response.base), 0);
}

static void run_flood(struct fixture *f, bool consumes)
{
	struct tw_loop loop;
	struct tw_peer_options options = {.loop = &loop,
		.role = TW_ROLE_VIEWER,
		.start = start,
		.opened = opened,
		.closed = closed,
		.arg = f};
	struct tw_stream *stream = calloc(1, sizeof(*stream));

	*f = (struct fixture){.consumes = consumes};
	fixture = f;
	make_message(f);
	assert_non_null(stream);
	assert_int_equal(tw_loop_init(&loop, NULL, NULL), 0);
	*stream = (struct tw_stream){.transport = &flood_transport,
		.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC),
		.open = true};
	assert_int_equal(tw_peer_new(&options, stream, &f->peer), 0);
	for (int i = 0; i < TURNS_MAX && !f->ended && f->got < MESSAGES; i++) {
		struct epoll_event event;
		const struct tw_watch *watch;

		assert_int_equal(epoll_wait(loop.epoll_fd, &event, 1, 0), 1);
		watch = event.data.ptr;
		watch->ready(watch->arg, event.events);
	}
	if (!f->ended)
		tw_peer_free(f->peer);
	tw_loop_done(&loop);
	tw_buf_done(&f->message);
}

static void one_that_floods_is_cut_off(void **state)
{
	struct fixture f;

	run_flood(&f, false);
	assert_true(f.ended);
	assert_int_equal(f.code, -EPROTO);
	assert_non_null(strstr(f.why, "more of a stream than it may"));
	assert_in_range(f.got, 1, (TW_PEER_BEYOND + TW_PEER_WINDOW) / PIECE + 1);
}

static void one_that_keeps_to_its_window_is_not(void **state)
{
	struct fixture f;

	run_flood(&f, true);
	assert_false(f.ended);
	assert_int_equal(f.got, MESSAGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_floods_is_cut_off),
		cmocka_unit_test(one_that_keeps_to_its_window_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
