/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define READ_BYTES    65536
#define STEP_MESSAGES 16
#define DONE_BYTES    65536 /* handled bytes of `in` that are removed at once */

/* A stream of responses from this end. */
struct making {
	struct tw_responses *responses;
	bool waits;	/* nothing to send until tw_peer_pump() */
	int64_t window; /* bytes that it may still send */
};

/* A request of this end. */
struct asking {
	uint64_t id;
	tw_peer_answer *answer;
	void *arg;
	int64_t window; /* bytes that the other end may still send */
};

struct tw_peer {
	struct tw_peer_options options;
	struct tw_stream *stream;
	struct tw_watch watch;
	uint32_t events; /* registered with epoll */
	struct tw_buf in;
	size_t in_counted; /* bytes of `in` that are counted in options.memory */
	size_t in_max;	   /* maximum bytes of a message */
	size_t in_start;   /* start of the bytes not handled yet */
	struct tw_buf out;
	size_t sent; /* bytes of `out` already sent */
	struct making makings[TW_PEER_ANSWERS];
	unsigned int n_makings;
	unsigned int turn; /* number of the stream whose turn is next */
	struct asking askings[TW_PEER_ASKS];
	unsigned int n_askings;
	uint64_t last_id;
	bool opened;
	bool patient; /* see tw_peer_set_patient() */
	bool blocked; /* a request waits until a stream ends */
	bool loaded;  /* `in` holds a whole message */
	uint64_t began_ns;
	uint64_t heard_ns; /* time of the last bytes received */
	uint64_t frame_ns; /* time when the unfinished message began; 0: none */
	uint64_t stall_ns; /* time since which the other end accepts nothing; 0: it does */
	struct tw_err err; /* reason for the end of the connection */
};

/* ---- life ---- */

static void end_askings(struct tw_peer *peer)
{
	while (peer->n_askings) {
		struct asking asking = peer->askings[--peer->n_askings];

		asking.answer(asking.arg, NULL);
	}
}

/* Counts the memory of `in` in options.memory while `in` holds more than TW_PEER_IN_FREE bytes. */
static void count_in(struct tw_peer *peer)
{
	struct tw_peer_memory *memory = peer->options.memory;
	size_t held = peer->in.len > TW_PEER_IN_FREE ? peer->in.max : 0;

	if (!memory)
		return;
	memory->used = memory->used + held - peer->in_counted;
	peer->in_counted = held;
}

/* True if the peer must not be read now, because all connections together hold too much. */
static bool is_paused(const struct tw_peer *peer)
{
	const struct tw_peer_memory *memory = peer->options.memory;

	return memory && memory->max && memory->used > memory->max &&
	       peer->in.len > TW_PEER_IN_FREE;
}

void tw_peer_free(struct tw_peer *peer)
{
	if (!peer)
		return;
	if (peer->options.memory)
		peer->options.memory->used -= peer->in_counted;
	tw_loop_remove(peer->options.loop, &peer->watch);
	end_askings(peer);
	for (unsigned int i = 0; i < peer->n_makings; i++)
		peer->makings[i].responses->done(peer->makings[i].responses);
	tw_buf_done(&peer->in);
	tw_buf_done(&peer->out);
	tw_stream_close(peer->stream);
	free(peer);
}

/* Ends a connection whose last step failed with `code`. */
static void end_peer(struct tw_peer *peer, int code)
{
	struct tw_err *err = &peer->err;

	if (!err->code)
		tw_err_set(err, code, peer->stream->where, NULL, "%s",
			peer->stream->why[0] ? peer->stream->why : strerror(-code));
	end_askings(peer);
	peer->options.closed(peer->options.arg, peer, err);
	tw_peer_free(peer);
}

/* Sets the reason for the end of the connection, and returns `code`. */
#define FAIL(peer, code, ...) \
	tw_err_set(&(peer)->err, code, (peer)->stream->where, NULL, __VA_ARGS__)

/* ---- out ---- */

