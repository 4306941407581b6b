/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* pieces: fragmented datagrams for the end-to-end tests, fragmented by the kernel or by this
 * program.
 *
 *	pieces echo PORT                       answers UDP of any size; prints "ready"
 *	pieces ask HOST PORT SIZE              sends SIZE bytes and expects them back; exit 0 or 1
 *	pieces ping HOST SIZE                  the same by ICMP or ICMPv6 echo
 *	pieces hop udp|tcp HOST PORT TTL       sends with this TTL, and prints who sent an ICMP error
 *	pieces count FILE PORT                 counts datagrams as "good" (made by send) and "bad"
 *	pieces send IFACE MAC FROM TO PORT SIZE ORDER N
 *	                                       N datagrams of SIZE bytes, in frames to MAC, each fragmented
 *	                                       for an MTU of 1500, in this ORDER
 *
 * ORDER: forward, reverse, middle (the first fragment in the middle), shuffle, twice (each fragment
 * twice), overlap (reverse, and one fragment overlaps another), first-last (the first fragment
 * after all others).
 *
 * PIECES_RUN=NUMBER: selects the run's identifiers of fragments. Runs with other numbers below 1,024 use others.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIFE_SECONDS 900 /* longer than any test runs */
#define DATAGRAM_MAX 65000
#define WAIT_MS	     10000
#define PIECES_MAX   64
#define MTU	     1500
#define IDS_PER_RUN  64

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

/* Fills the data with a pattern that shows a misplaced byte. */
static void fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8) + len);
}

static bool is_filled(const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (data[i] != (uint8_t)(i * 7 + (i >> 8) + len))
			return false;
	return true;
}

static int open_udp(const char *port)
{
	struct sockaddr_in6 any = {
		.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0, room = 8 << 20;

	/* A datagram lost in this socket's buffer would look like one lost on the way. */
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
		bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("bind");
	return fd;
}

static bool readable(int fd, int ms)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, ms) > 0;
}

static int run_echo(char **args)
{
	static uint8_t data[DATAGRAM_MAX];
	int fd = open_udp(args[0]);

	puts("ready");
	fflush(stdout);
	while (!stopping) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		ssize_t n;

		if (!readable(fd, 100))
			continue;
		n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &from_len);
		if (n >= 0)
			sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, from_len);
	}
	return 0;
}

static int connect_to(const char *host, const char *port, int type, int proto)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST}, *to;
	int fd;

	if (getaddrinfo(host, port, &hints, &to))
		die(host);
	if (type == SOCK_RAW && to->ai_family == AF_INET6)
		proto = IPPROTO_ICMPV6;
	fd = socket(to->ai_family, type, proto);
	if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen))
		die(host);
	freeaddrinfo(to);
	return fd;
}

static int run_ask(char **args)
{
	static uint8_t out[DATAGRAM_MAX], in[DATAGRAM_MAX];
	size_t size = (size_t)atoi(args[2]);
	int fd = connect_to(args[0], args[1], SOCK_DGRAM, 0);

	fill(out, size);
	if (send(fd, out, size, 0) != (ssize_t)size)
		die("send");
	return !readable(fd, WAIT_MS) || recv(fd, in, sizeof(in), 0) != (ssize_t)size ||
	       memcmp(in, out, size);
}

static uint16_t sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *b = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(b[i] << 8 | b[i + 1]);
	if (len & 1)
		sum += (uint32_t)b[len - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* An ICMPv4 raw socket also returns the IP header. */
static int run_ping(char **args)
{
	static uint8_t out[DATAGRAM_MAX], in[DATAGRAM_MAX];
	size_t size = (size_t)atoi(args[1]) + 8, skip;
	int fd = connect_to(args[0], NULL, SOCK_RAW, IPPROTO_ICMP);
	bool v6 = strchr(args[0], ':') != NULL;
	uint16_t sum;

	fill(out, size);
	memset(out, 0, 4);
	out[0] = v6 ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
	out[4] = (uint8_t)(getpid() >> 8);
	out[5] = (uint8_t)getpid();
	sum = htons((uint16_t)~sum16(out, size, 0));
	if (!v6) /* for ICMPv6 the kernel computes the checksum */
		memcpy(out + 2, &sum, 2);
	if (send(fd, out, size, 0) != (ssize_t)size)
		die("send");
	skip = v6 ? 0 : sizeof(struct iphdr);
	while (readable(fd, WAIT_MS)) {
		ssize_t n = recv(fd, in, sizeof(in), 0);

		if (n == (ssize_t)(size + skip) && in[skip] == (v6 ? ICMP6_ECHO_REPLY : 0) &&
			!memcmp(in + skip + 4, out + 4, size - 4))
			return 0;
	}
	return 1;
}

/* Prints the source address of an ICMP error on a socket. */
static bool print_offender(int fd)
{
	uint8_t data[100], control[500];
	struct iovec iov = {data, sizeof(data)};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	char text[INET6_ADDRSTRLEN];

	if (recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return false;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		const struct sock_extended_err *err = (const void *)CMSG_DATA(c);
		const struct sockaddr *from = SO_EE_OFFENDER(err);
		const void *addr =
			from->sa_family == AF_INET6
				? (const void *)&((const struct sockaddr_in6 *)(const void *)from)
					  ->sin6_addr
				: &((const struct sockaddr_in *)(const void *)from)->sin_addr;

		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
			(c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
			puts(inet_ntop(from->sa_family, addr, text, sizeof(text)) ? text
										  : "nobody");
			return true;
		}
	}
	return false;
}

static int run_hop(char **args)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *to;
	bool tcp = !strcmp(args[0], "tcp");
	int fd, ttl = atoi(args[3]), on = 1;
	struct pollfd wait = {0};

	hints.ai_socktype = tcp ? SOCK_STREAM : SOCK_DGRAM;
	if (getaddrinfo(args[1], args[2], &hints, &to))
		die(args[1]);
	fd = socket(to->ai_family, hints.ai_socktype | SOCK_NONBLOCK, 0);
	if (to->ai_family == AF_INET6) {
		setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof(ttl));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
	} else {
		setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
	}
	if (connect(fd, to->ai_addr, to->ai_addrlen) && errno != EINPROGRESS)
		die("connect");
	if (!tcp && send(fd, "hop", 3, 0) != 3)
		die("send");
	wait = (struct pollfd){.fd = fd, .events = tcp ? POLLOUT : POLLIN};
	freeaddrinfo(to);
	if (poll(&wait, 1, WAIT_MS) > 0 && wait.revents & POLLERR && print_offender(fd))
		return 0;
	puts(wait.revents & POLLOUT ? "connected" : "nobody");
	return 1;
}

