/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* flood: a guest that sends as fast as it can, and a guest that keeps working meanwhile.
 *
 *	flood send IFACE KIND SECONDS [RATE]
 *	                                 floods with RATE frames a second, or as fast as it can; prints "sent=N" and "ms=N".
 *	                                 0 seconds: until SIGTERM
 *	flood crr FILE HOST PORT         connect, request, response, close, again and again
 *	flood try N HOST PORT            N exchanges; prints how many were completed: "N of N"
 *
 * KIND, from guest 1 to guest 2: syn and udp (each frame with a new pair of ports), icmp (each with
 * a new identifier), fragment (first fragments, each of a new datagram), arp (requests, each for a
 * new address). From outside addresses to guest 2, each frame from a new address: inwards and
 * unheard (SYNs to ports 7000 and 7009), stray (datagrams to port 161). From guest 2 to new outside
 * addresses: outwards (SYNs to port 443). FILE is rewritten in place: "exchanges=N" completed
 * exchanges, "failed=N" exchanges not completed within PATIENCE_MS. All commands end on SIGTERM, or
 * after LIFE_SECONDS.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
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

#define LIFE_SECONDS 900 /* longer than any test runs */
#define FRAME_LEN    60
#define L3	     14
#define L4	     34
#define BURST	     64
/* A flood makes queues overflow, also without a firewall: packets may have to be sent again,
 * twice. */
#define PATIENCE_MS 4000

static volatile sig_atomic_t stopping;

