/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gather.h: gathers the connections that an agent has seen, for observe and propose.
 *
 * In:         the history of the slow path, if the agent is connected to a tapwall-slowd whose socket is
 *             on this host, or is named as agent:NAME; otherwise the agent's journal. In both cases
 *             also the live connections.
 * Callers:    observe, propose; one thread.
 */
#pragma once

#include "base/buf.h"
#include "cli/cli.h"
#include "cli/rights.h"
#include "cli/seen.h"
#include "policy/policy.h"

/* A port whose state is not `observed`. */
struct tw_gathered_port {
	char *name;
	char *workload; /* "": none */
	char *state;
};

struct tw_gathered {
	struct tw_seen seen;
	struct tw_rights rights; /* rights that frames lacked; not settled */
	bool history;		 /* from the history, not from the journal */
	char source[64];	 /* name of the agent in the history */
	char elsewhere[96]; /* address of a slow path whose history is not on this host; "": none */
	double since;	    /* Unix time of the start of what was read; 0: unknown */
	double until;	    /* Unix time when it was read */
	double policy_s;    /* age of the policy in force; negative: unknown */
	uint64_t lost;	    /* events that are missing */
	uint64_t unread;    /* lower bound of the rows of the history beyond ROWS_MAX (gather.c) */
	uint32_t n_observed;		       /* observed ports */
	TW_VEC(struct tw_gathered_port) ports; /* all other ports */
};

void tw_gathered_done(struct tw_gathered *gathered);
/* Fills `ret`, which must be all-zero, and prints errors. `ret` must be passed to tw_gathered_done() in
 * either case. Returns an exit code. */
int tw_gather(const struct tw_gather_options *options, struct tw_gathered *ret);

/* The policy in force at an agent. */
struct tw_gathered_policy {
	struct tw_buf text;
	TW_VEC(struct tw_learned) learned;
	struct tw_policy *policy;
};

void tw_gathered_policy_done(struct tw_gathered_policy *policy);
/* Reads the policy in force and prints errors. `ret` must be all-zero, and be passed to
 * tw_gathered_policy_done() in either case. If there is no policy, `ret->policy` stays NULL. Returns an
 * exit code. */
int tw_gather_policy(const char *socket, struct tw_gathered_policy *ret);
