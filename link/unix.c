/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* unix.c: the transport over Unix sockets (see stream.h). */
#include "link/stream.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define BACKLOG 32

struct unix_stream {
	struct tw_stream base;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* listeners only; else empty */
};

/* Takes `fd` over. NULL if memory runs out. */
static struct unix_stream *stream_new(int fd)
{
	struct unix_stream *stream = tw_alloc(sizeof(*stream));

	if (!stream) {
		close(fd);
		return NULL;
	}
	stream->base.transport = &tw_unix_transport;
	stream->base.fd = fd;
	stream->base.open = true;
	return stream;
}

static int address_of(const char *path, struct sockaddr_un *ret)
{
	ret->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(ret->sun_path))
		return -ENAMETOOLONG;
	strcpy(ret->sun_path, path);
	return 0;
}

static int unix_dial(
	const char *path, const struct tw_dial_options *options, struct tw_stream **ret)
{
	struct sockaddr_un address = {0};
	struct unix_stream *stream;
	tw_autofd int fd = -1;
	int code = address_of(path, &address);

	if (code < 0)
		return code;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	stream = stream_new(TW_TAKE_FD(fd));
	if (!stream)
		return -ENOMEM;
	*ret = &stream->base;
	return 0;
}

static int make_folder(const char *path)
{
	tw_autofree char *folder = tw_strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return -ENOMEM;
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	return mkdir(folder, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* Binds the socket. Root and the members of `group` may connect; NULL: root only. The umask keeps
 * other users out from the start. */
static int bind_file(int fd, const struct sockaddr_un *address, const struct group *group)
{
	const char *path = address->sun_path;
	mode_t mask;
	int code;

	unlink(path);
	mask = umask(0177);
	code = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
	umask(mask);
	if (!code && group && chown(path, (uid_t)-1, group->gr_gid) < 0)
		code = -errno;
	if (!code && chmod(path, 0660) < 0)
		code = -errno;
	if (!code && listen(fd, BACKLOG) < 0)
		code = -errno;
	return code;
}

static int unix_listen(
	const char *path, const struct tw_listen_options *options, struct tw_stream **ret)
{
	struct sockaddr_un address = {0};
	const struct group *group = options->group ? getgrnam(options->group) : NULL;
	struct unix_stream *stream;
	tw_autofd int fd = -1;
	int code = address_of(path, &address);

	if (!code)
		code = make_folder(path);
	if (code < 0)
		return code;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	code = fd < 0 ? -errno : bind_file(fd, &address, group);
	if (code < 0)
		return code;
	stream = stream_new(TW_TAKE_FD(fd));
	if (!stream)
		return -ENOMEM;
	strcpy(stream->path, path);
	if (options->group && !group)
		snprintf(stream->base.why, sizeof(stream->base.why),
			"only root may connect, as there is no group %.64s", options->group);
	*ret = &stream->base;
	return 0;
}

static int unix_accept(struct tw_stream *listener, struct tw_stream **ret)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	struct unix_stream *stream;
	int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), code;

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		code = -errno;
		close(fd);
		return code;
	}
	stream = stream_new(fd);
	if (!stream)
		return -ENOMEM;
	stream->base.user = peer.uid;
	*ret = &stream->base;
	return 0;
}

static ssize_t unix_read(struct tw_stream *stream, void *bytes, size_t max, bool wait)
{
	ssize_t n;

	do
		n = recv(stream->fd, bytes, max, wait ? 0 : MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static ssize_t unix_write(struct tw_stream *stream, const void *bytes, size_t len, bool wait)
{
	ssize_t n;

	do
		n = send(stream->fd, bytes, len, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int unix_set_timeout(struct tw_stream *stream, unsigned int seconds)
{
	struct timeval timeout = {.tv_sec = seconds};

	if (setsockopt(stream->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
		setsockopt(stream->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	return 0;
}

static void unix_close(struct tw_stream *base)
{
	struct unix_stream *stream = (struct unix_stream *)base;

	if (stream->path[0])
		unlink(stream->path);
	close(base->fd);
	free(stream);
}

const struct tw_transport tw_unix_transport = {
	.scheme = "unix",
	.dial = unix_dial,
	.listen = unix_listen,
	.accept = unix_accept,
	.read = unix_read,
	.write = unix_write,
	.set_timeout = unix_set_timeout,
	.close = unix_close,
};
