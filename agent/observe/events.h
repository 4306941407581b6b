/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* events.h: reads the fast path's ring buffer into the journal.
 *
 * What:       a connection between two ports of this host is one entry, that of the receiving port.
 *             The sending port's event waits for it up to 2 ms, and at most one turn.
 * Invariants: entries have the order of the ring buffer.
 * Bounds:     TW_EVENTS_TURN events per turn of the loop. The fast path counts the events that
 *             do not fit the ring, and the next entry reports them.
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

/* Stores the current names with all entries of the journal. Must be called before a policy, a
 * port, an interface or a rule's slot changes. */
void tw_events_settle(struct tw_telemetry *telemetry);

/* Checks how many events were lost, so that the next entry reports it. */
void tw_events_look(struct tw_events *events);
void tw_events_tick(struct tw_events *events); /* calls tw_events_look() once a second */
uint64_t tw_events_lost(const struct tw_events *events);
uint64_t tw_events_limited(const struct tw_events *events);
