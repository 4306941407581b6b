/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apply.h: puts a policy in force, logs the result, and stores a refusal for `status`. */
#pragma once

#include "agent/publish/publish.h"

/* A policy to be put in force, and the result to report. */
struct tw_apply {
	struct tw_apply_order order;
	struct tw_diags diags;
	struct tw_applied applied;
	struct tw_err err;
};

/* Returns 0, or a negative errno with `err` and `diags` filled. tw_apply_done() must be called
 * in both cases. */
int tw_apply_policy(struct tw_enforcement *enforcement, struct tw_apply *apply);
/* Applies the file of --policy. The order points to *ret_text, which the caller frees. */
int tw_apply_file(struct tw_enforcement *enforcement, struct tw_apply *apply, char **ret_text);
void tw_apply_done(struct tw_apply *apply);
/* Returns to the previous policy if the one in force was not confirmed in time (confirm.h). Called
 * at the start, and at each tick. */
void tw_apply_tick(struct tw_enforcement *enforcement);

/* Reports the number of ports and the policy in force to the service manager. */
void tw_apply_tell(const struct tw_enforcement *enforcement);
