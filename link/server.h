/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* server.h: the agent's Unix socket: who may ask, how much at once, and how answers leave.
 *
 * How:        a client has one request in work. Its answer is either written at once or a stream
 *             that is asked for more whenever the client has room; meanwhile nothing is read from
 *             that client. A stream never makes more than TW_SERVER_OUT_SOFT bytes ahead.
 * Bounds:     TW_SERVER_USER_CLIENTS clients and TW_SERVER_USER_IN_MAX bytes of unfinished requests
 *             for each user, by the user id that the kernel gives; TW_SERVER_CLIENTS and
 *             TW_SERVER_IN_MAX for all users but root, whose places and bytes are kept for it. A new
 *             client takes the place of the same user's one that has been idle for the longest, or
 *             whose request is unfinished for the longest; likewise bytes. A
 *             request must be whole within TW_SERVER_FRAME_NS; a client that takes nothing of its
 *             answer for TW_SERVER_STALL_NS, or asks nothing for TW_SERVER_IDLE_NS, is let go.
 *             A follower of the log may be as slow as it likes: it misses entries and is told; so
 *             does one who captures.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/loop.h"
#include "link/link.h"

#define TW_SERVER_CLIENTS      64
#define TW_SERVER_USER_CLIENTS 32
#define TW_SERVER_IN_MAX       (96u << 20)
#define TW_SERVER_USER_IN_MAX  (48u << 20) /* one request of the longest, and another begun */
#define TW_SERVER_OUT_SOFT     (256u << 10)
#define TW_SERVER_FRAME_NS     10000000000u
#define TW_SERVER_STALL_NS     60000000000u
#define TW_SERVER_IDLE_NS      600000000000u

struct tw_server;

enum tw_responses_state {
	TW_RESPONSES_MORE, /* ask again when there is room */
	TW_RESPONSES_WAIT, /* nothing now: ask again after tw_server_pump() */
	TW_RESPONSES_END,
};

/* An answer in several responses. */
struct tw_responses {
	/* Adds some responses to `out`: enum tw_responses_state, or a negative errno, upon which the
	 * client is closed. `context` is that of the server's options. */
	int (*next)(struct tw_responses *responses, void *context, struct tw_buf *out);
	void (*done)(struct tw_responses *responses); /* frees them too */
	/* The client shut down its sending side: the answer ends soon, but in order. NULL: only
	 * closing ends it. */
	void (*stop)(struct tw_responses *responses);
	uint64_t id; /* of the request */
};

struct tw_server_options {
	struct tw_loop *loop;
	const char *path; /* of the socket */
	/* Starts the answer to a request: writes it to `out`, or sets *ret. 0 or a negative errno,
	 * upon which the client is closed. */
	int (*start)(void *context, Tapwall__V1__Request *request, struct tw_buf *out,
		struct tw_responses **ret);
	void *context;
};

/* 0 or a negative errno, with `err` filled. What `options` points to outlives the server; the options
 * themselves need not. */
int tw_server_new(
	const struct tw_server_options *options, struct tw_server **ret, struct tw_err *err);
void tw_server_free(struct tw_server *server); /* removes the socket file */

/* There may be something new for those whose stream waits. `server` may be NULL. */
void tw_server_pump(struct tw_server *server);
/* Lets go of those who are over their time. */
void tw_server_tick(struct tw_server *server);
