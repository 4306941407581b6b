/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "link/address.h"
#include "link/stream.h"

#define BACKLOG	    16
#define READ_MAX    4096
#define PATH_SERVED "/metrics"

enum phase {
	PHASE_FREE,
	PHASE_REQUEST,	/* the request is being received */
	PHASE_RESPONSE, /* the response is being sent */
	PHASE_CLOSING,	/* all is sent; waiting for the client to close */
};

struct client {
	struct tw_metrics *metrics;
	struct tw_watch watch;
	enum phase phase;
	int fd;
	uint64_t since_ns;
	size_t sent;
	struct tw_buf in;
	struct tw_buf out;
};

struct tw_metrics {
	struct tw_metrics_options options;
	struct tw_stream *unix_listener; /* NULL: TCP */
	int tcp_fd;			 /* -1: Unix socket */
	struct tw_watch watch;
	struct client clients[TW_METRICS_CLIENTS];
};

/* ---- one connection ---- */

static void close_client(struct client *c)
{
	if (c->phase == PHASE_FREE)
		return;
	tw_loop_remove(c->metrics->options.loop, &c->watch);
	close(c->fd);
	tw_buf_done(&c->in);
	tw_buf_done(&c->out);
	c->phase = PHASE_FREE;
}

static void respond(struct client *c, const char *status, const char *more,
	const struct tw_buf *body, bool with_body)
{
	tw_buf_addf(&c->out,
		"HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
		"Content-Length: %zu\r\n%sConnection: close\r\n\r\n",
		status, body->len, more);
	if (with_body)
		tw_buf_add(&c->out, body->data, body->len);
	c->phase = PHASE_RESPONSE;
}

static void refuse(struct client *c, const char *status, const char *more)
{
	tw_auto_buf struct tw_buf body = {0};

	tw_buf_addf(&body, "%s\n", status + 4);
	respond(c, status, more, &body, true);
}

static void serve_figures(struct client *c, bool with_body)
{
	tw_auto_buf struct tw_buf body = {0};
	int code = c->metrics->options.write(c->metrics->options.context, &body);

	if (code < 0 || body.failed)
		refuse(c, "500 Internal Server Error", "");
	else
		respond(c, "200 OK", "", &body, with_body);
}

/* Answers a request, whose headers end at the end of the buffer or before. The request line is METHOD,
 * target and version, each followed by one space or CR LF (RFC 9112 §3). */
static void answer(struct client *c)
{
	char *line = c->in.data, *end = strstr(line, "\r\n"), *target, *version, *query;

	*end = '\0';
	target = strchr(line, ' ');
	version = target ? strchr(target + 1, ' ') : NULL;
	if (!version || strncmp(version + 1, "HTTP/1.", 7) || strlen(version + 1) != 8 ||
		version[8] < '0' || version[8] > '9') {
		refuse(c, "400 Bad Request", "");
		return;
	}
	*target++ = '\0';
	*version = '\0';
	query = strchr(target, '?');
	if (query)
		*query = '\0';
	if (strcmp(line, "GET") && strcmp(line, "HEAD"))
		refuse(c, "405 Method Not Allowed", "Allow: GET, HEAD\r\n");
	else if (strcmp(target, PATH_SERVED))
		refuse(c, "404 Not Found", "");
	else
		serve_figures(c, line[0] == 'G');
}

/* Receives more of the request. False: the connection is to be closed. */
static bool receive(struct client *c)
{
	char bytes[READ_MAX];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR);
	tw_buf_add(&c->in, bytes, (size_t)n);
	if (c->in.failed)
		return false;
	if (memchr(bytes, '\0', (size_t)n))
		refuse(c, "400 Bad Request", "");
	else if (strstr(c->in.data, "\r\n\r\n"))
		answer(c);
	else if (c->in.len > TW_METRICS_REQUEST_MAX)
		refuse(c, "431 Request Header Fields Too Large", "");
	return !c->out.failed;
}

/* Sends more of the response. False: the connection is to be closed. */
static bool send_more(struct client *c)
{
	ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->sent += (size_t)n;
	if (c->sent < c->out.len)
		return true;
	/* Closing at once would reset the connection if unread bytes of the client are left, and the
	 * response could be lost (RFC 9112 §9.6). */
	c->phase = PHASE_CLOSING;
	return shutdown(c->fd, SHUT_WR) == 0;
}

