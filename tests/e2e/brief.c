/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* brief N RATE GUEST: makes N short connections from a guest to guest 2, at most RATE a second.
 * Each is opened, carries a request and an answer, and is closed by both ends. The connections of
 * each 10 ms advance together, step by step.
 *
 * One long-lived connection is opened first and used once a second. Prints opened=, refused= (SYNs
 * that did not arrive), lost= (later segments that did not arrive), alive= (1: the long-lived
 * connection still works), rate= (connections a second).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define AWAIT_MS   20000
#define LATE_MS	   100
#define FORWARDING '3' /* BR_STATE_FORWARDING */
#define FIN	   0x01
#define SYN	   0x02
#define PSH	   0x08
#define ACK	   0x10
#define HEADERS	   34 /* Ethernet and IPv4 */
#define PAYLOAD	   20
#define SPORTS	   60000
#define BATCH_MAX  1000
#define LIVE_SPORT 1000
#define LIVE_DPORT 9999
#define FIRST_PORT 10000
#define ROOM	   2048

struct step {
	unsigned int from; /* 1: the guest, 2: the server */
	uint8_t flags;
	uint8_t seq,
		ack; /* relative to the initial sequence numbers of the sender and of the other end */
	bool data;
};

/* The course of a connection. The end that closes first keeps TIME-WAIT. */
static const struct step steps[] = {
	{1, SYN, 0, 0, false},
	{2, SYN | ACK, 0, 1, false},
	{1, ACK, 1, 1, false},
	{1, PSH | ACK, 1, 1, true},
	{2, PSH | ACK, 1, 1 + PAYLOAD, true},
	{1, FIN | ACK, 1 + PAYLOAD, 1 + PAYLOAD, false},
	{2, FIN | ACK, 1 + PAYLOAD, 2 + PAYLOAD, false},
	{1, ACK, 2 + PAYLOAD, 2 + PAYLOAD, false},
};
#define N_STEPS (sizeof(steps) / sizeof(steps[0]))

static unsigned int client; /* the guest's number */
static int tap[3];	    /* taps of the guest and of the server */

static void die(const char *what)
{
	fprintf(stderr, "brief: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

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

static uint16_t sum_of(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)at[i] << 8 | at[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~((sum & 0xffff) + (sum >> 16));
}

static int open_tap(unsigned int guest)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "tap%u", guest);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		die(request.ifr_name);
	return fd;
}

/* Waits until the bridge forwards to a guest's tap, whose carrier came with this process; up to
 * AWAIT_MS. */
static void await_forwarding(unsigned int guest)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/tap%u/brport/state", guest);
	for (int ms = 0; ms < AWAIT_MS; ms += 10) {
		FILE *file = fopen(path, "r");
		int state = file ? fgetc(file) : EOF;

		if (file)
			fclose(file);
		if (state == FORWARDING)
			return;
		usleep(10000);
	}
	fprintf(stderr, "tap%u: the bridge does not forward\n", guest);
	exit(2);
}

/* Sends one step of the connection between these ports. */
static void send_step(const struct step *s, uint16_t sport, uint16_t dport, uint32_t isn)
{
	uint8_t frame[HEADERS + 20 + PAYLOAD] = {0x52, 0x54, 0, 0, 0, 0, 0x52, 0x54}, *ip, *tcp;
	unsigned int from = s->from == 1 ? client : 2, to = s->from == 1 ? 2 : client;
	size_t len = 20 + (s->data ? PAYLOAD : 0);

	frame[5] = (uint8_t)to;
	frame[11] = (uint8_t)from;
	put16(frame + 12, 0x0800);
	ip = frame + 14;
	ip[0] = 0x45;
	put16(ip + 2, (uint32_t)(20 + len));
	ip[8] = 64;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, 0x0a00000a + from);
	put32(ip + 16, 0x0a00000a + to);
	put16(ip + 10, sum_of(ip, 20, 0));
	tcp = frame + HEADERS;
	put16(tcp, s->from == 1 ? sport : dport);
	put16(tcp + 2, s->from == 1 ? dport : sport);
	put32(tcp + 4, isn + s->seq);
	put32(tcp + 8, s->flags & ACK ? isn + s->ack : 0);
	tcp[12] = 0x50;
	tcp[13] = s->flags;
	put16(tcp + 14, 60000);
	put16(tcp + 16, sum_of(ip + 12, 8 + len, (uint32_t)(IPPROTO_TCP + len)));
	if (write(tap[s->from], frame, HEADERS + len) < 0)
		die("write");
}

