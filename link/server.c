/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"

#define READ_BYTES 65536
#define OUT_KEPT   ((size_t)1 << 20) /* bytes of memory for answers that a client keeps */

/* An answer in progress. */
struct answer {
	struct tw_responses *responses;
	bool waits; /* it has nothing to send until tw_server_pump() */
};

struct client {
	struct tw_server *server;
	struct client *next;
	struct tw_watch watch;
	struct tw_stream *stream;
	enum tw_role role;
	uint32_t events; /* events registered with epoll */
	struct tw_buf in;
	struct tw_buf out;
	size_t sent; /* bytes of `out` already sent */
	struct answer answers[TW_SERVER_ANSWERS];
	unsigned int n_answers;
	unsigned int turn; /* number of the answer whose turn is next; never wraps */
	bool ended;	   /* the client sends no more */
	bool blocked;	   /* a request waits until the user has fewer streams */
	uint64_t frame_ns; /* time when the unfinished request began; 0: none */
	uint64_t moved_ns; /* time of the last transfer in either direction */
};

struct listener {
	struct tw_server *server;
	struct tw_watch watch;
	struct tw_stream *stream;
	enum tw_role role;
};

struct tw_server {
	struct tw_server_options options;
	struct listener listeners[TW_SERVER_LISTENERS];
	unsigned int n_listeners;
	struct client *clients;
	uint32_t user; /* of the client whose request starts */
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
	for (unsigned int i = 0; i < client->n_answers; i++)
		client->answers[i].responses->done(client->answers[i].responses);
	tw_buf_done(&client->in);
	tw_buf_done(&client->out);
	tw_stream_close(client->stream);
	free(client);
}

/* Sends what is buffered. Returns 0, or a negative errno if the client is gone. */
static int flush_out(struct client *client)
{
	while (client->sent < client->out.len) {
		ssize_t n = tw_stream_write(client->stream, client->out.data + client->sent,
			client->out.len - client->sent, false);

		if (n < 0)
			return n == -EAGAIN ? 0 : (int)n;
		client->sent += (size_t)n;
		client->moved_ns = tw_clock_ns();
	}
	client->sent = 0;
	/* The memory of a large answer must not stay for as long as the client does. */
	if (client->out.max > OUT_KEPT)
		tw_buf_done(&client->out);
	else
		tw_buf_reset(&client->out);
	return 0;
}

/* ---- shares ---- */

/* Resources in use by one user, or by all users but root. */
struct share {
	unsigned int n_clients;
	unsigned int n_answers;
	size_t in_bytes;
	size_t out_bytes;
};

static bool is_of(const struct client *client, const uint32_t *user)
{
	return user ? client->stream->user == *user : client->stream->user != 0;
}

static struct share share_of(const struct tw_server *server, const uint32_t *user)
{
	struct share share = {0};

	for (const struct client *client = server->clients; client; client = client->next)
		if (is_of(client, user)) {
			share.n_clients++;
			share.n_answers += client->n_answers;
			share.in_bytes += client->in.max;
			share.out_bytes += client->out.max;
		}
	return share;
}

/* Returns the user other than root that uses most clients or most bytes. */
static uint32_t greediest(const struct tw_server *server, bool by_bytes)
{
	size_t most = 0;
	uint32_t found = 0;

	for (const struct client *client = server->clients; client; client = client->next) {
		struct share share = share_of(server, &client->stream->user);
		size_t has = by_bytes ? share.in_bytes : share.n_clients;

		if (client->stream->user && has > most) {
			most = has;
			found = client->stream->user;
		}
	}
	return found;
}

static bool is_idle(const struct client *client)
{
	return !client->n_answers && !client->out.len && !client->in.len;
}

/* Returns a client of the user, other than `except`, that may be closed. To free a place, it is the
 * one idle for longest or, if none is idle, the one with the oldest unfinished request. To free
 * bytes, it is always the latter. A client that is being answered keeps its place, but not the
 * bytes of its next request. */
