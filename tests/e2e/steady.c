/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* steady FIRST RATE SECONDS: opens connections at a steady rate, from guest 1 to guest 2, through their taps. Each
 * is one UDP datagram. No two have the same ports: the first connection has the number FIRST, and each number has
 * ports of its own.
 *
 * Prints sent=, seconds=, rate= (connections a second), late_ms= (the longest time that a datagram was late), and
 * cpu= (seconds of CPU time, which includes the whole path of each datagram). Arriving datagrams are not read: after
 * the firewall, tap2 drops those that its queue has no room for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SPORTS	   60000u
#define FIRST_PORT 2000u
#define AWAIT_MS   20000
#define FORWARDING '3' /* BR_STATE_FORWARDING */
#define NS_PER_S   1000000000u
#define PAUSE_NS   500000
#define FRAME_LEN  60

static void die(const char *what)
{
	fprintf(stderr, "steady: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t clock_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		die(name);
	return fd;
}

/* Waits until the bridge forwards to a tap, which had no carrier before it was opened. */
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
	fprintf(stderr, "steady: %s: the bridge does not forward\n", tap);
	exit(2);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void make_frame(uint8_t frame[FRAME_LEN])
{
	static const uint8_t start[] = {0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54, 0, 0, 0, 1, 8, 0,
		/* IPv4: 46 bytes, TTL 64, UDP, from 10.0.0.11 to 10.0.0.12 */
		0x45, 0, 0, 46, 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0, 10, 0, 0, 11, 10, 0, 0, 12,
		/* UDP: 26 bytes, no checksum (RFC 768) */
		0, 0, 0, 0, 0, 26, 0, 0};
	uint32_t sum = 0;

	memset(frame, 0, FRAME_LEN);
	memcpy(frame, start, sizeof(start));
	for (int i = 14; i < 34; i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	put16(frame + 24, ~((sum & 0xffff) + (sum >> 16)) & 0xffff);
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t first, rate, n, sent = 0, begin, now, late = 0, cpu;
	uint8_t frame[FRAME_LEN];
	double seconds;
	int from, to;

	if (argc != 4) {
		fputs("usage: steady FIRST RATE SECONDS\n", stderr);
		return 2;
	}
	first = strtoull(argv[1], NULL, 10);
	rate = strtoull(argv[2], NULL, 10);
	n = rate * strtoull(argv[3], NULL, 10);
	from = open_tap("tap1");
	to = open_tap("tap2");
	await_forwarding("tap1");
	await_forwarding("tap2");
	make_frame(frame);
	cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);
	begin = clock_of(CLOCK_MONOTONIC);
	while (sent < n) {
		uint64_t due;

		now = clock_of(CLOCK_MONOTONIC);
		due = (now - begin) * rate / NS_PER_S + 1;
		if (due > n)
			due = n;
		if (due > sent && (due - sent) * NS_PER_S / rate > late)
			late = (due - sent) * NS_PER_S / rate;
		for (; sent < due; sent++) {
			put16(frame + 34, (uint32_t)(FIRST_PORT + (first + sent) % SPORTS));
			put16(frame + 36, (uint32_t)(FIRST_PORT + (first + sent) / SPORTS));
			if (write(from, frame, sizeof(frame)) < 0)
				die("write");
		}
		nanosleep(&pause, NULL);
	}
	seconds = (double)(clock_of(CLOCK_MONOTONIC) - begin) / NS_PER_S;
	cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("sent=%llu\nseconds=%.1f\nrate=%.0f\nlate_ms=%llu\ncpu=%.2f\n",
		(unsigned long long)sent, seconds, (double)sent / seconds,
		(unsigned long long)(late / 1000000), (double)cpu / NS_PER_S);
	close(from);
	close(to);
	return 0;
}
