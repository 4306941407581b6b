/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/link.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "link/stream.h"

#define READ_CHUNK	 (64u << 10)
#define GREETING_SECONDS 5
#define LENT_MAX	 (64u << 10) /* a part of TW_PEER_WINDOW; more would delay the other end */

#define HOST_LEN 65
#define TCP	 "tls:" /* scheme that errors leave out */

/* The bytes [start, in.len) of `in` are received but not yet returned. */
struct tw_link_client {
	struct tw_stream *stream;
	struct tw_buf in;
	size_t start;
	char *address;
	bool far;	    /* the other end sends requests, too, and streams have windows */
	uint64_t stream_id; /* stream whose received bytes are counted */
	size_t lent;	    /* bytes of it since its window was last enlarged */
	uint64_t heard_ns;
};

static int connect_error(struct tw_err *err, int code, const char *address)
{
	const char *hint = "start tapwalld, or name its socket with --socket";

	if (code == -ENAMETOOLONG)
		hint = "use a shorter path";
	else if (code == -EPROTONOSUPPORT)
		hint = "write a path, or unix:PATH";
	else if (code == -EACCES || code == -EPERM)
		hint = "run as root or as a member of the group tapwall";
	return tw_err_set(err, code, address, hint, "cannot reach the agent: %s", strerror(-code));
}

/* Describes why the slow path could not be reached by TLS. */
static int far_error(struct tw_err *err, int code, const char *where, const char *why)
{
	if (code == -EINVAL)
		return tw_err_set(err, code, where,
			"write HOST:PORT, [ADDRESS]:PORT for IPv6, or vsock:CID:PORT",
			"is not an address");
	return tw_err_set(err, code, where, "see what tapwall-slowd logs",
		"cannot reach tapwall-slowd: %s",
		why[0]			 ? why
		: code == -EADDRNOTAVAIL ? "cannot look up the name"
		: code == -EAGAIN	 ? "no answer within 5 s"
					 : strerror(-code));
}

static int client_new(const char *address, struct tw_link_client **ret)
{
	struct tw_link_client *client = tw_alloc(sizeof(*client));

	if (!client)
		return -ENOMEM;
	client->address = tw_strdup(address);
	client->heard_ns = tw_clock_ns();
	*ret = client;
	return client->address ? 0 : -ENOMEM;
}

int tw_link_connect(const char *address, struct tw_link_client **ret, struct tw_err *err)
{
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	int code;

	if (client_new(address, &client) < 0)
		return tw_err_set(err, -ENOMEM, address, NULL, "out of memory");
	code = tw_stream_dial(
		&(struct tw_dial_options){.address = address, .wait = true}, &client->stream);
	if (code < 0)
		return connect_error(err, code, address);
	*ret = TW_TAKE_PTR(client);
	return 0;
}

void tw_link_client_free(struct tw_link_client *client)
{
	if (!client)
		return;
	tw_stream_close(client->stream);
	tw_buf_done(&client->in);
	free(client->address);
	free(client);
}

/* Finds the frame at `start` of the buffer, as tw_link_frame_either() does. */
static long find_frame(const struct tw_link_client *client, size_t start, bool *ret_request,
	const uint8_t **ret_body, size_t *ret_body_len)
{
	const uint8_t *data = (const uint8_t *)client->in.data + start;
	size_t left = client->in.len - start;

	*ret_request = false;
	if (!left)
		return 0;
	return client->far ? tw_link_frame_either(data, left, ret_request, ret_body, ret_body_len)
			   : tw_link_frame(data, left, ret_body, ret_body_len);
}

bool tw_link_client_has_more(const struct tw_link_client *client)
{
	size_t start = client->start, body_len;
	const uint8_t *body;
	bool is_request;
	long len;

	do {
		len = find_frame(client, start, &is_request, &body, &body_len);
		start += len > 0 ? (size_t)len : 0;
	} while (len > 0 && is_request);
	return len > 0;
}

uint64_t tw_link_client_heard_ns(const struct tw_link_client *client)
{
	return client->heard_ns;
}

int tw_link_client_fd(const struct tw_link_client *client)
{
	return client->stream->fd;
}

int tw_link_client_set_timeout(struct tw_link_client *client, unsigned int seconds)
{
	return tw_stream_set_timeout(client->stream, seconds);
}

/* Describes a failed transfer to the user. */
static int transfer_error(const struct tw_link_client *client, int code, struct tw_err *err)
{
	const char *path = client->address;

	if (client->far)
		return far_error(err, code, path,
			client->stream->why[0] ? client->stream->why
			: code == -EPIPE       ? "the connection was closed by the peer"
					       : "");
	if (code == -EAGAIN || code == -EWOULDBLOCK)
		return tw_err_set(err, -ETIMEDOUT, path, "see what tapwalld logs",
			"the agent does not answer");
	if (code == -EPIPE || code == -ECONNRESET)
		return tw_err_set(err, -EPIPE, path, "see what tapwalld logs",
			"the agent closed the connection");
	return tw_err_set(err, code, path, NULL, "%s", strerror(-code));
}