static bool discard(struct client *c)
{
	char bytes[READ_MAX];
	ssize_t n = read(c->fd, bytes, sizeof(bytes));

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void on_client(void *arg, uint32_t events)
{
	struct client *c = arg;
	bool alive = true;

	if (c->phase == PHASE_REQUEST)
		alive = receive(c);
	else if (c->phase == PHASE_CLOSING)
		alive = discard(c);
	if (alive && c->phase == PHASE_RESPONSE)
		alive = send_more(c);
	if (alive && tw_loop_change(c->metrics->options.loop, &c->watch,
			     c->phase == PHASE_RESPONSE ? EPOLLOUT : EPOLLIN) < 0)
		alive = false;
	if (!alive)
		close_client(c);
}

static void on_listener(void *arg, uint32_t events)
{
	struct tw_metrics *metrics = arg;
	int fd = accept4(metrics->watch.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; i < TW_METRICS_CLIENTS; i++) {
		struct client *c = &metrics->clients[i];

		if (c->phase != PHASE_FREE)
			continue;
		*c = (struct client){
			.metrics = metrics, .fd = fd, .watch.fd = -1, .since_ns = tw_clock_ns()};
		if (tw_loop_add(metrics->options.loop, &c->watch, fd, EPOLLIN, on_client, c) < 0)
			break;
		c->phase = PHASE_REQUEST;
		return;
	}
	close(fd);
}

void tw_metrics_tick(struct tw_metrics *metrics)
{
	uint64_t now = tw_clock_ns();

	for (size_t i = 0; metrics && i < TW_METRICS_CLIENTS; i++)
		if (now - metrics->clients[i].since_ns > metrics->options.limit_ns)
			close_client(&metrics->clients[i]);
}

/* ---- listening ---- */

static int listen_unix(struct tw_metrics *metrics)
{
	const struct tw_listen_options options = {metrics->options.address, "tapwall-view", NULL};

	return tw_unix_transport.listen(options.address, &options, &metrics->unix_listener);
}

static int listen_tcp(struct tw_metrics *metrics)
{
	struct addrinfo *found = NULL;
	tw_autofd int fd = -1;
	const int on = 1;
	int code = tw_address_resolve(
		metrics->options.address, AI_PASSIVE | AI_NUMERICHOST, &found);

	if (code < 0)
		return code;
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
		bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		code = -errno;
	freeaddrinfo(found);
	if (!code)
		metrics->tcp_fd = TW_TAKE_FD(fd);
	return code;
}

int tw_metrics_new(
	const struct tw_metrics_options *options, struct tw_metrics **ret, struct tw_err *err)
{
	struct tw_metrics *metrics = tw_alloc(sizeof(*metrics));
	int code;

	if (!metrics)
		return tw_err_set(err, -ENOMEM, "--metrics", NULL, "no memory");
	metrics->options = *options;
	if (!metrics->options.limit_ns)
		metrics->options.limit_ns = TW_METRICS_NS;
	metrics->tcp_fd = -1;
	metrics->watch.fd = -1;
	code = options->address[0] == '/' ? listen_unix(metrics) : listen_tcp(metrics);
	if (!code)
		code = tw_loop_add(options->loop, &metrics->watch,
			metrics->unix_listener ? metrics->unix_listener->fd : metrics->tcp_fd,
			EPOLLIN, on_listener, metrics);
	if (code < 0) {
		tw_metrics_free(metrics);
		return tw_err_set(err, code, "--metrics",
			"write ADDRESS:PORT, [ADDRESS]:PORT, or the path of a Unix socket",
			"cannot listen at %s: %s", options->address, strerror(-code));
	}
	*ret = metrics;
	return 0;
}

void tw_metrics_free(struct tw_metrics *metrics)
{
	if (!metrics)
		return;
	for (size_t i = 0; i < TW_METRICS_CLIENTS; i++)
		close_client(&metrics->clients[i]);
	tw_loop_remove(metrics->options.loop, &metrics->watch);
	tw_stream_close(metrics->unix_listener);
	if (metrics->tcp_fd >= 0)
		close(metrics->tcp_fd);
	free(metrics);
}

/* ---- text of the figures ---- */

void tw_metrics_family(struct tw_buf *out, const char *name, const char *type, const char *help)
{
	tw_buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void add_label(struct tw_buf *out, const char *name, const char *value)
{
	tw_buf_addf(out, "%s=\"", name);
	for (; *value; value++) {
		switch (*value) {
		case '\\':
			tw_buf_adds(out, "\\\\");
			break;
		case '"':
			tw_buf_adds(out, "\\\"");
			break;
		case '\n':
			tw_buf_adds(out, "\\n");
			break;
		default:
			tw_buf_add(out, value, 1);
		}
	}
	tw_buf_adds(out, "\"");
}

void tw_metrics_add(struct tw_buf *out, const char *name, const char *const *labels, uint64_t value)
{
	tw_buf_adds(out, name);
	for (size_t i = 0; labels && labels[i]; i += 2) {
		tw_buf_adds(out, i ? "," : "{");
		add_label(out, labels[i], labels[i + 1]);
	}
	tw_buf_addf(out, "%s %" PRIu64 "\n", labels && labels[0] ? "}" : "", value);
}

void tw_metrics_single(
	struct tw_buf *out, const char *name, const char *type, const char *help, uint64_t value)
{
	tw_metrics_family(out, name, type, help);
	tw_metrics_add(out, name, NULL, value);
}
