/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agents.h: the agents that dial this slow path, and what is known of each.
 *
 * Why:        An agent is known by the name in its certificate. Two connections of one name are one agent that has
 *             dialled again: the newer one stays.
 * Invariants: 1. An agent gets nothing of another one. So far it may ask nothing at all.
 *             2. What an agent says of itself is cleaned and cut to length before it is kept.
 * Bounds:     TW_AGENTS_MAX names; TW_AGENTS_PENDING connections whose handshake is not over, of which the oldest
 *             makes place for a new one; for each connection those of link/peer.h.
 * Callers:    daemon.c, answer.c; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "link/link.h"
#include "link/peer.h"
#include "link/stream.h"

#define TW_AGENTS_MAX	   1024
#define TW_AGENTS_PENDING  64
#define TW_AGENTS_HELLO_NS 2000000000u

struct tw_agents;

struct tw_agents_setup {
	struct tw_loop *loop;
	const char *listen; /* ADDRESS:PORT */
	struct tw_identity *identity;
	/* Something came for a stream that waits. */
	void (*told)(void *arg);
	void *arg;
};

/* One agent. */
struct tw_agents_row {
	struct tw_agents_row *next;
	char name[TW_STREAM_PEER_MAX];
	char host[65];
	char version[64];
	char address[TW_STREAM_WHERE_MAX];
	char source[256]; /* of the policy that it has in force */
	char why[TW_ERR_TEXT_MAX];
	uint64_t generation;
	uint64_t connects;
	uint64_t since_ns;    /* connected or away */
	uint64_t contact_ns;  /* while it is away: when it last sent something */
	uint64_t hello_ns;    /* when it was last greeted */
	bool greeting;	      /* … and has not answered */
	struct tw_peer *peer; /* NULL: away */
};

/* 0 or a negative errno, with `err` filled. */
int tw_agents_new(const struct tw_agents_setup *setup, struct tw_agents **ret, struct tw_err *err);
void tw_agents_free(struct tw_agents *agents); /* NULL is fine */
void tw_agents_tick(struct tw_agents *agents);
/* Ends the connections whose certificates were revoked since. */
void tw_agents_revoke(struct tw_agents *agents);

struct tw_agents_row *tw_agents_first(const struct tw_agents *agents);
struct tw_agents_row *tw_agents_find(const struct tw_agents *agents, const char *name);