static int send_bytes(struct tw_link_client *client, const struct tw_buf *out, struct tw_err *err)
{
	for (size_t sent = 0; sent < out->len;) {
		ssize_t n = tw_stream_write(
			client->stream, out->data + sent, out->len - sent, true);

		if (n < 0)
			return transfer_error(client, (int)n, err);
		sent += (size_t)n;
	}
	return 0;
}

int tw_link_send(struct tw_link_client *client, Tapwall__V1__Request *request, struct tw_err *err)
{
	tw_auto_buf struct tw_buf out = {0};
	int code = client->far ? tw_link_pack_request(&out, request)
			       : tw_link_pack(&out, &request->base);

	if (code == -EMSGSIZE)
		return tw_err_set(err, code, client->address, "send less at once",
			"the request is larger than %u MiB", TW_LINK_FRAME_MAX >> 20);
	if (code < 0)
		return transfer_error(client, code, err);
	return send_bytes(client, &out, err);
}

/* ---- duties of a peer ---- */

/* Answers a request of the other end: a greeting, or one that a client does not know. */
static int answer_request(
	struct tw_link_client *client, const Tapwall__V1__Request *request, struct tw_err *err)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Hello hello = TAPWALL__V1__HELLO__INIT;
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	tw_auto_buf struct tw_buf out = {0};
	char host[HOST_LEN] = "";
	int code;

	if (request->body_case == TAPWALL__V1__REQUEST__BODY_MORE ||
		request->body_case == TAPWALL__V1__REQUEST__BODY_CANCEL)
		return 0;
	response.id = request->id;
	response.last = true;
	if (request->body_case == TAPWALL__V1__REQUEST__BODY_HELLO) {
		gethostname(host, sizeof(host) - 1);
		hello.version = (char *)(uintptr_t)TW_VERSION;
		hello.protocol = TW_LINK_PROTOCOL;
		hello.host = host;
		response.body_case = TAPWALL__V1__RESPONSE__BODY_HELLO;
		response.hello = &hello;
	} else {
		error.code = EOPNOTSUPP;
		error.place = (char *)(uintptr_t) "request";
		error.text = (char *)(uintptr_t) "unknown request";
		response.error = &error;
	}
	code = tw_link_pack(&out, &response.base);
	return code < 0 ? transfer_error(client, code, err) : send_bytes(client, &out, err);
}

/* Enlarges the window of the counted stream by the bytes received of it. */
static int enlarge_window(struct tw_link_client *client, struct tw_err *err)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__MoreRequest more = TAPWALL__V1__MORE_REQUEST__INIT;

	request.id = client->stream_id;
	more.bytes = (uint32_t)client->lent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_MORE;
	request.more = &more;
	client->lent = 0;
	return tw_link_send(client, &request, err);
}

/* Counts `len` bytes of a stream that were received. */
static int count_lent(struct tw_link_client *client, const Tapwall__V1__Response *response,
	size_t len, struct tw_err *err)
{
	int code = 0;

	if (response->last)
		return 0;
	if (client->lent && response->id != client->stream_id)
		code = enlarge_window(client, err);
	client->stream_id = response->id;
	client->lent += len;
	return !code && client->lent >= LENT_MAX ? enlarge_window(client, err) : code;
}

static int not_tapwall(const struct tw_link_client *client, int code, struct tw_err *err)
{
	return tw_err_set(err, code, client->address, "check that it is tapwalld's socket",
		"the peer does not speak tapwall's protocol");
}

/* Moves the unread bytes to the front of the buffer and reads once. Without `wait`, there may be
 * nothing to read. */
static int fill(struct tw_link_client *client, bool wait, struct tw_err *err)
{
	size_t left = client->in.len - client->start;
	char *room;
	ssize_t n;

	if (client->start) {
		memmove(client->in.data, client->in.data + client->start, left);
		client->in.len = left;
		client->start = 0;
	}
	room = tw_buf_extend(&client->in, READ_CHUNK);
	if (!room) {
		client->in.failed = false;
		return tw_err_set(err, -ENOMEM, client->address, NULL, "out of memory");
	}
	n = tw_stream_read(client->stream, room, READ_CHUNK, wait);
	client->in.len = left + (n > 0 ? (size_t)n : 0);
	if (n > 0)
		client->heard_ns = tw_clock_ns();
	if (n == -EAGAIN && !wait)
		return 0;
	if (n < 0)
		return transfer_error(client, (int)n, err);
	if (n == 0)
		return transfer_error(client, -EPIPE, err);
	return 0;
}

