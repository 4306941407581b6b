/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agents.h: the agents that connect to this slow path, and their state; and deciders from other machines.
 *
 * Why:        The name in the certificate identifies an agent. If it connects again, the new
 *             connection replaces the old one. The certificate also says whether it is an agent's or
 *             a decider's (identity.h). A decider has no row, and may have several connections.
 * Invariants: 1. An agent learns nothing about other agents: all its requests are refused, except
 *                those about its own streams and its own certificate. A host that enrolls may send
 *                one EnrollRequest and nothing else.
 *             2. A decider's requests are those of the role TW_ROLE_FAR_DECIDER.
 *             3. Text from an agent is cleaned and truncated before it is stored.
 * Bounds:     TW_AGENTS_MAX names; TW_AGENTS_DECIDERS connections of deciders, at most
 *             TW_AGENTS_DECIDERS_NAME with one name, and messages of TW_AGENTS_DECIDER_MAX bytes;
 *             TW_AGENTS_PENDING connections in their handshake, of which
 *             TW_AGENTS_PENDING_SOURCE from one address (or IPv6 /64). At a limit, a new connection
 *             replaces the oldest of the source with the most. TW_AGENTS_IN_MAX bytes of incomplete
 *             messages of all agents; beyond it, the connection whose message began first is
 *             closed. Each connection has the bounds of link/peer.h.
 * Callers:    daemon.c, answer.c; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/loop.h"
#include "link/digest.h"
#include "link/link.h"
#include "link/peer.h"
#include "link/stream.h"

#define TW_AGENTS_MAX		 1024
#define TW_AGENTS_DECIDERS	 16
#define TW_AGENTS_DECIDERS_NAME	 4
#define TW_AGENTS_DECIDER_MAX	 65536u /* longest message of a decider, in bytes */
#define TW_AGENTS_PENDING	 64
#define TW_AGENTS_PENDING_SOURCE 16
#define TW_AGENTS_IN_MAX	 (64u << 20)
#define TW_AGENTS_HELLO_NS	 2000000000u
#define TW_AGENTS_RENEW_NS	 10000000000u /* between two renewals on a connection */
#define TW_AGENTS_ENROLL_NS	 10000000000u /* time that a host has to enroll */
#define TW_AGENTS_ENROLL_MAX	 16384u	      /* longest message of such a host, in bytes */

struct tw_agents;
struct tw_enroll;

struct tw_agents_setup {
	struct tw_loop *loop;
	const char *listen; /* ADDRESS:PORT */
	struct tw_identity *identity;
	struct tw_enroll *enroll;
	/* Called when an agent sent something for a waiting stream. */
	void (*told)(void *arg);
	/* Starts the answer to a decider's request, as tw_server_options.start does. */
	int (*answer)(void *arg, enum tw_role role, Tapwall__V1__Request *request,
		struct tw_buf *out, struct tw_responses **ret);
	void *arg;
};

/* One agent. */
struct tw_agents_row {
	struct tw_agents_row *next;
	char name[TW_STREAM_PEER_MAX];
	char host[65];
	char version[64];
	char address[TW_STREAM_WHERE_MAX];
	char source[256]; /* source of its policy in force */
	char why[TW_ERR_TEXT_MAX];
	uint64_t generation;
	bool said; /* its first Hello on this connection has arrived */
	bool has_sha256;
	uint8_t sha256[TW_DIGEST_BYTES]; /* digest of the text of its policy in force */
	uint64_t connects;
	uint64_t since_ns;	    /* time when it connected, or when it was lost */
	uint64_t contact_ns;	    /* while it is away: time of the last bytes received */
	uint64_t hello_ns;	    /* time of the last HelloRequest to it */
	time_t expires;		    /* end of the validity of its newest certificate */
	bool greeting;		    /* true if the last HelloRequest has not been answered */
	struct tw_peer *peer;	    /* NULL: away */
	void *stream;		    /* stream of its events; belongs to feed.c */
	uint64_t quarantines_ended; /* as its last Hello said */
	void *spread;		    /* what it has accepted; belongs to quarantine/spread.c */
	unsigned int n_passed[TW_ROLE__MAX]; /* requests under way to it; belongs to answer.c */
};

/* Returns 0 or a negative errno with `err` filled in. */
int tw_agents_new(const struct tw_agents_setup *setup, struct tw_agents **ret, struct tw_err *err);
void tw_agents_free(struct tw_agents *agents); /* NULL is fine */
void tw_agents_tick(struct tw_agents *agents);
/* Sets the identity for connections accepted from now on. It must outlive `agents`, or be valid
 * until the next call. */
void tw_agents_set_identity(struct tw_agents *agents, struct tw_identity *identity);
/* Asks the waiting streams of deciders again. */
void tw_agents_pump(struct tw_agents *agents);
/* Closes the connections whose certificates have been revoked. */
void tw_agents_revoke(struct tw_agents *agents);

/* Use of the bounds at present. */
struct tw_agents_load {
	unsigned int handshakes; /* connections in their handshake */
	unsigned int deciders;	 /* connections of deciders */
	uint64_t in_bytes;	 /* bytes of incomplete messages */
};
struct tw_agents_load tw_agents_load(const struct tw_agents *agents);

struct tw_agents_row *tw_agents_first(const struct tw_agents *agents);
struct tw_agents_row *tw_agents_find(const struct tw_agents *agents, const char *name);
