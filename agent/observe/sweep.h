/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sweep.h: frees the records of expired connections.
 *
 * Why:        the fast path ignores expired records and reuses them when it needs space. This
 *             module frees memory and quotas early, and reports in time that a connection ended.
 * How:        a walk of the whole table in steps, several per tick and more if the table fills
 *             up. The programs end expired records (tw_kernel_sweep()). The walk marks the rules
 *             that live records refer to, and checks what ports are charged for them
 *             (charges.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/observe/snapshot.h"
#include "fastpath/kernel/walk.h"
#include "agent/publish/charges.h"

struct tw_telemetry;

struct tw_sweep {
	struct tw_telemetry *telemetry;
	struct tw_walk walk;
	struct tw_charges charges;
	struct tw_snapshot snapshot;
	struct tw_overflow_walk overflows;
	uint64_t next_ns; /* time of the next walk */
	bool walking;
	uint64_t met;	   /* records in the current walk */
	uint64_t last_met; /* records in the last complete walk */
	uint64_t swept;	   /* records ended since the start */
};

int tw_sweep_init(struct tw_sweep *sweep, struct tw_telemetry *telemetry);
void tw_sweep_done(struct tw_sweep *sweep);
void tw_sweep_tick(struct tw_sweep *sweep);

/* Gives the name `(unknown-N)` to every unnamed rule slot that connections refer to. Otherwise, if
 * an earlier agent's names are lost, a new rule in such a slot would appear to have decided. Called
 * at start. */
void tw_sweep_name_unknown(struct tw_telemetry *telemetry);
