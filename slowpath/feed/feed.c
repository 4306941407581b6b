/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/feed/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/log.h"

#define KINDS	    (1u << TW_EVENT_ROW_CLOSE | 1u << TW_EVENT_ROW_DENY | 1u << TW_EVENT_ROW_LIVE)
#define FRAME_BYTES 4u /* length field before a message */

enum stream_state {
	STREAM_NONE,
	STREAM_BEGINS, /* the recorder looks up where to begin */
	STREAM_FOLLOWED,
};

/* The stream of an agent. */
struct stream {
	struct tw_source source;
	struct tw_feed *feed;
	struct stream *next;
	const struct tw_agents_row *agent;
	struct tw_peer *peer; /* NULL: not followed */
	uint64_t id;	      /* id of the EventsRequest */
	size_t handled;	      /* bytes recorded since the agent's window was last enlarged */
	enum stream_state state;
	uint64_t acked;	   /* position that was last acknowledged */
	bool acking;	   /* an acknowledgement is not answered yet */
	uint64_t retry_ns; /* earliest time to follow it again */
	char why[TW_ERR_TEXT_MAX];
};

struct tw_feed {
	struct tw_feed_setup setup;
	struct tw_recorder *recorder;
	struct tw_watch watch;
	int wake_fd;
	struct stream *streams, **end;
	uint64_t commits; /* number of commits whose rows were acknowledged */
};

/* ---- streams ---- */

/* Ends a stream. `why` is NULL if the connection ended, which agents.c logs. */
static void end_stream(struct stream *stream, const char *why)
{
	bool told = stream->state != STREAM_FOLLOWED && why && !strcmp(why, stream->why);

	stream->peer = NULL;
	stream->state = STREAM_NONE;
	if (!why)
		return;
	snprintf(stream->why, sizeof(stream->why), "%s", why);
	tw_clean(stream->why, strlen(stream->why));
	stream->retry_ns = tw_clock_ns() + TW_FEED_RETRY_NS;
	if (!told)
		tw_log(TW_LOG_WARNING,
			"agent %s: its events are not recorded: %s; trying again every %u s",
			stream->source.name, stream->why,
			(unsigned int)(TW_FEED_RETRY_NS / 1000000000u));
}

static int give(struct stream *stream, Tapwall__V1__EventBatch *batch, size_t bytes)
{
	struct tw_parcel *parcel = tw_alloc(sizeof(*parcel));
	int code;

	if (!parcel)
		return -ENOMEM;
	parcel->source = &stream->source;
	parcel->batch = batch;
	parcel->bytes = bytes;
	code = tw_recorder_give(stream->feed->recorder, parcel);
	if (code < 0)
		free(parcel);
	return code;
}

/* Passes the batch of a response on to the recorder, which frees it. If that fails, ends the stream:
 * no batch may be missing from it. */
static void take_batch(struct stream *stream, Tapwall__V1__Response *response, size_t bytes)
{
	int code = give(stream, response->events, bytes);

	if (code < 0) {
		tw_peer_cancel(stream->peer, stream->id);
		end_stream(stream, code == -ENOBUFS
					   ? "too many events of all agents wait to be recorded"
					   : strerror(-code));
		return;
	}
	response->body_case = TAPWALL__V1__RESPONSE__BODY__NOT_SET;
}

static void on_response(void *arg, Tapwall__V1__Response *response)
{
	struct stream *stream = arg;
	size_t bytes;

	if (!response) {
		end_stream(stream, NULL);
		return;
	}
	bytes = protobuf_c_message_get_packed_size(&response->base) + FRAME_BYTES;
	if (response->error) {
		end_stream(stream, response->error->text);
	} else if (response->body_case == TAPWALL__V1__RESPONSE__BODY_EVENTS) {
		take_batch(stream, response, bytes);
	}
	if (response->last && stream->peer)
		end_stream(stream, "the agent ended the stream");
}

static void follow(struct stream *stream, uint64_t journal, uint64_t from)
{
	Tapwall__V1__EventsRequest body = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	int code;

	stream->state = STREAM_NONE;
	if (!stream->agent->peer)
		return;
	body.follow = body.all = true;
	body.kinds = KINDS;
	body.acks = true;
	body.journal = journal;
	body.from = from;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = &body;
	code = tw_peer_ask(stream->agent->peer, &request, on_response, stream, &stream->id);
	if (code < 0) {
		end_stream(stream, strerror(-code));
		return;
	}
	stream->peer = stream->agent->peer;
	stream->handled = 0;
	stream->acked = 0;
	stream->state = STREAM_FOLLOWED;
}

/* Takes back a parcel that the recorder has handled. */
static void take_back(struct stream *stream, const struct tw_parcel *parcel)
{
	if (stream->state == STREAM_BEGINS && !parcel->code) {
		follow(stream, parcel->journal, parcel->from);
	} else if (stream->state == STREAM_BEGINS) {
		end_stream(stream, strerror(-parcel->code));
	} else if (stream->state == STREAM_FOLLOWED && parcel->code) {
		tw_peer_cancel(stream->peer, stream->id);
		end_stream(stream, parcel->code == -EBADMSG ? "it sent a malformed batch"
							    : strerror(-parcel->code));
	} else if (stream->state == STREAM_FOLLOWED) {
		stream->handled += parcel->bytes;
		if (stream->handled < TW_PEER_WINDOW / 2)
			return;
		tw_peer_more(stream->peer, stream->id, stream->handled);
		stream->handled = 0;
	}
}

