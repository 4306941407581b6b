/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload: sends frames with virtio headers through real taps, and checks strictly what arrives.
 *
 *	offload known             frames that guests send, which must arrive, and frames that would be
 *	                          rewritten after their verdict, which must not
 *	offload random SECONDS SEED
 *	                          random frames with random headers, half of the time to receivers that
 *	                          accept offloads
 *
 * The taps are tap1 (the sending guest), tap2 (another guest) and up0 (an uplink), with
 * IFF_VNET_HDR. The policy allows 10.0.0.11 and fd00::11 to send udp/53 and tcp/80 to 10.0.0.12,
 * fd00::12, 203.0.113.9 and 2001:db8::9, and nothing else. Each frame that arrives is completed as
 * a receiver would, and must be allowed. Prints the frames that are not, and the number of frames;
 * exit 0 or 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define ROOM	    70000
#define N_TALKS	    8 /* TCP connections to each receiver, from port 1000 on */
#define SHOWN_MAX   5
#define GATEWAY_MAC 0xfe

enum { SENDER, GUEST, UPLINK, N_TAPS };

struct frame {
	struct virtio_net_hdr vnet;
	uint8_t bytes[ROOM];
	size_t len;
	size_t l3, l4;
};

struct counts {
	unsigned long sent, taken, arrived, wrong;
};

static int taps[N_TAPS];
static struct counts counts;
static uint64_t state;
static struct frame last; /* the frame sent last */

static void die(const char *what)
{
	perror(what);
	exit(2);
}

/* splitmix64 (G. Steele and others, 2014). */
static uint32_t below(uint32_t n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)((z ^ z >> 31) % n);
}

#define ONE_OF(...)                             \
	((const uint32_t[]){__VA_ARGS__}[below( \
		(uint32_t)(sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))])

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t sum(const uint8_t *bytes, size_t len, uint32_t from)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		from += get16(bytes + i);
	if (len & 1)
		from += (uint32_t)bytes[len - 1] << 8;
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static void open_taps(void)
{
	static const char *const names[N_TAPS] = {"tap1", "tap2", "up0"};

	for (int i = 0; i < N_TAPS; i++) {
		struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};

		snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", names[i]);
		taps[i] = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		if (taps[i] < 0 || ioctl(taps[i], TUNSETIFF, &request))
			die(names[i]);
	}
}

/* Reads the next frame from a tap; false if there is none. */
static bool take(int tap, struct frame *f)
{
	const struct iovec parts[] = {{&f->vnet, sizeof(f->vnet)}, {f->bytes, sizeof(f->bytes)}};
	ssize_t n = readv(taps[tap], parts, 2);

	f->len = n > 0 ? (size_t)n - sizeof(f->vnet) : 0;
	return n > 0;
}

/* ---- checking ---- */

static void wrong(const struct frame *f, int tap, const char *why, uint32_t value)
{
	if (counts.wrong++ >= SHOWN_MAX)
		return;
	printf("at tap %d: %s %#x:", tap, why, value);
	for (size_t i = 0; i < f->len && i < 80; i++)
		printf("%s%02x", i % 2 ? "" : " ", f->bytes[i]);
	printf("\n  sent last, flags %u type %u header %u size %u start %u offset %u:",
		last.vnet.flags, last.vnet.gso_type, last.vnet.hdr_len, last.vnet.gso_size,
		last.vnet.csum_start, last.vnet.csum_offset);
	for (size_t i = 0; i < last.len && i < 80; i++)
		printf("%s%02x", i % 2 ? "" : " ", last.bytes[i]);
	puts("");
}

