/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* decide.c: handles the requests of deciders, which subscribe to questions and answer them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/asks.h"
#include "agent/observe/describe.h"
#include "agent/observe/held.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"

#define TEXT(text)     ((char *)(uintptr_t)(text))
#define WINDOW_DEFAULT 64
#define QUEUE_MAX      (4u << 20) /* maximum number of bytes queued for a slow decider */

/* The stream of a decider. `queue` holds packed responses; its first `sent` bytes have been sent. */
struct decide_stream {
	struct tw_responses base;
	struct tw_answer_ctx *ctx;
	struct tw_decider decider;
	struct tw_buf queue;
	size_t sent;
	bool data; /* questions include the first packet */
	bool joined;
};

static struct decide_stream *stream_of(struct tw_decider *decider)
{
	return (struct decide_stream *)((char *)decider - offsetof(struct decide_stream, decider));
}

/* ---- questions ---- */

static void fill_question(const struct decide_stream *stream, uint64_t id,
	const struct tw_asked *asked, const struct tw_described_flow *flow,
	Tapwall__V1__Question *question)
{
	const struct tw_answer_ctx *ctx = stream->ctx;
	const struct tw_agent_port *port = tw_ports_find(ctx->host->ports, asked->ifindex);
	double age = (double)(int64_t)(tw_clock_ns() - asked->time_ns) / 1e9;
	struct tw_config config;

	tapwall__v1__question__init(question);
	question->id = id;
	question->rule = TEXT(tw_describe_rule(ctx->telemetry, asked->decision));
	question->proto = flow->flow.proto;
	question->from = flow->flow.from;
	question->to = flow->flow.to;
	question->icmp_type = flow->flow.icmp_type;
	question->network = flow->flow.network;
	question->workload = TEXT(port && port->vnic ? port->vnic->workload : "");
	question->port = TEXT(port ? port->name : "");
	question->direction = TEXT(tw_dir_name(asked->key.end));
	question->age_s = age < 0 ? 0 : age;
	if (!tw_kernel_get_config(ctx->host->kernel, &config))
		question->left_s = tw_ticks_seconds(config.ask_timeout) - question->age_s;
	question->held = asked->cap_len != 0;
}

static bool take(
	struct tw_decider *decider, uint64_t id, const struct tw_asked *asked, const uint8_t *data)
{
	struct decide_stream *stream = stream_of(decider);
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Question question;
	struct tw_described_flow flow;
	uint8_t bytes[TW_HELD_MAX];

	if (stream->queue.len - stream->sent > QUEUE_MAX || stream->queue.failed)
		return false;
	tw_describe_asked(stream->ctx->telemetry, &asked->key, &flow);
	fill_question(stream, id, asked, &flow, &question);
	if (stream->data && asked->cap_len) {
		question.data.len = tw_held_finish(asked, data, bytes);
		question.data.data = bytes;
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_QUESTION;
	response.question = &question;
	return tw_answer_send(&stream->queue, stream->base.id, &response, false) >= 0;
}

/* ---- the stream ---- */

static int decide_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct decide_stream *stream = (struct decide_stream *)base;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	size_t left = stream->queue.len - stream->sent;
	size_t n = left < TW_SERVER_OUT_SOFT ? left : TW_SERVER_OUT_SOFT;
	int ret;

	if (stream->queue.failed)
		return -ENOMEM;
	if (!stream->joined && !left) {
		ret = tw_answer_send(out, base->id, &response, true);
		return ret < 0 ? ret : TW_RESPONSES_END;
	}
	if (!left)
		return TW_RESPONSES_WAIT;
	tw_buf_add(out, stream->queue.data + stream->sent, n);
	stream->sent += n;
	if (stream->sent == stream->queue.len) {
		tw_buf_reset(&stream->queue);
		stream->sent = 0;
	}
	return TW_RESPONSES_MORE;
}

