/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/e2e/sockets.h"

#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/tcp.h>

/* Data that a socket drops while its process waits for a CPU would look lost on the way: a datagram for
 * lack of room, or a segment in the backlog of a socket whose owner stands still. */
static void make_room(int fd)
{
	int room = 8 << 20;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		err(2, "SO_RCVBUFFORCE");
}

int listen_on(const char *port, int type)
{
	struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0), on = 1, off = 0;

	if (fd < 0)
		err(2, "socket");
	make_room(fd);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		err(2, "port %s", port);
	if (type == SOCK_STREAM && listen(fd, 128) < 0)
		err(2, "port %s", port);
	return fd;
}

struct addrinfo *resolve(const char *host, const char *port, int type)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = type};
	struct addrinfo *found;
	int code = getaddrinfo(host, port, &hints, &found);

	if (code)
		errx(2, "%s: %s", host, gai_strerror(code));
	return found;
}

int connect_to(const char *host, const char *port, int type)
{
	struct addrinfo *to = resolve(host, port, type);
	int fd = socket(to->ai_family, type | SOCK_NONBLOCK, 0), code = 0;
	struct pollfd wait = {.fd = fd, .events = POLLOUT};
	socklen_t len = sizeof(code);

	if (fd < 0)
		err(2, "socket");
	make_room(fd);
	if (connect(fd, to->ai_addr, to->ai_addrlen) < 0)
		code = errno;
	freeaddrinfo(to);
	if (code == EINPROGRESS) {
		code = ETIMEDOUT;
		if (poll(&wait, 1, CONNECT_MS) == 1)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
	}
	if (code) {
		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

unsigned int losses(int fd)
{
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	if (info.tcpi_total_retrans < info.tcpi_dsack_dups)
		return 0;
	return info.tcpi_total_retrans - info.tcpi_dsack_dups;
}