/* Completes a checksum that the sender left to the receiver. */
static void finish(struct frame *f)
{
	size_t at = (size_t)f->vnet.csum_start + f->vnet.csum_offset;

	if (!(f->vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || at + 2 > f->len)
		return;
	put16(f->bytes + at,
		~sum(f->bytes + f->vnet.csum_start, f->len - f->vnet.csum_start, 0) & 0xffff);
}

static void check_ports(const struct frame *f, int tap, uint32_t proto, size_t at)
{
	if (at + 4 > f->len)
		return;
	if (!(proto == 17 && get16(f->bytes + at + 2) == 53) &&
		!(proto == 6 && get16(f->bytes + at + 2) == 80))
		wrong(f, tap, "protocol and port", proto << 16 | get16(f->bytes + at + 2));
}

static void check_v4(const struct frame *f, int tap, const uint8_t *ip)
{
	uint32_t src, dst, header = (ip[0] & 15) * 4u;

	memcpy(&src, ip + 12, 4);
	memcpy(&dst, ip + 16, 4);
	if (src != inet_addr("10.0.0.11"))
		wrong(f, tap, "source", ntohl(src));
	if (dst != inet_addr(tap == GUEST ? "10.0.0.12" : "203.0.113.9"))
		wrong(f, tap, "destination", ntohl(dst));
	if (f->vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE && header >= 20 &&
		(size_t)(ip - f->bytes) + header <= f->len && sum(ip, header, 0) != 0xffff)
		wrong(f, tap, "header checksum", get16(ip + 10));
	if (!(get16(ip + 6) & 0x1fff))
		check_ports(f, tap, ip[9], (size_t)(ip - f->bytes) + header);
}

static void check_v6(const struct frame *f, int tap, const uint8_t *ip)
{
	size_t at = (size_t)(ip - f->bytes) + 40;
	struct in6_addr src, dst;
	uint8_t next = ip[6];

	inet_pton(AF_INET6, "fd00::11", &src);
	inet_pton(AF_INET6, tap == GUEST ? "fd00::12" : "2001:db8::9", &dst);
	if (memcmp(ip + 8, &src, 16) || memcmp(ip + 24, &dst, 16))
		wrong(f, tap, "IPv6 address", ip[23]);
	while ((next == 0 || next == 43 || next == 44 || next == 51 || next == 60) &&
		at + 8 <= f->len) {
		size_t len = next == 44	  ? 8
			     : next == 51 ? (f->bytes[at + 1] + 2u) * 4
					  : (f->bytes[at + 1] + 1u) * 8;

		if (next == 44 && get16(f->bytes + at + 2) & 0xfff8)
			return;
		next = f->bytes[at];
		at += len;
	}
	check_ports(f, tap, next, at);
}

/* Checks that the policy allows a received frame. */
static void check(struct frame *f, int tap)
{
	size_t at = 12;

	if (f->len < 34 || memcmp(f->bytes + 6, "\x52\x54\0\0\0\1", 6)) {
		wrong(f, tap, "source MAC", f->len > 11 ? f->bytes[11] : 0);
		return;
	}
	finish(f);
	while (at + 4 < f->len &&
		(get16(f->bytes + at) == 0x8100 || get16(f->bytes + at) == 0x88a8))
		at += 4;
	if (get16(f->bytes + at) < 0x600)
		at += 8; /* LLC and SNAP */
	if (get16(f->bytes + at) == 0x800 && at + 22 <= f->len)
		check_v4(f, tap, f->bytes + at + 2);
	else if (get16(f->bytes + at) == 0x86dd && at + 42 <= f->len)
		check_v6(f, tap, f->bytes + at + 2);
	else
		wrong(f, tap, "type", get16(f->bytes + at));
}

/* Reads up to `max` frames from a tap; returns the number of frames from the sender. */
static unsigned int drain(int tap, unsigned int max)
{
	static struct frame f;
	unsigned int n = 0;

	while (n < max && take(tap, &f)) {
		if (f.len > 11 && f.bytes[6] == 0x52 && f.bytes[11] != 1)
			continue;
		n++;
		check(&f, tap);
	}
	counts.arrived += n;
	return n;
}

/* ---- frames ---- */

static bool emit(int tap, struct frame *f)
{
	const struct iovec parts[] = {{&f->vnet, sizeof(f->vnet)}, {f->bytes, f->len}};
	ssize_t n = writev(taps[tap], parts, 2);

	counts.sent += tap == SENDER;
	counts.taken += tap == SENDER && n > 0;
	return n > 0;
}

static uint32_t pseudo(const struct frame *f, bool v6, uint32_t proto)
{
	const uint8_t *ip = f->bytes + f->l3;

	return sum(ip + (v6 ? 8 : 12), v6 ? 32 : 8, proto + (uint32_t)(f->len - f->l4));
}

/* Writes the transport checksum: complete, or only the pseudo-header's sum. */
static void sum_up(struct frame *f, bool v6, uint32_t proto, bool whole)
{
	uint8_t *at = f->bytes + f->l4 + (proto == 6 ? 16 : 6);

	put16(at, 0);
	put16(at, whole ? ~sum(f->bytes + f->l4, f->len - f->l4, pseudo(f, v6, proto)) & 0xffff
			: pseudo(f, v6, proto));
}

static void sum_header(struct frame *f)
{
	uint8_t *ip = f->bytes + f->l3;

	put16(ip + 10, 0);
	put16(ip + 10, ~sum(ip, (ip[0] & 15) * 4u, 0) & 0xffff);
}

static void fill_v4(struct frame *f, bool reply, bool outside, uint32_t proto)
{
	uint8_t *ip = f->bytes + f->l3;
	uint32_t ends[2] = {
		inet_addr("10.0.0.11"), inet_addr(outside ? "203.0.113.9" : "10.0.0.12")};

	put16(f->bytes + 12, 0x800);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(f->len - f->l3));
	ip[8] = 64;
	ip[9] = (uint8_t)proto;
	memcpy(ip + 12, &ends[reply], 4);
	memcpy(ip + 16, &ends[!reply], 4);
	sum_header(f);
}

