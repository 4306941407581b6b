/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apply.h: puts a policy in force, logs the result, and stores a refusal for `status`.
 *
 * Why:        reading and checking a large policy takes seconds. Meanwhile the agent's loop attaches new ports, reads
 *             events, renews what lapses, and answers.
 * How:        an order is copied and waits for its turn. A thread reads the policy (draft.h), and prepares it for the
 *             ports and learned addresses of the host (prepare.h), again if they change meanwhile. Then the loop puts
 *             it in force for the ports, quarantines and learned addresses of that moment, which is one step. Then
 *             the thread syncs its files to disk, and looks for warnings, and the order has ended.
 *             Before the loop runs, tw_apply_now() does the same without the thread.
 * Invariants: 1. One order at a time: no other policy takes effect while one is read.
 *             2. Orders of clients take effect in the order in which they came. The agent's own go first: the return
 *                from an unconfirmed policy, SIGHUP, and the end of rules. They begin when nothing is being read.
 *             3. An order that was accepted goes on if its client leaves. If the agent stops, an order that has not
 *                taken effect never does.
 * Bounds:     TW_APPLY_ORDERS orders of TW_APPLY_BYTES bytes, including the order being read. More are refused.
 * Callers:    the loop's thread.
 */
#pragma once

#include "agent/publish/draft.h"
#include "agent/publish/publish.h"
#include "agent/state/store.h"
#include "base/loop.h"

#define TW_APPLY_ORDERS 8
#define TW_APPLY_BYTES	((size_t)192 << 20) /* of their texts */

/* A policy to be put in force, and the result to report. */
struct tw_apply {
	struct tw_apply_order order;
	struct tw_draft draft;
	struct tw_preparation prepared;
	int staged[TW_STORE_N_STAGED]; /* its files, while they are synced to disk */
	struct tw_diags diags;
	struct tw_applied applied;
	struct tw_err err;
};

/* Applies a policy before the loop runs. Returns 0, or a negative errno with `err` and `diags` filled.
 * tw_apply_done() must be called in both cases. */
int tw_apply_now(struct tw_enforcement *enforcement, struct tw_apply *apply);
/* Reads the file of --policy for an order. The order points to *ret_text, which the caller frees. A failure is logged
 * and stored like a refusal. */
int tw_apply_read_file(struct tw_enforcement *enforcement, struct tw_apply *apply, char **ret_text);
void tw_apply_done(struct tw_apply *apply);

struct tw_applies;

/* Starts the thread. Returns 0 or a negative errno. */
int tw_apply_new(struct tw_loop *loop, struct tw_enforcement *enforcement, struct tw_applies **ret);
/* Ends the thread. If that takes too long, its memory stays in use until the process ends. NULL is fine. */
void tw_apply_free(struct tw_applies *applies);

/* Called with the result, in the loop. `apply` and what it points to are freed afterwards. */
typedef void tw_apply_ended(void *arg, struct tw_apply *apply, int result);

/* An order that waits or is being read. */
struct tw_apply_job;
/* Copies an order, which waits for its turn. `ended`, which may be NULL, is called later, never from here. Returns 0,
 * -EBUSY if too much waits, or -ENOMEM, with `err` filled. `ret` is valid until `ended` is called. */
int tw_apply_add(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	tw_apply_ended *ended, void *arg, struct tw_apply_job **ret, struct tw_err *err);
/* Does not call `ended`. The order goes on. NULL is fine. */
void tw_apply_forget(struct tw_apply_job *job);
/* Begins an order of the agent's own, ahead of waiting orders. Only while tw_apply_is_idle(). Returns 0, or -ENOMEM,
 * and then `ended` is not called. If the loop does not run yet, the order is carried out at once, without `ended`, and
 * the result is returned. */
int tw_apply_begin(struct tw_enforcement *enforcement, const struct tw_apply_order *order,
	tw_apply_ended *ended, void *arg);
/* True if no order is being read. Orders of clients may wait. */
bool tw_apply_is_idle(const struct tw_enforcement *enforcement);
/* What an order waits for. */
enum tw_apply_step {
	TW_APPLY_WAITING,
	TW_APPLY_READING,
	TW_APPLY_PREPARING,
	TW_APPLY_SAVING,
	TW_APPLY_CHECKING
};
struct tw_apply_progress {
	const struct tw_apply_order *order;
	enum tw_apply_step step;
	uint64_t since_ns; /* when it was ordered, monotonic */
};
/* Lists the orders, the running one first. Returns their number, at most `max`. The rows point into the orders, so
 * they are valid until the next turn. */
size_t tw_apply_list(
	const struct tw_enforcement *enforcement, struct tw_apply_progress *ret, size_t max);
/* Returns the name that JSON uses. */
const char *tw_apply_step_name(enum tw_apply_step step);
/* Begins the first order that waits, if none is being read. Called in each turn, after the agent's own orders. */
void tw_apply_next(struct tw_enforcement *enforcement);

/* Returns to the previous policy if the one in force was not confirmed in time (confirm.h). Called
 * at the start, and at each tick. */
void tw_apply_tick(struct tw_enforcement *enforcement);

/* Reports the number of ports and the policy in force to the service manager. */
void tw_apply_tell(const struct tw_enforcement *enforcement);
