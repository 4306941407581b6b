/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decider: the slow path of the systems `tapwall-ask` and `tapwall-ask-vm`.
 *
 *	tapwall-bench-decider SOCKET WINDOW [AGENT]
 *	                               answers each question, until SIGTERM; prints "ready". With AGENT, SOCKET
 *	                               is that of tapwall-slowd, which passes the questions of AGENT on
 *
 * It allows connections to the benchmark's open ports and denies all others. It reads all questions that
 * wait, up to 256, and answers them in one message. An answer is for one connection and counts for one
 * second, as a run opens more connections than the agent stores answers.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/rules.h"
#include "link/link.h"

#define BATCH_MAX 256
#define TTL_S	  1

static const char *agent = "";

static const char *verdict_of(const Tapwall__V1__Question *question)
{
	uint32_t port = question->to ? question->to->port : 0;

	return port >= TW_BENCH_PORT_OPEN && port < TW_BENCH_PORT_OPEN + TW_BENCH_N_OPEN ? "allow"
											 : "deny";
}

static int answer(
	struct tw_link_client *client, Tapwall__V1__Answer *answers, size_t n, struct tw_err *err)
{
	Tapwall__V1__AnswerRequest body = TAPWALL__V1__ANSWER_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Answer *list[BATCH_MAX];

	for (size_t i = 0; i < n; i++)
		list[i] = &answers[i];
	body.n_answers = n;
	body.answers = list;
	request.id = 2;
	request.agent = (char *)(uintptr_t)agent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ANSWER;
	request.answer = &body;
	return tw_link_send(client, &request, err);
}

/* Receives the questions that wait, and answers them. */
static int decide(struct tw_link_client *client, struct tw_err *err)
{
	Tapwall__V1__Answer answers[BATCH_MAX];
	size_t n = 0;

	do {
		Tapwall__V1__Response *response = NULL;
		int e = tw_link_receive(client, &response, err);

		if (e < 0)
			return e;
		if (response->body_case == TAPWALL__V1__RESPONSE__BODY_QUESTION) {
			tapwall__v1__answer__init(&answers[n]);
			answers[n].id = response->question->id;
			answers[n].ttl_s = TTL_S;
			answers[n++].verdict = (char *)verdict_of(response->question);
		}
		tapwall__v1__response__free_unpacked(response, NULL);
	} while (n < BATCH_MAX && tw_link_client_has_more(client));
	return n ? answer(client, answers, n, err) : 0;
}

int main(int argc, char **argv)
{
	Tapwall__V1__DecideRequest body = TAPWALL__V1__DECIDE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_link_client *client = NULL;
	struct tw_err err = {0};
	int e;

	if (argc != 3 && argc != 4) {
		fputs("usage: tapwall-bench-decider SOCKET WINDOW [AGENT]\n", stderr);
		return 2;
	}
	if (argc == 4)
		agent = argv[3];
	body.window = (uint32_t)strtoul(argv[2], NULL, 10);
	request.id = 1;
	request.agent = (char *)(uintptr_t)agent;
	request.body_case = TAPWALL__V1__REQUEST__BODY_DECIDE;
	request.decide = &body;
	e = tw_link_connect(argv[1], &client, &err);
	if (!e)
		e = tw_link_send(client, &request, &err);
	if (!e && (puts("ready") < 0 || fflush(stdout)))
		e = tw_err_set(&err, -EIO, NULL, NULL, "cannot write");
	while (!e)
		e = decide(client, &err);
	tw_err_print(stderr, "tapwall-bench-decider", &err);
	tw_link_client_free(client);
	return 5;
}
