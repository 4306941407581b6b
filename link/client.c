/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/link.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "link/stream.h"

#define READ_CHUNK (64u << 10)

/* The bytes [start, in.len) of `in` are received but not yet returned. */
struct tw_link_client {
	struct tw_stream *stream;
	struct tw_buf in;
	size_t start;
	char *address;
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

int tw_link_connect(const char *address, struct tw_link_client **ret, struct tw_err *err)
{
	tw_auto(tw_link_client) struct tw_link_client *client = tw_alloc(sizeof(*client));
	int code;

	if (client)
		client->address = tw_strdup(address);
	if (!client || !client->address)
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

bool tw_link_client_has_more(const struct tw_link_client *client)
{
	const uint8_t *body;
	size_t body_len;

	return client->in.len > client->start &&
	       tw_link_frame((const uint8_t *)client->in.data + client->start,
		       client->in.len - client->start, &body, &body_len) > 0;
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
static int transfer_error(struct tw_err *err, int code, const char *path)
{
	if (code == -EAGAIN || code == -EWOULDBLOCK)
		return tw_err_set(err, -ETIMEDOUT, path, "see what tapwalld logs",
			"the agent does not answer");
	if (code == -EPIPE || code == -ECONNRESET)
		return tw_err_set(err, -EPIPE, path, "see what tapwalld logs",
			"the agent closed the connection");
	return tw_err_set(err, code, path, NULL, "%s", strerror(-code));
}

int tw_link_send(struct tw_link_client *client, Tapwall__V1__Request *request, struct tw_err *err)
{
	tw_auto_buf struct tw_buf out = {0};
	int code = tw_link_pack(&out, &request->base);

	if (code == -EMSGSIZE)
		return tw_err_set(err, code, client->address, "send less at once",
			"the request is larger than %u MiB", TW_LINK_FRAME_MAX >> 20);
	if (code < 0)
		return transfer_error(err, code, client->address);
	for (size_t sent = 0; sent < out.len;) {
		ssize_t n = tw_stream_write(client->stream, out.data + sent, out.len - sent, true);

		if (n < 0)
			return transfer_error(err, (int)n, client->address);
		sent += (size_t)n;
	}
	return 0;
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
	if (n == -EAGAIN && !wait)
		return 0;
	if (n < 0)
		return transfer_error(err, (int)n, client->address);
	if (n == 0)
		return transfer_error(err, -EPIPE, client->address);
	return 0;
}

/* Takes a whole response from the buffer. Returns 1, 0 if there is none, or a negative errno. */
static int take_response(
	struct tw_link_client *client, Tapwall__V1__Response **ret, struct tw_err *err)
{
	const char *hint = "check that it is tapwalld's socket";
	const char *text = "the peer does not speak tapwall's protocol";
	const uint8_t *body = NULL;
	size_t body_len = 0;
	long len = 0;

	if (client->in.len > client->start)
		len = tw_link_frame((const uint8_t *)client->in.data + client->start,
			client->in.len - client->start, &body, &body_len);
	if (len < 0)
		return tw_err_set(err, (int)len, client->address, hint, "%s", text);
	if (!len)
		return 0;
	*ret = tw_link_unpack_response(body, body_len);
	if (!*ret)
		return tw_err_set(err, -EBADMSG, client->address, hint, "%s", text);
	client->start += (size_t)len;
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
