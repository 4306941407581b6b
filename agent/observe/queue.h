/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* queue.h: events on their way from one thread to another.
 *
 * How:        a ring of slots, and two numbers that only grow: how many events the writer has added, and how many the
 *             reader has taken. Each number is written by one thread, with a release store. The other thread reads it
 *             with an acquire load, and so sees what was done to the slots before the store. If the queue is empty,
 *             the writer begins again at the first slot, so a short queue uses little memory, which stays in the cache.
 * Invariants: 1. Slots [taken, added) are the reader's, the others are the writer's. added - taken <= n.
 *             2. Events keep their order (tests/agent/queue.c).
 *             3. `begin` changes only while the queue is empty. The reader reads it when there is an event.
 * Callers:    one thread that adds, and one that takes.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/event.h"

#define TW_QUEUE_LINE 64 /* bytes of a cache line */

struct tw_queue {
	struct tw_event *slots;
	size_t n;     /* a power of 2 */
	size_t begin; /* number of the event that went to the first slot */
	/* In different cache lines, as each thread writes one of them for every event. */
	char apart[TW_QUEUE_LINE];
	atomic_size_t added;
	char apart_too[TW_QUEUE_LINE];
	atomic_size_t taken;
};

/* `n` is a power of 2. Memory for slots is taken from the system when they are first used. Returns 0 or -ENOMEM. */
int tw_queue_init(struct tw_queue *queue, size_t n);
void tw_queue_done(struct tw_queue *queue);

/* Writer: returns how many events can be added now. The number grows as the reader drops events. */
static inline size_t tw_queue_room(const struct tw_queue *queue)
{
	return queue->n - (atomic_load_explicit(&queue->added, memory_order_relaxed) -
				  atomic_load_explicit(&queue->taken, memory_order_acquire));
}

/* Writer: adds a copy of an event. The queue must have room. */
static inline void tw_queue_add(struct tw_queue *queue, const struct tw_event *event)
{
	size_t at = atomic_load_explicit(&queue->added, memory_order_relaxed);

	if (at == atomic_load_explicit(&queue->taken, memory_order_acquire))
		queue->begin = at;
	queue->slots[(at - queue->begin) & (queue->n - 1)] = *event;
	atomic_store_explicit(&queue->added, at + 1, memory_order_release);
}

/* Reader: returns the oldest event, or NULL. It is valid until it is dropped. */
static inline const struct tw_event *tw_queue_first(const struct tw_queue *queue)
{
	size_t at = atomic_load_explicit(&queue->taken, memory_order_relaxed);

	return at == atomic_load_explicit(&queue->added, memory_order_acquire)
		       ? NULL
		       : &queue->slots[(at - queue->begin) & (queue->n - 1)];
}

/* Reader: drops the oldest event. The queue must not be empty. */
static inline void tw_queue_drop(struct tw_queue *queue)
{
	size_t at = atomic_load_explicit(&queue->taken, memory_order_relaxed);

	atomic_store_explicit(&queue->taken, at + 1, memory_order_release);
}
