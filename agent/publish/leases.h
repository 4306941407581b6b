/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* leases.h: adds to the policy the addresses that DHCP assigned to guests, or that they formed by
 * SLAAC.
 *
 * How:        the fast path writes `leases` and sends an event. The policy in force is resolved
 *             again with these addresses as if they were in its text, and published. Only then are
 *             they marked as known for the fast path. The end of a lease is handled in the same
 *             way.
 * Invariants: 1. An address that the policy gives to another vNIC, or that another guest holds, is
 *                not added: the first holder keeps it while its lease lasts. A lease that a server
 *                was seen assigning replaces one restored from the file (kept.h).
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
struct tw_inforce;

struct tw_learned_list {
	struct tw_learned *at; /* ascending by vNIC, then address */
	size_t n;
	size_t max;
};

/* Lists the guests' current addresses for the policy, by the ports that it would be bound to.
 * Returns 0 or -ENOMEM; the caller frees the list. */
int tw_leases_gather(struct tw_enforcement *enforcement, const struct tw_inforce *inforce,
	struct tw_learned_list *ret);
/* Marks the addresses of the policy in force as known for the fast path. */
void tw_leases_know(struct tw_enforcement *enforcement);
/* True if the guests' addresses differ from the policy in force and the agent has rested long enough.
 * The caller must then publish, and call tw_leases_rest(). Called after an event and at each tick. */
bool tw_leases_look(struct tw_enforcement *enforcement);
void tw_leases_rest(struct tw_enforcement *enforcement);

/* Writes the prefixes in which guests may form addresses under a policy that is about to take effect.
 * Called after tw_kept_restore(). Returns 0 or -ENOMEM. */
int tw_leases_prepare(struct tw_enforcement *enforcement, const struct tw_inforce *inforce);