/* Reads every frame that has arrived at one of the two; returns the number of TCP segments among
 * them. */
static unsigned long receive(unsigned int end)
{
	static uint8_t frame[ROOM];
	unsigned long n = 0;

	while (read(tap[end], frame, sizeof(frame)) > 0)
		n += frame[12] == 8 && frame[13] == 0 && frame[23] == IPPROTO_TCP;
	return n;
}

/* Opens the long-lived connection, or uses it again. True if all of its segments arrive. */
static bool live(bool opens)
{
	static const struct step uses[] = {{1, PSH | ACK, 1, 1, false}, {2, ACK, 1, 1, false}};
	bool alive = true;

	for (size_t i = 0; opens && i < 3; i++) {
		send_step(&steps[i], LIVE_SPORT, LIVE_DPORT, 1);
		alive &= receive(3 - steps[i].from) == 1;
	}
	for (size_t i = 0; i < 2; i++) {
		send_step(&uses[i], LIVE_SPORT, LIVE_DPORT, 1);
		alive &= receive(3 - uses[i].from) == 1;
	}
	return alive;
}

int main(int argc, char **argv)
{
	unsigned long n_max, rate, done = 0, refused = 0, lost = 0;
	uint64_t begin, pace_ms, now, due_ms, used_ms;
	bool alive;

	if (argc != 4) {
		fputs("usage: brief N RATE GUEST\n", stderr);
		return 2;
	}
	n_max = strtoul(argv[1], NULL, 10);
	rate = strtoul(argv[2], NULL, 10);
	client = (unsigned int)strtoul(argv[3], NULL, 10);
	tap[1] = open_tap(client);
	tap[2] = open_tap(2);
	await_forwarding(client);
	await_forwarding(2);
	receive(1);
	receive(2);
	alive = live(true);
	begin = pace_ms = used_ms = now_ms();
	while (done < n_max) {
		unsigned long n = rate / 100 < BATCH_MAX ? rate / 100 : BATCH_MAX, arrived[N_STEPS];

		due_ms = pace_ms + done * 1000 / rate;
		now = now_ms(); /* once: a second reading may be past due, and a negative timeout waits for ever */
		if (now < due_ms)
			poll(NULL, 0, (int)(due_ms - now));
		/* A delay is not made up for by a higher rate: a port's ended records yield only after a second. */
		else if (now > due_ms + LATE_MS)
			pace_ms += now - due_ms;
		for (size_t i = 0; i < N_STEPS; i++) {
			arrived[i] = 0;
			for (unsigned long k = done; k < done + n; k++) {
				send_step(&steps[i], (uint16_t)(1024 + k % SPORTS),
					(uint16_t)(FIRST_PORT + k / SPORTS % 50000), (uint32_t)k);
				if (k % 64 == 0) /* before the tap's queue overflows */
					arrived[i] += receive(3 - steps[i].from);
			}
			arrived[i] += receive(3 - steps[i].from);
			lost += i ? arrived[0] - arrived[i] : 0;
		}
		refused += n - arrived[0];
		done += n;
		if (now_ms() - used_ms >= 1000) {
			used_ms = now_ms();
			alive &= live(false);
		}
	}
	printf("opened=%lu\nrefused=%lu\nlost=%lu\nalive=%d\nrate=%lu\n", done - refused, refused,
		lost, alive, (unsigned long)(done * 1000 / (now_ms() - begin + 1)));
	return 0;
}
