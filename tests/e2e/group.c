/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* group: the end-to-end tests' members and senders of multicast groups.
 *
 *	group join FILE IFACE GROUP PORT     joins a group and counts its datagrams; prints "ready"
 *	group send IFACE GROUP PORT RATE MS  sends RATE datagrams a second for MS ms; prints their number
 *
 * GROUP is an address of either family. FILE is rewritten in place with `received=N`, which a test can
 * read at any time. `join` leaves the group at SIGTERM, or after LIFE_SECONDS.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIFE_SECONDS 300
#define DATAGRAM_LEN 1316 /* seven packets of an MPEG transport stream */
#define BUFFER_BYTES (8 << 20)
#define HOPS	     4
#define POLL_MS	     100
#define PAUSE_NS     1000000

static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	stopping = 1;
}

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A group with the interface at which it is meant, for both families. */
struct group {
	struct sockaddr_storage addr;
	socklen_t len;
	unsigned int ifindex;
};

static void read_group(const char *iface, const char *text, const char *port, struct group *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ret->addr;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ret->addr;

	*ret = (struct group){.ifindex = if_nametoindex(iface)};
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)atoi(port));
		ret->len = sizeof(*v4);
	} else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)atoi(port));
		v6->sin6_scope_id = ret->ifindex;
		ret->len = sizeof(*v6);
	}
	if (!ret->len || !ret->ifindex) {
		fprintf(stderr, "group: no such group or interface\n");
		exit(2);
	}
}

static int join(const char *file, const struct group *group)
{
	int level = group->addr.ss_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
	    size = BUFFER_BYTES;
	int fd = socket(group->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct group_req wanted = {.gr_interface = group->ifindex, .gr_group = group->addr};
	uint64_t n = 0, told = UINT64_MAX, end = now_ns() + LIFE_SECONDS * 1000000000ull;
	FILE *counts = fopen(file, "we");
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	char data[DATAGRAM_LEN];

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (fd < 0 || !counts || bind(fd, (const struct sockaddr *)&group->addr, group->len) ||
		setsockopt(fd, level, MCAST_JOIN_GROUP, &wanted, sizeof(wanted)))
		die("join");
	puts("ready");
	fflush(stdout);
	while (!stopping && now_ns() < end) {
		while (recv(fd, data, sizeof(data), MSG_DONTWAIT) >= 0)
			n++;
		if (n != told) {
			rewind(counts);
			fprintf(counts, "received=%llu\n", (unsigned long long)n);
			fflush(counts);
			told = n;
		}
		poll(&poll_fd, 1, POLL_MS);
	}
	fclose(counts);
	return 0;
}

static int send_to(const struct group *group, uint64_t rate, uint64_t ms)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	int hops = HOPS, ifindex = (int)group->ifindex;
	struct ip_mreqn from = {.imr_ifindex = ifindex};
	bool v4 = group->addr.ss_family == AF_INET;
	int fd = socket(group->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t n = 0, begun = now_ns(), passed = 0;
	char data[DATAGRAM_LEN] = {0};

	if (fd < 0 ||
		(v4 ? setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof(from)) ||
					setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &hops,
						sizeof(hops))
		    : setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifindex, sizeof(ifindex)) ||
					setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
						sizeof(hops))))
		die("send");
	while (passed < ms * 1000000 && !stopping) {
		for (; n < rate * passed / 1000000000; n++)
			if (sendto(fd, data, sizeof(data), 0, (const struct sockaddr *)&group->addr,
				    group->len) < 0)
				die("sendto");
		nanosleep(&pause, NULL);
		passed = now_ns() - begun;
	}
	printf("%llu\n", (unsigned long long)n);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};
	struct group group;

	sigaction(SIGTERM, &action, NULL);
	if (argc == 6 && !strcmp(argv[1], "join")) {
		read_group(argv[3], argv[4], argv[5], &group);
		return join(argv[2], &group);
	}
	if (argc == 7 && !strcmp(argv[1], "send")) {
		read_group(argv[2], argv[3], argv[4], &group);
		return send_to(&group, strtoull(argv[5], NULL, 10), strtoull(argv[6], NULL, 10));
	}
	fputs("usage: group join FILE IFACE GROUP PORT | send IFACE GROUP PORT RATE MS\n", stderr);
	return 2;
}
