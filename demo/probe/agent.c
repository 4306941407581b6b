/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.c: runs commands received over a serial line.
 *
 * Protocol:   lines. Host: `ID <tab> SECONDS <tab> COMMAND`; ID begins with #. Guest: `ID-text`
 *             for each line that the command prints, then `ID=STATUS`. Until the first command, the
 *             guest sends `ready` five times a second, so that the host knows that it listens.
 *             Lines with another ID answer a host that has gone away; the reader skips them.
 */
#include "demo/probe/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

#define LINE_LEN_MAX 16384
#define READY_MS     200
#define EXIT_TIMEOUT 124 /* as timeout(1) */

struct line {
	char text[LINE_LEN_MAX];
	size_t len;
};

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int open_tty(const char *path)
{
	tw_autofd int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios mode;

	if (fd < 0)
		return -errno;
	if (isatty(fd)) {
		if (tcgetattr(fd, &mode) < 0)
			return -errno;
		cfmakeraw(&mode);
		mode.c_cflag |= CLOCAL | CREAD;
		cfsetspeed(&mode, B115200);
		if (tcsetattr(fd, TCSAFLUSH, &mode) < 0)
			return -errno;
	}
	return TW_TAKE_FD(fd);
}

/* Reads up to the next newline, which is cut off. If `wait`, sends `ready` while nothing is
 * received. A line that is too long is discarded. False if the serial line fails. */
static bool read_line(int tty, struct line *line, bool wait)
{
	struct pollfd ready = {.fd = tty, .events = POLLIN};
	bool too_long = false;
	char byte;

	line->len = 0;
	for (;;) {
		if (wait && !line->len && poll(&ready, 1, READY_MS) == 0) {
			dprintf(tty, "ready\n");
			continue;
		}
		if (read(tty, &byte, 1) != 1)
			return false;
		if (byte == '\n' && !too_long)
			break;
		if (byte == '\n') {
			too_long = false;
			line->len = 0;
		} else if (line->len + 1 < sizeof(line->text)) {
			line->text[line->len++] = byte;
		} else {
			too_long = true;
		}
	}
	line->text[line->len] = '\0';
	return true;
}

/* Sends the complete lines of the command's output. A line without its newline stays in `out`,
 * unless `all` is set or the buffer is full. */
static void send_lines(int tty, const char *id, struct line *out, bool all)
{
	size_t start = 0;

	for (size_t i = 0; i < out->len; i++) {
		if (out->text[i] != '\n')
			continue;
		dprintf(tty, "%s-%.*s\n", id, (int)(i - start), out->text + start);
		start = i + 1;
	}
	if ((all || (start == 0 && out->len == sizeof(out->text))) && start < out->len) {
		dprintf(tty, "%s-%.*s\n", id, (int)(out->len - start), out->text + start);
		start = out->len;
	}
	memmove(out->text, out->text + start, out->len - start);
	out->len -= start;
}

/* Reads once from the pipe. False if nothing is there, or it has ended. */
static bool drain(int tty, const char *id, int pipe_fd, struct line *out)
{
	ssize_t n = read(pipe_fd, out->text + out->len, sizeof(out->text) - out->len);

	if (n <= 0)
		return false;
	out->len += (size_t)n;
	send_lines(tty, id, out, false);
	return true;
}

static void child(const char *command, int out)
{
	int null = open("/dev/null", O_RDONLY);

	setsid();
	signal(SIGPIPE, SIG_DFL);
	if (null >= 0)
		dup2(null, 0);
	dup2(out, 1);
	dup2(out, 2);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Passes output on until the command ends or its time is over. Does not wait for children of the
 * command that outlive it and keep the pipe open. */
static int follow(int tty, const char *id, pid_t pid, int pipe_fd, long until)
{
	static struct line out;
	tw_autofd int pidfd = pidfd_open(pid, 0);
	struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = pipe_fd, .events = POLLIN}};
	bool late = false;
	int status = 0;

	out.len = 0;
	for (;;) {
		long left = until - now_ms();

		if (left <= 0) {
			kill(-pid, SIGKILL);
			late = true;
			break;
		}
		if (poll(fds, 2, (int)left) < 0)
			break;
		if (fds[1].revents && !drain(tty, id, pipe_fd, &out))
			fds[1].fd = -1;
		if (fds[0].revents)
			break;
	}
	if (waitpid(pid, &status, 0) < 0)
		return 255;
	fcntl(pipe_fd, F_SETFL, O_NONBLOCK);
	while (drain(tty, id, pipe_fd, &out))
		;
	send_lines(tty, id, &out, true);
	if (late)
		return EXIT_TIMEOUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(int tty, const char *id, const char *command, long seconds)
{
	int pipe_fds[2];
	int status;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return 255;
	pid = fork();
	if (pid == 0)
		child(command, pipe_fds[1]);
	close(pipe_fds[1]);
	status = pid < 0 ? 255 : follow(tty, id, pid, pipe_fds[0], now_ms() + seconds * 1000);
	close(pipe_fds[0]);
	return status;
}

int tw_probe_agent(int argc, char **argv)
{
	static struct line line;
	tw_autofd int tty = argc == 1 ? open_tty(argv[0]) : -EINVAL;
	bool wait = true;

	if (tty < 0) {
		fprintf(stderr, "probe: agent: %s; name a serial line\n", strerror(-tty));
		return 2;
	}
	while (read_line(tty, &line, wait)) {
		char *rest = line.text;
		const char *id = strsep(&rest, "\t");
		const char *seconds = strsep(&rest, "\t");

		/* What arrives before the line is open is lost; the rest of it is no command. */
		if (!rest || id[0] != '#')
			continue;
		wait = false;
		dprintf(tty, "%s=%d\n", id, run(tty, id, rest, strtol(seconds, NULL, 10)));
	}
	return 0;
}
