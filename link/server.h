/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* server.h: the agent's side of the link: accepts clients, limits them, and sends answers.
 *
 * How:        a client may send requests while earlier answers still stream; each response names its
 *             request. An answer is either written at once, or it is a stream that is asked for more
 *             responses whenever the output buffer has space. Streams take turns. None is asked
 *             while TW_SERVER_OUT_SOFT bytes wait to be sent.
 * Bounds:     streams: a client may always have one, and up to TW_SERVER_ANSWERS while its user has
 *             fewer than TW_SERVER_USER_ANSWERS. Otherwise its next request waits.
 *             Viewers: TW_SERVER_VIEWERS clients of users other than root; requests of at most
 *             TW_SERVER_VIEWER_IN_MAX bytes.
 *             Users, by the number that the transport reports: TW_SERVER_USER_CLIENTS clients and
 *             TW_SERVER_USER_IN_MAX bytes of unfinished requests for each user. All users but root
 *             together: TW_SERVER_CLIENTS and TW_SERVER_IN_MAX.
 *             Beyond a limit, a new client replaces one of the user's idle clients, or the one
 *             with the oldest unfinished request; bytes are freed in the same way.
 *             Answers that were not read: beyond TW_SERVER_USER_OUT_MAX bytes of a user, or
 *             TW_SERVER_OUT_MAX bytes of all users but root, requests are refused with EBUSY.
 *             Times: a request must be complete within TW_SERVER_FRAME_NS. A client is closed if it
 *             takes nothing of its answer for TW_SERVER_STALL_NS, or sends no request for
 *             TW_SERVER_IDLE_NS. A client that follows the log or captures may read slowly: it
 *             misses entries or frames, and the next one says how many.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/loop.h"
#include "link/link.h"
#include "link/role.h"
#include "link/stream.h"

#define TW_SERVER_CLIENTS	64
#define TW_SERVER_USER_CLIENTS	32
#define TW_SERVER_ANSWERS	4
#define TW_SERVER_USER_ANSWERS	32
#define TW_SERVER_VIEWERS	16
#define TW_SERVER_VIEWER_IN_MAX (64u << 10) /* viewers send no policies */
#define TW_SERVER_LISTENERS	4
#define TW_SERVER_IN_MAX	(160u << 20)
#define TW_SERVER_USER_IN_MAX	(96u << 20) /* a request of full size, and part of another */
#define TW_SERVER_OUT_SOFT	(256u << 10)
#define TW_SERVER_USER_OUT_MAX	(64u << 20) /* the answer that exceeds it has up to 72 MiB */
#define TW_SERVER_OUT_MAX	(96u << 20)
#define TW_SERVER_FRAME_NS	10000000000u
#define TW_SERVER_STALL_NS	60000000000u
#define TW_SERVER_IDLE_NS	600000000000u

struct tw_server;

enum tw_responses_state {
	TW_RESPONSES_MORE, /* ask again when the buffer has space */
	TW_RESPONSES_WAIT, /* nothing to send now: ask again after tw_server_pump() */
	TW_RESPONSES_END,
};

/* An answer of several responses. */
struct tw_responses {
	/* Adds responses to `out`. Returns enum tw_responses_state, or a negative errno, and then
	 * the client is closed. `context` is that of the server's options. */
	int (*next)(struct tw_responses *responses, void *context, struct tw_buf *out);
	void (*done)(struct tw_responses *responses); /* frees the answer */
	/* Called when the client sends no more: the answer must end soon, with its last response.
	 * NULL: only closing the connection ends it. */
	void (*stop)(struct tw_responses *responses);
	uint64_t id; /* id of the request */
};

struct tw_server_listener {
	struct tw_listen_options at;
	enum tw_role role;
	const char *option; /* command-line option that sets the address, for errors */
};

struct tw_server_options {
	struct tw_loop *loop;
	struct tw_server_listener listeners[TW_SERVER_LISTENERS]; /* unused without an address */
	/* Starts the answer to a request: writes it to `out`, or sets *ret to a stream. Returns 0
	 * or a negative errno, and then the client is closed. */
	int (*start)(void *context, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *context;
};

/* Returns 0, or a negative errno with `err` filled in. The options are copied; the objects that
 * they point to must outlive the server. */
int tw_server_new(
	const struct tw_server_options *options, struct tw_server **ret, struct tw_err *err);
void tw_server_free(struct tw_server *server); /* stops listening; NULL is fine */

/* Returns the user whose request is being started, as the transport reports it (stream.h). Must only
 * be called within `start`. */
uint32_t tw_server_user(const struct tw_server *server);

/* Asks the waiting streams again, as there may be something new for them. `server` may be NULL. */
void tw_server_pump(struct tw_server *server);
/* Closes the clients that exceed a time limit. Called at every tick of the agent. */
void tw_server_tick(struct tw_server *server);