static void fill_v6(struct frame *f, bool reply, bool outside, uint32_t proto)
{
	uint8_t *ip = f->bytes + f->l3;

	put16(f->bytes + 12, 0x86dd);
	ip[0] = 0x60;
	put16(ip + 4, (uint32_t)(f->len - f->l3 - 40));
	ip[6] = (uint8_t)proto;
	ip[7] = 64;
	inet_pton(AF_INET6, "fd00::11", ip + (reply ? 24 : 8));
	inet_pton(AF_INET6, outside ? "2001:db8::9" : "fd00::12", ip + (reply ? 8 : 24));
}

/* Makes a packet between the sender and a receiver, as a network stack would. */
static void make(struct frame *f, bool v6, bool reply, bool outside, uint32_t proto, uint32_t port,
	uint32_t flags, size_t payload)
{
	size_t header = proto == 6 ? 20 : 8;
	uint8_t *l4;

	f->vnet = (struct virtio_net_hdr){0};
	f->l3 = 14;
	f->l4 = f->l3 + (v6 ? 40 : 20);
	f->len = f->l4 + header + payload;
	memset(f->bytes, 0, f->len);
	memcpy(f->bytes + (reply ? 6 : 0), "\x52\x54\0\0\0\2", 6);
	f->bytes[reply ? 11 : 5] = outside ? GATEWAY_MAC : 2;
	memcpy(f->bytes + (reply ? 0 : 6), "\x52\x54\0\0\0\1", 6);
	if (v6)
		fill_v6(f, reply, outside, proto);
	else
		fill_v4(f, reply, outside, proto);
	l4 = f->bytes + f->l4;
	put16(l4 + (reply ? 2 : 0), port);
	put16(l4 + (reply ? 0 : 2), proto == 6 ? 80 : 53);
	if (proto == 6) {
		/* Each end's initial sequence number is 0, and each has sent its SYN. */
		l4[7] = l4[11] = flags != 2;
		l4[7] = flags == 0x12 ? 0 : l4[7];
		l4[12] = 0x50;
		l4[13] = (uint8_t)flags;
		put16(l4 + 14, 65535);
	} else {
		put16(l4 + 4, (uint32_t)(f->len - f->l4));
	}
	memset(l4 + header, 22, payload);
	sum_up(f, v6, proto, true);
}

/* Waits until the bridge forwards to both receivers, which takes some time after the taps are
 * opened. */
