/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decider.c: the stream of questions, and answers to them on the same connection. */
#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "sdk/sdk.h"

#define SUBSCRIPTION 1 /* id of the request; answers use their question's id, which is larger */

/* `question` points into `response`, the last one that was received. */
struct tapwall_decider {
	struct tw_link_client *client;
	Tapwall__V1__Response *response;
	struct tapwall_question question;
	uint64_t refused;
	int failed; /* error that ended the stream; 0: none */
	bool ended;
};

static int subscribe(struct tapwall_handle *agent, const struct tapwall_decider_options *options,
	struct tapwall_decider *decider, struct tapwall_error *error)
{
	Tapwall__V1__DecideRequest body = TAPWALL__V1__DECIDE_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.window = options->window;
	body.data = options->data;
	request.id = SUBSCRIPTION;
	request.body_case = TAPWALL__V1__REQUEST__BODY_DECIDE;
	request.decide = &body;
	return tw_sdk_ask(agent, &request, &decider->client, error);
}

int tapwall_decider_open(struct tapwall_handle *agent,
	const struct tapwall_decider_options *options, struct tapwall_decider **ret,
	struct tapwall_error *error)
{
	struct tapwall_decider_options wanted = {0};
	struct tapwall_decider *decider;
	int code = 0;

	if (options)
		code = tw_sdk_options(options, options->size, &wanted, sizeof(wanted), error);
	if (code < 0)
		return code;
	decider = tw_alloc(sizeof(*decider));
	if (!decider)
		return tw_sdk_error(error, -ENOMEM, NULL, NULL, "out of memory");
	code = subscribe(agent, &wanted, decider, error);
	if (code < 0) {
		tapwall_decider_free(decider);
		return code;
	}
	*ret = decider;
	return 0;
}

static void drop_response(struct tapwall_decider *decider)
{
	if (decider->response)
		tapwall__v1__response__free_unpacked(decider->response, NULL);
	decider->response = NULL;
}

void tapwall_decider_free(struct tapwall_decider *decider)
{
	if (!decider)
		return;
	drop_response(decider);
	tw_link_client_free(decider->client);
	free(decider);
}

int tapwall_decider_fd(const struct tapwall_decider *decider)
{
	return tw_link_client_fd(decider->client);
}

uint64_t tapwall_decider_refused(const struct tapwall_decider *decider)
{
	return decider->refused;
}

/* ---- questions ---- */

static void show(const Tapwall__V1__Question *q, struct tapwall_question *ret)
{
	*ret = (struct tapwall_question){
		.id = q->id,
		.rule = q->rule,
		.proto = q->proto,
		.icmp_type = (uint16_t)q->icmp_type,
		.network = q->network,
		.workload = q->workload,
		.port = q->port,
		.direction = q->direction[0] == 'i' ? TAPWALL_IN : TAPWALL_OUT,
		.age_s = q->age_s,
		.left_s = q->left_s,
		.held = q->held,
		.data = q->data.len ? q->data.data : NULL,
		.data_len = q->data.len,
	};
	tw_sdk_end(q->from, &ret->from);
	tw_sdk_end(q->to, &ret->to);
}

/* Receives a response: a question, the end of the stream, or the reply to an answer. */
static int receive(struct tapwall_decider *decider, int wait_ms, struct tapwall_error *error)
{
	int code = tw_sdk_receive_any(decider->client, wait_ms, &decider->response, error);
	const Tapwall__V1__Response *response = decider->response;

	if (code == -EAGAIN || code == -EINTR)
		return code;
	if (!code && response->error && response->id == SUBSCRIPTION)
		code = tw_sdk_refused(response, error);
	decider->failed = code;
	if (code < 0)
		return code;
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_ANSWERED)
		decider->refused += response->answered->refused;
	else if (response->error)
		decider->refused++;
	if (response->id == SUBSCRIPTION)
		decider->ended = response->last;
	return 0;
}

int tapwall_decider_next(struct tapwall_decider *decider, int wait_ms,
	const struct tapwall_question **ret, struct tapwall_error *error)
{
	uint64_t due_ns = tw_sdk_due_ns(wait_ms);

	while (!decider->failed && !decider->ended) {
		int code;

		drop_response(decider);
		code = receive(decider, tw_sdk_left_ms(due_ns), error);
		if (code < 0)
			return code;
		if (decider->response->body_case != TAPWALL__V1__RESPONSE__BODY_QUESTION)
			continue;
		show(decider->response->question, &decider->question);
		*ret = &decider->question;
		return 1;
	}
	if (!decider->failed)
		return 0;
	return tw_sdk_error(error, decider->failed, "decider", "subscribe again",
		"the stream has ended with an error");
}

/* ---- answers ---- */

int tapwall_decider_answer(struct tapwall_decider *decider, uint64_t id,
	enum tapwall_verdict verdict, enum tapwall_scope scope, double ttl_s,
	struct tapwall_error *error)
{
	Tapwall__V1__Answer answer = TAPWALL__V1__ANSWER__INIT, *answers[] = {&answer};
	Tapwall__V1__AnswerRequest body = TAPWALL__V1__ANSWER_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_err err = {0};
	int code = tw_sdk_answer(verdict, scope, ttl_s, &answer, error);

	if (code < 0)
		return code;
	if (id <= SUBSCRIPTION)
		return tw_sdk_error(error, -EINVAL, "answer", "use the id of a question",
			"there is no such question");
	answer.id = id;
	body.n_answers = 1;
	body.answers = answers;
	request.id = id;
	request.body_case = TAPWALL__V1__REQUEST__BODY_ANSWER;
	request.answer = &body;
	if (tw_link_send(decider->client, &request, &err) < 0)
		return tw_sdk_fail(error, &err);
	return 0;
}