static int run_count(char **args)
{
	static uint8_t data[DATAGRAM_MAX];
	int fd = open_udp(args[1]), file = open(args[0], O_CREAT | O_WRONLY | O_TRUNC, 0644);
	unsigned long good = 0, bad = 0;
	char text[80];

	if (file < 0)
		die(args[0]);
	puts("ready");
	fflush(stdout);
	while (!stopping) {
		int n = snprintf(text, sizeof(text), "good=%-10lu\nbad=%-10lu\n", good, bad);
		ssize_t got;

		if (pwrite(file, text, (size_t)n, 0) != n)
			die("write");
		if (!readable(fd, 100))
			continue;
		got = recv(fd, data, sizeof(data), 0);
		if (got >= 0)
			*(is_filled(data, (size_t)got) ? &good : &bad) += 1;
	}
	return 0;
}

/* ---- fragments made by this program ---- */

struct sender {
	int fd;
	struct sockaddr_ll to;
	uint8_t mac[6], own_mac[6];
	bool v6;
	struct in6_addr src, dst; /* IPv4: the first four bytes */
	uint32_t id;
	uint8_t datagram[DATAGRAM_MAX];
	size_t len;
};

struct piece {
	size_t from, to;
};

static void open_sender(struct sender *s, char **args)
{
	const char *run = getenv("PIECES_RUN");
	char path[100];
	FILE *address;

	s->v6 = strchr(args[3], ':') != NULL;
	if (sscanf(args[1], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &s->mac[0], &s->mac[1], &s->mac[2],
		    &s->mac[3], &s->mac[4], &s->mac[5]) != 6 ||
		inet_pton(s->v6 ? AF_INET6 : AF_INET, args[2], &s->src) != 1 ||
		inet_pton(s->v6 ? AF_INET6 : AF_INET, args[3], &s->dst) != 1)
		die("addresses");
	snprintf(path, sizeof(path), "/sys/class/net/%s/address", args[0]);
	address = fopen(path, "r");
	if (!address ||
		fscanf(address, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &s->own_mac[0], &s->own_mac[1],
			&s->own_mac[2], &s->own_mac[3], &s->own_mac[4], &s->own_mac[5]) != 6)
		die(path);
	fclose(address);
	s->fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	s->to = (struct sockaddr_ll){
		.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(args[0])};
	if (s->fd < 0 || !s->to.sll_ifindex)
		die(args[0]);
	/* The receiver may still hold fragments of earlier runs, under their identifiers. IPv4 has only
	 * 1,024 times 64 of them, so those of two process ids could be the same. */
	s->id = run ? (uint32_t)atoi(run) * IDS_PER_RUN : 0;
}

static void make_datagram(struct sender *s, uint16_t port, size_t size)
{
	size_t addr = s->v6 ? 16 : 4;
	struct udphdr udp = {0};
	uint16_t sum;

	s->len = size + sizeof(udp);
	udp.source = htons(40000);
	udp.dest = htons(port);
	udp.len = htons((uint16_t)s->len);
	memcpy(s->datagram, &udp, sizeof(udp));
	fill(s->datagram + sizeof(udp), size);
	sum = sum16(s->datagram, s->len, (uint32_t)(IPPROTO_UDP + s->len));
	sum = sum16(&s->src, addr, sum);
	sum = sum16(&s->dst, addr, sum);
	udp.check = htons(sum == 0xffff ? sum : (uint16_t)~sum);
	memcpy(s->datagram, &udp, sizeof(udp));
}