static void settle(void)
{
	static struct frame f;
	int tries = 0;

	for (int tap = GUEST; tap <= UPLINK; tap++) {
		struct pollfd wait = {.fd = taps[tap], .events = POLLIN};

		do {
			make(&f, false, false, tap == UPLINK, 17, 999, 0, 100);
			emit(SENDER, &f);
			poll(&wait, 1, 50);
			if (++tries > 400) {
				fputs("nothing arrives\n", stderr);
				exit(2);
			}
		} while (!drain(tap, 1000));
	}
}

/* Opens the TCP connections of the random segments. Until the bridge has learned the ports it
 * floods their frames, so arrivals prove nothing. */
static void open_talks(void)
{
	static struct frame f;

	counts.wrong = SHOWN_MAX;
	settle();
	for (uint32_t i = 0; i < 4 * N_TALKS; i++) {
		bool v6 = i & 1, outside = i & 2;
		uint32_t port = 1000 + i / 4;
		int tap = outside ? UPLINK : GUEST;

		make(&f, v6, false, outside, 6, port, 2, 0);
		emit(SENDER, &f);
		make(&f, v6, true, outside, 6, port, 0x12, 0);
		emit(tap, &f);
		make(&f, v6, false, outside, 6, port, 0x10, 0);
		emit(SENDER, &f);
		drain(tap, 1000);
	}
	while (take(SENDER, &f))
		continue;
}

/* ---- known frames ---- */

static void known(const char *what, struct frame *f, unsigned int expected)
{
	unsigned int before = (unsigned int)counts.wrong, n = 0;
	struct pollfd wait = {.fd = taps[GUEST], .events = POLLIN};

	last = *f;
	emit(SENDER, f);
	while (n < expected && poll(&wait, 1, 2000) > 0)
		n += drain(GUEST, 1000);
	n += drain(GUEST, 1000);
	printf("%s - %s: %u of %u\n", n == expected && counts.wrong == before ? "ok" : "not ok",
		what, n, expected);
	counts.wrong += n != expected;
}

/* Makes the virtio header of a frame. */
static struct virtio_net_hdr under(
	uint32_t flags, uint32_t type, uint32_t size, size_t start, uint32_t offset)
{
	return (struct virtio_net_hdr){.flags = (uint8_t)flags,
		.gso_type = (uint8_t)type,
		.gso_size = (uint16_t)size,
		.hdr_len = (uint16_t)start,
		.csum_start = (uint16_t)start,
		.csum_offset = (uint16_t)offset};
}

static void ask(
	struct frame *f, bool v6, uint32_t proto, size_t payload, uint32_t type, uint32_t size)
{
	make(f, v6, false, false, proto, 1000, 0x10, payload);
	sum_up(f, v6, proto, false);
	f->vnet = under(1, type, size, f->l4, proto == 6 ? 16 : 6);
}

static void run_honest(struct frame *f)
{
	for (int v6 = 0; v6 < 2; v6++) {
		make(f, v6, false, false, 17, 1000, 0, 100);
		known("UDP with its checksum", f, 1);
		ask(f, v6, 17, 100, 0, 0);
		known("UDP with a checksum to be completed", f, 1);
		ask(f, v6, 6, 100, 0, 0);
		known("TCP with a checksum to be completed", f, 1);
		ask(f, v6, 6, 3000, v6 ? 4 : 1, 1000);
		known("a TCP super-frame of three segments", f, 3);
		ask(f, v6, 6, 3000, (v6 ? 4 : 1) | 0x80, 1000);
		known("the same with ECN", f, 3);
	}
}

static void run_rewritten(struct frame *f)
{
	static const struct {
		uint32_t start, offset;
		const char *what;
	} places[] = {{34, 2, "a checksum offset at the destination port"},
		{34, 0, "… the source port"}, {34, 4, "… the length"},
		{14, 14, "… the source address"}, {14, 18, "… the destination address"},
		{0, 4, "… the destination MAC"}, {0, 10, "… the source MAC"}, {0, 12, "… the type"},
		{22, 8, "… an address, with a start inside the header"}, {40, 8, "… payload"}};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		make(f, false, false, false, 17, 1000, 0, 100);
		f->vnet = under(1, 0, 0, places[i].start, places[i].offset);
		/* A place beyond the UDP header may be a tunnelled packet's checksum. */
		known(places[i].what, f, places[i].start >= 42);
	}
}

