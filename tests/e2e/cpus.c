/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cpus MODE N TAP1 TAP2 [TAP3]: two guests whose frames are processed by two CPUs at once. There
 * are two threads, each pinned to its own CPU and with its own queue of each tap.
 *
 *	churn	N random frames of a few hundred TCP and UDP connections, opened, closed and reset; guest 1 sends
 *		through TAP1 or TAP3, at random
 *	first	N connections whose first datagrams are processed by both CPUs at once
 *	fins	N connections whose ends send FIN at once, and acknowledge
 *	pieces	N datagrams in two fragments, which arrive at once
 *	acks	N times two segments of one connection at once, then acknowledgements of both
 *	moves	N rounds of datagrams from both ends of 64 connections at once; guest 1 sends through TAP1 and TAP3
 *
 * Prints sent=, arrived= (at the other guest) and forbidden= (frames that no rule allows).
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define AWAIT_MS   20000
#define FORWARDING '3' /* BR_STATE_FORWARDING */
#define THREADS	   2
#define TAPS_MAX   3
#define FIN	   0x01
#define SYN	   0x02
#define RST	   0x04
#define ACK	   0x10
#define FORBIDDEN  1008 /* port */
#define MOVED	   64
#define HEADERS	   34 /* Ethernet and IPv4 */

struct frame {
	uint8_t bytes[256];
	size_t len;
};

/* A sender: guest 1 or 2, its port and the other guest's. */
struct sender {
	unsigned int guest;
	uint16_t sport, dport;
};

struct thread {
	unsigned int number;
	pthread_t thread;
	uint64_t chance;
	int queue[TAPS_MAX];
};

static unsigned long rounds;
static size_t n_taps;
static int cpu[THREADS];
static atomic_ulong n_sent, n_arrived, n_forbidden;
static pthread_barrier_t meeting;
static atomic_uint spinning;

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

static uint32_t sum_of(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Writes Ethernet and IPv4 headers before the payload. `offset` is the fragment offset in bytes. */
static void wrap(struct frame *f, unsigned int guest, uint8_t proto, size_t len, uint16_t id,
	uint16_t offset, bool more)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, 0};
	uint8_t *ip = f->bytes + 14;

	memcpy(f->bytes, mac, 6);
	memcpy(f->bytes + 6, mac, 6);
	f->bytes[5] = (uint8_t)(3 - guest);
	f->bytes[11] = (uint8_t)guest;
	put16(f->bytes + 12, 0x0800);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + len));
	put16(ip + 4, id);
	put16(ip + 6, (more ? 0x2000u : 0) | offset / 8u);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, 0x0a00000a + guest);
	put32(ip + 16, 0x0a00000d - guest);
	put16(ip + 10, ~sum_of(ip, 20, 0));
	f->len = HEADERS + len;
}

static void make_tcp(
	struct frame *f, struct sender s, uint32_t seq, uint32_t ack, uint8_t flags, size_t payload)
{
	uint8_t *tcp = f->bytes + HEADERS;

	memset(tcp, 0, 20 + payload);
	put16(tcp, s.sport);
	put16(tcp + 2, s.dport);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	put16(tcp + 14, 60000);
	wrap(f, s.guest, IPPROTO_TCP, 20 + payload, 0, 0, false);
	put16(tcp + 16,
		~sum_of(f->bytes + 26, 28 + payload, (uint32_t)(IPPROTO_TCP + 20 + payload)));
}

static void make_udp(struct frame *f, struct sender s)
{
	uint8_t *udp = f->bytes + HEADERS;

	put16(udp, s.sport);
	put16(udp + 2, s.dport);
	put16(udp + 4, 12);
	put16(udp + 6, 0);
	memset(udp + 8, 0, 4);
	wrap(f, s.guest, IPPROTO_UDP, 12, 0, 0, false);
}

/* Makes one of the two fragments of a datagram. */
static void make_piece(struct frame *f, uint16_t id, bool later)
{
	uint8_t *udp = f->bytes + HEADERS;

	memset(udp, 0, 64);
	if (!later) {
		put16(udp, 3000);
		put16(udp + 2, 1000);
		put16(udp + 4, 104);
	}
	wrap(f, 1, IPPROTO_UDP, later ? 40 : 64, id, later ? 64 : 0, !later);
}

