/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* traffic: the guests of the end-to-end tests: small clients and servers with exact counts.
 *
 *	traffic echo tcp|udp PORT           echoes everything; prints "ready"
 *	traffic sink PORT                   accepts TCP and discards the data; prints "ready"
 *	traffic count FILE PORT…            counts UDP datagrams to these ports
 *	traffic stream FILE tcp|udp HOST PORT MS   a numbered message every MS ms; expects each back
 *	traffic connect tcp|udp HOST PORT   one attempt: prints its result and duration in ms
 *	traffic bulk HOST PORT MIB          sends MIB mebibytes; prints the number of lost segments
 *	traffic spray HOST PORT…            UDP to these ports, from old and new source ports
 *	traffic flood IFACE PORT [VLAN [MAC]]  broadcasts frames with a UDP port, tagged or (0) not
 *	traffic sniff FILE IFACE PORT       counts frames with that UDP port on an interface
 *	traffic tap FILE NAME BRIDGE PORT   a guest that sends as soon as its tap exists
 *	traffic notified PATH               prints the messages that a service sends with sd_notify(3)
 *
 * FILE is rewritten in place with counts that a test can read at any time. Commands without an end
 * run until SIGTERM, or for LIFE_SECONDS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/ethernet.h>
#include <netinet/ether.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/e2e/sockets.h"

#define LIFE_SECONDS 900 /* longer than any test runs */
#define CLIENTS_MAX  64
#define DRAIN_MS     10000

static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	stopping = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void pause_us(unsigned int us)
{
	const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L};

	nanosleep(&pause, NULL);
}

static bool is_udp(const char *proto)
{
	if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0) {
		fprintf(stderr, "traffic: tcp or udp, not %s\n", proto);
		exit(2);
	}
	return proto[0] == 'u';
}

static void ready(void)
{
	puts("ready");
	fflush(stdout);
}

/* ---- counts ---- */

static int open_counts(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		die(path);
	return fd;
}

static void write_counts(int fd, const char *names[], const uint64_t *counts, size_t n)
{
	char line[256];
	size_t len = 0;

	/* Fixed width: a reader never sees the rest of an older line after a newer one. */
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(line + len, sizeof(line) - len, "%s=%-12llu\n", names[i],
			(unsigned long long)counts[i]);
	if (pwrite(fd, line, len, 0) != (ssize_t)len)
		die("counts");
}

/* ---- servers ---- */

static void echo_udp(const char *port)
{
	int fd = listen_on(port, SOCK_DGRAM);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	ready();
	while (!stopping) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof(from);
		char data[2048];
		ssize_t n;

		if (poll(&wait, 1, 1000) != 1)
			continue;
		n = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);
		if (n >= 0)
			sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
	close(fd);
}

/* Serves one client once; false if it has left. Data that cannot be sent at once is dropped: the
 * clients of this program have little data in flight. */
