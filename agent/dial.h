/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dial.h: the agent's connection to its slow path.
 *
 * Why:        The agent dials, so that a hypervisor has no port that listens. On the one connection the slow path
 *             asks what a client of the agent's socket may ask, with the role TW_ROLE_SLOW_PATH.
 * Invariants: 1. No call blocks: a name is looked up by getaddrinfo_a(3), and TLS never waits (link/peer.h).
 *             2. Nothing that is enforced depends on it. A slow path that is absent, hangs or lies is told by
 *                `status` and the log, and dialled again.
 * Bounds:     One connection. The time between two attempts doubles from TW_DIAL_MIN_MS to TW_DIAL_MAX_MS, and is
 *             chosen at random from its upper half, so that the agents of a slow path that returns do not all
 *             come at once.
 * Callers:    daemon.c, turn.c, answer/table.c.
 */
#pragma once

#include "base/err.h"
#include "base/loop.h"
#include "link/identity.h"
#include "link/link.h"
#include "link/peer.h"

#define TW_DIAL_MIN_MS 250
#define TW_DIAL_MAX_MS 10000

enum tw_dial_state {
	TW_DIAL_OFF, /* no slow path is configured */
	TW_DIAL_WAITING,
	TW_DIAL_CONNECTING,
	TW_DIAL_CONNECTED,
	TW_DIAL__MAX
};

struct tw_dial_setup {
	struct tw_loop *loop;
	const char *address; /* HOST:PORT; NULL: none */
	struct tw_identity_files files;
	/* As in struct tw_server_options. */
	int (*start)(void *context, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *context;
};

struct tw_dial {
	struct tw_dial_setup setup;
	enum tw_dial_state state;
	uint64_t since_ns; /* the state began */
	uint64_t retry_ns; /* when it is dialled again, if it waits */
	uint32_t backoff_ms;
	uint64_t attempts; /* since the last connection */
	struct tw_lookup *lookup;
	struct tw_peer *peer;
	time_t expires; /* the agent's certificate; 0: it could not be read */
	char name[TW_STREAM_PEER_MAX];
	char version[64];
	char why[TW_ERR_TEXT_MAX]; /* the last connection failed or ended; empty: none has */
	uint64_t why_ns;
};

/* 0 or a negative errno, with `err` filled. What `setup` points to outlives it. */
int tw_dial_init(struct tw_dial *dial, const struct tw_dial_setup *setup, struct tw_err *err);
void tw_dial_done(struct tw_dial *dial);
/* Dials, and gives up what takes too long. Call it a few times a second. */
void tw_dial_tick(struct tw_dial *dial);
/* There may be something new for streams of the slow path. */
void tw_dial_pump(struct tw_dial *dial);
/* Fills the message for `status`. False if no slow path is configured. */
bool tw_dial_describe(const struct tw_dial *dial, Tapwall__V1__SlowPath *message);
