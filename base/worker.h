/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* worker.h: does work in a thread of its own, so that a loop need not wait for it.
 *
 * How:        the loop hands work to the thread, and gets it back when tw_worker_fd() is readable. Work is done in
 *             order, one piece at a time.
 * Invariants: between tw_worker_submit() and tw_worker_take(), only the thread touches the work and the memory that
 *             belongs to it.
 * Callers:    the thread of a loop. The thread takes no signals.
 */
#pragma once

#include <stdbool.h>

/* Embedded in the caller's struct, which stays in place until it is taken back. */
struct tw_work {
	struct tw_work *next;
	void (*run)(struct tw_work *work); /* called in the thread */
};

struct tw_worker;

/* Returns 0 or a negative errno. */
int tw_worker_new(struct tw_worker **ret);
/* Waits up to `wait_ms` for the work that was submitted, and ends the thread. False if it is not done by then: the
 * thread then goes on, and nothing that it uses may be freed. NULL is fine. */
bool tw_worker_stop(struct tw_worker *worker, unsigned int wait_ms);
/* Frees `worker`. May be called only after tw_worker_stop() has returned true. NULL is fine. */
void tw_worker_free(struct tw_worker *worker);

void tw_worker_submit(struct tw_worker *worker, struct tw_work *work);
/* Returns work that is done, or NULL. */
struct tw_work *tw_worker_take(struct tw_worker *worker);
int tw_worker_fd(const struct tw_worker *worker);
