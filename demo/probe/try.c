/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* try.c: sends requests to many services at once and prints the result of each.
 *
 * Output:     one line each, `ROW RESULT MILLISECONDS`. RESULT is `answered` (the echo came back),
 *             `refused` (a reset or an ICMP error came back), `silent` (nothing came back in time)
 *             or a local error.
 * -k keeps the answered connections open until the program is killed.
 */
#include "demo/probe/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/inet.h"

#define ASKS_MAX      256
#define DEFAULT_MS    3000
#define PING_RETRY    1000
#define ECHO_REQUEST  8
#define ECHO_REPLY    0
#define ECHO6_REQUEST 128
#define ECHO6_REPLY   129

enum protocol { ASK_TCP, ASK_UDP, ASK_PING };

struct ask {
	const char *row;
	enum protocol protocol;
	bool v6;
	struct sockaddr_storage to;
	socklen_t to_len;
	uint16_t source_port; /* for ping: the identifier */
	char text[48];	      /* text to send, which must be echoed */
	bool sent;
	bool done;
	int fd;
	bool opened; /* TCP: the connection is established */
	long asked_us;
	long asked_again_us;
};

static long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int ask_parse(char *spec, struct ask *ask)
{
	static const char *const protocols[] = {"tcp", "udp", "ping"};
	char *rest = spec;
	struct sockaddr_in *to4 = (struct sockaddr_in *)&ask->to;
	struct sockaddr_in6 *to6 = (struct sockaddr_in6 *)&ask->to;
	const char *protocol;
	const char *address;
	in_port_t port_be16;
	size_t i;

	ask->row = strsep(&rest, ",");
	protocol = strsep(&rest, ",");
	address = strsep(&rest, ",");
	if (!rest)
		return -EINVAL;
	port_be16 = htons((uint16_t)strtoul(strsep(&rest, ","), NULL, 10));
	if (!rest)
		return -EINVAL;
	ask->source_port = (uint16_t)strtoul(rest, NULL, 10);
	for (i = 0; i < 3 && strcmp(protocols[i], protocol) != 0; i++)
		;
	if (i == 3)
		return -EINVAL;
	ask->protocol = (enum protocol)i;
	if (inet_pton(AF_INET, address, &to4->sin_addr) == 1) {
		to4->sin_family = AF_INET;
		to4->sin_port = ask->protocol == ASK_PING ? 0 : port_be16;
		ask->to_len = sizeof(*to4);
	} else if (inet_pton(AF_INET6, address, &to6->sin6_addr) == 1) {
		to6->sin6_family = AF_INET6;
		to6->sin6_port = ask->protocol == ASK_PING ? 0 : port_be16;
		ask->to_len = sizeof(*to6);
		ask->v6 = true;
	} else {
		return -EINVAL;
	}
	snprintf(ask->text, sizeof(ask->text), "row %s of %d", ask->row, (int)getpid());
	return 0;
}

