/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define READ_CHUNK (64u << 10)

/* Bytes [start, in.len) of `in` were received and not handed out yet. */
struct tw_link_client {
	int fd;
	struct tw_buf in;
	size_t start;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

static int connect_error(struct tw_err *err, int code, const char *path)
{
	const char *hint = "start tapwalld, or name its socket with --socket";

	if (code == -EACCES || code == -EPERM)
		hint = "run as root or as a member of the group tapwall";
	return tw_err_set(err, code, path, hint, "cannot reach the agent: %s", strerror(-code));
}

int tw_link_connect(const char *socket_path, struct tw_link_client **ret, struct tw_err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct tw_link_client *client;
	tw_autofd int fd = -1;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return tw_err_set(err, -ENAMETOOLONG, socket_path, "use a shorter path",
			"a socket's path has at most %zu bytes", sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, socket_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return connect_error(err, -errno, socket_path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return connect_error(err, -errno, socket_path);
	client = tw_alloc(sizeof(*client));
	if (!client)
		return tw_err_set(err, -ENOMEM, socket_path, NULL, "out of memory");
	client->fd = TW_TAKE_FD(fd);
	strcpy(client->path, socket_path);
	*ret = client;
	return 0;
}

void tw_link_client_free(struct tw_link_client *client)
{
	if (!client)
		return;
	close(client->fd);
	tw_buf_done(&client->in);
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
	return client->fd;
}

int tw_link_client_set_timeout(struct tw_link_client *client, unsigned int seconds)
{
	struct timeval timeout = {.tv_sec = seconds};

	if (setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
		setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	return 0;
}

/* What a failed send() or recv() means to the person who waits. */
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
		return tw_err_set(err, code, client->path, "send less at once",
			"the request is larger than %u MiB", TW_LINK_FRAME_MAX >> 20);
	if (code < 0)
		return transfer_error(err, code, client->path);
	for (size_t sent = 0; sent < out.len;) {
		ssize_t n = send(client->fd, out.data + sent, out.len - sent, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return transfer_error(err, -errno, client->path);
		sent += (size_t)n;
	}
	return 0;
}

/* Moves what is left to the front of the buffer and adds what one recv() brings. */
static int fill(struct tw_link_client *client, struct tw_err *err)
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
		return tw_err_set(err, -ENOMEM, client->path, NULL, "out of memory");
	}
	do
		n = recv(client->fd, room, READ_CHUNK, 0);
	while (n < 0 && errno == EINTR);
	client->in.len = left + (n > 0 ? (size_t)n : 0);
	if (n < 0)
		return transfer_error(err, -errno, client->path);
	if (n == 0)
		return transfer_error(err, -EPIPE, client->path);
	return 0;
}

int tw_link_receive(struct tw_link_client *client, Tapwall__V1__Response **ret, struct tw_err *err)
{
	const uint8_t *body = NULL;
	size_t body_len = 0;

	for (;;) {
		long len = 0;
		int code;

		if (client->in.len > client->start)
			len = tw_link_frame((const uint8_t *)client->in.data + client->start,
				client->in.len - client->start, &body, &body_len);
		if (len < 0)
			return tw_err_set(err, (int)len, client->path,
				"check that it is tapwalld's socket",
				"what answers does not speak the protocol");
		if (len > 0) {
			Tapwall__V1__Response *response = tw_link_unpack_response(body, body_len);

			if (!response)
				return tw_err_set(err, -EBADMSG, client->path,
					"check that it is tapwalld's socket",
					"what answers does not speak the protocol");
			client->start += (size_t)len;
			*ret = response;
			return 0;
		}
		code = fill(client, err);
		if (code < 0)
			return code;
	}
}
