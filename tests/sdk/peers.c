/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of libtapwall against peers that lie, stop or close, and with memory that runs out. The peer is a process
 * of its own: it greets as an agent does, and then sends a fixed answer to every other request. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "link/link.h"
#include "sdk/tapwall.h"
#include "tests/unit/test.h"

struct peer {
	char dir[32];
	char path[64];
	int listener;
	pid_t pid;
};

/* ---- the peer ---- */

static void send_version(int fd, uint32_t protocol)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Version version = TAPWALL__V1__VERSION__INIT;
	struct tw_buf out = {0};

	version.version = "9.9";
	version.protocol = protocol;
	response.id = 1;
	response.last = true;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_VERSION;
	response.version = &version;
	if (!tw_link_pack(&out, &response.base))
		send(fd, out.data, out.len, MSG_NOSIGNAL);
	tw_buf_done(&out);
}

/* Serves one connection: the first request's body tells whether it is a greeting. */
static void serve(int fd, uint32_t protocol, const struct tw_buf *answer)
{
	uint8_t data[4096];
	const uint8_t *body;
	size_t body_len;
	ssize_t n = recv(fd, data, sizeof(data), 0);
	Tapwall__V1__Request *request;

	if (n <= 0 || tw_link_frame(data, (size_t)n, &body, &body_len) <= 0)
		return;
	request = tw_link_unpack_request(body, body_len);
	if (request && request->body_case == TAPWALL__V1__REQUEST__BODY_VERSION)
		send_version(fd, protocol);
	else
		send(fd, answer->data, answer->len, MSG_NOSIGNAL);
	if (request)
		tapwall__v1__request__free_unpacked(request, NULL);
}

static void start_peer(struct peer *peer, uint32_t protocol, const struct tw_buf *answer)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(peer->dir, "/tmp/tw-sdk-XXXXXX");
	assert_non_null(mkdtemp(peer->dir));
	snprintf(peer->path, sizeof(peer->path), "%s/sock", peer->dir);
	strcpy(address.sun_path, peer->path);
	peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->listener, 16), 0);
	peer->pid = fork();
	assert_true(peer->pid >= 0);
	while (!peer->pid) {
		int fd = accept(peer->listener, NULL, NULL);

		serve(fd, protocol, answer);
		close(fd);
	}
}

static void stop_peer(struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	waitpid(peer->pid, NULL, 0);
	close(peer->listener);
	unlink(peer->path);
	rmdir(peer->dir);
}

/* ---- the answers ---- */

static void add_response(struct tw_buf *out, Tapwall__V1__Response *response)
{
	response->id = 1;
	assert_int_equal(tw_link_pack(out, &response->base), 0);
}

/* Opens events at a peer with this answer. Returns the result of reading the first event. */
static int first_event(const struct tw_buf *answer, struct tapwall_error *error)
{
	struct tapwall_handle *agent = NULL;
	struct tapwall_events *events = NULL;
	const struct tapwall_event *event = NULL;
	struct peer peer;
	int got;

	start_peer(&peer, TW_LINK_PROTOCOL, answer);
	assert_int_equal(tapwall_connect(peer.path, &agent, error), 0);
	assert_string_equal(tapwall_agent_version(agent), "9.9");
	assert_int_equal(tapwall_events_open(agent, NULL, &events, error), 0);
	got = tapwall_events_next(events, TAPWALL_FOREVER, &event, error);
	/* After an error, the stream keeps returning it. */
	if (got < 0)
		assert_int_equal(tapwall_events_next(events, 0, &event, error), got);
	tapwall_events_free(events);
	tapwall_free(agent);
	stop_peer(&peer);
	return got;
}