static bool serve_tcp(int fd, bool echo)
{
	static char data[1 << 16];
	ssize_t n = recv(fd, data, sizeof(data), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	return !echo || send(fd, data, (size_t)n, MSG_NOSIGNAL) == n;
}

static void server_tcp(const char *port, bool echo)
{
	struct pollfd fds[1 + CLIENTS_MAX] = {
		{.fd = listen_on(port, SOCK_STREAM), .events = POLLIN}};
	nfds_t n = 1;

	ready();
	while (!stopping) {
		if (poll(fds, n, 1000) <= 0)
			continue;
		for (nfds_t i = n - 1; i > 0; i--) {
			if (!fds[i].revents || serve_tcp(fds[i].fd, echo))
				continue;
			close(fds[i].fd);
			fds[i] = fds[--n];
		}
		if (fds[0].revents && n <= CLIENTS_MAX) {
			int fd = accept4(fds[0].fd, NULL, NULL, SOCK_NONBLOCK);

			if (fd >= 0)
				fds[n++] = (struct pollfd){.fd = fd, .events = POLLIN};
		}
	}
}

static int run_echo(char **args, int n)
{
	if (is_udp(args[0]))
		echo_udp(args[1]);
	else
		server_tcp(args[1], true);
	return 0;
}

static int run_sink(char **args, int n)
{
	server_tcp(args[0], false);
	return 0;
}

static int run_count(char **args, int n)
{
	struct pollfd fds[8];
	const char *names[8];
	uint64_t counts[8] = {0};
	int file = open_counts(args[0]);

	n = n - 1 > 8 ? 8 : n - 1;
	for (int i = 0; i < n; i++) {
		fds[i] = (struct pollfd){
			.fd = listen_on(args[1 + i], SOCK_DGRAM), .events = POLLIN};
		names[i] = args[1 + i];
	}
	write_counts(file, names, counts, (size_t)n);
	ready();
	while (!stopping) {
		char data[2048];

		if (poll(fds, (nfds_t)n, 1000) <= 0)
			continue;
		for (int i = 0; i < n; i++)
			while (recv(fds[i].fd, data, sizeof(data), 0) >= 0)
				counts[i]++;
		write_counts(file, names, counts, (size_t)n);
	}
	return 0;
}

/* ---- clients ---- */

struct stream {
	int fd;
	int file;
	bool udp;
	bool broken;
	unsigned int again; /* SYNs sent again, as the first may wait for an ARP answer */
	uint64_t sent;
	uint64_t echoed;
	uint64_t last_ms; /* time of the last echo */
	uint64_t gap_ms;  /* the longest time between two echoes */
};

static void stream_write(const struct stream *s)
{
	static const char *names[] = {"sent", "echoed", "gap_ms", "lost", "broken"};
	const uint64_t counts[] = {
		s->sent, s->echoed, s->gap_ms, s->udp ? 0 : losses(s->fd) - s->again, s->broken};

	write_counts(s->file, names, counts, 5);
}

static void stream_receive(struct stream *s)
{
	uint64_t number, now = now_ms();
	ssize_t n;

	while ((n = recv(s->fd, &number, sizeof(number), 0)) == (ssize_t)sizeof(number)) {
		s->echoed++;
		if (now - s->last_ms > s->gap_ms)
			s->gap_ms = now - s->last_ms;
		s->last_ms = now;
	}
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR && !s->udp))
		s->broken = true;
}

static int run_stream(char **args, int n)
{
	struct stream s = {.file = open_counts(args[0]), .udp = is_udp(args[1])};
	uint64_t every = (uint64_t)atoi(args[4]), next, end;
	int on = 1;

	s.fd = connect_to(args[2], args[3], s.udp ? SOCK_DGRAM : SOCK_STREAM);
	if (s.fd < 0)
		die(args[2]);
	if (!s.udp) {
		s.again = losses(s.fd);
		setsockopt(s.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	s.last_ms = next = now_ms();
	ready();
	while (!stopping && !s.broken) {
		struct pollfd wait = {.fd = s.fd, .events = POLLIN};
		uint64_t now = now_ms();

		if (now >= next) {
			if (send(s.fd, &s.sent, sizeof(s.sent), MSG_NOSIGNAL) ==
				(ssize_t)sizeof(s.sent))
				s.sent++;
			next = now + every;
		}
		if (poll(&wait, 1, now < next ? (int)(next - now) : 0) == 1)
			stream_receive(&s);
		stream_write(&s);
	}
	/* The echo may arrive before the report that a retransmission was unnecessary. */
	end = now_ms() + DRAIN_MS;
	while ((s.echoed < s.sent || (!s.udp && losses(s.fd) > s.again)) && !s.broken &&
		now_ms() < end) {
		struct pollfd wait = {.fd = s.fd, .events = POLLIN};

		if (poll(&wait, 1, 100) == 1)
			stream_receive(&s);
	}
	stream_write(&s);
	return s.echoed == s.sent ? 0 : 1;
}

static const char *outcome_name(int err)
{
	switch (err) {
	case ECONNREFUSED:
		return "refused";
	case ECONNRESET:
		return "reset";
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EACCES:
	case EPERM:
		return "prohibited";
	case ETIMEDOUT:
		return "timeout";
	default:
		return strerror(err);
	}
}

/* Sends one datagram, and returns the error that the stack reports for it. */
static int probe_udp(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char data[64];

	if (send(fd, "probe", 5, 0) < 0)
		return errno;
	if (poll(&wait, 1, CONNECT_MS) != 1)
		return ETIMEDOUT;
	return recv(fd, data, sizeof(data), 0) < 0 ? errno : 0;
}

static int run_connect(char **args, int n)
{
	bool udp = is_udp(args[0]);
	uint64_t start = now_ms();
	int fd = connect_to(args[1], args[2], udp ? SOCK_DGRAM : SOCK_STREAM), on = 1, err = errno;

	if (fd >= 0)
		err = 0;
	if (fd >= 0 && udp) {
		/* Without IP_RECVERR, the kernel reports only some of the errors. */
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &on, sizeof(on));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof(on));
		err = probe_udp(fd);
	}
	printf("%s %llu\n", err ? outcome_name(err) : "connected",
		(unsigned long long)(now_ms() - start));
	return err ? 1 : 0;
}

