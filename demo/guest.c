/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* guest.c: runs a command in a guest of the lab, over a serial line that QEMU provides as a Unix
 * socket (see probe/agent.c for the protocol).
 *
 *	guest [-t SECONDS] SOCKET COMMAND…   runs it, with its output and exit code
 *	guest [-t SECONDS] -w SOCKET         waits until the guest listens
 *	guest -k                             prints the rate of the host's time stamp counter in kHz
 *
 * Other exit codes: 124 timeout, 125 the guest cannot be reached, 2 wrong usage.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"

#define EXIT_TIMEOUT	 124
#define EXIT_UNREACHABLE 125
#define DEFAULT_SECONDS	 20
#define RETRY_MS	 20
#define READY_MAX	 5 /* lines `ready` after which the command counts as lost and is sent again */

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Guests run only on amd64. Other machines have no counter to report. */
static uint64_t read_ticks(void)
{
#ifdef __x86_64__
	return __builtin_ia32_rdtsc();
#else
	return 0;
#endif
}

struct moment {
	uint64_t ns;
	uint64_t ticks;
};

/* Reads both clocks as close together as possible: takes the quickest of several readings, because
 * a busy machine may interrupt any of them. */
static struct moment read_moment(void)
{
	uint64_t best = UINT64_MAX;
	struct moment ret = {0};

	for (int i = 0; i < 20; i++) {
		uint64_t before = now_ns(), ticks = read_ticks(), took = now_ns() - before;

		if (took >= best)
			continue;
		best = took;
		ret = (struct moment){.ns = before + took / 2, .ticks = ticks};
	}
	return ret;
}

static int print_rate(void)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	struct moment start = read_moment(), end;

	nanosleep(&pause, NULL);
	end = read_moment();
	printf("%llu\n",
		(unsigned long long)((end.ticks - start.ticks) * 1000000 / (end.ns - start.ns)));
	return 0;
}

/* Connects. Waits for the socket, which QEMU creates shortly after its start. */
static int connect_until(const char *path, long until)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	tw_autofd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		if ((errno != ENOENT && errno != ECONNREFUSED) || now_ms() >= until)
			return -errno;
		usleep(RETRY_MS * 1000);
	}
	return TW_TAKE_FD(fd);
}

/* Reads the next line to `line`, without its newline. Returns 0, -ETIMEDOUT, -EPIPE or -ENOMEM. */
static int next_line(int fd, struct tw_buf *line, long until)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	char byte;

	tw_buf_reset(line);
	for (;;) {
		long left = until - now_ms();

		if (left <= 0 || poll(&readable, 1, (int)left) == 0)
			return -ETIMEDOUT;
		if (read(fd, &byte, 1) != 1)
			return -EPIPE;
		if (byte == '\n')
			return line->failed ? -ENOMEM : 0;
		tw_buf_add(line, &byte, 1);
	}
}

static int exit_code(int error)
{
	return error == -ETIMEDOUT ? EXIT_TIMEOUT : EXIT_UNREACHABLE;
}

static int wait_ready(int fd, long until)
{
	tw_auto_buf struct tw_buf line = {0};
	int error;

	do {
		error = next_line(fd, &line, until);
	} while (!error && (!line.data || strcmp(line.data, "ready") != 0));
	return error ? exit_code(error) : 0;
}

static bool send_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static int run(int fd, long seconds, char **words, int n_words)
{
	tw_auto_buf struct tw_buf line = {0}, answer = {0};
	char id[32];
	unsigned int n_ready = 0;
	size_t id_len;
	int error;

	snprintf(id, sizeof(id), "#%x.%lx", (unsigned int)getpid(), (unsigned long)now_ms());
	id_len = strlen(id);
	tw_buf_addf(&line, "%s\t%ld\t", id, seconds);
	for (int i = 0; i < n_words; i++)
		tw_buf_addf(&line, "%s%s", i ? " " : "", words[i]);
	if (!line.failed && strchr(line.data, '\n')) {
		fprintf(stderr, "guest: the command has several lines; join them with ;\n");
		return 2;
	}
	tw_buf_adds(&line, "\n");
	if (line.failed || !send_all(fd, line.data, line.len))
		return EXIT_UNREACHABLE;
	/* The guest ends a command that takes too long; one more second lets it report that. What is
	 * sent before the guest opens its serial line is lost, and must be sent again. */
	for (;;) {
		error = next_line(fd, &answer, now_ms() + (seconds + 1) * 1000);
		if (error)
			return exit_code(error);
		if (answer.len && !strcmp(answer.data, "ready") && ++n_ready % READY_MAX == 0 &&
			!send_all(fd, line.data, line.len))
			return EXIT_UNREACHABLE;
		if (answer.len <= id_len || strncmp(answer.data, id, id_len) != 0)
			continue;
		if (answer.data[id_len] == '=')
			return (int)strtol(answer.data + id_len + 1, NULL, 10);
		puts(answer.data + id_len + 1);
	}
}

int main(int argc, char **argv)
{
	long seconds = DEFAULT_SECONDS;
	tw_autofd int fd = -1;
	bool wait = false;
	int option;

	while ((option = getopt(argc, argv, "+t:wk")) != -1) {
		if (option == 't')
			seconds = strtol(optarg, NULL, 10);
		else if (option == 'w')
			wait = true;
		else if (option == 'k')
			return print_rate();
		else
			return 2;
	}
	if (seconds <= 0 || (wait ? argc != optind + 1 : argc < optind + 2)) {
		fprintf(stderr, "usage: guest [-t SECONDS] {-k | -w SOCKET | SOCKET COMMAND…}\n");
		return 2;
	}
	fd = connect_until(argv[optind], now_ms() + seconds * 1000);
	if (fd < 0) {
		fprintf(stderr, "guest: %s: %s; is the guest running?\n", argv[optind],
			strerror(-fd));
		return EXIT_UNREACHABLE;
	}
	/* Of a command that does not end, the output up to there is printed. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (wait)
		return wait_ready(fd, now_ms() + seconds * 1000);
	return run(fd, seconds, argv + optind + 1, argc - optind - 1);
}
