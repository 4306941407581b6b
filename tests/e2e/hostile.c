/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* hostile: malicious clients of the agent's socket. Each tries one attack and prints the result;
 * the agent must keep serving other clients meanwhile.
 *
 *	hostile SOCKET half      a frame that is never completed: "closed" when the agent gives up
 *	hostile SOCKET halves N  N times the first 15 MiB of a longer frame: "begun", then waits for SIGTERM
 *	hostile SOCKET huge      a frame longer than allowed: "closed" at once
 *	hostile SOCKET garbage   frames of random bytes: "closed N" connections
 *	hostile SOCKET crowd N   N connections at once: "held N", the number that stay open, then waits for SIGTERM
 *	hostile SOCKET unpack    a complete frame that is cheap to send and expensive to unpack: "closed"
 *	hostile SOCKET deaf N    asks for the log N times, reads nothing for 3 s: "answered"
 *	hostile SOCKET empty     an apply without a policy: "answered"
 *	hostile SOCKET name N    a policy whose name has N letters: "refused", or "taken"
 *	hostile SOCKET ask N     asks for flows N times in one write: "answered N"
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
#include <unistd.h>

#include "base/buf.h"
#include "link/link.h"
#include "link/server.h"

#define WAIT_MS	      40000
#define PIPELINED_MAX 100

static int connect_to(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		perror(path);
		exit(2);
	}
	return fd;
}

/* Sends everything, or as much as the agent accepts. */
static void send_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		at += n;
		len -= (size_t)n;
	}
}

/* True if the agent closes the connection within WAIT_MS, whatever it sends before. */
static bool is_closed(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	char data[65536];

	while (poll(&wait, 1, WAIT_MS) == 1)
		if (recv(fd, data, sizeof(data), 0) <= 0)
			return true;
	return false;
}

static int answer(bool closed)
{
	puts(closed ? "closed" : "open");
	return closed ? 0 : 1;
}

static int half(const char *path, int n)
{
	int fd = connect_to(path);

	send_all(fd, "\0\0\1\0half", 8);
	return answer(is_closed(fd));
}

static int halves(const char *path, int n)
{
	const uint8_t header[4] = {0, 0xff, 0, 0};
	static char zeros[15 << 20];

	for (int i = 0; i < n; i++) {
		int fd = connect_to(path);

		send_all(fd, header, sizeof(header));
		send_all(fd, zeros, sizeof(zeros));
	}
	puts("begun");
	fflush(stdout);
	pause();
	return 0;
}

static int huge(const char *path, int n)
{
	int fd = connect_to(path);

	send_all(fd, "\377\377\377\377", 4);
	return answer(is_closed(fd));
}

static int garbage(const char *path, int n)
{
	const uint8_t header[4] = {0, 0, 0, 64};
	int closed = 0;

	srandom(1);
	for (int i = 0; i < 200; i++) {
		int fd = connect_to(path);
		uint8_t data[4 + 64];
		struct pollfd wait = {.fd = fd, .events = POLLIN};

		for (size_t j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)random();
		memcpy(data, header, sizeof(header));
		send_all(fd, data, sizeof(data));
		/* If the random bytes happen to be a message, the agent may answer instead. */
		closed += poll(&wait, 1, WAIT_MS) == 1;
		close(fd);
	}
	printf("closed %d\n", closed);
	return closed == 200 ? 0 : 1;
}

/* Returns the number of connections that the agent has not closed. */
static int count_open(const int *fds, int n)
{
	int open = 0;

	for (int i = 0; i < n; i++) {
		struct pollfd wait = {.fd = fds[i], .events = POLLIN};

		open += poll(&wait, 1, 0) == 0;
	}
	return open;
}

static int crowd(const char *path, int n)
{
	int *fds = calloc((size_t)n, sizeof(*fds)), tries = WAIT_MS / 50;

	if (!fds)
		return 2;
	for (int i = 0; i < n; i++)
		fds[i] = connect_to(path);
	/* The agent may take its time to see them all. */
	while (count_open(fds, n) > TW_SERVER_USER_CLIENTS && tries-- > 0)
		poll(NULL, 0, 50);
	printf("held %d\n", count_open(fds, n));
	fflush(stdout);
	pause();
	free(fds);
	return 0;
}

/* Each unknown field takes two bytes on the wire and a struct when unpacked. */
static int unpack(const char *path, int n)
{
	const uint8_t header[4] = {TW_LINK_FRAME_MAX >> 24, TW_LINK_FRAME_MAX >> 16 & 0xff, 0, 0};
	size_t len = TW_LINK_FRAME_MAX;
	uint8_t *data = malloc(4 + len);
	int fd = connect_to(path);

	if (!data)
		return 2;
	memcpy(data, header, sizeof(header));
	for (size_t i = 0; i < len; i += 2) {
		data[4 + i] = 15 << 3; /* field 15, a varint */
		data[5 + i] = 1;
	}
	send_all(fd, data, 4 + len);
	free(data);
	return answer(is_closed(fd));
}