static void send_by(struct thread *t, size_t tap, const struct frame *f)
{
	if (write(t->queue[tap], f->bytes, f->len) == (ssize_t)f->len)
		n_sent++;
}

static void drain(struct thread *t)
{
	struct frame f;
	ssize_t len;

	for (size_t tap = 0; tap < n_taps; tap++) {
		while ((len = read(t->queue[tap], f.bytes, sizeof(f.bytes))) > 0) {
			if (len < HEADERS + 4 || f.bytes[12] != 8 || f.bytes[13])
				continue;
			n_arrived++;
			n_forbidden += (unsigned int)(f.bytes[36] << 8 | f.bytes[37]) ==
					       FORBIDDEN &&
				       !(f.bytes[21] | (f.bytes[20] & 0x1f));
		}
	}
}

static uint32_t dice(struct thread *t)
{
	t->chance ^= t->chance << 13;
	t->chance ^= t->chance >> 7;
	t->chance ^= t->chance << 17;
	return (uint32_t)(t->chance >> 32);
}

/* Lets both threads continue at nearly the same time: alternately, one of them is delayed by a
 * random short time. */
static void meet(struct thread *t)
{
	unsigned int mine;

	pthread_barrier_wait(&meeting);
	mine = ++spinning;
	for (unsigned int i = 0; i < 20000 && spinning < (mine + 1) / THREADS * THREADS; i++)
		continue;
	for (volatile uint32_t i = dice(t) % 64; i; i--)
		continue;
}

/* ---- modes: what one thread does in a round ---- */

static void churn(struct thread *t, unsigned long round)
{
	uint32_t chance = dice(t), guest = 1 + (chance & 1);
	struct sender s = {
		guest, (uint16_t)(1000 + (chance >> 1) % 8), (uint16_t)(1000 + (chance >> 4) % 8)};
	uint32_t mine = guest == 1 ? 1000 : 5000, theirs = 6000 - mine;
	static const uint8_t flags[] = {
		SYN, SYN, SYN, SYN | ACK, SYN | ACK, ACK, ACK, FIN | ACK, RST | ACK};
	uint32_t which = (chance >> 8) % 14;
	struct frame f;

	if ((chance >> 24) % 50 == 0)
		s.dport = FORBIDDEN;
	if (which >= sizeof(flags))
		make_udp(&f, s);
	else
		make_tcp(&f, s, mine + !(flags[which] & SYN), flags[which] & ACK ? theirs + 1 : 0,
			flags[which], 0);
	send_by(t, guest == 2 ? 1 : chance >> 30 & 2, &f);
}

static struct sender talker(unsigned int guest, unsigned long round)
{
	uint16_t client = (uint16_t)(10000 + round % 40000),
		 server = (uint16_t)(1000 + round / 40000 % 8);

	return guest == 1 ? (struct sender){1, client, server} : (struct sender){2, server, client};
}

static void first(struct thread *t, unsigned long round)
{
	struct frame f;

	make_udp(&f, talker(1, round));
	meet(t);
	send_by(t, 0, &f);
}

static void shake_hands(struct thread *t, unsigned long round)
{
	struct frame f;

	make_tcp(&f, talker(1, round), 1000, 0, SYN, 0);
	send_by(t, 0, &f);
	make_tcp(&f, talker(2, round), 5000, 1001, SYN | ACK, 0);
	send_by(t, 1, &f);
	make_tcp(&f, talker(1, round), 1001, 5001, ACK, 0);
	send_by(t, 0, &f);
}

static void fins(struct thread *t, unsigned long round)
{
	unsigned int guest = t->number + 1;
	uint32_t mine = guest == 1 ? 1001 : 5001, theirs = 6002 - mine;
	struct frame f;

	if (guest == 1)
		shake_hands(t, round);
	make_tcp(&f, talker(guest, round), mine, theirs, FIN | ACK, 0);
	meet(t);
	send_by(t, t->number, &f);
	make_tcp(&f, talker(guest, round), mine + 1, theirs + 1, ACK, 0);
	meet(t);
	send_by(t, t->number, &f);
}

