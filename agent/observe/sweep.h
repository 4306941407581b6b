/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sweep.h: gives back the memory of connections that have expired.
 *
 * Why:        the fast path takes an expired record for none and makes room when it needs some, so
 *             this is about memory, quotas and telling, in time, that a connection ended.
 * How:        a walk of the whole table in steps, some a tick, more when the table is filling. The
 *             programs themselves end what has expired (tw_kernel_sweep()); the walk sees to it which
 *             rules the living still speak of, and that ports are charged for them (charges.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fastpath/kernel/walk.h"
#include "agent/publish/charges.h"

struct tw_telemetry;

struct tw_sweep {
	struct tw_telemetry *telemetry;
	struct tw_walk walk;
	struct tw_charges charges;
	struct tw_overflow_walk overflows;
	uint64_t next_ns; /* when the next walk begins */
	bool walking;
	uint64_t met;	   /* records in the walk at hand */
	uint64_t last_met; /* … in the last whole one */
	uint64_t swept;	   /* since the start */
};

int tw_sweep_init(struct tw_sweep *sweep, struct tw_telemetry *telemetry);
void tw_sweep_done(struct tw_sweep *sweep);
void tw_sweep_tick(struct tw_sweep *sweep);

/* Names every rule slot that connections refer to and that has no name `(unknown-N)`. An earlier agent's
 * names are lost then, and a new rule in such a slot would be taken for the one that decided. At start. */
void tw_sweep_name_unknown(struct tw_telemetry *telemetry);
