/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* peer.h: one end of a connection in which both ends send requests, as between agent and slow path.
 *
 * Why:        server.h only answers requests. client.c only sends them, and blocks. A peer does
 *             both, and never blocks.
 * How:        a stream of responses has a window, which the other end enlarges as it consumes them.
 *             So an end always reads, a slow reader of one stream delays no other message, and two
 *             ends that both have much to send do not wait for each other.
 * Bounds:     TW_PEER_ANSWERS streams and TW_PEER_ASKS own requests under way; TW_PEER_WINDOW bytes
 *             of a stream not yet consumed; one read of messages not yet handled. A request that
 *             arrives while TW_PEER_BUSY bytes wait to be sent is refused with EBUSY. The
 *             connection is closed if TW_PEER_OUT_MAX bytes wait to be sent, if the handshake takes
 *             longer than TW_PEER_OPEN_NS or a message longer than TW_PEER_FRAME_NS, or if the
 *             other end sends or accepts nothing for TW_PEER_SILENCE_NS. It is also closed if a
 *             stream exceeds its window by more than TW_PEER_BEYOND bytes, so that an end that ignores
 *             windows cannot use up the memory of the other end.
 * Callers:    agent/dial.c, slowpath/agents.c; one thread.
 */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "link/link.h"
#include "link/role.h"
#include "link/server.h"
#include "link/stream.h"

#define TW_PEER_ANSWERS	   32
#define TW_PEER_ASKS	   512
#define TW_PEER_IN_MAX	   (16u << 20) /* of a message */
#define TW_PEER_WINDOW	   (256u << 10)
#define TW_PEER_BEYOND	   (TW_PEER_IN_MAX + (1u << 20)) /* a full message and others before it */
#define TW_PEER_BUSY	   (1u << 20)
#define TW_PEER_OUT_MAX	   (40u << 20) /* two messages of full size, and some errors */
#define TW_PEER_IN_FREE	   (128u << 10)
#define TW_PEER_OPEN_NS	   5000000000u
#define TW_PEER_FRAME_NS   10000000000u
#define TW_PEER_SILENCE_NS 15000000000u

struct tw_peer;

/* Memory that several connections share for messages that are not complete. Beyond `max`, a
 * connection with more than TW_PEER_IN_FREE bytes is not read until the owner has closed another
 * one. */
struct tw_peer_memory {
	size_t used;
	size_t max; /* 0: no limit */
};

struct tw_peer_options {
	struct tw_peer_memory *memory; /* must outlive the peer; NULL: memory without limit */
	struct tw_loop *loop;
	enum tw_role role; /* role of the other end */
	/* See struct tw_server_options. `context` is also passed to each stream that `start`
	 * makes. */
	int (*start)(void *context, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *context;
	/* Called when the other end has sent its name. NULL: not needed. */
	void (*greeted)(void *arg, const Tapwall__V1__HelloRequest *hello);
	/* Called after the handshake. Returns 0, or a negative errno with `err` filled in, and then
	 * the connection is closed. */
	int (*opened)(void *arg, struct tw_peer *peer, struct tw_err *err);
	/* Called when the connection has ended. The peer is freed when this returns. */
	void (*closed)(void *arg, struct tw_peer *peer, const struct tw_err *err);
	void *arg;
};

/* Called for each response to a request. NULL: no more will come. */
typedef void tw_peer_answer(void *arg, Tapwall__V1__Response *response);

/* Takes over a stream, which may still be opening, even if this fails. Returns 0 or a negative
 * errno. */
int tw_peer_new(
	const struct tw_peer_options *options, struct tw_stream *stream, struct tw_peer **ret);
/* Closes the connection without calling `closed`. Requests without their last response get NULL.
 * Must not be called from a callback. NULL is fine. */
void tw_peer_free(struct tw_peer *peer);

const struct tw_stream *tw_peer_stream(const struct tw_peer *peer);
uint64_t tw_peer_heard_ns(const struct tw_peer *peer); /* time of the last bytes received */

/* Limits the messages that the other end may send. The default is TW_PEER_IN_MAX bytes. */
void tw_peer_set_in_max(struct tw_peer *peer, size_t bytes);
/* From now on, a request beyond TW_PEER_ANSWERS is not refused but waits, and so does everything that the
 * other end sends after it. */
void tw_peer_set_patient(struct tw_peer *peer);

/* Sends a request with a new number. `answer` is called from the loop, up to and including the last
 * response. Returns 0 and *ret_id (which may be NULL), -EBUSY if too many requests are open,
 * -EMSGSIZE if it is longer than TW_PEER_IN_MAX, or -ENOMEM. */
int tw_peer_ask(struct tw_peer *peer, Tapwall__V1__Request *request, tw_peer_answer *answer,
	void *arg, uint64_t *ret_id);
/* Enlarges the window of a stream by this many bytes. */
void tw_peer_more(struct tw_peer *peer, uint64_t id, size_t bytes);
/* Ends a stream. Its `answer` is not called again. */
void tw_peer_cancel(struct tw_peer *peer, uint64_t id);

/* Asks the waiting streams again, as there may be something new for them. */
void tw_peer_pump(struct tw_peer *peer);
/* Returns the time when the incomplete message in memory began; 0: it has at most TW_PEER_IN_FREE
 * bytes, or there is none. */
uint64_t tw_peer_holds_ns(const struct tw_peer *peer);
/* Closes the connection if it exceeds a time limit. Must be called a few times a second. */
void tw_peer_tick(struct tw_peer *peer);
