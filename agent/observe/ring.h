/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ring.h: empties the fast path's ring buffer, also while the loop is busy.
 *
 * Why:        the loop compiles policies and answers clients, which may take seconds. Meanwhile up to 200,000 events
 *             come in a second, and the kernel's buffer holds 87,000 of them (docs/decisions/015-events.md).
 * How:        the loop takes events from the buffer. If it has not called tw_ring_take() for TW_RING_LATE_NS, a second
 *             thread moves them to a queue in memory, which the loop empties first. An event that the loop takes from
 *             the buffer itself is not copied, and stays on its CPU.
 * Invariants: 1. Events keep their order: the loop reads the buffer only while the queue is empty, and holds
 *                `buffer_lock`, so that the thread moves nothing.
 *             2. Only the fast path loses events, and counts them: the thread takes an event only if the queue has
 *                room for it.
 *             3. The thread touches the queue, the kernel's buffer and its own descriptors; nothing else.
 * Callers:    events.c, in the loop's thread.
 */
#pragma once

#include <stdbool.h>

#include "fastpath/abi/event.h"

#define TW_RING_EVENTS	(1u << 18) /* in the queue: 46 MiB if all are used */
#define TW_RING_LATE_NS 100000000u

struct tw_ring;

/* Starts the thread. Only tw_ring_take() calls `each`, for each event. Returns 0 or a negative errno. */
int tw_ring_new(int map_fd, void (*each)(void *arg, const struct tw_event *event), void *arg,
	struct tw_ring **ret);
void tw_ring_free(struct tw_ring *ring); /* NULL is fine */

/* Returns the descriptor that is readable when the fast path wakes its reader. */
int tw_ring_buffer_fd(const struct tw_ring *ring);
/* Returns a descriptor that becomes readable every TW_EVENTS_POLL_MS, because most events wake no reader, and
 * whenever tw_ring_take() may have left events. */
int tw_ring_poll_fd(const struct tw_ring *ring);

/* Passes up to `max` events to `each`, oldest first. True if no event from before the call is left. */
bool tw_ring_take(struct tw_ring *ring, unsigned int max);