static void run_segments(struct frame *f)
{
	static const uint32_t wrong_types[] = {VIRTIO_NET_HDR_GSO_UDP, VIRTIO_NET_HDR_GSO_TCPV6};

	for (size_t i = 0; i < 2; i++) {
		ask(f, false, 6, 3000, wrong_types[i], 1000);
		known("a TCP super-frame of another type", f, 0);
	}
	make(f, false, false, false, 17, 1000, 0, 592);
	put16(f->bytes + f->l3 + 4, 77);
	put16(f->bytes + f->l3 + 6, 0x2000);
	put16(f->bytes + f->l4 + 4, 3600);
	sum_header(f);
	known("a first fragment", f, 1);
	ask(f, false, 17, 2992, VIRTIO_NET_HDR_GSO_UDP, 1400);
	put16(f->bytes + f->l3 + 4, 77);
	put16(f->bytes + f->l3 + 6, 75);
	put16(f->bytes + f->l4 + 2, 22);
	sum_header(f);
	known("a checksum offset that would turn a later fragment into a first one", f, 0);
	ask(f, false, 17, 2992, VIRTIO_NET_HDR_GSO_UDP, 1400);
	known("UDP fragmentation offload", f, 0);
	ask(f, false, 6, 60000, VIRTIO_NET_HDR_GSO_TCPV4, 1);
	known("a super-frame of 60,000 segments", f, 0);
	ask(f, false, 6, 3000, VIRTIO_NET_HDR_GSO_TCPV4, 1000);
	put16(f->bytes + f->l3 + 2, 1040);
	sum_header(f);
	known("a super-frame whose length field is too small", f, 0);
}

static int run_known(void)
{
	static struct frame f;

	open_talks();
	counts = (struct counts){0};
	run_honest(&f);
	run_rewritten(&f);
	run_segments(&f);
	return counts.wrong != 0;
}

/* ---- random frames ---- */

/* Makes the packet a fragment, or falsifies its header. */
static void bend_v4(struct frame *f)
{
	uint8_t *ip = f->bytes + f->l3;

	put16(ip + 4, below(20));
	put16(ip + 6, ONE_OF(0, 0, 0, 0, 0x2000, 0x2000, 3, 0x2003, 1, 185));
	if (!below(5))
		put16(ip + 2, ONE_OF(0, 20, 28, 40, 60, (uint32_t)(f->len - f->l3 - 8)));
	if (!below(10))
		ip[0] = (uint8_t)(0x40 | below(16));
	if (below(10) && (ip[0] & 15) >= 5)
		sum_header(f);
}

/* Inserts extension headers between the fixed header and the transport header. */
static void bend_v6(struct frame *f)
{
	uint8_t *ip = f->bytes + f->l3;

	for (uint32_t n = ONE_OF(0, 0, 0, 1, 2); n; n--) {
		uint8_t header[8] = {ip[6]}, kind = (uint8_t)ONE_OF(0, 43, 44, 60);

		if (kind == 44) {
			put16(header + 2, ONE_OF(0, 1, 8, 9));
			header[7] = (uint8_t)below(20);
		} else {
			header[2] = kind == 43 ? 4 : 1;
			header[3] = kind == 43 ? 0 : 4;
		}
		memmove(ip + 48, ip + 40, f->len - f->l3 - 40);
		memcpy(ip + 40, header, 8);
		ip[6] = kind;
		f->len += 8;
		f->l4 += 8;
	}
	put16(ip + 4, below(5) ? (uint32_t)(f->len - f->l3 - 40) : ONE_OF(0, 8, 20));
}

