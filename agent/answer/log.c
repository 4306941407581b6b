/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* log.c: answers from the journal: entries in words (LogRequest) or as columns (EventsRequest). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/describe.h"
#include "agent/observe/journal.h"
#include "agent/observe/telemetry.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "link/event_writer.h"

#define ROWS_TURN 512 /* entries visited per turn */
/* After this number of skipped entries, the reader is told the current position. */
#define UNTOLD_MAX 1024
/* Kinds sent to a reader that names none. Such a reader may not know the newer kinds. */
#define KINDS_OLD (1u << TW_EVENT_ROW_OPEN | 1u << TW_EVENT_ROW_CLOSE | 1u << TW_EVENT_ROW_DENY)

struct log_stream {
	struct tw_responses base;
	uint64_t at; /* next entry */
	bool follow;
	bool all;
	uint32_t kinds;		/* set of 1 << enum tw_event_row_kind */
	char *workload;		/* NULL: all */
	uint32_t workload_name; /* id of its name */
	uint32_t generation;	/* generation of that id */
	struct tw_event_writer writer;
	uint64_t told; /* position that was last sent to the reader */
};

static void log_done(struct tw_responses *base)
{
	struct log_stream *stream = (struct log_stream *)base;

	tw_event_writer_done(&stream->writer);
	free(stream->workload);
	free(stream);
}

/* ---- entries ---- */

static bool is_of(const struct tw_answer_ctx *ctx, uint64_t number, uint32_t workload)
{
	const struct tw_event_names *names = tw_describe_names_of(ctx->telemetry, number);

	return workload && (names->workload == workload || names->end[TW_DIR_OUT] == workload ||
				   names->end[TW_DIR_IN] == workload);
}

/* Returns the id of the workload that the stream is about. */
static uint32_t workload_of(struct log_stream *stream, struct tw_journal *journal)
{
	if (stream->generation != journal->generation)
		stream->workload_name = tw_journal_name(journal, stream->workload);
	stream->generation = journal->generation;
	return stream->workload_name;
}

static bool is_wanted(struct log_stream *stream, const struct tw_answer_ctx *ctx, uint64_t number)
{
	struct tw_journal *journal = ctx->telemetry->journal;
	const struct tw_journal_record *record = tw_journal_at(journal, number);

	return (record->notable || stream->all) &&
	       stream->kinds & 1u << tw_describe_kind(&record->event) &&
	       (!stream->workload || is_of(ctx, number, workload_of(stream, journal)));
}

/* Returns the number of the first of the last `limit` matching entries. */
static uint64_t start_of(struct log_stream *stream, const struct tw_answer_ctx *ctx, uint32_t limit)
{
	const struct tw_journal *journal = ctx->telemetry->journal;
	uint64_t at = journal->next;

	while (at > tw_journal_oldest(journal) && limit)
		limit -= is_wanted(stream, ctx, --at);
	return at;
}

/* Skips entries that are overwritten. Returns how many. */
static uint64_t skip_overwritten(struct log_stream *stream, const struct tw_answer_ctx *ctx)
{
	uint64_t oldest = tw_journal_oldest(ctx->telemetry->journal), missed = 0;

	if (stream->at < oldest) {
		missed = oldest - stream->at;
		stream->at = oldest;
	}
	return missed;
}

bool tw_answer_has_logged(const struct tw_answer_ctx *ctx, const char *workload)
{
	const struct tw_journal *journal = ctx->telemetry->journal;
	uint32_t name = tw_dictionary_find(&journal->names, workload);

	for (uint64_t at = tw_journal_oldest(journal); at < journal->next; at++) {
		tw_describe_names_of(ctx->telemetry, at);
		if (!name)
			name = tw_dictionary_find(&journal->names, workload);
		if (is_of(ctx, at, name))
			return true;
	}
	return false;
}

/* ---- the end ---- */

/* Returns the time since which the journal is complete. */
static double journal_since(const struct tw_answer_ctx *ctx)
{
	uint64_t oldest = tw_journal_oldest(ctx->telemetry->journal);
	const struct tw_journal_record *record =
		oldest > 1 ? tw_journal_at(ctx->telemetry->journal, oldest) : NULL;

	if (!record)
		return tw_clock_unix(ctx->started_ns);
	return (double)((int64_t)record->event.time_ns + record->unix_ns) / 1e9;
}

static int log_end(
	const struct log_stream *stream, const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__LogState state = TAPWALL__V1__LOG_STATE__INIT;
	int ret;

	state.since = journal_since(ctx);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_LOG_STATE;
	response.log_state = &state;
	ret = tw_answer_send(out, stream->base.id, &response, true);
	return ret < 0 ? ret : TW_RESPONSES_END;
}

/* ---- in words ---- */