/* ---- acknowledging ---- */

static void on_acked(void *arg, Tapwall__V1__Response *response)
{
	struct stream *stream = arg;

	stream->acking = false;
}

/* Tells an agent which of its rows are durable, so that it may forget them. An agent that does not know the
 * request keeps them for as long as it can. */
static void acknowledge(struct stream *stream)
{
	Tapwall__V1__EventsAckRequest ack = TAPWALL__V1__EVENTS_ACK_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_source_facts facts;

	if (stream->state != STREAM_FOLLOWED || stream->acking)
		return;
	tw_recorder_get_facts(stream->feed->recorder, &stream->source, &facts);
	if (!facts.durable || facts.durable == stream->acked)
		return;
	ack.journal = facts.journal;
	ack.next = facts.durable;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS_ACK;
	request.events_ack = &ack;
	if (tw_peer_ask(stream->peer, &request, on_acked, stream, NULL) < 0)
		return;
	stream->acked = facts.durable;
	stream->acking = true;
}

static void acknowledge_commits(struct tw_feed *feed)
{
	struct tw_recorder_state state;

	tw_recorder_get_state(feed->recorder, &state);
	if (state.commits == feed->commits)
		return;
	feed->commits = state.commits;
	for (struct stream *stream = feed->streams; stream; stream = stream->next)
		acknowledge(stream);
}

static void on_wake(void *arg, uint32_t events)
{
	struct tw_feed *feed = arg;
	struct tw_parcel *parcel, *next;
	uint64_t count;

	if (read(feed->wake_fd, &count, sizeof(count)) != sizeof(count))
		return;
	for (parcel = tw_recorder_take_back(feed->recorder); parcel; parcel = next) {
		next = parcel->next;
		take_back((struct stream *)parcel->source, parcel);
		free(parcel);
	}
	acknowledge_commits(feed);
}

/* ---- agents ---- */

static struct stream *stream_of(struct tw_feed *feed, struct tw_agents_row *agent)
{
	struct stream *stream = agent->stream;

	if (stream)
		return stream;
	stream = tw_alloc(sizeof(*stream));
	if (!stream)
		return NULL;
	snprintf(stream->source.name, sizeof(stream->source.name), "%s", agent->name);
	stream->feed = feed;
	stream->agent = agent;
	*feed->end = stream;
	feed->end = &stream->next;
	agent->stream = stream;
	return stream;
}

void tw_feed_tick(struct tw_feed *feed, struct tw_agents *agents)
{
	uint64_t now = tw_clock_ns();

	if (!feed->setup.path && !feed->setup.n_sinks)
		return;
	for (struct tw_agents_row *agent = tw_agents_first(agents); agent; agent = agent->next) {
		struct stream *stream = agent->peer ? stream_of(feed, agent) : NULL;

		if (!stream || stream->state != STREAM_NONE || now < stream->retry_ns ||
			!tw_recorder_has_room(feed->recorder))
			continue;
		if (give(stream, NULL, 0) == 0)
			stream->state = STREAM_BEGINS;
	}
}

/* ---- life ---- */

int tw_feed_new(const struct tw_feed_setup *setup, struct tw_feed **ret, struct tw_err *err)
{
	struct tw_feed *feed = tw_alloc(sizeof(*feed));
	struct tw_recorder_setup recorder = {.path = setup->path,
		.access = setup->access,
		.limits = setup->limits,
		.n_sinks = setup->n_sinks};
	int code;

	if (!feed)
		return tw_err_set(err, -ENOMEM, "start", NULL, "out of memory");
	feed->setup = *setup;
	feed->end = &feed->streams;
	feed->watch.fd = -1;
	feed->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	code = feed->wake_fd < 0 ? -errno : 0;
	if (!code)
		code = tw_loop_add(
			setup->loop, &feed->watch, feed->wake_fd, EPOLLIN, on_wake, feed);
	if (code < 0) {
		tw_err_set(err, code, "start", NULL, "%s", strerror(-code));
	} else {
		memcpy(recorder.sinks, setup->sinks, sizeof(recorder.sinks));
		recorder.wake_fd = feed->wake_fd;
		code = tw_recorder_new(&recorder, &feed->recorder, err);
	}
	if (code < 0)
		tw_feed_free(feed);
	else
		*ret = feed;
	return code;
}

void tw_feed_free(struct tw_feed *feed)
{
	if (!feed)
		return;
	tw_recorder_free(feed->recorder);
	while (feed->streams) {
		struct stream *stream = feed->streams;

		feed->streams = stream->next;
		tw_event_reader_done(&stream->source.reader);
		tw_translate_done(&stream->source.translation);
		free(stream);
	}
	tw_loop_remove(feed->setup.loop, &feed->watch);
	if (feed->wake_fd >= 0)
		close(feed->wake_fd);
	free(feed);
}

/* ---- status ---- */

void tw_feed_get_state(struct tw_feed *feed, struct tw_recorder_state *ret)
{
	tw_recorder_get_state(feed->recorder, ret);
}

bool tw_feed_row_at(struct tw_feed *feed, unsigned int i, struct tw_feed_row *ret)
{
	const struct stream *stream = feed->streams;

	while (stream && i--)
		stream = stream->next;
	if (!stream)
		return false;
	ret->agent = stream->source.name;
	ret->followed = stream->state == STREAM_FOLLOWED;
	ret->why = stream->why;
	tw_recorder_get_facts(feed->recorder, &stream->source, &ret->facts);
	return true;
}
