/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ring.h: empties the fast path's ring buffer, also while the loop is busy.
 *
 * Why:        the loop compiles policies and answers clients, which may take seconds. Meanwhile up to 200,000 events
 *             come in a second, and the kernel's buffer holds 87,000 of them (docs/decisions/015-events.md).
 * How:        the loop takes events from the buffer. If it has not come for TW_RING_LATE_NS, a second thread moves
 *             them to a queue in memory, which the loop takes first. An event that the loop takes itself is not
 *             copied, and stays on its CPU.
 * Invariants: 1. Events keep their order: the loop reads the buffer only while the queue is empty and the thread moves
 *                nothing, as it holds `buffer_lock`.
 *             2. Only the fast path loses events, and counts them: the thread takes none that it has no room for.
 *             3. The thread touches the queue, the kernel's buffer and its own descriptors; nothing else.
 * Callers:    events.c, in the loop's thread.
 */
#pragma once

#include <stdbool.h>

#include "fastpath/abi/event.h"

#define TW_RING_EVENTS	(1u << 18) /* in the queue: 46 MiB if all are used */
#define TW_RING_LATE_NS 100000000u

struct tw_ring;

/* Starts the thread. `each` gets the events, from tw_ring_take() alone. Returns 0 or a negative errno. */
int tw_ring_new(int map_fd, void (*each)(void *arg, const struct tw_event *event), void *arg,
	struct tw_ring **ret);
void tw_ring_free(struct tw_ring *ring); /* NULL is fine */

/* Returns the descriptor that is readable when the fast path wakes its reader. */
int tw_ring_buffer_fd(const struct tw_ring *ring);
/* Returns the descriptor that is readable every TW_EVENTS_POLL_MS, as most events wake no reader, and if the last
 * tw_ring_take() left events. */
int tw_ring_poll_fd(const struct tw_ring *ring);

/* Passes up to `max` events to `each`, oldest first. */
void tw_ring_take(struct tw_ring *ring, unsigned int max);
