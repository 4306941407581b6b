/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the server's side of the link: requests during streams, roles, addresses, answers
 * that are not read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "link/link.h"
#include "link/server.h"
#include "tests/unit/test.h"

struct fixture {
	char dir[32];
	char operators[64];
	char viewers[64];
	struct tw_loop loop;
	struct tw_server *server;
	struct tw_link_client *client;
	unsigned int n_streams; /* unfinished */
	unsigned int n_stopped;
	enum tw_role role; /* role of the last request */
	bool may_go_on;
	size_t policy_len; /* bytes of the policy that answers a request for it */
};

struct counting {
	struct tw_responses base;
	struct fixture *fixture;
	unsigned int left;
	bool stopped;
};

static int send_counter(struct tw_buf *out, uint64_t id, bool last)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Counter counter = TAPWALL__V1__COUNTER__INIT;

	response.id = id;
	response.last = last;
	counter.reason = "policy";
	response.body_case = TAPWALL__V1__RESPONSE__BODY_COUNTER;
	response.counter = &counter;
	return tw_link_pack(out, &response.base);
}

/* Pauses after its first response until the test releases it. */
static int counting_next(struct tw_responses *responses, void *context, struct tw_buf *out)
{
	struct counting *counting = (struct counting *)responses;
	struct fixture *f = context;
	bool last = counting->left == 1 || counting->stopped;
	int code;

	if (counting->left == 2 && !f->may_go_on && !counting->stopped)
		return TW_RESPONSES_WAIT;
	code = send_counter(out, counting->base.id, last);
	counting->left--;
	if (code < 0)
		return code;
	return last ? TW_RESPONSES_END : TW_RESPONSES_MORE;
}

static void counting_done(struct tw_responses *responses)
{
	((struct counting *)responses)->fixture->n_streams--;
	free(responses);
}

static void counting_stop(struct tw_responses *responses)
{
	struct counting *counting = (struct counting *)responses;

	counting->stopped = true;
	counting->fixture->n_stopped++;
}

static int send_policy(struct tw_buf *out, uint64_t id, size_t len)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyText policy = TAPWALL__V1__POLICY_TEXT__INIT;
	int code;

	policy.text.len = len;
	policy.text.data = calloc(1, len);
	assert_non_null(policy.text.data);
	response.id = id;
	response.last = true;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY;
	response.policy = &policy;
	code = tw_link_pack(out, &response.base);
	free(policy.text.data);
	return code;
}

