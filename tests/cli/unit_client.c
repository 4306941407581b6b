/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the client's side of the link: answers that arrive in pieces, many at once, or not
 * at all. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "link/link.h"
#include "tests/unit/test.h"

#define N_RESPONSES 3000

struct fixture {
	char dir[32];
	char path[64];
	int listener;
	int peer;
	struct tw_link_client *client;
};

static int setup(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct fixture *f = calloc(1, sizeof(*f));
	struct tw_err err;

	assert_non_null(f);
	strcpy(f->dir, "/tmp/tw-link-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/sock", f->dir);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(f->listener, 1), 0);
	assert_int_equal(tw_link_connect(f->path, &f->client, &err), 0);
	f->peer = accept(f->listener, NULL, NULL);
	assert_true(f->peer >= 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tw_link_client_free(f->client);
	close(f->peer);
	close(f->listener);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void pack_response(struct tw_buf *out, uint64_t id)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Counter counter = TAPWALL__V1__COUNTER__INIT;

	response.id = id;
	counter.reason = "policy";
	counter.out = id;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_COUNTER;
	response.counter = &counter;
	assert_int_equal(tw_link_pack(out, &response.base), 0);
}

static void expect_response(struct fixture *f, uint64_t id)
{
	Tapwall__V1__Response *response = NULL;
	struct tw_err err;

	assert_int_equal(tw_link_receive(f->client, &response, &err), 0);
	assert_int_equal(response->id, id);
	assert_int_equal(response->counter->out, id);
	tapwall__v1__response__free_unpacked(response, NULL);
}

static void requests_arrive_whole(void **state)
{
	Tapwall__V1__FlowsRequest flows = TAPWALL__V1__FLOWS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT, *got;
	struct fixture *f = *state;
	const uint8_t *body;
	size_t body_len;
	uint8_t data[256];
	struct tw_err err;
	ssize_t n;

	request.id = 7;
	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &flows;
	flows.workload = "web-1";
	assert_int_equal(tw_link_send(f->client, &request, &err), 0);
	n = recv(f->peer, data, sizeof(data), 0);
	assert_true(n > 0);
	assert_int_equal(tw_link_frame(data, (size_t)n, &body, &body_len), n);
	got = tw_link_unpack_request(body, body_len);
	assert_non_null(got);
	assert_int_equal(got->id, 7);
	assert_string_equal(got->flows->workload, "web-1");
	tapwall__v1__request__free_unpacked(got, NULL);
}

static void answers_come_in_any_pieces(void **state)
{
	struct fixture *f = *state;
	struct tw_buf out = {0};

	pack_response(&out, 1);
	pack_response(&out, 2);
	for (size_t cut = 1; cut < out.len; cut++) {
		assert_int_equal(send(f->peer, out.data, cut, 0), cut);
		if (cut >= out.len / 2)
			expect_response(f, 1);
		assert_int_equal(send(f->peer, out.data + cut, out.len - cut, 0), out.len - cut);
		if (cut < out.len / 2)
			expect_response(f, 1);
		expect_response(f, 2);
	}
	tw_buf_done(&out);
}

static void waiting_ends(void **state)
{
	Tapwall__V1__Response *response = NULL;
	struct fixture *f = *state;
	struct tw_buf out = {0};
	struct tw_err err;

	pack_response(&out, 1);
	assert_int_equal(tw_link_receive_within(f->client, 0, &response, &err), -EAGAIN);
	assert_int_equal(tw_link_receive_within(f->client, 20, &response, &err), -EAGAIN);
	/* A part of an answer is kept. */
	assert_int_equal(send(f->peer, out.data, out.len - 1, 0), out.len - 1);
	assert_int_equal(tw_link_receive_within(f->client, 0, &response, &err), -EAGAIN);
	assert_null(response);
	assert_int_equal(send(f->peer, out.data + out.len - 1, 1, 0), 1);
	assert_int_equal(tw_link_receive_within(f->client, -1, &response, &err), 0);
	assert_int_equal(response->id, 1);
	tapwall__v1__response__free_unpacked(response, NULL);
	tw_buf_done(&out);
	close(f->peer);
	f->peer = -1;
	assert_int_equal(tw_link_receive_within(f->client, 0, &response, &err), -EPIPE);
}

static void many_answers_come_at_once(void **state)
{
	struct fixture *f = *state;
	struct tw_buf out = {0};

	for (uint64_t id = 1; id <= N_RESPONSES; id++)
		pack_response(&out, id);
	assert_int_equal(send(f->peer, out.data, out.len, 0), out.len);
	for (uint64_t id = 1; id <= N_RESPONSES; id++)
		expect_response(f, id);
	tw_buf_done(&out);
}