static void add_tags(struct frame *f)
{
	for (uint32_t n = ONE_OF(0, 0, 0, 0, 1, 1, 2); n; n--) {
		memmove(f->bytes + 16, f->bytes + 12, f->len - 12);
		put16(f->bytes + 12, ONE_OF(0x8100, 0x88a8));
		put16(f->bytes + 14, ONE_OF(0, 0, 5));
		f->len += 4;
		f->l3 += 4;
		f->l4 += 4;
	}
	if (below(20))
		return;
	memmove(f->bytes + f->l3 + 8, f->bytes + f->l3, f->len - f->l3);
	memcpy(f->bytes + f->l3 + 6, f->bytes + f->l3 - 2, 2);
	memcpy(f->bytes + f->l3, "\xaa\xaa\3\0\0\0", 6);
	put16(f->bytes + f->l3 - 2, (uint32_t)(f->len - f->l3 + 8) & 0x5ff);
	f->len += 8;
	f->l3 += 8;
	f->l4 += 8;
}

static void draw_header(struct frame *f, uint32_t proto)
{
	size_t start = f->l4;

	if (!below(5))
		start = below(2) ? below(80) : f->l4 + ONE_OF(8, 20, 4);
	f->vnet = under(ONE_OF(0, 1, 1, 2, 3), ONE_OF(0, 0, 0, 1, 1, 3, 3, 4, 4, 5, 5, 0x81),
		ONE_OF(0, 1, 8, 16, 100, 536, 1400, 1400, 65535), start,
		below(5) ? (proto == 6 ? 16 : 6) : below(24));
	f->vnet.hdr_len = (uint16_t)ONE_OF(
		0, (uint32_t)f->l4, (uint32_t)f->l4 + 8, (uint32_t)f->l4 + 20, 14, 200);
}

static void draw(struct frame *f)
{
	bool v6 = below(5) < 2, outside = below(2);
	uint32_t proto = ONE_OF(6, 6, 17, 17, 17);

	make(f, v6, false, outside, proto, 1000 + below(N_TALKS), ONE_OF(0x10, 0x10, 0x18, 2),
		ONE_OF(0, 8, 64, 500, 1400, 1400, 3000, 9000));
	if (!below(7))
		put16(f->bytes + f->l4 + 2, ONE_OF(22, 53, 80, 67));
	if (below(2))
		sum_up(f, v6, proto, false);
	if (v6)
		bend_v6(f);
	else
		bend_v4(f);
	add_tags(f);
	if (!below(10))
		f->bytes[14 + below(66)] = (uint8_t)below(256);
	if (!below(10))
		f->len += 2 * below(400);
	draw_header(f, proto);
}

static void take_offloads(bool taken)
{
	unsigned int offloads = taken ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN : 0;

	if (ioctl(taps[GUEST], TUNSETOFFLOAD, offloads) ||
		ioctl(taps[UPLINK], TUNSETOFFLOAD, offloads))
		die("TUNSETOFFLOAD");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run_random(double duration, uint64_t seed)
{
	double begin = seconds(), now = begin;
	bool taken = false;

	open_talks();
	counts = (struct counts){0};
	state = seed;
	while (now < begin + duration) {
		for (int i = 0; i < 200; i++) {
			draw(&last);
			emit(SENDER, &last);
			drain(GUEST, 10000);
			drain(UPLINK, 10000);
			drain(SENDER, 10000);
		}
		now = seconds();
		if (!taken && now > begin + duration / 2) {
			taken = true;
			take_offloads(true);
		}
	}
	printf("seed %llu: %lu frames, %lu taken, %lu arrived, %lu wrong\n",
		(unsigned long long)seed, counts.sent, counts.taken, counts.arrived, counts.wrong);
	return counts.wrong || counts.taken < counts.sent / 10 ||
	       counts.arrived < counts.taken / 50;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "known")) {
		open_taps();
		return run_known();
	}
	if (argc == 4 && !strcmp(argv[1], "random")) {
		open_taps();
		return run_random(atof(argv[2]), strtoull(argv[3], NULL, 0));
	}
	fputs("usage: offload known | offload random SECONDS SEED\n", stderr);
	return 2;
}