static void decide_stop(struct tw_responses *base)
{
	struct decide_stream *stream = (struct decide_stream *)base;

	if (stream->joined)
		tw_asks_leave(stream->ctx->telemetry->asks, &stream->decider);
	stream->joined = false;
}

static void decide_done(struct tw_responses *base)
{
	struct decide_stream *stream = (struct decide_stream *)base;

	decide_stop(base);
	tw_buf_done(&stream->queue);
	free(stream);
}

int tw_answer_decide(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream)
{
	struct decide_stream *stream = tw_alloc(sizeof(*stream));
	uint32_t window = request->decide->window;

	if (!stream)
		return -ENOMEM;
	if (!window)
		window = WINDOW_DEFAULT;
	stream->base = (struct tw_responses){
		.next = decide_next, .done = decide_done, .stop = decide_stop, .id = request->id};
	stream->ctx = ctx;
	stream->data = request->decide->data;
	stream->decider = (struct tw_decider){
		.take = take, .window = window < TW_ASKS_WINDOW_MAX ? window : TW_ASKS_WINDOW_MAX};
	tw_asks_join(ctx->telemetry->asks, &stream->decider);
	stream->joined = true;
	*ret_stream = &stream->base;
	return 0;
}

/* ---- answers ---- */

static const char *const scopes[] = {
	[TW_ASK_CONNECTION] = "connection",
	[TW_ASK_PAIR] = "pair",
	[TW_ASK_POLICY] = "policy",
};
_Static_assert(sizeof(scopes) / sizeof(scopes[0]) == TW_ASK__MAX, "every scope has a name");

/* Reads an answer. False if it is invalid. */
static bool read_given(const Tapwall__V1__Answer *answer, struct tw_answer_given *ret)
{
	unsigned int scope = 0;

	if (!strcmp(answer->verdict, "allow"))
		ret->verdict = TW_V_ALLOW;
	else if (!strcmp(answer->verdict, "deny"))
		ret->verdict = TW_V_DENY;
	else
		return false;
	while (answer->scope[0] && scope < TW_ASK__MAX && strcmp(scopes[scope], answer->scope) != 0)
		scope++;
	ret->scope = (enum tw_ask_scope)scope;
	/* The negated comparison also refuses NaN. */
	if (scope == TW_ASK__MAX || !(answer->ttl_s >= 0))
		return false;
	ret->ttl_s = answer->ttl_s < TW_ANSWERS_TTL_MAX ? (uint32_t)answer->ttl_s
							: TW_ANSWERS_TTL_MAX;
	ret->ttl_s += !ret->ttl_s && answer->ttl_s > 0;
	return true;
}

int tw_answer_answer(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Answered answered = TAPWALL__V1__ANSWERED__INIT;
	struct tw_err err;

	/* A decider never has more than TW_ASKS_WINDOW_MAX open questions. */
	if (request->answer->n_answers > TW_ASKS_WINDOW_MAX) {
		tw_err_set(&err, -E2BIG, "answer", "send them in several requests",
			"more than %u answers at once", TW_ASKS_WINDOW_MAX);
		return tw_answer_error(out, request->id, &response, &err);
	}
	for (size_t i = 0; i < request->answer->n_answers; i++) {
		const Tapwall__V1__Answer *answer = request->answer->answers[i];
		struct tw_answer_given given;

		if (!read_given(answer, &given)) {
			tw_err_set(&err, -EINVAL, "answer",
				"verdict: allow or deny; scope: connection, pair or policy; ttl_s: from 0",
				"answer %zu is invalid; the answers before it have taken effect",
				i + 1);
			return tw_answer_error(out, request->id, &response, &err);
		}
		if (tw_asks_answer(ctx->telemetry->asks, answer->id, &given) < 0)
			answered.refused++;
		else
			answered.taken++;
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_ANSWERED;
	response.answered = &answered;
	return tw_answer_send(out, request->id, &response, true);
}
