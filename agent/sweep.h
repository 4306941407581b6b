/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sweep.h: gives back the memory of connections that have expired.
 *
 * Why:        the fast path takes an expired record for none, so this is about memory alone, and
 *             about telling that a connection ended.
 * How:        a walk of the whole table in steps, one a tick, faster when the table is filling.
 * Invariants: 1. No live record is lost: only those past their limit by TW_SWEEP_GRACE are taken,
 *                each is looked at again as it is taken, and one that came to life is put back.
 *             2. By then no program on any CPU still holds a record that it found alive.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/walk.h"

#define TW_SWEEP_GRACE (2 * TW_TICKS_PER_SECOND)

struct tw_agent;

struct tw_sweep {
	struct tw_agent *agent;
	struct tw_walk walk;
	uint64_t next_ns; /* when the next walk begins */
	bool walking;
	uint64_t met;	   /* records in the walk at hand */
	uint64_t last_met; /* … in the last whole one */
	uint64_t swept;	   /* since the start */
};

int tw_sweep_init(struct tw_sweep *sweep, struct tw_agent *agent);
void tw_sweep_done(struct tw_sweep *sweep);
void tw_sweep_tick(struct tw_sweep *sweep);

/* Whether the fast path takes this record for none. */
bool tw_conn_has_expired(
	const struct tw_config *config, const struct tw_conn *conn, uint32_t now, uint32_t grace);
