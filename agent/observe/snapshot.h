/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* snapshot.h: reports live connections to the spool at an interval.
 *
 * Why:        a connection that lasts for days must be in the history before it ends.
 * How:        a walk of the sweep (sweep.h), which reads all records anyway, also reports them if a snapshot is due. A
 *             record is reported if it had a packet since the last snapshot, and is older than TW_SNAPSHOT_AGE_S or
 *             the interval: most connections end sooner, and their ends are reported.
 * Bounds:     those of the sweep. While the spool has no reader, no connection is reported: the report would be out of
 *             date when it is read.
 * Callers:    sweep.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_SNAPSHOT_AGE_S 60

struct tw_telemetry;

struct tw_snapshot {
	struct tw_telemetry *telemetry;
	uint64_t interval_ns; /* 0: none */
	uint64_t next_ns;     /* time of the next snapshot */
	bool active;	      /* the current walk takes a snapshot */
	int64_t unix_ns;      /* Unix time minus monotonic time */
	uint64_t reported;    /* records reported since the start */
};

void tw_snapshot_begin_walk(struct tw_snapshot *snapshot);
void tw_snapshot_meet(
	struct tw_snapshot *snapshot, const struct tw_key *key, const struct tw_conn *conn);
