/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* saving.h: saves the policy in force, and the state of ports and images, and retries after a failure.
 *
 * Order:      tw_saving_stage(), the flip, tw_store_sync() in any thread, tw_saving_keep(). An agent that starts
 *             finds a policy in force that was staged but not kept (tw_staged_recover()).
 * Callers:    the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/state/versions.h"
#include "base/err.h"
#include "policy/policy.h"

struct tw_enforcement;
struct tw_inforce;

/* Stages the files of a policy, for an epoch. If the policy is already enforced (`adopt`), a full disk is no
 * failure, and staging is retried. Returns 0, or a negative errno with `err` filled. */
int tw_saving_stage(struct tw_enforcement *enforcement, const struct tw_inforce *inforce,
	uint32_t epoch, bool adopt, struct tw_err *err);
/* Saves the policy that took effect, and adds it to the list of earlier policies. `sync_code` is the result of
 * tw_store_sync() for its staged files. A failure is added to `diags`, and retried. */
void tw_saving_keep(struct tw_enforcement *enforcement, const struct tw_authorship *by,
	int sync_code, struct tw_diags *diags);
/* Saves the policy in force again if that failed. */
void tw_saving_retry(struct tw_enforcement *enforcement);
/* Saves the policy in force if the agent ends before tw_saving_keep(). */
void tw_saving_end(struct tw_enforcement *enforcement);

/* Saves the state of ports and images if it has changed since the last time. */
void tw_saving_state(struct tw_enforcement *enforcement);
/* Ends the degraded state of the state directory if everything is saved. */
void tw_saving_works(struct tw_enforcement *enforcement);
/* Retries what failed. */
void tw_saving_tick(struct tw_enforcement *enforcement);