static struct client *dispensable(
	struct tw_server *server, uint32_t user, const struct client *except, bool for_bytes)
{
	struct client *idle = NULL, *unfinished = NULL;

	for (struct client *client = server->clients; client; client = client->next) {
		if (client == except || client->stream->user != user)
			continue;
		if (is_idle(client) && (!idle || client->moved_ns < idle->moved_ns))
			idle = client;
		if (client->frame_ns && (for_bytes || !client->n_answers) &&
			(!unfinished || client->frame_ns < unfinished->frame_ns))
			unfinished = client;
	}
	return idle && !for_bytes ? idle : unfinished;
}

/* Keeps users within their limits after a client received bytes. Returns 0, or -EMSGSIZE if this
 * client must be closed. */
static int make_room(struct client *client)
{
	struct tw_server *server = client->server;

	while (share_of(server, &client->stream->user).in_bytes > TW_SERVER_USER_IN_MAX) {
		struct client *other = dispensable(server, client->stream->user, client, true);

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

static unsigned int count_viewers(const struct tw_server *server)
{
	unsigned int n = 0;

	for (const struct client *client = server->clients; client; client = client->next)
		n += client->role == TW_ROLE_VIEWER && client->stream->user;
	return n;
}

/* Makes a place for a client of this user and role. False if there is none. */
static bool make_place(struct tw_server *server, uint32_t user, enum tw_role role)
{
	struct client *other = NULL;

	if (user && role == TW_ROLE_VIEWER && count_viewers(server) >= TW_SERVER_VIEWERS)
		return false;
	if (share_of(server, &user).n_clients >= TW_SERVER_USER_CLIENTS)
		other = dispensable(server, user, NULL, false);
	else if (user && share_of(server, NULL).n_clients >= TW_SERVER_CLIENTS)
		other = dispensable(server, greediest(server, false), NULL, false);
	else
		return true;
	if (other)
		client_free(other);
	return other != NULL;
}

/* ---- one client's requests ---- */

static void stop_answers(struct client *client)
{
	for (unsigned int i = 0; i < client->n_answers; i++) {
		struct answer *answer = &client->answers[i];

		if (!answer->responses->stop)
			continue;
		answer->responses->stop(answer->responses);
		answer->waits = false;
	}
}

/* Reads once. Returns 0, or a negative errno if the client is gone or exceeds a limit. */
static int fill_in(struct client *client)
{
	char data[READ_BYTES];
	ssize_t n = tw_stream_read(client->stream, data, sizeof(data), false);

	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;
	if (!n) {
		client->ended = true;
		stop_answers(client);
		return 0;
	}
	tw_buf_add(&client->in, data, (size_t)n);
	if (client->in.failed)
		return -ENOMEM;
	if (client->role == TW_ROLE_VIEWER && client->in.len > TW_SERVER_VIEWER_IN_MAX)
		return -EMSGSIZE;
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
	/* The memory of a large request must not stay for as long as the client does. */
	tw_buf_done(in);
}

/* True if a client may have another stream. */
static bool may_stream(const struct client *client)
{
	return !client->n_answers ||
	       (client->n_answers < TW_SERVER_ANSWERS &&
		       share_of(client->server, &client->stream->user).n_answers <
			       TW_SERVER_USER_ANSWERS);
}

/* True if answers that the client's user, or all users but root, have not read take too much memory. */
static bool is_behind(const struct client *client)
{
	uint32_t user = client->stream->user;

	return share_of(client->server, &user).out_bytes > TW_SERVER_USER_OUT_MAX ||
	       (user && share_of(client->server, NULL).out_bytes > TW_SERVER_OUT_MAX);
}

static int refuse_request(struct client *client, uint64_t id)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;

	error.code = EBUSY;
	error.place = (char *)(uintptr_t) "request";
	error.text = (char *)(uintptr_t) "large answers have not been read yet";
	error.hint = (char *)(uintptr_t) "try again later";
	response.id = id;
	response.last = true;
	response.error = &error;
	return tw_link_pack(&client->out, &response.base);
}

/* Takes one whole request, if there is one, and starts its answer. Returns 1 if it took one, 0, or
 * a negative errno. */
static int take_request(struct client *client)
{
	const struct tw_server_options *options = &client->server->options;
	struct answer *answer;
	Tapwall__V1__Request *request;
	const uint8_t *body;
	size_t body_len;
	long len;
	int ret;

	len = tw_link_frame((const uint8_t *)client->in.data, client->in.len, &body, &body_len);
	client->blocked = len > 0 && !may_stream(client);
	if (len <= 0 || client->blocked)
		return len < 0 ? (int)len : 0;
	request = tw_link_unpack_request(body, body_len);
	if (!request)
		return -EBADMSG;
	answer = &client->answers[client->n_answers];
	*answer = (struct answer){0};
	client->server->user = client->stream->user;
	/* A large request is in memory twice only here. */
	drop_in(client, (size_t)len);
	if (is_behind(client))
		ret = refuse_request(client, request->id);
	else
		ret = options->start(
			options->context, client->role, request, &client->out, &answer->responses);
	tapwall__v1__request__free_unpacked(request, NULL);
	client->n_answers += answer->responses != NULL;
	return ret < 0 ? ret : 1;
}

/* Lets one answer add its next responses. Returns 1 if there is more to do at once, 0, or a
 * negative errno. */
static int take_part(struct client *client, unsigned int i)
{
	struct answer *answer = &client->answers[i];
	int state = answer->responses->next(
		answer->responses, client->server->options.context, &client->out);

	if (state < 0)
		return state;
	if (client->out.failed)
		return -ENOMEM;
	answer->waits = state == TW_RESPONSES_WAIT;
	if (state == TW_RESPONSES_END) {
		answer->responses->done(answer->responses);
		client->n_answers--;
		memmove(answer, answer + 1, (client->n_answers - i) * sizeof(*answer));
	}
	return !answer->waits || state == TW_RESPONSES_END;
}

/* Serves the answers that are not waiting, in turn, until one has more to send. Returns 1 if there
 * is more to do at once, 0, or a negative errno. */
static int take_responses(struct client *client)
{
	int more = 0;

	for (unsigned int tried = 0; tried < client->n_answers && !more; tried++) {
		unsigned int i = client->turn++ % client->n_answers;

		if (!client->answers[i].waits)
			more = take_part(client, i);
	}
	return more;
}

static int watch_events(struct client *client, bool more)
{
	uint32_t events = 0;

	if (!client->ended && !client->blocked && client->out.len < TW_SERVER_OUT_SOFT)
		events |= EPOLLIN;
	if (client->out.len || more)
		events |= EPOLLOUT;
	if (!client->ended && client->blocked)
		events |= EPOLLRDHUP;
	if (events == client->events)
		return 0;
	client->events = events;
	return tw_loop_change(client->server->options.loop, &client->watch, events);
}

/* Does one bounded step for a client. Returns a negative errno if the client must be closed. */
static int serve(struct client *client)
{
	/* While the output buffer is full, answers may still have more to add. */
	bool more = true;
	int ret = 0, parts;

	if (client->out.len < TW_SERVER_OUT_SOFT) {
		ret = take_request(client);
		parts = ret < 0 ? ret : take_responses(client);
		ret = parts < 0 ? parts : ret | parts;
		more = ret > 0;
	}
	if (ret >= 0)
		ret = flush_out(client);
	if (ret >= 0)
		ret = watch_events(client, more);
	if (!ret && client->ended && !more && !client->n_answers && !client->out.len)
		ret = -EPIPE;
	return ret;
}

static void on_client(void *arg, uint32_t events)
{
	struct client *client = arg;
	int ret = 0;

	if (events & (EPOLLERR | EPOLLHUP)) {
		ret = -EPIPE;
	} else if (events & EPOLLIN) {
		ret = fill_in(client);
	} else if (events & EPOLLRDHUP) {
		client->ended = true;
		stop_answers(client);
	}
	if (ret >= 0)
		ret = serve(client);
	if (ret < 0)
		client_free(client);
}

/* ---- all clients ---- */

static void on_listen(void *arg, uint32_t events)
{
	const struct listener *listener = arg;
	struct tw_server *server = listener->server;
	struct tw_stream *stream;
	struct client *client;

	if (tw_stream_accept(listener->stream, &stream) < 0)
		return;
	client = make_place(server, stream->user, listener->role) ? tw_alloc(sizeof(*client))
								  : NULL;
	if (!client) {
		tw_stream_close(stream);
		return;
	}
	client->server = server;
	client->stream = stream;
	client->role = listener->role;
	client->events = EPOLLIN;
	client->moved_ns = tw_clock_ns();
	if (tw_loop_add(server->options.loop, &client->watch, stream->fd, EPOLLIN, on_client,
		    client) < 0) {
		tw_stream_close(stream);
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
		bool waits = false;

		next = client->next;
		for (unsigned int i = 0; i < client->n_answers; i++) {
			waits |= client->answers[i].waits;
			client->answers[i].waits = false;
		}
		if (waits && serve(client) < 0)
			client_free(client);
	}
}

static bool over_time(const struct client *client, uint64_t now)
{
	bool reads = !client->blocked && client->out.len < TW_SERVER_OUT_SOFT;

	if (client->frame_ns && reads && now - client->frame_ns > TW_SERVER_FRAME_NS)
		return true;
	if (client->out.len)
		return now - client->moved_ns > TW_SERVER_STALL_NS;
	return !client->n_answers && now - client->moved_ns > TW_SERVER_IDLE_NS;
}

void tw_server_tick(struct tw_server *server)
{
	struct client *client, *next;

	for (client = server->clients; client; client = next) {
		next = client->next;
		/* Serving one client may send to the next. */
		if (over_time(client, tw_clock_ns()) || (client->blocked && serve(client) < 0))
			client_free(client);
	}
}

/* ---- listening ---- */

static int listen_error(struct tw_err *err, int code, const struct tw_server_listener *listener)
{
	if (code == -ENAMETOOLONG)
		return tw_err_set(err, code, listener->option, "use a shorter path",
			"%s is too long for the path of a socket", listener->at.address);
	return tw_err_set(err, code, listener->at.address, "choose another address", "%s: %s",
		listener->option, strerror(-code));
}

static int listen_at(
	struct tw_server *server, const struct tw_server_listener *options, struct tw_err *err)
{
	struct listener *listener = &server->listeners[server->n_listeners];
	int code;

	listener->server = server;
	listener->role = options->role;
	listener->watch.fd = -1;
	code = tw_stream_listen(&options->at, &listener->stream);
	if (code < 0)
		return listen_error(err, code, options);
	if (listener->stream->why[0])
		tw_log(TW_LOG_WARNING, "%s: %s", options->at.address, listener->stream->why);
	server->n_listeners++;
	code = tw_loop_add(server->options.loop, &listener->watch, listener->stream->fd, EPOLLIN,
		on_listen, listener);
	return code < 0 ? listen_error(err, code, options) : 0;
}

int tw_server_new(
	const struct tw_server_options *options, struct tw_server **ret, struct tw_err *err)
{
	struct tw_server *server = tw_alloc(sizeof(*server));

	if (!server)
		return tw_err_set(err, -ENOMEM, "start", NULL, "out of memory");
	server->options = *options;
	for (int i = 0; i < TW_SERVER_LISTENERS; i++) {
		int code = options->listeners[i].at.address
				   ? listen_at(server, &options->listeners[i], err)
				   : 0;

		if (code < 0) {
			tw_server_free(server);
			return code;
		}
	}
	*ret = server;
	return 0;
}

uint32_t tw_server_user(const struct tw_server *server)
{
	return server->user;
}

void tw_server_free(struct tw_server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_free(server->clients);
	for (unsigned int i = 0; i < server->n_listeners; i++) {
		tw_loop_remove(server->options.loop, &server->listeners[i].watch);
		tw_stream_close(server->listeners[i].stream);
	}
	free(server);
}