static int run_bulk(char **args, int n)
{
	static char data[1 << 16];
	uint64_t left = (uint64_t)atoi(args[2]) << 20, start = now_ms();
	int fd = connect_to(args[0], args[1], SOCK_STREAM);

	if (fd < 0)
		die(args[0]);
	fcntl(fd, F_SETFL, 0);
	while (left) {
		ssize_t sent = send(
			fd, data, left < sizeof(data) ? left : sizeof(data), MSG_NOSIGNAL);

		if (sent < 0)
			die("send");
		left -= (uint64_t)sent;
	}
	printf("lost=%u ms=%llu\n", losses(fd), (unsigned long long)(now_ms() - start));
	close(fd);
	return 0;
}

static int run_spray(char **args, int n)
{
	int fds[32], fresh = 0;
	uint64_t rounds = 0;

	for (size_t i = 0; i < 32; i++)
		fds[i] = -1;
	ready();
	while (!stopping) {
		/* In each round one source is new; the others stay open. */
		if (fds[fresh] >= 0)
			close(fds[fresh]);
		fds[fresh] = socket(strchr(args[0], ':') ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
		fresh = (fresh + 1) % 32;
		for (int p = 1; p < n; p++) {
			struct addrinfo *to = resolve(args[0], args[p], SOCK_DGRAM);

			for (size_t i = 0; i < 32; i++)
				if (fds[i] >= 0)
					sendto(fds[i], "x", 1, 0, to->ai_addr, to->ai_addrlen);
			freeaddrinfo(to);
		}
		rounds++;
		pause_us(200);
	}
	printf("rounds=%llu\n", (unsigned long long)rounds);
	return 0;
}

/* ---- frames ---- */

struct frame {
	struct ether_header ether;
	struct iphdr ip;
	struct udphdr udp;
	char data[18];
} __attribute__((packed));

static uint16_t ip_checksum(struct iphdr ip)
{
	uint16_t words[sizeof(ip) / 2];
	uint32_t sum = 0;

	memcpy(words, &ip, sizeof(ip));
	for (size_t i = 0; i < sizeof(ip) / 2; i++)
		sum += words[i];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* Makes a broadcast datagram, which a bridge sends to every port. */
static struct frame make_frame(const uint8_t mac[6], const char *port)
{
	struct frame frame = {
		.ether = {.ether_type = htons(ETHERTYPE_IP)},
		.ip = {.ihl = 5, .version = 4, .ttl = 64, .protocol = IPPROTO_UDP},
		.udp = {.source = htons(4000), .dest = htons((uint16_t)atoi(port))},
	};

	memset(frame.ether.ether_dhost, 0xff, 6);
	memcpy(frame.ether.ether_shost, mac, 6);
	frame.ip.tot_len = htons(sizeof(frame) - sizeof(frame.ether));
	frame.ip.saddr = htonl(0x0a000063); /* 10.0.0.99 */
	frame.ip.daddr = 0xffffffff;
	frame.ip.check = ip_checksum(frame.ip);
	frame.udp.len = htons(sizeof(frame.udp) + sizeof(frame.data));
	return frame;
}

static bool is_ours(const void *data, ssize_t len, const char *port)
{
	const struct frame *frame = data;

	return len >= (ssize_t)(sizeof(frame->ether) + sizeof(frame->ip) + sizeof(frame->udp)) &&
	       frame->ether.ether_type == htons(ETHERTYPE_IP) &&
	       frame->ip.protocol == IPPROTO_UDP && frame->udp.dest == htons((uint16_t)atoi(port));
}

static int open_packet(const char *iface)
{
	struct sockaddr_ll addr = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(iface),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(iface);
	return fd;
}

/* Inserts an 802.1Q tag after the addresses. On receipt the kernel moves the tag out of the frame
 * into its metadata. */
static size_t tag(const struct frame *frame, uint16_t vlan, uint8_t *tagged)
{
	const uint16_t header[2] = {htons(ETHERTYPE_VLAN), htons(vlan)};
	const uint8_t *bytes = (const uint8_t *)frame;
	const size_t addresses = 12;

	memcpy(tagged, bytes, addresses);
	memcpy(tagged + addresses, header, sizeof(header));
	memcpy(tagged + addresses + sizeof(header), bytes + addresses, sizeof(*frame) - addresses);
	return sizeof(*frame) + sizeof(header);
}

static int run_flood(char **args, int n)
{
	struct ether_addr mac = {{0x52, 0x54, 0, 0, 0, 0x63}};
	uint8_t bytes[sizeof(struct frame) + 4];
	size_t len = sizeof(struct frame);
	int fd = open_packet(args[0]);
	struct frame frame;

	if (n > 3 && !ether_aton_r(args[3], &mac))
		die(args[3]);
	frame = make_frame(mac.ether_addr_octet, args[1]);
	memcpy(bytes, &frame, len);
	if (n > 2 && atoi(args[2]))
		len = tag(&frame, (uint16_t)atoi(args[2]), bytes);
	ready();
	while (!stopping) {
		send(fd, bytes, len, MSG_DONTWAIT);
		pause_us(100);
	}
	return 0;
}

static int run_sniff(char **args, int n)
{
	static const char *names[] = {"seen"};
	int file = open_counts(args[0]), fd = open_packet(args[1]);
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	uint64_t seen = 0;

	write_counts(file, names, &seen, 1);
	ready();
	while (!stopping) {
		struct sockaddr_ll from;
		socklen_t len = sizeof(from);
		char data[2048];
		ssize_t got;

		if (poll(&wait, 1, 1000) != 1)
			continue;
		got = recvfrom(fd, data, sizeof(data), 0, (struct sockaddr *)&from, &len);
		if (from.sll_pkttype != PACKET_OUTGOING && is_ours(data, got, args[2]))
			write_counts(file, names, (seen++, &seen), 1);
	}
	return 0;
}

/* ---- a guest on a tap ---- */

static int open_tap(const char *name, const char *bridge)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK), ctl = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0 || ctl < 0)
		die("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		die("TUNSETIFF");
	request.ifr_flags = IFF_UP;
	if (ioctl(ctl, SIOCSIFFLAGS, &request) < 0)
		die("SIOCSIFFLAGS");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", bridge);
	request.ifr_ifindex = (int)if_nametoindex(name);
	if (ioctl(ctl, SIOCBRADDIF, &request) < 0)
		die("SIOCBRADDIF");
	close(ctl);
	return fd;
}

