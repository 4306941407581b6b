/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* metrics: requests to link/metrics.c, whole, in pieces, malformed, too long and too many, over a Unix socket.
 * The server runs in a child process. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "link/metrics.h"

#define LIMIT_NS  3000000000u /* longer than a busy machine keeps this process from a CPU */
#define REPLY_MAX 65536

struct server {
	struct tw_loop loop;
	struct tw_metrics *metrics;
	struct tw_watch tick;
	int tick_fd;
	unsigned int n_written;
};

static char folder[] = "/tmp/tw-metrics.XXXXXX";
static char path[64];
static pid_t child;

/* Every third call fails. */
static int write_figures(void *context, struct tw_buf *out)
{
	struct server *server = context;

	if (++server->n_written % 3 == 0)
		return -EIO;
	tw_metrics_single(out, "tw_calls_total", "counter", "Calls.", server->n_written);
	tw_metrics_family(out, "tw_label", "gauge", "Labels.");
	tw_metrics_add(out, "tw_label",
		(const char *const[]){"a", "quote \" backslash \\ line\n", "b", "", NULL},
		UINT64_MAX);
	return 0;
}

static void on_tick(void *arg, uint32_t events)
{
	struct server *server = arg;
	uint64_t n;

	if (read(server->tick_fd, &n, sizeof(n)) == sizeof(n))
		tw_metrics_tick(server->metrics);
}

static void serve(int ready_fd)
{
	const struct itimerspec every = {{0, 50000000}, {0, 50000000}};
	struct server server = {.tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)};
	const struct tw_metrics_options options = {.loop = &server.loop,
		.address = path,
		.write = write_figures,
		.context = &server,
		.limit_ns = LIMIT_NS};
	struct tw_err err = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (tw_loop_init(&server.loop, NULL, NULL) ||
		tw_metrics_new(&options, &server.metrics, &err) ||
		timerfd_settime(server.tick_fd, 0, &every, NULL) ||
		tw_loop_add(
			&server.loop, &server.tick, server.tick_fd, EPOLLIN, on_tick, &server) ||
		write(ready_fd, "r", 1) != 1)
		_exit(1);
	tw_loop_run(&server.loop);
	_exit(2);
}

static int start(void **state)
{
	int ready[2];
	char byte;

	if (!mkdtemp(folder) || pipe(ready) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/metrics.sock", folder);
	child = fork();
	if (!child) {
		close(ready[0]);
		serve(ready[1]);
	}
	close(ready[1]);
	return child < 0 || read(ready[0], &byte, 1) != 1 ? -1 : 0;
}

static int stop(void **state)
{
	int status;

	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	unlink(path);
	return rmdir(folder);
}

static int dial(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	const struct timeval patience = {20, 0};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(at.sun_path, path);
	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

/* Reads until the server closes, and closes `fd`. Returns the length, or -1 if the server sends nothing for 20 s. */
static ssize_t hear(int fd, char reply[REPLY_MAX])
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, reply + len, REPLY_MAX - 1 - len)) > 0)
		len += (size_t)n;
	reply[len] = '\0';
	close(fd);
	return n < 0 && errno == EAGAIN ? -1 : (ssize_t)len;
}

static void ask(const char *request, size_t len, char reply[REPLY_MAX])
{
	int fd = dial();

	assert_int_equal(send(fd, request, len, MSG_NOSIGNAL), len);
	assert_true(hear(fd, reply) > 0);
}

static void expect(const char *request, const char *status)
{
	char reply[REPLY_MAX];

	ask(request, strlen(request), reply);
	assert_memory_equal(reply, status, strlen(status));
}

/* Repeats a GET until the writer does not fail. */
static void get(const char *request, char reply[REPLY_MAX])
{
	do
		ask(request, strlen(request), reply);
	while (strstr(reply, "500 Internal Server Error"));
}

static void figures(void **state)
{
	char reply[REPLY_MAX], length[64], *body;

	get("GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n", reply);
	assert_non_null(strstr(reply, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(
		strstr(reply, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
	body = strstr(reply, "\r\n\r\n");
	assert_non_null(body);
	body += 4;
	snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
	assert_non_null(strstr(reply, length));
	assert_non_null(strstr(body,
		"# HELP tw_calls_total Calls.\n# TYPE tw_calls_total counter\ntw_calls_total "));
	assert_non_null(strstr(body,
		"tw_label{a=\"quote \\\" backslash \\\\ line\\n\",b=\"\"} 18446744073709551615\n"));
}

static void kinds(void **state)
{
	char reply[REPLY_MAX];

	get("HEAD /metrics HTTP/1.0\r\n\r\n", reply);
	assert_non_null(strstr(reply, "200 OK"));
	assert_string_equal(strstr(reply, "\r\n\r\n"), "\r\n\r\n");
	get("GET /metrics?name=value HTTP/1.1\r\n\r\nGET /more HTTP/1.1\r\n\r\n", reply);
	assert_non_null(strstr(reply, "200 OK"));
	assert_null(strstr(reply, "404"));
	expect("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	expect("GET /metrics/x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ");
	expect("POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "HTTP/1.1 405 ");
	expect("get /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 ");
}

static void malformed(void **state)
{
	char reply[REPLY_MAX], longest[TW_METRICS_REQUEST_MAX + 64];

	expect("\r\n\r\n", "HTTP/1.1 400 ");
	expect("GET\r\n\r\n", "HTTP/1.1 400 ");
	expect("GET /metrics\r\n\r\n", "HTTP/1.1 400 ");
	expect("GET  /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
	expect("GET /metrics HTTP/2.0\r\n\r\n", "HTTP/1.1 400 ");
	expect("GET /metrics HTTP/1.11\r\n\r\n", "HTTP/1.1 400 ");
	expect("GET /metrics HTTP/1.\r\n\r\n", "HTTP/1.1 400 ");
	ask("GET /met\0rics HTTP/1.1\r\n\r\n", 26, reply);
	assert_memory_equal(reply, "HTTP/1.1 400 ", 13);
	memset(longest, 'a', sizeof(longest));
	ask(longest, sizeof(longest), reply);
	assert_memory_equal(reply, "HTTP/1.1 431 ", 13);
}

static void one_byte_at_a_time(void **state)
{
	static const char request[] = "GET /none HTTP/1.1\r\nHost: here\r\n\r\n";
	char reply[REPLY_MAX];
	int fd = dial();

	for (size_t i = 0; i < sizeof(request) - 1; i++)
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
	assert_true(hear(fd, reply) > 0);
	assert_memory_equal(reply, "HTTP/1.1 404 ", 13);
}

/* Silent connections take all places until they time out. Further connections are closed at once. */
static void silent(void **state)
{
	int fds[TW_METRICS_CLIENTS + 2];
	char reply[REPLY_MAX];

	for (size_t i = 0; i < TW_METRICS_CLIENTS + 2; i++)
		fds[i] = dial();
	for (size_t i = 0; i < TW_METRICS_CLIENTS + 2; i++)
		assert_int_equal(hear(fds[i], reply), 0);
	get("GET /metrics HTTP/1.1\r\n\r\n", reply);
	assert_non_null(strstr(reply, "200 OK"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures),
		cmocka_unit_test(kinds),
		cmocka_unit_test(malformed),
		cmocka_unit_test(one_byte_at_a_time),
		cmocka_unit_test(silent),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