static void peers_that_lie_are_refused(void **state)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	static const uint8_t kinds[] = {1, 3};
	struct tapwall_error error = {0};
	tw_auto_buf struct tw_buf answer = {0};
	uint32_t rule = 7;

	assert_int_equal(first_event(&answer, &error), -EPIPE); /* closes without an answer */
	tw_buf_add(&answer, "\xff\xff\xff\xff", 4);
	assert_int_equal(first_event(&answer, &error), -EMSGSIZE);
	tw_buf_reset(&answer);
	tw_buf_add(&answer, "\0\0\0\2\xff\xff", 6);
	assert_int_equal(first_event(&answer, &error), -EBADMSG);
	tw_buf_reset(&answer);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	batch.rows = 3; /* the column `kind` has only two */
	batch.next = 3;
	batch.kind.data = (uint8_t *)(uintptr_t)kinds;
	batch.kind.len = sizeof(kinds);
	add_response(&answer, &response);
	assert_int_equal(first_event(&answer, &error), -EBADMSG);
	tw_buf_reset(&answer);
	batch.rows = 2;
	add_response(&answer, &response);
	assert_int_equal(first_event(&answer, &error), 1);
	tw_buf_reset(&answer);
	batch.n_rule = 1; /* one rule for two rows, and not defined */
	batch.rule = &rule;
	add_response(&answer, &response);
	assert_int_equal(first_event(&answer, &error), -EBADMSG);
	assert_true(error.code == -EBADMSG && error.text[0]);
}

/* Rows of kinds that were not asked for are skipped. */
static void unknown_kinds_are_skipped(void **state)
{
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	static const uint8_t kinds[] = {4, 99, 200};
	struct tapwall_error error = {0};
	tw_auto_buf struct tw_buf answer = {0};

	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	batch.rows = batch.next = sizeof(kinds);
	batch.kind.data = (uint8_t *)(uintptr_t)kinds;
	batch.kind.len = sizeof(kinds);
	response.last = true;
	add_response(&answer, &response);
	assert_int_equal(first_event(&answer, &error), 0);
}

static void another_protocol_is_refused(void **state)
{
	struct tapwall_handle *agent = NULL;
	struct tapwall_error error = {0};
	const struct tw_buf none = {0};
	struct peer peer;

	start_peer(&peer, TW_LINK_PROTOCOL + 1, &none);
	assert_int_equal(tapwall_connect(peer.path, &agent, &error), -EPROTO);
	assert_null(agent);
	stop_peer(&peer);
}

/* The peer gives an answer of another kind, or none at all. */
static void wrong_answers_are_refused(void **state)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tapwall_applied *applied = NULL;
	struct tapwall_handle *agent = NULL;
	struct tapwall_status *status = NULL;
	struct tapwall_error error = {0};
	tw_auto_buf struct tw_buf answer = {0};
	struct peer peer;

	add_response(&answer, &response);
	start_peer(&peer, TW_LINK_PROTOCOL, &answer);
	assert_int_equal(tapwall_connect(peer.path, &agent, &error), 0);
	assert_int_equal(tapwall_status_get(agent, &status, &error), -EBADMSG);
	assert_null(status);
	assert_int_equal(tapwall_policy_set(agent, "x", 1, NULL, 0, &applied, NULL), -EBADMSG);
	assert_null(applied);
	stop_peer(&peer);
	assert_true(tapwall_status_get(agent, &status, &error) < 0);
	tapwall_free(agent);
}

static void memory_may_run_out(void **state)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Status body = TAPWALL__V1__STATUS__INIT;
	char *degraded[] = {"one", "two"};
	struct tapwall_error error = {0};
	tw_auto_buf struct tw_buf answer = {0};
	struct peer peer;
	int got = -ENOMEM;

	body.degraded = degraded;
	body.n_degraded = 2;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_STATUS;
	response.status = &body;
	add_response(&answer, &response);
	start_peer(&peer, TW_LINK_PROTOCOL, &answer);
	for (size_t n = 1; got < 0; n++) {
		struct tapwall_handle *agent = NULL;
		struct tapwall_status *status = NULL;

		assert_true(n < 1000);
		tw_alloc_fail_after(n);
		got = tapwall_connect(peer.path, &agent, &error);
		if (!got)
			got = tapwall_status_get(agent, &status, &error);
		tw_alloc_fail_after(0);
		/* If memory runs out while a message is unpacked, the message looks malformed. */
		assert_true(!got || got == -ENOMEM || got == -EBADMSG);
		assert_true(
			got || (status->n_degraded == 2 && !strcmp(status->degraded[1], "two")));
		tapwall_status_free(status);
		tapwall_free(agent);
	}
	stop_peer(&peer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peers_that_lie_are_refused),
		cmocka_unit_test(unknown_kinds_are_skipped),
		cmocka_unit_test(another_protocol_is_refused),
		cmocka_unit_test(wrong_answers_are_refused),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
