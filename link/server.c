/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define READ_BYTES 65536
#define BACKLOG	   32
#define GROUP	   "tapwall"

struct client {
	struct tw_server *server;
	struct client *next;
	struct tw_watch watch;
	int fd;
	uid_t uid;
	uint32_t events; /* asked of epoll */
	struct tw_buf in;
	struct tw_buf out;
	size_t sent;		     /* of out */
	struct tw_responses *answer; /* NULL: none is under way */
	bool waits;		     /* the answer has nothing now */
	bool stopped;		     /* the answer was asked to end */
	uint64_t frame_ns;	     /* when the unfinished request began; 0: there is none */
	uint64_t moved_ns;	     /* when bytes last went either way */
};

struct tw_server {
	struct tw_server_options options;
	struct tw_watch watch;
	int fd;
	struct client *clients;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* ---- one client ---- */

static void client_free(struct client *client)
{
	struct tw_server *server = client->server;
	struct client **at = &server->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	tw_loop_remove(server->options.loop, &client->watch);
	if (client->answer)
		client->answer->done(client->answer);
	tw_buf_done(&client->in);
	tw_buf_done(&client->out);
	close(client->fd);
	free(client);
}

/* Sends what there is; 0, or a negative errno when the client is gone. */
static int flush_out(struct client *client)
{
	while (client->sent < client->out.len) {
		ssize_t n = send(client->fd, client->out.data + client->sent,
			client->out.len - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		client->sent += (size_t)n;
		client->moved_ns = tw_clock_ns();
	}
	client->sent = 0;
	tw_buf_reset(&client->out);
	return 0;
}

/* ---- shares ---- */

/* What users have: one of them, or all but root. */
struct share {
	unsigned int n_clients;
	size_t in_bytes;
};

static bool is_of(const struct client *client, const uid_t *uid)
{
	return uid ? client->uid == *uid : client->uid != 0;
}

static struct share share_of(const struct tw_server *server, const uid_t *uid)
{
	struct share share = {0};

	for (const struct client *client = server->clients; client; client = client->next)
		if (is_of(client, uid)) {
			share.n_clients++;
			share.in_bytes += client->in.max;
		}
	return share;
}

/* The user other than root that has the most, by clients or by bytes. */
static uid_t greediest(const struct tw_server *server, bool by_bytes)
{
	size_t most = 0;
	uid_t found = 0;

	for (const struct client *client = server->clients; client; client = client->next) {
		struct share share = share_of(server, &client->uid);
		size_t has = by_bytes ? share.in_bytes : share.n_clients;

		if (client->uid && has > most) {
			most = has;
			found = client->uid;
		}
	}
	return found;
}

static bool is_idle(const struct client *client)
{
	return !client->answer && !client->out.len && !client->in.len;
}

/* Returns the client of a user, other than `except`, to be closed. To free a place: the one that has been
 * idle longest. If none is idle, or to free bytes: the one whose request has been unfinished longest. */
static struct client *dispensable(
	struct tw_server *server, uid_t uid, const struct client *except, bool for_bytes)
{
	struct client *idle = NULL, *unfinished = NULL;

	for (struct client *client = server->clients; client; client = client->next) {
		if (client == except || client->uid != uid)
			continue;
		if (is_idle(client) && (!idle || client->moved_ns < idle->moved_ns))
			idle = client;
		if (client->frame_ns && !client->answer &&
			(!unfinished || client->frame_ns < unfinished->frame_ns))
			unfinished = client;
	}
	return idle && !for_bytes ? idle : unfinished;
}

/* After bytes came for a client: keeps users within theirs. 0, or -EMSGSIZE if this client is to go. */
static int make_room(struct client *client)
{
	struct tw_server *server = client->server;

	while (share_of(server, &client->uid).in_bytes > TW_SERVER_USER_IN_MAX) {
		struct client *other = dispensable(server, client->uid, client, true);

		if (!other)
			return -EMSGSIZE;
		client_free(other);
	}
	while (share_of(server, NULL).in_bytes > TW_SERVER_IN_MAX) {
		struct client *other = dispensable(server, greediest(server, true), client, true);

		if (!other)
			return -EMSGSIZE;
		client_free(other);
	}
	return 0;
}

/* Makes a place for a client of this user; false if there is none. */
static bool make_place(struct tw_server *server, uid_t uid)
{
	struct client *other = NULL;

	if (share_of(server, &uid).n_clients >= TW_SERVER_USER_CLIENTS)
		other = dispensable(server, uid, NULL, false);
	else if (uid && share_of(server, NULL).n_clients >= TW_SERVER_CLIENTS)
		other = dispensable(server, greediest(server, false), NULL, false);
	else
		return true;
	if (other)
		client_free(other);
	return other != NULL;
}

/* ---- one client's requests ---- */

/* Reads once; 0, or a negative errno when the client is gone or asks too much. */
static int fill_in(struct client *client)
{
	char data[READ_BYTES];
	ssize_t n = recv(client->fd, data, sizeof(data), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (!n)
		return -EPIPE;
	tw_buf_add(&client->in, data, (size_t)n);
	if (client->in.failed)
		return -ENOMEM;
	client->moved_ns = tw_clock_ns();
	if (!client->frame_ns)
		client->frame_ns = client->moved_ns;
	return make_room(client);
}

static void drop_in(struct client *client, size_t len)
{
	struct tw_buf *in = &client->in;

	memmove(in->data, in->data + len, in->len - len);
	in->len -= len;
	client->frame_ns = in->len ? tw_clock_ns() : 0;
	if (in->len)
		return;
	/* One great request must not keep its memory for as long as the client stays. */
	tw_buf_done(in);
}

/* Takes one whole request, if there is one, and starts its answer: 1, 0, or a negative errno. */
static int take_request(struct client *client)
{
	const struct tw_server_options *options = &client->server->options;
	Tapwall__V1__Request *request;
	const uint8_t *body;
	size_t body_len;
	long len;
	int ret;

	len = tw_link_frame((const uint8_t *)client->in.data, client->in.len, &body, &body_len);
	if (len <= 0)
		return (int)len;
	request = tw_link_unpack_request(body, body_len);
	if (!request)
		return -EBADMSG;
	ret = options->start(options->context, request, &client->out, &client->answer);
	tapwall__v1__request__free_unpacked(request, NULL);
	drop_in(client, (size_t)len);
	return ret < 0 ? ret : 1;
}

/* Asks the answer for its next part: 1 when there is more to do at once, 0, or a negative errno. */
static int take_responses(struct client *client)
{
	int state = client->answer->next(
		client->answer, client->server->options.context, &client->out);

	if (state < 0)
		return state;
	if (client->out.failed)
		return -ENOMEM;
	client->waits = state == TW_RESPONSES_WAIT;
	if (state == TW_RESPONSES_END) {
		client->answer->done(client->answer);
		client->answer = NULL;
	}
	return !client->waits;
}

static int watch_events(struct client *client, bool more)
{
	uint32_t events = 0;

	if (!client->answer && !client->out.len)
		events |= EPOLLIN;
	if (client->out.len || more)
		events |= EPOLLOUT;
	if (client->answer && client->answer->stop && !client->stopped)
		events |= EPOLLRDHUP;
	if (events == client->events)
		return 0;
	client->events = events;
	return tw_loop_change(client->server->options.loop, &client->watch, events);
}

/* One bounded step for a client; a negative errno when it is to be let go. */
static int serve(struct client *client)
{
	/* As long as a client has not taken what it was told, there may be more for it. */
	bool more = true;
	int ret = 0;

	if (client->out.len < TW_SERVER_OUT_SOFT) {
		if (!client->answer)
			ret = take_request(client);
		else if (!client->waits)
			ret = take_responses(client);
		more = ret > 0;
	}
	if (ret >= 0)
		ret = flush_out(client);
	if (ret >= 0)
		ret = watch_events(client, more);
	return ret;
}

static void stop_answer(struct client *client)
{
	client->stopped = true;
	client->waits = false;
	client->answer->stop(client->answer);
}

static void on_client(void *arg, uint32_t events)
{
	struct client *client = arg;
	int ret = 0;

	/* A follower asks nothing more, so reading tells only that it left. */
	if (events & (EPOLLERR | EPOLLHUP))
		ret = -EPIPE;
	else if (events & EPOLLIN)
		ret = fill_in(client);
	else if (events & EPOLLRDHUP && client->answer && client->answer->stop)
		stop_answer(client);
	if (ret >= 0)
		ret = serve(client);
	if (ret < 0)
		client_free(client);
}

/* ---- all clients ---- */

static void on_listen(void *arg, uint32_t events)
{
	struct tw_server *server = arg;
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	struct client *client;
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	client = !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
				 make_place(server, peer.uid)
			 ? tw_alloc(sizeof(*client))
			 : NULL;
	if (!client) {
		close(fd);
		return;
	}
	client->server = server;
	client->fd = fd;
	client->uid = peer.uid;
	client->events = EPOLLIN;
	client->moved_ns = tw_clock_ns();
	if (tw_loop_add(server->options.loop, &client->watch, fd, EPOLLIN, on_client, client) < 0) {
		close(fd);
		free(client);
		return;
	}
	client->next = server->clients;
	server->clients = client;
}

void tw_server_pump(struct tw_server *server)
{
	struct client *client, *next;

	for (client = server ? server->clients : NULL; client; client = next) {
		next = client->next;
		if (!client->waits)
			continue;
		client->waits = false;
		if (serve(client) < 0)
			client_free(client);
	}
}

static bool over_time(const struct client *client, uint64_t now)
{
	if (client->frame_ns && !client->answer && now - client->frame_ns > TW_SERVER_FRAME_NS)
		return true;
	if (client->waits)
		return false;
	if (client->out.len || client->answer)
		return now - client->moved_ns > TW_SERVER_STALL_NS;
	return now - client->moved_ns > TW_SERVER_IDLE_NS;
}

void tw_server_tick(struct tw_server *server)
{
	uint64_t now = tw_clock_ns();
	struct client *client, *next;

	for (client = server->clients; client; client = next) {
		next = client->next;
		if (over_time(client, now))
			client_free(client);
	}
}

/* ---- the socket ---- */

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

/* Root and the group may talk to the agent; the file is never open wider, not for an instant. */
static int bind_socket(struct tw_server *server)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	const struct group *group = getgrnam(GROUP);
	mode_t mask;
	int ret;

	memcpy(addr.sun_path, server->path, sizeof(addr.sun_path));
	unlink(server->path);
	mask = umask(0177);
	ret = bind(server->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ? -errno : 0;
	umask(mask);
	if (!ret && group && chown(server->path, 0, group->gr_gid) < 0)
		ret = -errno;
	if (!ret && chmod(server->path, 0660) < 0)
		ret = -errno;
	if (!ret && listen(server->fd, BACKLOG) < 0)
		ret = -errno;
	return ret;
}

int tw_server_new(
	const struct tw_server_options *options, struct tw_server **ret, struct tw_err *err)
{
	const char *path = options->path;
	struct tw_server *server;
	int result;

	if (strlen(path) >= sizeof(server->path))
		return tw_err_set(err, -ENAMETOOLONG, "--socket", NULL,
			"%s is longer than a socket's path may be", path);
	server = tw_alloc(sizeof(*server));
	if (!server)
		return tw_err_set(err, -ENOMEM, "--socket", NULL, "out of memory");
	server->options = *options;
	server->watch.fd = -1;
	snprintf(server->path, sizeof(server->path), "%s", path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	result = server->fd < 0 ? -errno : make_folder(path);
	if (!result)
		result = bind_socket(server);
	if (!result)
		result = tw_loop_add(
			options->loop, &server->watch, server->fd, EPOLLIN, on_listen, server);
	if (result < 0) {
		tw_server_free(server);
		return tw_err_set(
			err, result, path, "choose another --socket", "%s", strerror(-result));
	}
	*ret = server;
	return 0;
}

void tw_server_free(struct tw_server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	tw_loop_remove(server->options.loop, &server->watch);
	if (server->fd >= 0) {
		unlink(server->path);
		close(server->fd);
	}
	free(server);
}
