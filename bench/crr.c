/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* crr.c: connect, request, response, close, between two TCP stacks.
 *
 * Each stack has a namespace of its own, and a socket stays in the namespace where it was created.
 * On a system without workers, a segment is delivered and answered within the system call that sent
 * it. So the CPU time of this thread covers both stacks, both guests' programs and the path.
 */
#include "bench/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/rules.h"

#define PATIENCE_MS  20000
#define REQUEST_LEN  64
#define RESPONSE_LEN 256
#define SERVER	     0x0a000016u /* 10.0.0.22 */

/* Waits until `fd` is ready for `events`. */
static int ready(int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};
	int n = poll(&one, 1, PATIENCE_MS);

	return n > 0 ? 0 : n < 0 ? -errno : -ETIMEDOUT;
}

/* Receives `len` bytes, or the end of the stream if `len` is 0. */
static int receive(int fd, size_t len)
{
	uint8_t data[RESPONSE_LEN];
	size_t got = 0;

	for (;;) {
		ssize_t n = recv(fd, data, sizeof(data), 0);
		int e;

		if (n == 0)
			return len ? -ECONNRESET : 0;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		got += n > 0 ? (size_t)n : 0;
		if (len && got >= len)
			return 0;
		e = n < 0 ? ready(fd, POLLIN) : 0;
		if (e < 0)
			return e;
	}
}

static int send_all(int fd, size_t len)
{
	static const uint8_t data[RESPONSE_LEN];

	return send(fd, data, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

static int accept_one(int listener, int *ret)
{
	for (;;) {
		int e, fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			*ret = fd;
			return 0;
		}
		if (errno != EAGAIN)
			return -errno;
		e = ready(listener, POLLIN);
		if (e < 0)
			return e;
	}
}

static int one_connection(int listener, const struct sockaddr_in *to)
{
	tw_autofd int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	tw_autofd int accepted = -1;
	int e = 0;

	if (client < 0)
		return -errno;
	if (connect(client, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		e = ready(client, POLLOUT);
	}
	if (!e)
		e = send_all(client, REQUEST_LEN);
	if (!e)
		e = accept_one(listener, &accepted);
	if (!e)
		e = receive(accepted, REQUEST_LEN);
	if (!e)
		e = send_all(accepted, RESPONSE_LEN);
	if (!e)
		e = receive(client, RESPONSE_LEN);
	if (!e && shutdown(client, SHUT_WR) < 0)
		e = -errno;
	if (!e)
		e = receive(accepted, 0);
	if (!e && shutdown(accepted, SHUT_WR) < 0)
		e = -errno;
	return e ? e : receive(client, 0);
}

/* Opens a listener in the server's namespace, then enters the client's. */
static int listen_at_server(
	struct tw_bench_system *system, const struct sockaddr_in *at, int *ret, struct tw_err *err)
{
	tw_autofd int listener = -1;
	int e = tw_bench_ns_enter(system->net.stack[TW_BENCH_B], err);

	if (e < 0)
		return e;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener < 0 ||
		setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) < 0 ||
		bind(listener, (const struct sockaddr *)at, sizeof(*at)) < 0 ||
		listen(listener, 16) < 0)
		return tw_err_set(
			err, -errno, system->name, NULL, "cannot listen: %s", strerror(errno));
	e = tw_bench_ns_enter(system->net.stack[TW_BENCH_A], err);
	if (!e)
		*ret = TW_TAKE_FD(listener);
	return e;
}

int tw_bench_connections(
	struct tw_bench_system *system, size_t n, struct tw_bench_cost *ret, struct tw_err *err)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(SERVER),
		.sin_port = htons(TW_BENCH_PORT_OPEN),
	};
	struct tw_bench_cost cost;
	uint64_t workers;
	tw_autofd int listener = -1;
	int e;

	e = listen_at_server(system, &at, &listener, err);
	if (e < 0)
		return e;
	cost = (struct tw_bench_cost){tw_bench_thread_ns(), tw_bench_wall_ns()};
	workers = tw_bench_system_workers_ns(system);
	for (size_t i = 0; !e && i < n; i++) {
		e = one_connection(listener, &at);
		if (e < 0)
			tw_err_set(err, e, system->name, NULL, "connection %zu of %zu: %s", i + 1,
				n, strerror(-e));
	}
	ret->cpu_ns = tw_bench_thread_ns() - cost.cpu_ns + tw_bench_system_workers_ns(system) -
		      workers;
	ret->wall_ns = tw_bench_wall_ns() - cost.wall_ns;
	return e;
}
