/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spooled.c: answers from the spool: events that the slow path acknowledges. */
#include <errno.h>
#include <stdlib.h>

#include "agent/answer/answer.h"
#include "agent/observe/spool.h"
#include "agent/observe/telemetry.h"
#include "base/alloc.h"
#include "link/reply.h"

struct spooled_stream {
	struct tw_responses base;
	struct tw_spool *spool;
	uint64_t reader;
};

static void spooled_done(struct tw_responses *base)
{
	struct spooled_stream *stream = (struct spooled_stream *)base;

	tw_spool_close(stream->spool, stream->reader);
	free(stream);
}

static int refuse(struct tw_buf *out, uint64_t id, int code, const char *hint, const char *text)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_err err;

	tw_err_set(&err, code, "request", hint, "%s", text);
	return tw_answer_error(out, id, &response, &err);
}

/* Reports losses that the next batch does not report itself. */
static int send_lost(
	const struct spooled_stream *stream, const struct tw_spool_batch *at, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;

	batch.journal = at->journal;
	batch.first = batch.next = at->first;
	batch.lost_before = at->lost;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	return tw_answer_send(out, stream->base.id, &response, false);
}

static int spooled_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	const struct spooled_stream *stream = (const struct spooled_stream *)base;
	struct tw_spool_batch batch;
	int code = tw_spool_read(stream->spool, stream->reader, &batch);

	if (code == -ECANCELED) {
		code = refuse(out, base->id, -ECANCELED,
			"one reader at a time may acknowledge events",
			"another reader has taken over");
		return code < 0 ? code : TW_RESPONSES_END;
	}
	if (code <= 0)
		return code < 0 ? code : TW_RESPONSES_WAIT;
	code = batch.lost ? send_lost(stream, &batch, out) : 0;
	if (!code)
		code = tw_reply_packed(out, base->id, batch.data, batch.len);
	return code < 0 ? code : TW_RESPONSES_MORE;
}

int tw_answer_spooled(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	struct tw_spool *spool = ctx->telemetry->spool;
	struct spooled_stream *stream;

	if (!spool)
		return refuse(out, request->id, -EOPNOTSUPP, "start tapwalld with --slow-path",
			"no events are kept: no slow path is configured, or --spool-size is 0");
	stream = tw_alloc(sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){
		.next = spooled_next, .done = spooled_done, .id = request->id};
	stream->spool = spool;
	stream->reader = tw_spool_open(spool, request->events->journal, request->events->from);
	*ret_stream = &stream->base;
	return 0;
}

int tw_answer_events_ack(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const Tapwall__V1__EventsAckRequest *ack = request->events_ack;
	struct tw_spool *spool = ctx->telemetry->spool;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__EventsAcked acked = TAPWALL__V1__EVENTS_ACKED__INIT;
	struct tw_spool_state state;

	if (!spool)
		return refuse(out, request->id, -EOPNOTSUPP, "start tapwalld with --slow-path",
			"no events are kept");
	if (tw_spool_ack(spool, ack->journal, ack->next) < 0)
		return refuse(out, request->id, -EINVAL, "acknowledge rows that were sent",
			"the agent has not sent these events");
	tw_spool_describe(spool, &state);
	acked.kept = state.rows;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS_ACKED;
	response.events_acked = &acked;
	return tw_answer_send(out, request->id, &response, true);
}