static void send_piece(const struct sender *s, const struct piece *piece, bool spoilt)
{
	struct ip6_hdr ip6 = {
		.ip6_flow = htonl(6u << 28), .ip6_nxt = IPPROTO_FRAGMENT, .ip6_hlim = 64};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	bool more = piece->to < s->len;
	size_t len = piece->to - piece->from, at = ETH_HLEN;
	uint16_t type = htons(s->v6 ? ETH_P_IPV6 : ETH_P_IP);
	uint8_t frame[2000];

	memcpy(frame, s->mac, 6);
	memcpy(frame + 6, s->own_mac, 6);
	memcpy(frame + 12, &type, 2);
	if (s->v6) {
		struct ip6_frag frag = {.ip6f_nxt = IPPROTO_UDP,
			.ip6f_offlg = htons((uint16_t)(piece->from | more)),
			.ip6f_ident = htonl(s->id)};

		ip6.ip6_plen = htons((uint16_t)(len + sizeof(frag)));
		ip6.ip6_src = s->src;
		ip6.ip6_dst = s->dst;
		memcpy(frame + at, &ip6, sizeof(ip6));
		memcpy(frame + at + sizeof(ip6), &frag, sizeof(frag));
		at += sizeof(ip6) + sizeof(frag);
	} else {
		ip.tot_len = htons((uint16_t)(len + sizeof(ip)));
		ip.id = htons((uint16_t)s->id);
		ip.frag_off = htons((uint16_t)(piece->from >> 3 | (more ? IP_MF : 0)));
		memcpy(&ip.saddr, &s->src, 4);
		memcpy(&ip.daddr, &s->dst, 4);
		ip.check = htons((uint16_t)~sum16(&ip, sizeof(ip), 0));
		memcpy(frame + at, &ip, sizeof(ip));
		at += sizeof(ip);
	}
	memcpy(frame + at, s->datagram + piece->from, len);
	if (spoilt)
		memset(frame + at, 0xee, len);
	if (sendto(s->fd, frame, at + len, 0, (const struct sockaddr *)&s->to, sizeof(s->to)) < 0)
		die("send");
}

static size_t cut(const struct sender *s, struct piece *pieces)
{
	size_t room = (MTU - (s->v6 ? sizeof(struct ip6_hdr) + 8 : sizeof(struct iphdr))) & ~7ul;
	size_t n = 0;

	for (size_t from = 0; from < s->len && n < PIECES_MAX; from += room)
		pieces[n++] = (struct piece){from, from + room < s->len ? from + room : s->len};
	return n;
}

static void swap(struct piece *a, struct piece *b)
{
	struct piece c = *a;

	*a = *b;
	*b = c;
}

static void order(struct piece *p, size_t n, const char *how)
{
	if (!strcmp(how, "reverse") || !strcmp(how, "overlap"))
		for (size_t i = 0; i < n / 2; i++)
			swap(&p[i], &p[n - 1 - i]);
	else if (!strcmp(how, "middle"))
		swap(&p[0], &p[n / 2]);
	else if (!strcmp(how, "first-last"))
		for (size_t i = 0; i + 1 < n; i++)
			swap(&p[i], &p[i + 1]);
	else if (!strcmp(how, "shuffle"))
		for (size_t i = n; i-- > 1;)
			swap(&p[i], &p[(size_t)rand() % (i + 1)]);
}

static int run_send(char **args)
{
	static struct sender s;
	int n = atoi(args[7]);
	const char *how = args[6];

	open_sender(&s, args);
	make_datagram(&s, (uint16_t)atoi(args[4]), (size_t)atoi(args[5]));
	srand(1);
	for (int i = 0; i < n && !stopping; i++) {
		struct piece pieces[PIECES_MAX];
		size_t count = cut(&s, pieces);

		order(pieces, count, how);
		for (size_t k = 0; k < count; k++) {
			send_piece(&s, &pieces[k], false);
			if (!strcmp(how, "twice"))
				send_piece(&s, &pieces[k], true);
			if (!strcmp(how, "overlap") && k == 0) {
				struct piece over = {pieces[k].from - 8, pieces[k].to};

				send_piece(&s, &over, true);
			}
		}
		s.id++;
	}
	return 0;
}

static const struct {
	const char *name;
	int n_args;
	int (*run)(char **args);
} verbs[] = {
	{"echo", 1, run_echo},
	{"ask", 3, run_ask},
	{"ping", 2, run_ping},
	{"hop", 4, run_hop},
	{"count", 2, run_count},
	{"send", 8, run_send},
};

int main(int argc, char **argv)
{
	struct sigaction term = {.sa_handler = on_term};

	sigaction(SIGTERM, &term, NULL);
	sigaction(SIGALRM, &term, NULL);
	alarm(LIFE_SECONDS);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && !strcmp(argv[1], verbs[i].name) && argc - 2 == verbs[i].n_args)
			return verbs[i].run(argv + 2);
	fprintf(stderr, "pieces: invalid arguments; see the comment at the top of pieces.c\n");
	return 2;
}
