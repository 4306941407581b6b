/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* leases.h: brings the addresses that guests got from DHCP from the fast path's map into the
 * policy.
 *
 * How:        the fast path writes `leases` and sends an event. The policy in force is resolved
 *             again with these addresses as if they were in its text, and published. Only then are
 *             they marked as known for the fast path. The end of a lease is handled in the same
 *             way.
 * Invariants: 1. An address that the policy gives to another vNIC, or that another guest holds, is
 *                not taken up: the first holder keeps it while its lease lasts. A lease that was
 *                put back from the file (kept.h) does not count against one that a server was seen
 *                assigning.
 *             2. Guests cannot keep the agent busy: after each turn it rests for four times the
 *                turn's duration.
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
	struct tw_leases *map; /* indexed by port id, shared with the fast path */
	uint64_t rest_ns;      /* until then no address is taken up */
	uint64_t began_ns;     /* start of the current check */
};

int tw_leases_init(struct tw_enforcement *enforcement); /* returns 0 or a negative errno */
void tw_leases_done(struct tw_enforcement *enforcement);

/* Lists the guests' current addresses for the policy, given the ports that it is bound to.
 * Returns 0 or -ENOMEM; the caller frees the list. */
int tw_leases_gather(struct tw_enforcement *enforcement, const struct tw_inforce *inforce,
	struct tw_learned_list *ret);
/* Marks the addresses of the policy in force as known for the fast path. */
void tw_leases_know(struct tw_enforcement *enforcement);
/* True if the guests' addresses differ from the policy in force and the rest is over. Then a
 * plan is due, and tw_leases_rest() after it. Called after an event and each tick. */
bool tw_leases_look(struct tw_enforcement *enforcement);
void tw_leases_rest(struct tw_enforcement *enforcement);

/* Returns the leases of a port's guest with their ends, or NULL. */
const struct tw_leases *tw_leases_of_port(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