static int run_tap(char **args, int n)
{
	static const char *names[] = {"sent", "got"};
	const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 0x99};
	struct frame frame = make_frame(mac, args[3]);
	int file = open_counts(args[0]), fd = open_tap(args[1], args[2]);
	uint64_t counts[2] = {0};

	while (!stopping) {
		char data[2048];
		ssize_t got;

		counts[0] += write(fd, &frame, sizeof(frame)) > 0;
		while ((got = read(fd, data, sizeof(data))) > 0)
			counts[1] += is_ours(data, got, args[3]);
		write_counts(file, names, counts, 2);
		pause_us(50);
	}
	return 0;
}

static int run_notified(char **args, int n)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", args[0]);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die(args[0]);
	while (!stopping) {
		char text[1024];
		ssize_t len;

		if (poll(&wait, 1, 1000) != 1)
			continue;
		len = recv(fd, text, sizeof(text), 0);
		if (len > 0)
			printf("%.*s\n", (int)len, text);
		fflush(stdout);
	}
	return 0;
}

static const struct {
	const char *name;
	int n_args; /* minimum number of arguments */
	int (*run)(char **args, int n);
} verbs[] = {
	{"echo", 2, run_echo},
	{"sink", 1, run_sink},
	{"count", 2, run_count},
	{"stream", 5, run_stream},
	{"connect", 3, run_connect},
	{"bulk", 3, run_bulk},
	{"spray", 2, run_spray},
	{"flood", 2, run_flood},
	{"sniff", 3, run_sniff},
	{"tap", 4, run_tap},
	{"notified", 1, run_notified},
};

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	alarm(LIFE_SECONDS);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && !strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].n_args)
			return verbs[i].run(argv + 2, argc - 2);
	fprintf(stderr, "traffic: invalid arguments; see the top of traffic.c\n");
	return 2;
}
