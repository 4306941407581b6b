/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* events.h: reads the fast path's ring buffer into the journal.
 *
 * What:       a connection between two ports of this host is one entry, that of the port it came in to:
 *             the opening told by the port it came out of waits up to 2 ms, and at most a turn, for it.
 * Invariants: entries stand in the order of the ring buffer.
 * Bounds:     TW_EVENTS_TURN events a turn of the loop; what the ring cannot hold meanwhile is
 *             counted by the fast path and told with the next entry.
 */
#pragma once

#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/loop.h"
#include "fastpath/abi/event.h"

#define TW_EVENTS_TURN 1024

struct tw_telemetry;
struct tw_events;

int tw_events_new(struct tw_telemetry *telemetry, struct tw_events **ret, struct tw_err *err);
void tw_events_free(struct tw_events *events);

/* Keeps the names of all entries of the journal with them: due before a policy, a port, an interface or a
 * rule's slot changes. */
void tw_events_settle(struct tw_telemetry *telemetry);

/* Looks how many events were not told, so that the next entry can say so. */
void tw_events_look(struct tw_events *events);
void tw_events_tick(struct tw_events *events); /* the same, once a second */
uint64_t tw_events_lost(const struct tw_events *events);
uint64_t tw_events_limited(const struct tw_events *events);