static void on_term(int sig)
{
	stopping = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- frames ---- */

static const uint8_t src_mac[6] = {0x52, 0x54, 0, 0, 0, 1}, dst_mac[6] = {0x52, 0x54, 0, 0, 0, 2};
static const uint8_t beyond_mac[6] = {0x52, 0x54, 0, 0, 9, 9};
static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t src[4] = {10, 0, 0, 11}, dst[4] = {10, 0, 0, 12};

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put_ethernet(uint8_t *frame, const uint8_t to[6], uint16_t type)
{
	memset(frame, 0, FRAME_LEN);
	memcpy(frame, to, 6);
	memcpy(frame + 6, src_mac, 6);
	put16(frame + 12, type);
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

/* Completes the IPv4 header for the rest of the frame; the addresses are already written. */
static void put_ip_over(uint8_t *frame, uint8_t proto, uint32_t id, uint16_t fragment)
{
	uint8_t *ip = frame + L3;
	uint32_t sum = 0;

	ip[0] = 0x45;
	put16(ip + 2, fragment ? 44 : FRAME_LEN - L3);
	put16(ip + 4, id);
	put16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = proto;
	put16(ip + 10, 0);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	put16(ip + 10, fold(sum));
}

static void put_ip(uint8_t *frame, uint8_t proto, uint32_t id, uint16_t fragment)
{
	memcpy(frame + L3 + 12, src, 4);
	memcpy(frame + L3 + 16, dst, 4);
	put_ip_over(frame, proto, id, fragment);
}

/* Writes the TCP checksum over header and pseudo-header; the rest of the frame is zero. */
static void put_tcp_sum(uint8_t *frame)
{
	uint32_t sum = IPPROTO_TCP + FRAME_LEN - L4;

	for (int i = L3 + 12; i < FRAME_LEN; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	put16(frame + L4 + 16, fold(sum));
}

static void make_syn(uint8_t *frame, uint32_t n)
{
	put_ethernet(frame, dst_mac, ETHERTYPE_IP);
	put_ip(frame, IPPROTO_TCP, n, 0);
	put16(frame + L4, 1024 + n % 60000);
	put16(frame + L4 + 2, 1 + n / 60000 % 6000);
	put16(frame + L4 + 6, n);
	frame[L4 + 12] = 0x50;
	frame[L4 + 13] = 2;
	put16(frame + L4 + 14, 65535);
}

/* Makes a SYN between guest 2 and a new outside address. */
static void make_far_syn(uint8_t *frame, uint32_t n, uint16_t port, bool outwards)
{
	uint8_t *ip = frame + L3,
		far[4] = {198, 18 + (n >> 28), (uint8_t)(n >> 20), (uint8_t)(n >> 12)};

	put_ethernet(frame, outwards ? beyond_mac : dst_mac, ETHERTYPE_IP);
	memcpy(frame + 6, outwards ? dst_mac : beyond_mac, 6);
	memcpy(ip + 12, outwards ? dst : far, 4);
	memcpy(ip + 16, outwards ? far : dst, 4);
	put_ip_over(frame, IPPROTO_TCP, n, 0);
	put16(frame + L4, 1024 + n % 4096);
	put16(frame + L4 + 2, port);
	put16(frame + L4 + 6, n);
	frame[L4 + 12] = 0x50;
	frame[L4 + 13] = 2;
	put16(frame + L4 + 14, 65535);
	put_tcp_sum(frame);
}

static void make_inwards(uint8_t *frame, uint32_t n)
{
	make_far_syn(frame, n, 7000, false);
}

static void make_unheard(uint8_t *frame, uint32_t n)
{
	make_far_syn(frame, n, 7009, false);
}

/* Makes an unsolicited datagram between the same addresses. */
static void make_stray(uint8_t *frame, uint32_t n)
{
	make_far_syn(frame, n, 7000, false);
	put_ip_over(frame, IPPROTO_UDP, n, 0);
	memset(frame + L4, 0, FRAME_LEN - L4);
	put16(frame + L4, 1024 + n % 4096);
	put16(frame + L4 + 2, 161);
	put16(frame + L4 + 4, FRAME_LEN - L4);
}

static void make_outwards(uint8_t *frame, uint32_t n)
{
	make_far_syn(frame, n, 443, true);
}

static void make_udp(uint8_t *frame, uint32_t n)
{
	put_ethernet(frame, dst_mac, ETHERTYPE_IP);
	put_ip(frame, IPPROTO_UDP, n, 0);
	put16(frame + L4, 1024 + n % 60000);
	put16(frame + L4 + 2, 9 + n / 60000 % 6000);
	put16(frame + L4 + 4, FRAME_LEN - L4);
}

static void make_icmp(uint8_t *frame, uint32_t n)
{
	put_ethernet(frame, dst_mac, ETHERTYPE_IP);
	put_ip(frame, IPPROTO_ICMP, n, 0);
	frame[L4] = 8;
	put16(frame + L4 + 4, n);
}

static void make_fragment(uint8_t *frame, uint32_t n)
{
	put_ethernet(frame, dst_mac, ETHERTYPE_IP);
	put_ip(frame, IPPROTO_UDP, n, 0x2000);
	put16(frame + L4, 1024 + n % 60000);
	put16(frame + L4 + 2, 9);
	put16(frame + L4 + 4, 1000);
}

static void make_arp(uint8_t *frame, uint32_t n)
{
	static const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint8_t *arp = frame + L3;

	put_ethernet(frame, all, ETHERTYPE_ARP);
	memcpy(arp, head, sizeof(head));
	memcpy(arp + 8, src_mac, 6);
	memcpy(arp + 14, src, 4);
	arp[24] = 10;
	arp[25] = 9;
	put16(arp + 26, n);
}

static const struct {
	const char *name;
	void (*make)(uint8_t *frame, uint32_t n);
} kinds[] = {{"syn", make_syn}, {"udp", make_udp}, {"icmp", make_icmp}, {"fragment", make_fragment},
	{"arp", make_arp}, {"inwards", make_inwards}, {"unheard", make_unheard},
	{"outwards", make_outwards}, {"stray", make_stray}};

/* ---- send ---- */

static int open_packet(const char *iface)
{
	struct sockaddr_ll addr = {.sll_family = AF_PACKET,
		.sll_protocol = 0,
		.sll_ifindex = (int)if_nametoindex(iface)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || !addr.sll_ifindex || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) < 0)
		die(iface);
	return fd;
}

static int run_send(char **args)
{
	static uint8_t frames[BURST][FRAME_LEN];
	struct iovec parts[BURST];
	struct mmsghdr messages[BURST] = {0};
	uint64_t begin = now_ms(), life_ms = 1000 * strtoull(args[2], NULL, 10), sent = 0;
	uint64_t rate = args[3] ? strtoull(args[3], NULL, 10) : 0;
	size_t kind = 0, n_kinds = sizeof(kinds) / sizeof(kinds[0]);
	int fd = open_packet(args[0]);

	while (kind < n_kinds && strcmp(kinds[kind].name, args[1]) != 0)
		kind++;
	if (kind == n_kinds) {
		errno = EINVAL;
		die(args[1]);
	}
	for (int i = 0; i < BURST; i++) {
		parts[i] = (struct iovec){frames[i], FRAME_LEN};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (!stopping && (!life_ms || now_ms() - begin < life_ms)) {
		int n;

		if (rate && sent >= (now_ms() - begin) * rate / 1000) {
			poll(NULL, 0, 1);
			continue;
		}
		for (uint32_t i = 0; i < BURST; i++)
			kinds[kind].make(frames[i], (uint32_t)sent + i);
		n = sendmmsg(fd, messages, BURST, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			die("sendmmsg");
		sent += n > 0 ? (uint64_t)n : 0;
	}
	printf("sent=%llu\nms=%llu\n", (unsigned long long)sent,
		(unsigned long long)(now_ms() - begin));
	return 0;
}

/* ---- crr ---- */

static int await(int fd, short events)
{
	struct pollfd wait = {.fd = fd, .events = events};

	return poll(&wait, 1, PATIENCE_MS) == 1 ? 0 : -1;
}

/* Does one exchange. 0, or -1 if it failed. */
static int exchange(const struct sockaddr_in *to)
{
	struct linger reset = {1, 0};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = 0;
	socklen_t len = sizeof(err);
	char byte = 'x';
	int ok = 0;

	if (fd < 0)
		die("socket");
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 || errno == EINPROGRESS)
		ok = !await(fd, POLLOUT) && !getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) &&
		     !err && send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && !await(fd, POLLIN) &&
		     recv(fd, &byte, 1, 0) == 1;
	/* Close by RST, without TIME_WAIT, so that the ports do not run out. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	return ok ? 0 : -1;
}

static int run_crr(char **args)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(args[2]))};
	int file = open(args[0], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t done = 0, failed = 0;
	char text[96];

	if (file < 0)
		die(args[0]);
	if (inet_pton(AF_INET, args[1], &to.sin_addr) != 1)
		die(args[1]);
	puts("ready");
	fflush(stdout);
	while (!stopping) {
		int len;

		if (exchange(&to))
			failed++;
		else
			done++;
		len = snprintf(text, sizeof(text), "exchanges=%-20llu\nfailed=%-20llu\n",
			(unsigned long long)done, (unsigned long long)failed);
		if (pwrite(file, text, (size_t)len, 0) != len)
			die(args[0]);
	}
	return 0;
}

static int run_try(char **args)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(args[2]))};
	int n = atoi(args[0]), done = 0;

	if (inet_pton(AF_INET, args[1], &to.sin_addr) != 1)
		die(args[1]);
	for (int i = 0; i < n && !stopping; i++)
		done += !exchange(&to);
	printf("%d of %d\n", done, n);
	return done == n ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_term};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	alarm(LIFE_SECONDS);
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "send"))
		return run_send(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "crr"))
		return run_crr(argv + 2);
	if (argc == 5 && !strcmp(argv[1], "try"))
		return run_try(argv + 2);
	fprintf(stderr, "flood: invalid arguments; see the comment at the top of flood.c\n");
	return 2;
}