static int flush_out(struct tw_peer *peer)
{
	while (peer->sent < peer->out.len) {
		ssize_t n = tw_stream_write(peer->stream, peer->out.data + peer->sent,
			peer->out.len - peer->sent, false);

		if (n == -EAGAIN) {
			if (!peer->stall_ns)
				peer->stall_ns = tw_clock_ns();
			break;
		}
		if (n < 0)
			return (int)n;
		peer->sent += (size_t)n;
		peer->stall_ns = 0;
	}
	if (peer->sent < peer->out.len)
		return 0;
	peer->sent = 0;
	peer->stall_ns = 0;
	/* The memory of a large message must not stay for as long as the connection does. */
	if (peer->out.max > TW_PEER_BUSY)
		tw_buf_done(&peer->out);
	else
		tw_buf_reset(&peer->out);
	return 0;
}

static size_t waiting_out(const struct tw_peer *peer)
{
	return peer->out.len - peer->sent;
}

static int watch_events(struct tw_peer *peer, bool more)
{
	const struct tw_stream *stream = peer->stream;
	uint32_t events;

	if (stream->open)
		events = (peer->loaded || is_paused(peer) ? 0 : EPOLLIN) |
			 (waiting_out(peer) || more ? EPOLLOUT : 0);
	else
		events = stream->wants_write ? EPOLLOUT : EPOLLIN;
	if (events == peer->events)
		return 0;
	peer->events = events;
	return tw_loop_change(peer->options.loop, &peer->watch, events);
}

/* ---- responses that this end makes ---- */

/* Sends an error in place of an answer. `error` has code, text and hint. */
static int send_error(struct tw_peer *peer, uint64_t id, Tapwall__V1__Error *error)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	error->place = "request";
	response.id = id;
	response.last = true;
	response.error = error;
	return tw_link_pack(&peer->out, &response.base);
}

/* Refuses a request without reading its body. */
static int refuse_request(struct tw_peer *peer, uint64_t id, const char *text)
{
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;

	error.code = EBUSY;
	error.text = (char *)(uintptr_t)text;
	error.hint = "try again later";
	return send_error(peer, id, &error);
}

/* Replaces an answer, which begins at `start` of `out`, by an error if the other end would not accept
 * it. */
static int bound_answer(struct tw_peer *peer, uint64_t id, size_t start)
{
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	char text[64];

	if (peer->out.len - start <= TW_PEER_IN_MAX)
		return 0;
	peer->out.len = start;
	snprintf(text, sizeof(text), "the answer is larger than %u MiB", TW_PEER_IN_MAX >> 20);
	error.code = EFBIG;
	error.text = text;
	error.hint = "ask for it on the host itself";
	return send_error(peer, id, &error);
}

static struct making *find_making(struct tw_peer *peer, uint64_t id)
{
	for (unsigned int i = 0; i < peer->n_makings; i++)
		if (peer->makings[i].responses->id == id)
			return &peer->makings[i];
	return NULL;
}

static void end_making(struct tw_peer *peer, struct making *making)
{
	unsigned int i = (unsigned int)(making - peer->makings);

	making->responses->done(making->responses);
	peer->n_makings--;
	memmove(making, making + 1, (peer->n_makings - i) * sizeof(*making));
}

static void open_window(struct tw_peer *peer, uint64_t id, uint32_t bytes)
{
	struct making *making = find_making(peer, id);

	if (!making)
		return;
	making->window += bytes;
	if (making->window > TW_PEER_WINDOW)
		making->window = TW_PEER_WINDOW;
}

/* Stops a stream if it can be stopped, or else frees it. */
static void cancel_making(struct tw_peer *peer, uint64_t id)
{
	struct making *making = find_making(peer, id);

	if (making)
		end_making(peer, making);
}

static int take_request(struct tw_peer *peer, Tapwall__V1__Request *request)
{
	const struct tw_peer_options *options = &peer->options;
	struct making *making = &peer->makings[peer->n_makings];
	struct tw_responses *responses = NULL;
	size_t start = peer->out.len;
	int code;

	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_MORE:
		open_window(peer, request->id, request->more->bytes);
		return 0;
	case TAPWALL__V1__REQUEST__BODY_CANCEL:
		cancel_making(peer, request->id);
		return 0;
	case TAPWALL__V1__REQUEST__BODY_HELLO:
		if (options->greeted)
			options->greeted(options->arg, request->hello);
		break;
	default:
		break;
	}
	if (peer->n_makings >= TW_PEER_ANSWERS)
		return refuse_request(peer, request->id, "too many streams are open");
	if (waiting_out(peer) > TW_PEER_BUSY)
		return refuse_request(peer, request->id, "too many bytes wait to be sent");
	if (find_making(peer, request->id))
		return FAIL(peer, -EPROTO, "sent a request with a number that is in use");
	code = options->start(options->context, options->role, request, &peer->out, &responses);
	if (code < 0 || !responses)
		return code < 0 ? code : bound_answer(peer, request->id, start);
	*making = (struct making){.responses = responses, .window = TW_PEER_WINDOW};
	peer->n_makings++;
	return 0;
}

