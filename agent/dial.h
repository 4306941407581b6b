/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dial.h: the agent's connection to its slow path.
 *
 * Why:        the agent connects, so that a hypervisor needs no listening port. On this connection,
 *             the slow path may send the same requests as a client of the agent's socket, limited
 *             by the role TW_ROLE_SLOW_PATH.
 * Invariants: 1. No call blocks: a name is looked up by getaddrinfo_a(3), and TLS never waits
 *                (link/peer.h).
 *             2. Enforcement does not depend on the slow path. If it is absent, hangs or sends
 *                invalid data, `status` and the log show this, and the agent connects again.
 * Bounds:     one connection. The time between two attempts doubles from TW_DIAL_MIN_MS to
 *             TW_DIAL_MAX_MS. The actual time is random in its upper half, so that agents do not
 *             all connect at once when a slow path returns. Without a certificate, the limit is
 *             TW_DIAL_FILE_MS: a host that enrolls is connected within a second.
 * Callers:    daemon.c, turn.c, answer/table.c.
 */
#pragma once

#include "agent/renewal.h"
#include "base/err.h"
#include "base/loop.h"
#include "link/identity.h"
#include "link/link.h"
#include "link/peer.h"

#define TW_DIAL_MIN_MS	250
#define TW_DIAL_MAX_MS	10000
#define TW_DIAL_FILE_MS 1000

enum tw_dial_state {
	TW_DIAL_OFF, /* no slow path is configured */
	TW_DIAL_WAITING,
	TW_DIAL_CONNECTING,
	TW_DIAL_CONNECTED,
	TW_DIAL__MAX
};

struct tw_dial_setup {
	struct tw_loop *loop;
	const char *address; /* HOST:PORT or vsock:CID:PORT; NULL: none */
	struct tw_identity_files files;
	/* As in struct tw_server_options. */
	int (*start)(void *context, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *context;
};

struct tw_dial {
	struct tw_dial_setup setup;
	enum tw_dial_state state;
	uint64_t since_ns; /* time when the current state began */
	uint64_t retry_ns; /* time of the next attempt, while waiting */
	uint32_t backoff_ms;
	uint64_t attempts; /* attempts since the last connection */
	struct tw_lookup *lookup;
	struct tw_peer *peer;
	struct tw_renewal renewal;
	bool has_cert; /* the agent's certificate could be read at the last attempt */
	char name[TW_STREAM_PEER_MAX];
	char version[64];
	char why[TW_ERR_TEXT_MAX]; /* why the last connection failed or ended; empty: none yet */
	uint64_t why_ns;
};

/* Returns 0, or a negative errno with `err` filled in. The objects that `setup` points to must
 * outlive `dial`. */
int tw_dial_init(struct tw_dial *dial, const struct tw_dial_setup *setup, struct tw_err *err);
void tw_dial_done(struct tw_dial *dial);
/* Starts attempts, and ends attempts that take too long. Must be called a few times a second. */
void tw_dial_tick(struct tw_dial *dial);
/* Wakes the streams of the slow path, which may have something new to send. */
void tw_dial_pump(struct tw_dial *dial);
/* Fills the message for `status`. False if no slow path is configured. */
bool tw_dial_describe(const struct tw_dial *dial, Tapwall__V1__SlowPath *message);