static void silence_ends_in_time(void **state)
{
	Tapwall__V1__Response *response = NULL;
	struct fixture *f = *state;
	struct tw_err err;

	assert_int_equal(tw_link_client_set_timeout(f->client, 1), 0);
	assert_int_equal(tw_link_receive(f->client, &response, &err), -ETIMEDOUT);
	assert_null(response);
	assert_string_equal(err.place, f->path);
}

static void a_close_is_told(void **state)
{
	Tapwall__V1__Response *response = NULL;
	struct fixture *f = *state;
	struct tw_err err;

	assert_int_equal(send(f->peer, "\0\0\0\7half", 8, 0), 8);
	shutdown(f->peer, SHUT_RDWR);
	assert_int_equal(tw_link_receive(f->client, &response, &err), -EPIPE);
	assert_null(response);
}

static void what_is_no_answer_is_refused(void **state)
{
	Tapwall__V1__Response *response = NULL;
	struct fixture *f = *state;
	struct tw_err err;

	assert_int_equal(send(f->peer, "\0\0\0\4\xff\xff\xff\xff", 8, 0), 8);
	assert_int_equal(tw_link_receive(f->client, &response, &err), -EBADMSG);
	assert_null(response);
}

static void what_is_too_long_is_refused(void **state)
{
	Tapwall__V1__Response *response = NULL;
	struct fixture *f = *state;
	struct tw_err err;

	assert_int_equal(send(f->peer, "\xff\xff\xff\xff", 4, 0), 4);
	assert_int_equal(tw_link_receive(f->client, &response, &err), -EMSGSIZE);
	assert_null(response);
}

static void memory_may_run_out(void **state)
{
	struct fixture *f = *state;
	struct tw_buf out = {0};
	int code = -ENOMEM;

	pack_response(&out, 9);
	assert_int_equal(send(f->peer, out.data, out.len, 0), out.len);
	for (size_t n = 1; code == -ENOMEM || code == -EBADMSG; n++) {
		Tapwall__V1__Response *response = NULL;
		struct tw_err err;

		assert_true(n < 50);
		tw_alloc_fail_after(n);
		code = tw_link_receive(f->client, &response, &err);
		tw_alloc_fail_after(0);
		if (!code)
			tapwall__v1__response__free_unpacked(response, NULL);
		else
			assert_null(response);
	}
	assert_int_equal(code, 0);
	tw_buf_done(&out);
}

/* Texts in lists, in nested messages, and in oneof fields. */
static void all_texts_of_a_message_are_cleaned(void **state)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Status status = TAPWALL__V1__STATUS__INIT;
	Tapwall__V1__Flow flow = TAPWALL__V1__FLOW__INIT;
	Tapwall__V1__End end = TAPWALL__V1__END__INIT;
	char source[] = "a\nb", uplink[] = "c\033d", workload[] = "e\rf", proto[] = "tcp";
	char *uplinks[] = {proto, uplink};

	status.policy_source = source;
	status.uplinks = uplinks;
	status.n_uplinks = 2;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_STATUS;
	response.status = &status;
	tw_link_clean(&response.base);
	assert_string_equal(source, "a?b");
	assert_string_equal(uplink, "c?d");
	assert_string_equal(proto, "tcp");
	end.workload = workload;
	flow.from = &end;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_FLOW;
	response.flow = &flow;
	tw_link_clean(&response.base);
	assert_string_equal(workload, "e?f");
}

static void texts_of_a_message_are_bounded(void **state)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__ApplyRequest apply = TAPWALL__V1__APPLY_REQUEST__INIT;
	char *text = malloc(TW_LINK_TEXT_MAX + 2);

	assert_non_null(text);
	memset(text, 'a', TW_LINK_TEXT_MAX + 1);
	text[TW_LINK_TEXT_MAX + 1] = '\0';
	assert_true(tw_link_texts_fit(&request.base));
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &apply;
	assert_true(tw_link_texts_fit(&request.base));
	apply.source = text;
	assert_false(tw_link_texts_fit(&request.base));
	text[TW_LINK_TEXT_MAX] = '\0';
	assert_true(tw_link_texts_fit(&request.base));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(requests_arrive_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(answers_come_in_any_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(waiting_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(many_answers_come_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(silence_ends_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_close_is_told, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_no_answer_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_too_long_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(memory_may_run_out, setup, teardown),
		cmocka_unit_test(all_texts_of_a_message_are_cleaned),
		cmocka_unit_test(texts_of_a_message_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