/* Waits for the greeting, which comes only after the slow path has accepted this end. If this
 * end sent anything earlier, a reset could discard the alert that says why it is refused. */
int tw_link_connect_far(const char *address, struct tw_identity *identity,
	struct tw_link_client **ret, struct tw_err *err)
{
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	const char *where = !strncmp(address, TCP, strlen(TCP)) ? address + strlen(TCP) : address;
	char why[TW_STREAM_WHY_MAX] = "";
	const struct tw_dial_options options = {
		.address = address, .identity = identity, .wait = true, .why = why};
	const uint8_t *body;
	bool is_request;
	size_t body_len;
	int code;

	if (client_new(where, &client) < 0)
		return tw_err_set(err, -ENOMEM, where, NULL, "out of memory");
	code = tw_stream_dial(&options, &client->stream);
	if (code < 0)
		return far_error(err, code, where, why);
	client->far = true;
	tw_stream_set_timeout(client->stream, GREETING_SECONDS);
	while (!code && !find_frame(client, 0, &is_request, &body, &body_len))
		code = fill(client, true, err);
	tw_stream_set_timeout(client->stream, 0);
	if (code < 0)
		return code;
	*ret = TW_TAKE_PTR(client);
	return 0;
}

/* Handles a request in the buffer. */
static int take_request(
	struct tw_link_client *client, const uint8_t *body, size_t body_len, struct tw_err *err)
{
	Tapwall__V1__Request *request = tw_link_unpack_request(body, body_len);
	int code;

	if (!request)
		return not_tapwall(client, -EBADMSG, err);
	code = answer_request(client, request, err);
	tapwall__v1__request__free_unpacked(request, NULL);
	return code;
}

/* Takes a whole response from the buffer, and handles the requests before it. Returns 1, 0 if there is
 * none, or a negative errno. */
static int take_response(
	struct tw_link_client *client, Tapwall__V1__Response **ret, struct tw_err *err)
{
	Tapwall__V1__Response *response;
	const uint8_t *body;
	bool is_request;
	size_t body_len;
	long len;
	int code;

	for (;;) {
		len = find_frame(client, client->start, &is_request, &body, &body_len);
		if (len < 0)
			return not_tapwall(client, (int)len, err);
		if (!len || !is_request)
			break;
		client->start += (size_t)len;
		code = take_request(client, body, body_len, err);
		if (code < 0)
			return code;
	}
	if (!len)
		return 0;
	response = tw_link_unpack_response(body, body_len);
	if (!response)
		return not_tapwall(client, -EBADMSG, err);
	client->start += (size_t)len;
	code = client->far ? count_lent(client, response, body_len, err) : 0;
	if (code < 0) {
		tapwall__v1__response__free_unpacked(response, NULL);
		return code;
	}
	*ret = response;
	return 1;
}

int tw_link_receive(struct tw_link_client *client, Tapwall__V1__Response **ret, struct tw_err *err)
{
	Tapwall__V1__Response *response = NULL;
	int code;

	while (!(code = take_response(client, &response, err))) {
		code = fill(client, true, err);
		if (code < 0)
			return code;
	}
	if (code < 0)
		return code;
	*ret = response;
	return 0;
}

/* Waits until there is something to read, or until `due_ns`. Returns 0 or a negative errno. */
static int wait_readable(const struct tw_link_client *client, bool for_ever, uint64_t due_ns)
{
	struct pollfd poll_fd = {.fd = client->stream->fd, .events = POLLIN};
	uint64_t now = tw_clock_ns();
	uint64_t left_ms = due_ns > now ? (due_ns - now + 999999) / 1000000 : 0;
	int n = poll(&poll_fd, 1, for_ever ? -1 : (int)left_ms);

	return n > 0 ? 0 : n < 0 ? -errno : -EAGAIN;
}

int tw_link_receive_within(
	struct tw_link_client *client, int wait_ms, Tapwall__V1__Response **ret, struct tw_err *err)
{
	uint64_t due_ns = tw_clock_ns() + (wait_ms > 0 ? (uint64_t)wait_ms * 1000000 : 0);
	Tapwall__V1__Response *response = NULL;
	int code;

	while (!(code = take_response(client, &response, err))) {
		code = wait_readable(client, wait_ms < 0, due_ns);
		if (code < 0)
			return tw_err_set(err, code, client->address, NULL, "%s",
				code == -EAGAIN ? "nothing came in time" : strerror(-code));
		code = fill(client, false, err);
		if (code < 0)
			return code;
	}
	if (code < 0)
		return code;
	*ret = response;
	return 0;
}
