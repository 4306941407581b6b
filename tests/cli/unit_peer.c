/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the limits of a peer. An end that sends more of a stream than it may is cut off; an end that keeps to
 * its window is not. No end sends a message that the other end would not accept. */
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
	size_t answer_len;     /* bytes of the text with which this end answers */
	struct tw_buf written; /* what this end sent */
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
	tw_buf_add(&fixture->written, bytes, len);
	return (ssize_t)len;
}

static void flood_close(struct tw_stream *stream)
{
	close(stream->fd);
	free(stream);
}

static const struct tw_transport flood_transport = {
	.read = flood_read, .write = flood_write, .close = flood_close};

/* Answers with a policy of `answer_len` bytes. */
static int start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyText policy = TAPWALL__V1__POLICY_TEXT__INIT;
	int code;

	policy.text.len = fixture->answer_len;
	policy.text.data = calloc(1, policy.text.len + 1);
	assert_non_null(policy.text.data);
	response.id = request->id;
	response.last = true;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY;
	response.policy = &policy;
	code = tw_link_pack(out, &response.base);
	free(policy.text.data);
	return code;
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

static int open_asking(void *arg, struct tw_peer *peer, struct tw_err *err)
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

/* Sends the longest request after one that is a byte longer. */
static int open_sending(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__ApplyRequest body = TAPWALL__V1__APPLY_REQUEST__INIT;
	struct fixture *f = arg;

	f->peer = peer;
	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &body;
	body.text.len = TW_PEER_IN_MAX;
	body.text.data = calloc(1, body.text.len);
	assert_non_null(body.text.data);
	body.text.len -= protobuf_c_message_get_packed_size(&request.base) - TW_PEER_IN_MAX - 1;
	assert_int_equal(tw_peer_ask(peer, &request, on_answer, f, NULL), -EMSGSIZE);
	body.text.len--;
	assert_int_equal(tw_peer_ask(peer, &request, on_answer, f, NULL), 0);
	free(body.text.data);
	return 0;
}

static int open_answering(void *arg, struct tw_peer *peer, struct tw_err *err)
{
	struct fixture *f = arg;

	f->peer = peer;
	return 0;
}

/* Fills the message with a request for a policy. */
static void make_request(struct fixture *f)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__PolicyRequest body = TAPWALL__V1__POLICY_REQUEST__INIT;

	request.id = 7;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &body;
	assert_int_equal(tw_link_pack_request(&f->message, &request), 0);
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

typedef int open_peer(void *arg, struct tw_peer *peer, struct tw_err *err);

/* Makes the peer of `f` on a loop. */
static void begin_peer(struct fixture *f, struct tw_loop *loop, open_peer *opened)
{
	struct tw_peer_options options = {.loop = loop,
		.role = TW_ROLE_VIEWER,
		.start = start,
		.opened = opened,
		.closed = closed,
		.arg = f};
	struct tw_stream *stream = calloc(1, sizeof(*stream));

	fixture = f;
	assert_non_null(stream);
	assert_int_equal(tw_loop_init(loop, NULL, NULL), 0);
	*stream = (struct tw_stream){.transport = &flood_transport,
		.fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC),
		.open = true};
	assert_int_equal(tw_peer_new(&options, stream, &f->peer), 0);
}

static void run_turn(struct tw_loop *loop)
{
	struct epoll_event event;
	const struct tw_watch *watch;

	assert_int_equal(epoll_wait(loop->epoll_fd, &event, 1, 0), 1);
	watch = event.data.ptr;
	watch->ready(watch->arg, event.events);
}

static void end_fixture(struct fixture *f, struct tw_loop *loop)
{
	if (!f->ended)
		tw_peer_free(f->peer);
	tw_loop_done(loop);
	tw_buf_done(&f->message);
	tw_buf_done(&f->written);
}

static void run_flood(struct fixture *f, bool consumes)
{
	struct tw_loop loop;

	*f = (struct fixture){.consumes = consumes};
	make_message(f);
	begin_peer(f, &loop, open_asking);
	for (int i = 0; i < TURNS_MAX && !f->ended && f->got < MESSAGES; i++)
		run_turn(&loop);
	end_fixture(f, &loop);
}

/* Returns the length of the first message that this end sent, when all of it was. */
static size_t sent_len(
	struct fixture *f, struct tw_loop *loop, bool *ret_request, const uint8_t **ret_body)
{
	const struct tw_buf *written = &f->written;
	size_t len = 0;
	long whole = 0;

	for (int i = 0; i < TURNS_MAX && !f->ended && !whole; i++) {
		run_turn(loop);
		whole = tw_link_frame_either(
			(const uint8_t *)written->data, written->len, ret_request, ret_body, &len);
	}
	assert_false(f->ended);
	assert_int_equal(whole, written->len);
	return len;
}

/* Asks for an answer with a text of `len` bytes, and returns what this end sent. */
static Tapwall__V1__Response *answer_of(size_t len, size_t *ret_len)
{
	struct fixture f = {.answer_len = len, .sent = MESSAGES - 1};
	Tapwall__V1__Response *response;
	struct tw_loop loop;
	const uint8_t *body;
	bool is_request;

	make_request(&f);
	begin_peer(&f, &loop, open_answering);
	*ret_len = sent_len(&f, &loop, &is_request, &body);
	assert_false(is_request);
	response = tw_link_unpack_response(body, *ret_len);
	assert_non_null(response);
	end_fixture(&f, &loop);
	assert_int_equal(response->id, 7);
	assert_true(response->last);
	return response;
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

static void one_that_is_too_long_is_not_sent(void **state)
{
	struct fixture f = {.sent = MESSAGES};
	struct tw_loop loop;
	const uint8_t *body;
	bool is_request;

	begin_peer(&f, &loop, open_sending);
	assert_int_equal(sent_len(&f, &loop, &is_request, &body), TW_PEER_IN_MAX);
	assert_true(is_request);
	end_fixture(&f, &loop);
}

static void an_answer_that_is_too_long_becomes_an_error(void **state)
{
	size_t fits = TW_PEER_IN_MAX - 1024, len;
	Tapwall__V1__Response *response = answer_of(fits, &len);

	assert_int_equal(response->body_case, TAPWALL__V1__RESPONSE__BODY_POLICY);
	assert_int_equal(response->policy->text.len, fits);
	assert_null(response->error);
	tapwall__v1__response__free_unpacked(response, NULL);

	response = answer_of(TW_PEER_IN_MAX, &len);
	assert_in_range(len, 1, 1024);
	assert_int_equal(response->body_case, TAPWALL__V1__RESPONSE__BODY__NOT_SET);
	assert_non_null(response->error);
	assert_int_equal(response->error->code, EFBIG);
	assert_string_equal(response->error->text, "the answer is larger than 16 MiB");
	assert_string_equal(response->error->hint, "ask for it on the host itself");
	tapwall__v1__response__free_unpacked(response, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_that_floods_is_cut_off),
		cmocka_unit_test(one_that_keeps_to_its_window_is_not),
		cmocka_unit_test(one_that_is_too_long_is_not_sent),
		cmocka_unit_test(an_answer_that_is_too_long_becomes_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