/* Lets one stream add its next responses. Returns 1 if there is more to do at once, 0, or a
 * negative errno. */
static int take_part(struct tw_peer *peer, struct making *making)
{
	size_t before = peer->out.len;
	int state = making->responses->next(making->responses, peer->options.context, &peer->out);

	if (state < 0)
		return state;
	if (peer->out.failed)
		return -ENOMEM;
	making->window -= (int64_t)(peer->out.len - before);
	making->waits = state == TW_RESPONSES_WAIT;
	if (state == TW_RESPONSES_END)
		end_making(peer, making);
	return state != TW_RESPONSES_WAIT;
}

/* Serves the streams that neither wait nor have exhausted their window, in turn, until one has more
 * to send. A stream that has nothing must not keep the next one waiting. */
static int take_responses(struct tw_peer *peer)
{
	int more = 0;

	for (unsigned int tried = 0; tried < peer->n_makings && !more; tried++) {
		struct making *making = &peer->makings[peer->turn++ % peer->n_makings];

		if (waiting_out(peer) >= TW_SERVER_OUT_SOFT)
			return 0;
		if (!making->waits && making->window > 0)
			more = take_part(peer, making);
	}
	return more;
}

/* ---- requests of this end ---- */

int tw_peer_ask(struct tw_peer *peer, Tapwall__V1__Request *request, tw_peer_answer *answer,
	void *arg, uint64_t *ret_id)
{
	int code;

	if (peer->n_askings >= TW_PEER_ASKS || waiting_out(peer) > TW_PEER_OUT_MAX / 2)
		return -EBUSY;
	request->id = ++peer->last_id;
	if (protobuf_c_message_get_packed_size(&request->base) > TW_PEER_IN_MAX)
		return -EMSGSIZE;
	code = tw_link_pack_request(&peer->out, request);
	if (code < 0)
		return code;
	peer->askings[peer->n_askings++] = (struct asking){
		request->id, answer, arg, TW_PEER_WINDOW};
	if (ret_id)
		*ret_id = request->id;
	return watch_events(peer, true);
}

/* Sends a MoreRequest or CancelRequest for a request of this end. If memory runs out, the
 * connection ends later. */
static void send_about(struct tw_peer *peer, Tapwall__V1__Request *request)
{
	tw_link_pack_request(&peer->out, request);
	watch_events(peer, true);
}

static struct asking *find_asking(struct tw_peer *peer, uint64_t id)
{
	for (unsigned int i = 0; i < peer->n_askings; i++)
		if (peer->askings[i].id == id)
			return &peer->askings[i];
	return NULL;
}

void tw_peer_more(struct tw_peer *peer, uint64_t id, size_t bytes)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__MoreRequest more = TAPWALL__V1__MORE_REQUEST__INIT;
	struct asking *asking = find_asking(peer, id);

	if (asking)
		asking->window += (int64_t)bytes;
	request.id = id;
	more.bytes = bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes;
	request.body_case = TAPWALL__V1__REQUEST__BODY_MORE;
	request.more = &more;
	send_about(peer, &request);
}

void tw_peer_cancel(struct tw_peer *peer, uint64_t id)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__CancelRequest cancel = TAPWALL__V1__CANCEL_REQUEST__INIT;
	struct asking *asking = find_asking(peer, id);

	if (!asking)
		return;
	*asking = peer->askings[--peer->n_askings];
	request.id = id;
	request.body_case = TAPWALL__V1__REQUEST__BODY_CANCEL;
	request.cancel = &cancel;
	send_about(peer, &request);
}

/* Responses to a cancelled request may still arrive. */
static int take_response(struct tw_peer *peer, Tapwall__V1__Response *response, size_t len)
{
	struct asking *at = find_asking(peer, response->id), asking;

	if (!at)
		return response->id <= peer->last_id
			       ? 0
			       : FAIL(peer, -EPROTO, "answered a request that was not sent");
	at->window -= (int64_t)len;
	if (at->window < -(int64_t)TW_PEER_BEYOND)
		return FAIL(peer, -EPROTO, "sent more of a stream than it may");
	asking = *at;
	if (response->last)
		*at = peer->askings[--peer->n_askings];
	asking.answer(asking.arg, response);
	return 0;
}