/* `counters` streams; every other request is answered at once. */
static int start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	struct fixture *f = context;
	struct counting *counting;

	f->role = role;
	if (request->body_case == TAPWALL__V1__REQUEST__BODY_POLICY)
		return send_policy(out, request->id, f->policy_len);
	if (request->body_case != TAPWALL__V1__REQUEST__BODY_COUNTERS)
		return send_counter(out, request->id, true);
	counting = calloc(1, sizeof(*counting));
	assert_non_null(counting);
	counting->base = (struct tw_responses){.next = counting_next,
		.done = counting_done,
		.stop = counting_stop,
		.id = request->id};
	counting->fixture = f;
	counting->left = 3;
	f->n_streams++;
	*ret = &counting->base;
	return 0;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct tw_server_options options = {.loop = &f->loop, .start = start, .context = f};
	struct tw_err err;

	assert_non_null(f);
	strcpy(f->dir, "/tmp/tw-server-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->operators, sizeof(f->operators), "%s/all", f->dir);
	snprintf(f->viewers, sizeof(f->viewers), "unix:%s/view", f->dir);
	options.listeners[0] = (struct tw_server_listener){
		.at = {f->operators, NULL}, .role = TW_ROLE_OPERATOR, .option = "--all"};
	options.listeners[2] = (struct tw_server_listener){
		.at = {f->viewers, NULL}, .role = TW_ROLE_VIEWER, .option = "--view"};
	assert_int_equal(tw_loop_init(&f->loop, NULL, NULL), 0);
	assert_int_equal(tw_server_new(&options, &f->server, &err), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	tw_link_client_free(f->client);
	tw_server_free(f->server);
	tw_loop_done(&f->loop);
	assert_int_equal(f->n_streams, 0);
	assert_int_equal(access(f->operators, F_OK), -1);
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* Runs the loop until nothing is ready, for a bounded number of turns. */
static void serve(struct fixture *f)
{
	for (int i = 0; i < 200; i++) {
		struct epoll_event event;

		if (epoll_wait(f->loop.epoll_fd, &event, 1, 0) != 1)
			return;
		((struct tw_watch *)event.data.ptr)
			->ready(((struct tw_watch *)event.data.ptr)->arg, event.events);
	}
	fail_msg("the server does not come to rest");
}

static void connect_to(struct fixture *f, const char *address)
{
	struct tw_err err;

	assert_int_equal(tw_link_connect(address, &f->client, &err), 0);
	assert_int_equal(tw_link_client_set_timeout(f->client, 5), 0);
}

static void ask(struct fixture *f, uint64_t id, bool streams)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__CountersRequest counters = TAPWALL__V1__COUNTERS_REQUEST__INIT;
	Tapwall__V1__VersionRequest version = TAPWALL__V1__VERSION_REQUEST__INIT;
	struct tw_err err;

	request.id = id;
	request.body_case = streams ? TAPWALL__V1__REQUEST__BODY_COUNTERS
				    : TAPWALL__V1__REQUEST__BODY_VERSION;
	if (streams)
		request.counters = &counters;
	else
		request.version = &version;
	assert_int_equal(tw_link_send(f->client, &request, &err), 0);
	serve(f);
}

static void expect(struct fixture *f, uint64_t id, bool last)
{
	Tapwall__V1__Response *response = NULL;
	struct tw_err err;

	assert_int_equal(tw_link_receive(f->client, &response, &err), 0);
	assert_int_equal(response->id, id);
	assert_int_equal(response->last, last);
	tapwall__v1__response__free_unpacked(response, NULL);
}

static void a_stream_does_not_stop_requests(void **state)
{
	struct fixture *f = *state;

	connect_to(f, f->operators);
	ask(f, 1, true);
	expect(f, 1, false);
	ask(f, 2, false);
	expect(f, 2, true);
	ask(f, 3, true);
	expect(f, 3, false);
	assert_int_equal(f->n_streams, 2);
	f->may_go_on = true;
	tw_server_pump(f->server);
	serve(f);
	/* Both streams advance in turn, and each ends in order. */
	for (int i = 0, n[4] = {0}; i < 4; i++) {
		Tapwall__V1__Response *response = NULL;
		struct tw_err err;

		assert_int_equal(tw_link_receive(f->client, &response, &err), 0);
		assert_true(response->id == 1 || response->id == 3);
		assert_int_equal(response->last, ++n[response->id] == 2);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	assert_int_equal(f->n_streams, 0);
}

static void streams_of_a_client_are_bounded(void **state)
{
	struct fixture *f = *state;

	connect_to(f, f->operators);
	for (uint64_t id = 1; id <= TW_SERVER_ANSWERS + 3; id++)
		ask(f, id, true);
	assert_int_equal(f->n_streams, TW_SERVER_ANSWERS);
	f->may_go_on = true;
	tw_server_pump(f->server);
	serve(f);
	for (int i = 0; i < 3 * (TW_SERVER_ANSWERS + 3); i++) {
		Tapwall__V1__Response *response = NULL;
		struct tw_err err;

		serve(f);
		assert_int_equal(tw_link_receive(f->client, &response, &err), 0);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
	assert_int_equal(f->n_streams, 0);
}

static void a_client_that_ends_stops_its_streams(void **state)
{
	struct fixture *f = *state;

	connect_to(f, f->operators);
	for (uint64_t id = 1; id <= TW_SERVER_ANSWERS; id++)
		ask(f, id, true);
	for (uint64_t id = 1; id <= TW_SERVER_ANSWERS; id++)
		expect(f, id, false);
	assert_int_equal(shutdown(tw_link_client_fd(f->client), SHUT_WR), 0);
	serve(f);
	assert_int_equal(f->n_stopped, TW_SERVER_ANSWERS);
	assert_int_equal(f->n_streams, 0);
	for (int i = 0; i < TW_SERVER_ANSWERS; i++) {
		Tapwall__V1__Response *response = NULL;
		struct tw_err err;

		assert_int_equal(tw_link_receive(f->client, &response, &err), 0);
		assert_true(response->last);
		tapwall__v1__response__free_unpacked(response, NULL);
	}
}

static void a_listener_gives_its_role(void **state)
{
	struct fixture *f = *state;

	connect_to(f, f->viewers);
	ask(f, 1, false);
	expect(f, 1, true);
	assert_int_equal(f->role, TW_ROLE_VIEWER);
	tw_link_client_free(f->client);
	connect_to(f, f->operators);
	ask(f, 2, false);
	expect(f, 2, true);
	assert_int_equal(f->role, TW_ROLE_OPERATOR);
}

/* Connects as a user other than root; NULL if the server closes at once. */
static struct tw_link_client *connect_as_user(struct fixture *f, const char *address)
{
	struct tw_link_client *client = NULL;
	struct tw_err err;
	char byte;

	assert_int_equal(seteuid(12345), 0);
	assert_int_equal(tw_link_connect(address, &client, &err), 0);
	assert_int_equal(seteuid(0), 0);
	serve(f);
	if (recv(tw_link_client_fd(client), &byte, 1, MSG_DONTWAIT) < 0)
		return client;
	tw_link_client_free(client);
	return NULL;
}

static void viewers_leave_room_for_others(void **state)
{
	struct fixture *f = *state;
	struct tw_link_client *viewers[TW_SERVER_VIEWERS + 1];
	static char bytes[TW_SERVER_VIEWER_IN_MAX + 4] = {0, 0xff, 0xff, 0xff};
	char byte;

	if (geteuid())
		skip();
	assert_int_equal(chmod(f->dir, 0755), 0);
	assert_int_equal(chmod(f->operators, 0666), 0);
	assert_int_equal(chmod(strchr(f->viewers, '/'), 0666), 0);
	for (int i = 0; i <= TW_SERVER_VIEWERS; i++)
		viewers[i] = connect_as_user(f, f->viewers);
	assert_null(viewers[TW_SERVER_VIEWERS]);
	f->client = connect_as_user(f, f->operators);
	assert_non_null(f->client);
	ask(f, 1, false);
	expect(f, 1, true);
	/* Long requests from a viewer are refused. */
	assert_int_equal(
		send(tw_link_client_fd(viewers[0]), bytes, sizeof(bytes), 0), sizeof(bytes));
	serve(f);
	assert_true(recv(tw_link_client_fd(viewers[0]), &byte, 1, MSG_DONTWAIT) == 0 ||
		    errno == ECONNRESET);
	for (int i = 0; i < TW_SERVER_VIEWERS; i++)
		tw_link_client_free(viewers[i]);
	serve(f);
}

/* Asks for the policy, and returns the length of the answer, which is not read. */
static size_t ask_policy(struct fixture *f, struct tw_link_client *client)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__PolicyRequest policy = TAPWALL__V1__POLICY_REQUEST__INIT;
	struct tw_err err;
	char header[4];

	request.id = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_POLICY;
	request.policy = &policy;
	assert_int_equal(tw_link_send(client, &request, &err), 0);
	serve(f);
	assert_int_equal(recv(tw_link_client_fd(client), header, 4, MSG_DONTWAIT | MSG_PEEK), 4);
	return (size_t)(unsigned char)header[0] << 24 | (size_t)(unsigned char)header[1] << 16 |
	       (size_t)(unsigned char)header[2] << 8 | (unsigned char)header[3];
}

static void answers_that_are_not_read_are_bounded(void **state)
{
	struct fixture *f = *state;
	static char bytes[1 << 20];
	struct tw_link_client *clients[3];
	struct tw_err err;
	size_t len, left = 0;

	f->policy_len = TW_SERVER_USER_OUT_MAX / 2;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tw_link_connect(f->operators, &clients[i], &err), 0);
		len = ask_policy(f, clients[i]);
		assert_true(i < 2 ? len > f->policy_len : len < 1024);
	}
	f->client = clients[2];
	expect(f, 1, true);
	/* The memory is free when the answer was read, though its client stays. */
	for (left = f->policy_len + 1024; left > 1024;) {
		ssize_t n = recv(tw_link_client_fd(clients[0]), bytes, sizeof(bytes), MSG_DONTWAIT);

		assert_true(n > 0);
		left -= (size_t)n;
		serve(f);
	}
	assert_true(ask_policy(f, clients[2]) > f->policy_len);
	tw_link_client_free(clients[0]);
	tw_link_client_free(clients[1]);
	serve(f);
}

static void addresses_are_checked(void **state)
{
	struct fixture *f = *state;
	struct tw_link_client *client = NULL;
	struct tw_err err;
	char address[256];

	assert_int_equal(tw_link_connect("nosuch:/x", &client, &err), -EPROTONOSUPPORT);
	snprintf(address, sizeof(address), "%s/none", f->dir);
	assert_int_equal(tw_link_connect(address, &client, &err), -ENOENT);
	memset(address, 'a', sizeof(address) - 1);
	address[0] = '/';
	address[sizeof(address) - 1] = '\0';
	assert_int_equal(tw_link_connect(address, &client, &err), -ENAMETOOLONG);
	assert_null(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_stream_does_not_stop_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_of_a_client_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_client_that_ends_stops_its_streams, setup, teardown),
		cmocka_unit_test_setup_teardown(a_listener_gives_its_role, setup, teardown),
		cmocka_unit_test_setup_teardown(viewers_leave_room_for_others, setup, teardown),
		cmocka_unit_test_setup_teardown(
			answers_that_are_not_read_are_bounded, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_are_checked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