static void pieces(struct thread *t, unsigned long round)
{
	struct frame f;

	make_piece(&f, (uint16_t)round, (t->number ^ round) & 1);
	meet(t);
	send_by(t, 0, &f);
}

static void acks(struct thread *t, unsigned long round)
{
	uint32_t seq = 1001 + (uint32_t)round * 200;
	struct frame f;

	if (!round && !t->number)
		shake_hands(t, 0);
	make_tcp(&f, talker(1, 0), seq + 100 * t->number, 5001, ACK, 100);
	meet(t);
	send_by(t, 0, &f);
	pthread_barrier_wait(&meeting);
	if (t->number)
		return;
	make_tcp(&f, talker(2, 0), 5001, seq + 200, ACK, 0);
	send_by(t, 1, &f);
}

static void moves(struct thread *t, unsigned long round)
{
	struct frame f;

	for (unsigned int i = 0; i < MOVED; i++) {
		make_udp(&f, talker(t->number + 1, i));
		meet(t);
		send_by(t, t->number, &f);
		if (!t->number)
			send_by(t, 2, &f);
		drain(t);
	}
}

/* ---- */

static const struct mode {
	const char *name;
	void (*round)(struct thread *t, unsigned long round);
	unsigned int n_taps;
	unsigned int shared; /* both threads run every round, instead of sharing them out */
} modes[] = {{"churn", churn, 3, 0}, {"first", first, 2, 1}, {"fins", fins, 2, 1},
	{"pieces", pieces, 2, 1}, {"acks", acks, 2, 1}, {"moves", moves, 3, 1}};
static const struct mode *mode;

static void *run(void *arg)
{
	struct thread *t = arg;
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu[t->number], &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
	pthread_barrier_wait(&meeting);
	for (unsigned long i = 0; i < (mode->shared ? rounds : rounds / THREADS); i++) {
		mode->round(t, i);
		if (i % 16 == 0)
			drain(t);
	}
	pthread_barrier_wait(&meeting);
	for (int i = 0; i < 200; i++) {
		drain(t);
		usleep(1000);
	}
	return NULL;
}

static int open_queue(const char *tap)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", tap);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) {
		perror(tap);
		exit(2);
	}
	return fd;
}

/* Waits until the bridge ports forward to the tap, whose carrier came with this process; up to
 * AWAIT_MS. */
static void await_forwarding(const char *tap)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%s/brport/state", tap);
	for (int ms = 0; ms < AWAIT_MS; ms += 10) {
		FILE *file = fopen(path, "r");
		int state = file ? fgetc(file) : EOF;

		if (file)
			fclose(file);
		if (state == FORWARDING)
			return;
		usleep(10000);
	}
	fprintf(stderr, "%s: the bridge does not forward\n", tap);
	exit(2);
}

static void find_cpus(void)
{
	cpu_set_t set;
	int n = 0;

	sched_getaffinity(0, sizeof(set), &set);
	for (int i = 0; i < CPU_SETSIZE && n < THREADS; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	if (n < THREADS) {
		fputs("there is only one CPU\n", stderr);
		exit(77);
	}
}

int main(int argc, char **argv)
{
	struct thread threads[THREADS] = {0};

	for (size_t i = 0; argc > 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(argv[1], modes[i].name))
			mode = &modes[i];
	if (!mode || argc - 3 != (int)mode->n_taps) {
		fputs("usage: cpus MODE N TAP1 TAP2 [TAP3]\n", stderr);
		return 2;
	}
	rounds = strtoul(argv[2], NULL, 10);
	n_taps = mode->n_taps;
	find_cpus();
	pthread_barrier_init(&meeting, NULL, THREADS);
	for (unsigned int i = 0; i < THREADS; i++) {
		threads[i].number = i;
		threads[i].chance = 0x9e3779b97f4a7c15 * (i + 1);
		for (size_t tap = 0; tap < n_taps; tap++)
			threads[i].queue[tap] = open_queue(argv[3 + tap]);
	}
	for (size_t tap = 0; tap < n_taps; tap++)
		await_forwarding(argv[3 + tap]);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_create(&threads[i].thread, NULL, run, &threads[i]);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i].thread, NULL);
	printf("sent=%lu\narrived=%lu\nforbidden=%lu\n", n_sent, n_arrived, n_forbidden);
	return 0;
}
