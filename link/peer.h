/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* peer.h: one end of a connection on which both ends ask and answer: that of agent and slow path.
 *
 * Why:        server.h only answers and client.c only asks, and waits for it. Here neither end ever waits.
 * How:        a stream of responses goes as far ahead as its window; the other end opens that further by what it
 *             has used up. So an end always reads, a slow reader of one stream holds up no other message, and two
 *             ends that both have much to send do not wait for each other.
 * Bounds:     TW_PEER_ANSWERS streams and TW_PEER_ASKS own requests under way; TW_PEER_WINDOW bytes ahead of a
 *             stream; one read of messages that are not handled yet. A request that comes while TW_PEER_BUSY bytes
 *             wait to be taken is refused with EBUSY. An end that lets TW_PEER_OUT_MAX gather is let go, as is one whose handshake takes longer than
 *             TW_PEER_OPEN_NS or a message longer than TW_PEER_FRAME_NS, and one that sends nothing or takes
 *             nothing for TW_PEER_SILENCE_NS.
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

#define TW_PEER_ANSWERS	   16
#define TW_PEER_ASKS	   64
#define TW_PEER_WINDOW	   (256u << 10)
#define TW_PEER_BUSY	   (1u << 20)
#define TW_PEER_OUT_MAX	   (40u << 20) /* two messages of the longest, and what is refused meanwhile */
#define TW_PEER_OPEN_NS	   5000000000u
#define TW_PEER_FRAME_NS   10000000000u
#define TW_PEER_SILENCE_NS 15000000000u

struct tw_peer;

struct tw_peer_options {
	struct tw_loop *loop;
	enum tw_role role; /* of the other end */
	/* As in struct tw_server_options: `context` is also that of each stream that it starts. */
	int (*start)(void *context, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *context;
	/* The other end says who it is. NULL: its owner does not care. */
	void (*greeted)(void *arg, const Tapwall__V1__HelloRequest *hello);
	/* The handshake is over. 0, or a negative errno with `err` filled, upon which it is closed. */
	int (*opened)(void *arg, struct tw_peer *peer, struct tw_err *err);
	/* The connection ended. The peer is freed when this returns. */
	void (*closed)(void *arg, struct tw_peer *peer, const struct tw_err *err);
	void *arg;
};

/* Takes each response to a request; NULL: there will be none any more. */
typedef void tw_peer_answer(void *arg, Tapwall__V1__Response *response);

/* Takes over a stream, open or not, also if it fails. 0 or a negative errno. */
int tw_peer_new(
	const struct tw_peer_options *options, struct tw_stream *stream, struct tw_peer **ret);
/* Closes without telling the owner; who waits for responses is told. NULL is fine. Not from a callback. */
void tw_peer_free(struct tw_peer *peer);

const struct tw_stream *tw_peer_stream(const struct tw_peer *peer);
uint64_t tw_peer_heard_ns(const struct tw_peer *peer); /* when bytes last came */

/* Sends a request, and numbers it. `answer` is called from the loop, up to and with the last response. 0 and *ret_id
 * (may be NULL), -EBUSY: too much is under way, -EMSGSIZE or -ENOMEM. */
int tw_peer_ask(struct tw_peer *peer, Tapwall__V1__Request *request, tw_peer_answer *answer,
	void *arg, uint64_t *ret_id);
/* Lets the other end send so many more bytes of a stream. */
void tw_peer_more(struct tw_peer *peer, uint64_t id, size_t bytes);
/* Ends a stream. Its `answer` is not called again. */
void tw_peer_cancel(struct tw_peer *peer, uint64_t id);

/* Asks the streams that wait: there may be something new for them. */
void tw_peer_pump(struct tw_peer *peer);
/* Closes if something is over its time. Call it a few times a second. */
void tw_peer_tick(struct tw_peer *peer);