static int open_socket(const struct ask *ask)
{
	int family = ask->v6 ? AF_INET6 : AF_INET;
	int type = ask->protocol == ASK_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int protocol = 0;

	if (ask->protocol == ASK_PING) {
		type = SOCK_RAW;
		protocol = ask->v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	}
	return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

static int bind_source(int fd, const struct ask *ask)
{
	struct sockaddr_in from4 = {.sin_family = AF_INET, .sin_port = htons(ask->source_port)};
	struct sockaddr_in6 from6 = {.sin6_family = AF_INET6, .sin6_port = htons(ask->source_port)};
	const int yes = 1;

	if (ask->protocol == ASK_PING || !ask->source_port)
		return 0;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (ask->v6)
		return bind(fd, (struct sockaddr *)&from6, sizeof(from6));
	return bind(fd, (struct sockaddr *)&from4, sizeof(from4));
}

static void ask_send(int fd, struct ask *ask)
{
	uint8_t echo[8 + sizeof(ask->text)] = {ask->v6 ? ECHO6_REQUEST : ECHO_REQUEST};

	ask->sent = true;
	ask->asked_again_us = now_us();
	if (ask->protocol != ASK_PING) {
		send(fd, ask->text, sizeof(ask->text), MSG_NOSIGNAL);
		return;
	}
	echo[4] = (uint8_t)(ask->source_port >> 8);
	echo[5] = (uint8_t)ask->source_port;
	echo[7] = 1;
	memcpy(echo + 8, ask->text, sizeof(ask->text));
	/* The kernel fills in the checksum of ICMPv6 (RFC 3542 §3.1), but not of ICMP. */
	if (!ask->v6)
		tw_inet_write_sum(echo, sizeof(echo), IPPROTO_ICMP, 0);
	send(fd, echo, sizeof(echo), MSG_NOSIGNAL);
}

static int ask_start(struct ask *ask)
{
	tw_autofd int fd = open_socket(ask);
	const int yes = 1;

	if (fd < 0)
		return -errno;
	setsockopt(fd, ask->v6 ? IPPROTO_IPV6 : IPPROTO_IP, ask->v6 ? IPV6_RECVERR : IP_RECVERR,
		&yes, sizeof(yes));
	if (bind_source(fd, ask) < 0)
		return -errno;
	ask->asked_us = now_us();
	if (connect(fd, (struct sockaddr *)&ask->to, ask->to_len) < 0 && errno != EINPROGRESS)
		return -errno;
	if (ask->protocol != ASK_TCP)
		ask_send(fd, ask);
	return TW_TAKE_FD(fd);
}

/* True if the error came from the network (a reset or an ICMP message). False if it is local, for
 * instance because a neighbour does not answer. */
static bool refused_by_network(int fd, int error)
{
	char control[512];
	char data[64];
	struct iovec iov = {.iov_base = data, .iov_len = sizeof(data)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	if (recvmsg(fd, &message, MSG_ERRQUEUE) < 0)
		return error == ECONNREFUSED || error == ECONNRESET;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct sock_extended_err tell;

		if (c->cmsg_type != IP_RECVERR && c->cmsg_type != IPV6_RECVERR)
			continue;
		memcpy(&tell, CMSG_DATA(c), sizeof(tell));
		if (tell.ee_origin == SO_EE_ORIGIN_ICMP || tell.ee_origin == SO_EE_ORIGIN_ICMP6)
			return true;
	}
	return error == ECONNREFUSED || error == ECONNRESET;
}

static void ask_end(struct ask *ask, const char *result)
{
	ask->done = true;
	printf("%s %s %.1f\n", ask->row, result, (double)(now_us() - ask->asked_us) / 1000);
	fflush(stdout);
}

static void ask_failed(int fd, struct ask *ask, int error)
{
	if (refused_by_network(fd, error))
		ask_end(ask, "refused");
	else if (error == EHOSTUNREACH || error == ETIMEDOUT)
		ask_end(ask, "silent"); /* no ARP or ND reply: the neighbour table gave up */
	else
		ask_end(ask, strerrorname_np(error));
}

/* True if this is the echo of what was sent. Raw ICMP sockets receive messages of all kinds. */
static bool is_answer(const struct ask *ask, const uint8_t *data, size_t len)
{
	size_t skip = 0;

	if (ask->protocol == ASK_PING) {
		if (!ask->v6 && len >= 20)
			skip = (size_t)(data[0] & 15) * 4;
		if (len < skip + 8 || data[skip] != (ask->v6 ? ECHO6_REPLY : ECHO_REPLY))
			return false;
		skip += 8;
	}
	return len >= skip + sizeof(ask->text) &&
	       memcmp(data + skip, ask->text, sizeof(ask->text)) == 0;
}

static void ask_ready(int fd, struct ask *ask, short events)
{
	uint8_t data[2048];
	int error = 0;
	socklen_t error_len = sizeof(error);
	ssize_t n;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len);
	if (error || events & POLLERR) {
		ask_failed(fd, ask, error ? error : ECONNREFUSED);
		return;
	}
	if (ask->protocol == ASK_TCP && !ask->opened && events & POLLOUT) {
		ask->opened = true;
		ask_send(fd, ask);
		return;
	}
	n = recv(fd, data, sizeof(data), 0);
	if (n > 0 && is_answer(ask, data, (size_t)n))
		ask_end(ask, "answered");
	else if (n < 0 && errno != EAGAIN)
		ask_failed(fd, ask, errno);
	else if (n == 0 && ask->protocol == ASK_TCP)
		ask_end(ask, "closed");
}

/* Waits for all answers until the time is over. Datagrams are sent again once a second, because the
 * first one may be lost during address resolution. */
static void ask_all(struct ask *asks, struct pollfd *fds, int n, long until_us)
{
	int left = 0;

	do {
		left = 0;
		for (int i = 0; i < n; i++) {
			struct ask *ask = &asks[i];
			bool connecting = ask->protocol == ASK_TCP && !ask->opened;

			if (!ask->done && ask->sent && ask->protocol != ASK_TCP &&
				now_us() - ask->asked_again_us > PING_RETRY * 1000L)
				ask_send(ask->fd, ask);
			fds[i].fd = ask->done ? -1 : ask->fd; /* poll() ignores -1 */
			fds[i].events = connecting ? POLLOUT : POLLIN;
			fds[i].revents = 0;
			left += !ask->done;
		}
		if (!left || poll(fds, (nfds_t)n, 50) < 0)
			break;
		for (int i = 0; i < n; i++) {
			if (fds[i].revents && !asks[i].done)
				ask_ready(asks[i].fd, &asks[i], fds[i].revents);
		}
	} while (now_us() < until_us);
	for (int i = 0; i < n; i++) {
		if (!asks[i].done)
			ask_end(&asks[i], "silent");
	}
}

int tw_probe_try(int argc, char **argv)
{
	static struct ask asks[ASKS_MAX];
	static struct pollfd fds[ASKS_MAX];
	long wait_ms = DEFAULT_MS;
	bool keep = false;
	int n = 0;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "-w") == 0 && i + 1 < argc) {
			wait_ms = strtol(argv[++i], NULL, 10);
		} else if (strcmp(argv[i], "-k") == 0) {
			keep = true;
		} else if (n == ASKS_MAX || ask_parse(argv[i], &asks[n]) < 0) {
			fprintf(stderr, "probe: try: cannot send the request \"%s\"\n", argv[i]);
			return 2;
		} else {
			n++;
		}
	}
	for (int i = 0; i < n; i++) {
		asks[i].fd = ask_start(&asks[i]);
		if (asks[i].fd < 0)
			ask_end(&asks[i], strerrorname_np(-asks[i].fd));
	}
	ask_all(asks, fds, n, now_us() + wait_ms * 1000);
	if (keep)
		pause();
	return 0;
}
