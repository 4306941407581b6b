/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tripwire.h: counts the live connections that a policy has cut, while it waits to be confirmed.
 *
 * How:        a gate gets the decision of the new policy with the next packet of its connection. If a
 *             record is older than the policy, and the policy has refused it, its connection has been
 *             denied since. Walks of the table count each such record once. A record that an earlier policy
 *             had refused is not counted if a walk reaches it before the connection's next packet.
 * Invariants: 1. A connection that sends nothing is not denied, and not counted.
 *             2. Connections that never passed do not count: a guest cannot trip the wire by trying what is
 *                denied.
 *             Test: tests/e2e/confirm.sh.
 * Bounds:     TW_TRIPWIRE_MAX connections; STEPS of a walk per tick.
 * Callers:    agent/publish; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fastpath/kernel/walk.h"

#define TW_TRIPWIRE_MAX 100000

struct tw_enforcement;

struct tw_tripwire {
	uint32_t limit; /* number of connections that trips it; 0: it is not set */
	uint32_t n;	/* connections that were cut */
	bool walking;
	uint32_t since; /* tick at which the policy took effect */
	uint32_t epoch; /* first epoch of that policy */
	struct tw_walk walk;
	struct tw_key *keys; /* hash table of the counted connections and of those cut before */
	uint32_t size;	     /* places of the table, a power of two */
	uint32_t n_keys;
	struct tw_key example; /* the first connection that was cut */
	bool example_hi;       /* its originator is the key's hi end */
};

/* Sets the wire for a policy that takes effect next. Returns 0, or -ENOMEM with `err` filled. */
int tw_tripwire_set(struct tw_enforcement *enforcement, uint32_t limit, struct tw_err *err);
/* Called when the policy is in force. */
void tw_tripwire_begin(struct tw_enforcement *enforcement);
void tw_tripwire_unset(struct tw_tripwire *tripwire);
/* Continues the walk. Returns true if the wire has tripped. */
bool tw_tripwire_tick(struct tw_enforcement *enforcement);
/* Writes what tripped the wire. */
void tw_tripwire_text(const struct tw_tripwire *tripwire, char *text, size_t max);
