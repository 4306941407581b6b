/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* leases.h: addresses that guests learned from DHCP, from the fast path's map into the policy.
 *
 * How:        the fast path writes `leases` and tells; the policy in force is worked out anew with
 *             these addresses as if its text had them, published, and only then is the fast path told
 *             that they are known. A lease that ended goes the same way.
 * Invariants: 1. An address that the policy gives to another vNIC is not taken in, nor one that
 *                another guest holds: who had it first keeps it while its lease lasts.
 *                A lease that was put back from before (kept.h) does not count against one that a
 *                server was seen giving.
 *             2. Guests cannot make the agent work without end: between two turns it rests four times
 *                as long as the first took.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/vec.h"
#include "fastpath/abi/types.h"
#include "policy/policy.h"

struct tw_enforcement;
struct tw_agent_port;
struct tw_inforce;

struct tw_learned_list {
	struct tw_learned *at; /* ascending by vNIC, then address */
	size_t n;
	size_t max;
};

struct tw_agent_leases {
	struct tw_leases *map; /* by port id, shared with the fast path */
	uint64_t rest_ns;      /* until then nothing is taken in */
	uint64_t began_ns;     /* when the look at hand began */
};

int tw_leases_init(struct tw_enforcement *enforcement); /* 0 or negative errno */
void tw_leases_done(struct tw_enforcement *enforcement);

/* What the guests have now that the policy should take into account, with the ports that it is bound
 * to. 0 or -ENOMEM; the caller frees the list. */
int tw_leases_gather(struct tw_enforcement *enforcement, const struct tw_inforce *inforce,
	struct tw_learned_list *ret);
/* The fast path may take these for known: the policy in force has them. */
void tw_leases_know(struct tw_enforcement *enforcement);
/* True if what guests have differs from the policy in force and it is time: a plan is due, and then
 * tw_leases_rest(). After an event, and each tick. */
bool tw_leases_look(struct tw_enforcement *enforcement);
void tw_leases_rest(struct tw_enforcement *enforcement);

/* What a port's guest was given, or NULL: `leases->at` with its ends. */
const struct tw_leases *tw_leases_of_port(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
