/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apply.h: puts a policy in force, tells of it in the log, and remembers a refusal for `status`. */
#pragma once

#include "agent/publish/publish.h"

/* A policy to be put in force, with all that is to be told of it. */
struct tw_apply {
	struct tw_apply_order order;
	struct tw_diags diags;
	struct tw_applied applied;
	struct tw_err err;
};

/* 0 or a negative errno, with `err` and `diags` saying why. tw_apply_done() is due in both cases. */
int tw_apply_policy(struct tw_enforcement *enforcement, struct tw_apply *apply);
/* Applies the file of --policy. *ret_text, which the order points to, is freed by the caller. */
int tw_apply_file(struct tw_enforcement *enforcement, struct tw_apply *apply, char **ret_text);
void tw_apply_done(struct tw_apply *apply);

/* Tells the service manager how many ports there are, and which policy is in force. */
void tw_apply_tell(const struct tw_enforcement *enforcement);
