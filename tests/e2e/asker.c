/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* asker: measures rules with `action: ask`, with real packets and a real agent.
 *
 *	asker decider SOCKET WINDOW [AGENT]
 *	                                  allows every question at once, until SIGTERM; prints "ready". With AGENT,
 *	                                  SOCKET is that of tapwall-slowd, which passes the questions of AGENT on
 *	asker latency HOST PORT N         N UDP exchanges one after the other, each from a new source port: prints
 *	                                  p50 and p99 of the round trip in µs
 *	asker rate HOST PORT OPEN N       N new UDP exchanges, OPEN at a time: prints their rate per second
 *
 * The other end is `traffic echo udp PORT`. The kernel has about 28,000 source ports to assign: with more
 * exchanges than that to one port, some are not new.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "link/link.h"

#define WAIT_MS	  2000
#define OPEN_MAX  1024
#define BATCH_MAX 256

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "asker: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* ---- the decider ---- */

static const char *agent = "";

static void answer(struct tw_link_client *client, Tapwall__V1__Answer *answers, size_t n)
{
	Tapwall__V1__AnswerRequest body = TAPWALL__V1__ANSWER_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Answer *list[BATCH_MAX];
	struct tw_err err = {0};

	for (size_t i = 0; i < n; i++)
		list[i] = &answers[i];
	body.n_answers = n;
	body.answers = list;
	request.id = 2;
	request.agent = (char *)(uintptr_t)agent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ANSWER;
	request.answer = &body;
	if (tw_link_send(client, &request, &err) < 0)
		exit(0);
}

/* Receives the questions that have arrived, up to BATCH_MAX, and allows them in one request. */
static void decide(struct tw_link_client *client)
{
	Tapwall__V1__Answer answers[BATCH_MAX];
	struct tw_err err = {0};
	size_t n = 0;

	do {
		Tapwall__V1__Response *response = NULL;

		if (tw_link_receive(client, &response, &err) < 0)
			exit(0);
		if (response->error) {
			fprintf(stderr, "asker: %s: %s\n", response->error->place,
				response->error->text);
			exit(1);
		}
		if (response->body_case == TAPWALL__V1__RESPONSE__BODY_QUESTION) {
			tapwall__v1__answer__init(&answers[n]);
			answers[n].id = response->question->id;
			answers[n].ttl_s = 1;
			answers[n++].verdict = (char *)"allow";
		}
		tapwall__v1__response__free_unpacked(response, NULL);
	} while (n < BATCH_MAX && tw_link_client_has_more(client));
	if (n)
		answer(client, answers, n);
}

static int run_decider(char **args)
{
	Tapwall__V1__DecideRequest body = TAPWALL__V1__DECIDE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_link_client *client = NULL;
	struct tw_err err = {0};

	if (tw_link_connect(args[0], &client, &err) < 0)
		die(args[0]);
	agent = args[2] ? args[2] : "";
	body.window = (uint32_t)atoi(args[1]);
	request.id = 1;
	request.agent = (char *)(uintptr_t)agent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_DECIDE;
	request.decide = &body;
	if (tw_link_send(client, &request, &err) < 0)
		die("subscribe");
	printf("ready\n");
	fflush(stdout);
	while (client)
		decide(client);
	return 0;
}

/* ---- the guest ---- */

static struct sockaddr_in address_of(char **args)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(args[1]))};

	if (inet_pton(AF_INET, args[0], &to.sin_addr) != 1)
		die(args[0]);
	return to;
}

/* Sends the first datagram from a new source port. */
static int ask(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0 ||
		send(fd, "x", 1, 0) != 1)
		die("send");
	return fd;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int run_latency(char **args)
{
	const struct sockaddr_in to = address_of(args);
	size_t n = (size_t)atoi(args[2]), lost = 0, got = 0, median, high;
	uint64_t *took = calloc(n, sizeof(*took));

	if (!took || !n)
		die("N");
	for (size_t i = 0; i < n; i++) {
		uint64_t start = now_ns();
		struct pollfd ready = {ask(&to), POLLIN, 0};

		if (poll(&ready, 1, WAIT_MS) == 1)
			took[got++] = now_ns() - start;
		else
			lost++;
		close(ready.fd);
	}
	if (!got)
		return 1;
	qsort(took, got, sizeof(*took), compare);
	median = got / 2;
	high = got * 99 / 100;
	printf("p50=%.1f p99=%.1f lost=%zu\n", (double)took[median] / 1e3, (double)took[high] / 1e3,
		lost);
	free(took);
	return 0;
}

static void begin(int epoll, const struct sockaddr_in *to)
{
	struct epoll_event event = {.events = EPOLLIN};

	event.data.fd = ask(to);
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event) < 0)
		die("epoll");
}

static int run_rate(char **args)
{
	const struct sockaddr_in to = address_of(args);
	uint64_t start = now_ns(), wanted = (uint64_t)atoi(args[3]), n = 0;
	int epoll = epoll_create1(0), open = atoi(args[2]), found = 1;

	if (open < 1 || open > OPEN_MAX)
		die("OPEN");
	for (int i = 0; i < open; i++)
		begin(epoll, &to);
	while (n < wanted && found > 0) {
		struct epoll_event ready[64];

		found = epoll_wait(epoll, ready, 64, WAIT_MS);
		for (int i = 0; i < found; i++) {
			close(ready[i].data.fd);
			begin(epoll, &to);
		}
		n += found > 0 ? (uint64_t)found : 0;
	}
	printf("per_second=%.0f of %llu\n", (double)n * 1e9 / (double)(now_ns() - start),
		(unsigned long long)n);
	return n < wanted;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int n_args, n_optional;
		int (*run)(char **args);
	} verbs[] = {{"decider", 2, 1, run_decider}, {"latency", 3, 0, run_latency},
		{"rate", 4, 0, run_rate}};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (argc > 1 && !strcmp(argv[1], verbs[i].name) && argc - 2 >= verbs[i].n_args &&
			argc - 2 <= verbs[i].n_args + verbs[i].n_optional)
			return verbs[i].run(argv + 2);
	fprintf(stderr, "asker: wrong usage; see the head of asker.c\n");
	return 2;
}