static int send_entry(
	struct log_stream *stream, const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	uint64_t missed = skip_overwritten(stream, ctx), number = stream->at++;
	struct tw_event_words words;
	struct tw_event_row row;

	if (!missed && !is_wanted(stream, ctx, number))
		return 0;
	tw_describe_row(ctx->telemetry, number, &row);
	row.lost_before += missed;
	tw_event_row_describe(&row, &ctx->telemetry->journal->names, &words);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_LOG;
	response.log = &words.entry;
	return tw_answer_send(out, stream->base.id, &response, false);
}

static int log_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct log_stream *stream = (struct log_stream *)base;

	for (int i = 0; i < ROWS_TURN && out->len < TW_SERVER_OUT_SOFT; i++) {
		int ret;

		if (stream->at >= ctx->telemetry->journal->next)
			return stream->follow ? TW_RESPONSES_WAIT : log_end(stream, ctx, out);
		ret = send_entry(stream, ctx, out);
		if (ret < 0)
			return ret;
	}
	return TW_RESPONSES_MORE;
}

/* ---- as columns ---- */

/* Adds the next entry to the batch, if the reader wants it. False if it has to go into the next batch. */
static bool add_entry(struct log_stream *stream, const struct tw_answer_ctx *ctx)
{
	const struct tw_journal *journal = ctx->telemetry->journal;
	uint64_t missed = skip_overwritten(stream, ctx);
	struct tw_event_row row;

	if (missed)
		tw_event_writer_lose(&stream->writer, missed);
	if (is_wanted(stream, ctx, stream->at)) {
		tw_describe_row(ctx->telemetry, stream->at, &row);
		if (!tw_event_writer_add(&stream->writer, &row))
			return false;
	} else {
		tw_event_writer_lose(
			&stream->writer, tw_journal_at(journal, stream->at)->lost_before);
	}
	stream->at++;
	return true;
}

static int send_batch(
	struct log_stream *stream, const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;
	const struct tw_journal *journal = ctx->telemetry->journal;
	int ret;

	if (tw_event_writer_is_empty(&stream->writer) && stream->at - stream->told < UNTOLD_MAX)
		return 0;
	ret = tw_event_writer_take(&stream->writer, &journal->names, stream->at, &batch);
	if (ret < 0)
		return ret;
	stream->told = stream->at;
	batch.journal = journal->id;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	return tw_answer_send(out, stream->base.id, &response, false);
}

static int events_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct log_stream *stream = (struct log_stream *)base;
	const struct tw_journal *journal = ctx->telemetry->journal;
	int ret;

	tw_event_writer_begin(&stream->writer, journal->generation);
	for (int i = 0; i < ROWS_TURN && stream->at < journal->next; i++)
		if (!add_entry(stream, ctx))
			break;
	ret = send_batch(stream, ctx, out);
	if (ret < 0)
		return ret;
	if (stream->at < journal->next || !tw_event_writer_is_empty(&stream->writer))
		return TW_RESPONSES_MORE;
	return stream->follow ? TW_RESPONSES_WAIT : log_end(stream, ctx, out);
}

/* Returns the entry that a request for columns begins with. */
static uint64_t first_of(struct log_stream *stream, const struct tw_answer_ctx *ctx,
	const Tapwall__V1__EventsRequest *request)
{
	const struct tw_journal *journal = ctx->telemetry->journal;

	if (request->journal == journal->id)
		return request->from < journal->next ? request->from : journal->next;
	if (!request->journal && request->limit)
		return start_of(stream, ctx, request->limit);
	return tw_journal_oldest(journal);
}

/* ---- requests ---- */

static int set_workload(struct log_stream *stream, const char *workload)
{
	if (!workload[0])
		return 0;
	stream->workload = tw_strdup(workload);
	return stream->workload ? 0 : -ENOMEM;
}

static int log_start(const struct tw_answer_ctx *ctx, const Tapwall__V1__LogRequest *request,
	struct log_stream *stream)
{
	stream->base.next = log_next;
	stream->follow = request->follow;
	stream->all = request->all;
	if (set_workload(stream, request->workload) < 0)
		return -ENOMEM;
	stream->at = request->limit ? start_of(stream, ctx, request->limit)
				    : tw_journal_oldest(ctx->telemetry->journal);
	return 0;
}

static int events_start(const struct tw_answer_ctx *ctx, const Tapwall__V1__EventsRequest *request,
	struct log_stream *stream)
{
	stream->base.next = events_next;
	stream->follow = request->follow;
	stream->all = request->all;
	stream->kinds = request->kinds ? request->kinds : KINDS_OLD;
	if (set_workload(stream, request->workload) < 0)
		return -ENOMEM;
	stream->at = stream->told = first_of(stream, ctx, request);
	return 0;
}

int tw_answer_log(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream)
{
	struct log_stream *stream = tw_alloc(sizeof(*stream));
	int ret;

	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){.done = log_done, .id = request->id};
	ret = request->body_case == TAPWALL__V1__REQUEST__BODY_LOG
		      ? log_start(ctx, request->log, stream)
		      : events_start(ctx, request->events, stream);
	if (ret < 0) {
		log_done(&stream->base);
		return ret;
	}
	*ret_stream = &stream->base;
	return 0;
}