/* ---- in ---- */

static int take_body(struct tw_peer *peer, bool is_request, const uint8_t *body, size_t len)
{
	Tapwall__V1__Request *request = is_request ? tw_link_unpack_request(body, len) : NULL;
	Tapwall__V1__Response *response = is_request ? NULL : tw_link_unpack_response(body, len);
	int code = 0;

	if (request) {
		code = take_request(peer, request);
		tapwall__v1__request__free_unpacked(request, NULL);
	} else if (response) {
		code = take_response(peer, response, len);
		tapwall__v1__response__free_unpacked(response, NULL);
	} else {
		return FAIL(peer, -EBADMSG, "sent an invalid message");
	}
	if (!code && peer->out.failed)
		return -ENOMEM;
	if (!code && waiting_out(peer) > TW_PEER_OUT_MAX)
		return FAIL(peer, -ENOBUFS, "sends requests but accepts no answers");
	return code;
}

static void drop_in(struct tw_peer *peer)
{
	struct tw_buf *in = &peer->in;

	if (peer->in_start == in->len) {
		peer->in_start = 0;
		if (in->max > TW_PEER_BUSY)
			tw_buf_done(in);
		else
			tw_buf_reset(in);
	} else if (peer->in_start >= DONE_BYTES) {
		memmove(in->data, in->data + peer->in_start, in->len - peer->in_start);
		in->len -= peer->in_start;
		peer->in_start = 0;
	}
	count_in(peer);
}

/* Returns the length of the message at `in_start`, or 0 if that length has not arrived. */
static size_t announced_len(const struct tw_peer *peer)
{
	uint32_t len_be32;

	if (peer->in.len - peer->in_start < sizeof(len_be32))
		return 0;
	memcpy(&len_be32, peer->in.data + peer->in_start, sizeof(len_be32));
	return ntohl(len_be32) & INT32_MAX; /* the highest bit marks a request */
}

/* Handles one whole message. Returns 1, 0 if there is none, or a negative errno. */
static int take_message(struct tw_peer *peer)
{
	size_t left = peer->in.len - peer->in_start, body_len;
	const uint8_t *body;
	bool is_request;
	long len = left ? tw_link_frame_either((const uint8_t *)peer->in.data + peer->in_start,
				  left, &is_request, &body, &body_len)
			: 0;
	int code;

	if (announced_len(peer) > TW_PEER_IN_MAX)
		return FAIL(peer, -EMSGSIZE, "sent a message of more than %u MiB",
			TW_PEER_IN_MAX >> 20);
	if (announced_len(peer) > peer->in_max)
		return FAIL(
			peer, -EMSGSIZE, "sent a message of more than %zu KiB", peer->in_max >> 10);
	if (!len) {
		if (left && !peer->frame_ns)
			peer->frame_ns = peer->heard_ns;
		return 0;
	}
	peer->blocked = is_request && peer->patient && peer->n_makings >= TW_PEER_ANSWERS;
	if (peer->blocked)
		return 0;
	code = take_body(peer, is_request, body, body_len);
	peer->in_start += (size_t)len;
	peer->frame_ns = 0;
	drop_in(peer);
	return code < 0 ? code : 1;
}

/* Reads once, which also opens the stream. Returns 0 or a negative errno. */
static int fill_in(struct tw_peer *peer)
{
	char data[READ_BYTES];
	ssize_t n = tw_stream_read(peer->stream, data, sizeof(data), false);

	if (peer->stream->open && !peer->opened) {
		int code;

		peer->opened = true;
		peer->heard_ns = tw_clock_ns();
		code = peer->options.opened(peer->options.arg, peer, &peer->err);
		if (code < 0)
			return code;
	}
	if (n == -EAGAIN)
		return 0;
	if (!n)
		return FAIL(peer, -EPIPE, "the connection was closed by the peer");
	if (n < 0)
		return (int)n;
	peer->heard_ns = tw_clock_ns();
	tw_buf_add(&peer->in, data, (size_t)n);
	count_in(peer);
	return peer->in.failed ? -ENOMEM : 0;
}

