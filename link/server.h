/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* server.h: the agent's side of the link: who may ask, how much at once, and how answers leave.
 *
 * How:        a client may ask again while earlier answers still stream; each response names its request. An
 *             answer is either written at once or a stream of responses that is asked for more whenever the
 *             client has room. Streams take turns, and never make more than TW_SERVER_OUT_SOFT bytes ahead.
 * Bounds:     a client has one stream at least, and up to TW_SERVER_ANSWERS while its user has fewer than
 *             TW_SERVER_USER_ANSWERS. Its next request waits meanwhile. TW_SERVER_VIEWERS clients of all
 *             viewers but root, with requests of at most TW_SERVER_VIEWER_IN_MAX bytes.
 *             TW_SERVER_USER_CLIENTS clients and TW_SERVER_USER_IN_MAX bytes of unfinished requests
 *             for each user, by the number that the transport gives; TW_SERVER_CLIENTS and
 *             TW_SERVER_IN_MAX for all users but root, whose places and bytes are kept for it. A new
 *             client takes the place of the same user's one that has been idle for the longest, or
 *             whose request is unfinished for the longest; likewise bytes. A
 *             request must be whole within TW_SERVER_FRAME_NS; a client that takes nothing of its
 *             answer for TW_SERVER_STALL_NS, or asks nothing for TW_SERVER_IDLE_NS, is let go.
 *             A follower of the log may be as slow as it likes: it misses entries and is told; so
 *             does a client that captures.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/loop.h"
#include "link/link.h"
#include "link/stream.h"

#define TW_SERVER_CLIENTS	64
#define TW_SERVER_USER_CLIENTS	32
#define TW_SERVER_ANSWERS	4
#define TW_SERVER_USER_ANSWERS	32
#define TW_SERVER_VIEWERS	16
#define TW_SERVER_VIEWER_IN_MAX (64u << 10) /* no viewer sends a policy */
#define TW_SERVER_LISTENERS	4
#define TW_SERVER_IN_MAX	(96u << 20)
#define TW_SERVER_USER_IN_MAX	(48u << 20) /* one request of the longest, and another begun */
#define TW_SERVER_OUT_SOFT	(256u << 10)
#define TW_SERVER_FRAME_NS	10000000000u
#define TW_SERVER_STALL_NS	60000000000u
#define TW_SERVER_IDLE_NS	600000000000u

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
	/* Called when the client sends no more: the answer ends soon, but in order. NULL: only
	 * closing ends it. */
	void (*stop)(struct tw_responses *responses);
	uint64_t id; /* of the request */
};

/* What a client may ask, by the listener that it came to. */
enum tw_role {
	TW_ROLE_VIEWER,	  /* what shows something and changes nothing */
	TW_ROLE_OPERATOR, /* all */
};

struct tw_server_listener {
	struct tw_listen_options at;
	enum tw_role role;
	const char *option; /* that names it on the command line, for errors */
};

struct tw_server_options {
	struct tw_loop *loop;
	struct tw_server_listener listeners[TW_SERVER_LISTENERS]; /* those with an address */
	/* Starts the answer to a request: writes it to `out`, or sets *ret. 0 or a negative errno,
	 * upon which the client is closed. */
	int (*start)(void *context, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *context;
};

/* 0 or a negative errno, with `err` filled. What `options` points to outlives the server; the options
 * themselves need not. */
int tw_server_new(
	const struct tw_server_options *options, struct tw_server **ret, struct tw_err *err);
void tw_server_free(struct tw_server *server); /* stops listening; NULL is fine */

/* Asks the streams that wait: there may be something new for them. `server` may be NULL. */
void tw_server_pump(struct tw_server *server);
/* Closes the clients that are over their time. */
void tw_server_tick(struct tw_server *server);