/* Sends the same request n times, with ids from 1. */
static void ask(int fd, Tapwall__V1__Request *request, int n)
{
	struct tw_buf out = {0};

	for (int i = 0; i < n; i++) {
		request->id = (uint64_t)i + 1;
		if (tw_link_pack(&out, &request->base) < 0)
			exit(2);
	}
	send_all(fd, out.data, out.len);
	tw_buf_done(&out);
}

/* Returns the next response, which the caller frees; NULL: the agent closed the connection, or sent
 * nothing. */
static Tapwall__V1__Response *receive(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	Tapwall__V1__Response *response = NULL;
	struct tw_buf in = {0};
	const uint8_t *body;
	size_t body_len;
	long len = 0;

	while (!len && poll(&wait, 1, WAIT_MS) == 1) {
		char data[65536];
		ssize_t got = recv(fd, data, sizeof(data), 0);

		if (got <= 0)
			break;
		tw_buf_add(&in, data, (size_t)got);
		len = tw_link_frame((uint8_t *)in.data, in.len, &body, &body_len);
	}
	if (len > 0)
		response = tw_link_unpack_response(body, body_len);
	tw_buf_done(&in);
	return response;
}

static int empty(const char *path, int n)
{
	int fd = connect_to(path);
	Tapwall__V1__Response *response;

	send_all(fd, "\0\0\0\2b", 6); /* field 12, with no bytes */
	response = receive(fd);
	puts(response && response->error ? "answered" : "closed");
	return 0;
}

static int name(const char *path, int n)
{
	static const char policy[] = "version: 1\n";
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__ApplyRequest apply = TAPWALL__V1__APPLY_REQUEST__INIT;
	Tapwall__V1__Response *response;
	int fd = connect_to(path);

	apply.source = calloc(1, (size_t)n + 1);
	if (!apply.source)
		return 2;
	memset(apply.source, 'a', (size_t)n);
	apply.text.data = (uint8_t *)policy;
	apply.text.len = sizeof(policy) - 1;
	apply.dry_run = true;
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &apply;
	ask(fd, &request, 1);
	response = receive(fd);
	puts(!response ? "closed" : response->error ? "refused" : "taken");
	return 0;
}

static int pipelined(const char *path, int n)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__FlowsRequest flows = TAPWALL__V1__FLOWS_REQUEST__INIT;
	int fd = connect_to(path), answered = 0;
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int ended[PIPELINED_MAX] = {0};
	struct tw_buf in = {0};
	size_t at = 0;

	request.body_case = TAPWALL__V1__REQUEST__BODY_FLOWS;
	request.flows = &flows;
	ask(fd, &request, n);
	while (answered < n && poll(&wait, 1, WAIT_MS) == 1) {
		Tapwall__V1__Response *response;
		char data[65536];
		const uint8_t *body;
		size_t body_len;
		ssize_t got = recv(fd, data, sizeof(data), 0);
		long len;

		if (got <= 0)
			break;
		tw_buf_add(&in, data, (size_t)got);
		while ((len = tw_link_frame(
				(uint8_t *)in.data + at, in.len - at, &body, &body_len)) > 0) {
			response = tapwall__v1__response__unpack(NULL, body_len, body);
			if (!response)
				return 2;
			/* The answers come in any order; each has exactly one last response. */
			if (response->last && response->id - 1 < PIPELINED_MAX)
				answered += !ended[response->id - 1]++;
			tapwall__v1__response__free_unpacked(response, NULL);
			at += (size_t)len;
		}
	}
	printf("answered %d\n", answered);
	return answered == n ? 0 : 1;
}

static int deaf(const char *path, int n)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__LogRequest log = TAPWALL__V1__LOG_REQUEST__INIT;
	int fd = connect_to(path);
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	log.all = true;
	request.body_case = TAPWALL__V1__REQUEST__BODY_LOG;
	request.log = &log;
	ask(fd, &request, n);
	sleep(3);
	puts(poll(&wait, 1, WAIT_MS) == 1 ? "answered" : "silent");
	return 0;
}

static const struct {
	const char *name;
	int (*run)(const char *path, int n);
} verbs[] = {
	{"half", half},
	{"halves", halves},
	{"huge", huge},
	{"garbage", garbage},
	{"crowd", crowd},
	{"unpack", unpack},
	{"deaf", deaf},
	{"empty", empty},
	{"name", name},
	{"ask", pipelined},
};

int main(int argc, char **argv)
{
	alarm(120);
	for (size_t i = 0; argc > 2 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[2], verbs[i].name))
			return verbs[i].run(argv[1], argc > 3 ? atoi(argv[3]) : 1);
	fprintf(stderr, "hostile: invalid arguments; see the comment at the top of hostile.c\n");
	return 2;
}