/* Handles a bounded number of messages. The next read waits until none is left, so that bytes
 * sent faster than they are handled stay in the socket. Returns 1 if some are left, 0, or a
 * negative errno. */
static int take_messages(struct tw_peer *peer)
{
	int taken = 1;

	for (int i = 0; i < STEP_MESSAGES && taken > 0; i++)
		taken = take_message(peer);
	peer->loaded = taken > 0 || peer->blocked;
	return taken;
}

/* Does one bounded step. Returns 0, or a negative errno if the connection must be closed. */
static int serve(struct tw_peer *peer)
{
	int more = 0, parts;

	if (peer->opened) {
		more = take_messages(peer);
		parts = more < 0 ? more : take_responses(peer);
		more = parts < 0 ? parts : more | parts;
		parts = more < 0 ? more : flush_out(peer);
		more = parts < 0 ? parts : more;
	}
	return more < 0 ? more : watch_events(peer, more > 0);
}

static void on_peer(void *arg, uint32_t events)
{
	struct tw_peer *peer = arg;
	int code = 0;

	/* The read returns the error of the connection. */
	if (events & (EPOLLERR | EPOLLHUP) || !peer->opened ||
		(events & EPOLLIN && !peer->loaded && !is_paused(peer)))
		code = fill_in(peer);
	if (!code)
		code = serve(peer);
	if (code < 0)
		end_peer(peer, code);
}

/* ---- for the owner ---- */

int tw_peer_new(
	const struct tw_peer_options *options, struct tw_stream *stream, struct tw_peer **ret)
{
	struct tw_peer *peer = tw_alloc(sizeof(*peer));
	int code;

	if (!peer) {
		tw_stream_close(stream);
		return -ENOMEM;
	}
	peer->options = *options;
	peer->stream = stream;
	peer->watch.fd = -1;
	peer->in_max = TW_PEER_IN_MAX;
	peer->began_ns = peer->heard_ns = tw_clock_ns();
	peer->events = EPOLLIN | EPOLLOUT;
	code = tw_loop_add(options->loop, &peer->watch, stream->fd, peer->events, on_peer, peer);
	if (code < 0) {
		tw_peer_free(peer);
		return code;
	}
	*ret = peer;
	return 0;
}

const struct tw_stream *tw_peer_stream(const struct tw_peer *peer)
{
	return peer->stream;
}

uint64_t tw_peer_holds_ns(const struct tw_peer *peer)
{
	return peer->in.len > TW_PEER_IN_FREE ? peer->frame_ns : 0;
}

void tw_peer_set_in_max(struct tw_peer *peer, size_t bytes)
{
	peer->in_max = bytes;
}

void tw_peer_set_patient(struct tw_peer *peer)
{
	peer->patient = true;
}

uint64_t tw_peer_heard_ns(const struct tw_peer *peer)
{
	return peer->heard_ns;
}

void tw_peer_pump(struct tw_peer *peer)
{
	bool waits = false;
	int code;

	for (unsigned int i = 0; i < peer->n_makings; i++) {
		waits |= peer->makings[i].waits;
		peer->makings[i].waits = false;
	}
	code = waits ? serve(peer) : 0;
	if (code < 0)
		end_peer(peer, code);
}

/* Returns the time limit that was exceeded, as text, or NULL. */
static const char *overdue(const struct tw_peer *peer, uint64_t now)
{
	if (!peer->opened)
		return now - peer->began_ns > TW_PEER_OPEN_NS ? "the handshake took longer than 5 s"
							      : NULL;
	if (peer->frame_ns && now - peer->frame_ns > TW_PEER_FRAME_NS)
		return "a message took longer than 10 s";
	if (now - peer->heard_ns > TW_PEER_SILENCE_NS)
		return "sent nothing for 15 s";
	if (peer->stall_ns && now - peer->stall_ns > TW_PEER_SILENCE_NS)
		return "accepted nothing for 15 s";
	return NULL;
}

void tw_peer_tick(struct tw_peer *peer)
{
	const char *why = overdue(peer, tw_clock_ns());
	int code = 0;

	if (why)
		code = FAIL(peer, -ETIMEDOUT, "%s", why);
	else if (peer->loaded || !(peer->events & EPOLLIN))
		/* The socket may be full because the other end waits for this one to read. A peer
		 * that was paused may read again. */
		code = serve(peer);
	if (code < 0)
		end_peer(peer, code);
}
