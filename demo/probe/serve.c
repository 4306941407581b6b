/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* serve.c: answers on TCP and UDP ports, over IPv4 and IPv6, and records tokens.
 *
 * What:       echoes TCP data and UDP datagrams. If a frame with the lab's token (demo/frame.h)
 *             comes in at the interface `--on`, its number is written to the file `--seen`, once
 *             per number. So the file shows frames that the firewall should have stopped.
 */
#include "demo/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "demo/frame.h"

#define FDS_MAX	   256
#define TOKENS_MAX 0x10000

enum role { ROLE_ACCEPT, ROLE_STREAM, ROLE_DATAGRAM, ROLE_WATCH };

struct server {
	struct pollfd fds[FDS_MAX];
	enum role roles[FDS_MAX];
	nfds_t n;
	int seen_fd;
	uint8_t seen[TOKENS_MAX / 8];
};

static void server_add(struct server *server, int fd, enum role role)
{
	if (server->n == FDS_MAX) {
		close(fd);
		return;
	}
	server->fds[server->n] = (struct pollfd){.fd = fd, .events = POLLIN};
	server->roles[server->n++] = role;
}

static int listen_on(struct server *server, const char *spec)
{
	bool tcp = strncmp(spec, "tcp:", 4) == 0;
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = in6addr_any};
	tw_autofd int fd = -1;
	const int yes = 1;
	const int no = 0;

	if (!tcp && strncmp(spec, "udp:", 4) != 0)
		return -EINVAL;
	address.sin6_port = htons((uint16_t)strtoul(spec + 4, NULL, 10));
	fd = socket(AF_INET6, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	if (tcp && listen(fd, 64) < 0)
		return -errno;
	server_add(server, TW_TAKE_FD(fd), tcp ? ROLE_ACCEPT : ROLE_DATAGRAM);
	return 0;
}

static int watch_on(struct server *server, const char *ifname)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};
	tw_autofd int fd = -1;

	if (!address.sll_ifindex)
		return -ENODEV;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	server_add(server, TW_TAKE_FD(fd), ROLE_WATCH);
	return 0;
}

static void note(struct server *server, int token)
{
	uint8_t bit = (uint8_t)(1 << token % 8);

	if (server->seen[token / 8] & bit || server->seen_fd < 0)
		return;
	server->seen[token / 8] |= bit;
	dprintf(server->seen_fd, "%d\n", token);
}

static void serve_watch(struct server *server, int fd)
{
	uint8_t data[2048];
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);
	int token;

	/* The socket also delivers frames that this machine sends. They prove nothing. */
	if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING)
		return;
	token = tw_lab_frame_token(data, (size_t)n);
	if (token >= 0)
		note(server, token);
}

static void serve_datagram(int fd)
{
	char data[2048];
	struct sockaddr_in6 from;
	socklen_t from_len = sizeof(from);
	ssize_t n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);

	if (n > 0)
		sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, from_len);
}

/* Echoes what a connection sent. False if the connection has ended. */
static bool serve_stream(int fd)
{
	char data[2048];
	ssize_t n = recv(fd, data, sizeof(data), 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	return n > 0 && send(fd, data, (size_t)n, MSG_NOSIGNAL) == n;
}

static void serve_one(struct server *server, nfds_t i)
{
	int fd = server->fds[i].fd;
	int accepted;

	switch (server->roles[i]) {
	case ROLE_ACCEPT:
		accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (accepted >= 0)
			server_add(server, accepted, ROLE_STREAM);
		break;
	case ROLE_STREAM:
		if (!serve_stream(fd)) {
			close(fd);
			server->fds[i] = server->fds[--server->n];
			server->roles[i] = server->roles[server->n];
		}
		break;
	case ROLE_DATAGRAM:
		serve_datagram(fd);
		break;
	case ROLE_WATCH:
		serve_watch(server, fd);
		break;
	}
}

static int read_options(struct server *server, int argc, char **argv)
{
	int error = 0;

	for (int i = 0; i < argc && !error; i++) {
		if (strcmp(argv[i], "--seen") == 0 && i + 1 < argc) {
			server->seen_fd = open(
				argv[++i], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
			error = server->seen_fd < 0 ? -errno : 0;
		} else if (strcmp(argv[i], "--on") == 0 && i + 1 < argc) {
			error = watch_on(server, argv[++i]);
		} else {
			error = listen_on(server, argv[i]);
		}
		if (error)
			fprintf(stderr, "probe: serve: %s: %s\n", argv[i], strerror(-error));
	}
	return error;
}

int tw_probe_serve(int argc, char **argv)
{
	static struct server server = {.seen_fd = -1};

	if (read_options(&server, argc, argv) < 0 || !server.n)
		return 2;
	for (;;) {
		if (poll(server.fds, server.n, -1) < 0 && errno != EINTR)
			return 1;
		/* Goes backwards, because the last connection takes the place of a closed one. */
		for (nfds_t i = server.n; i-- > 0;) {
			if (server.fds[i].revents)
				serve_one(&server, i);
		}
	}
}
