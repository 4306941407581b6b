/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* confirm.h: returns to the previous policy unless the new one is confirmed in time.
 *
 * How:        before a policy that must be confirmed takes effect, the policy in force is written
 *             to confirm.json. When the time is over, or if an agent starts and finds the file,
 *             the policy in the file is put in force again. A confirmation deletes the file, as
 *             does another apply.
 * Invariants: 1. The agent returns by itself: neither a client nor the slow path is needed.
 *             2. An agent that ends before the confirmation returns when it starts again, because
 *                the new policy may be why it ended (tests/e2e/confirm.sh).
 *             3. If several policies that must be confirmed follow one another, the agent returns
 *                to the last policy that was confirmed.
 * Callers:    agent/publish/apply.c, agent/daemon.c, agent/turn.c, agent/answer/; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/state/shared_text.h"
#include "base/err.h"

#define TW_CONFIRM_MAX_S    86400
#define TW_CONFIRM_RETRY_NS 5000000000u
#define TW_CONFIRM_WHY_MAX  256

struct tw_enforcement;

struct tw_confirm {
	bool pending;			  /* the policy in force is not confirmed */
	uint64_t until_ns;		  /* when to return; 0: as soon as possible */
	char tripped[TW_CONFIRM_WHY_MAX]; /* reason to return before until_ns; empty: none */
	/* The policy to return to. */
	struct tw_shared_text *text;
	char *source;
	uint64_t file_mark; /* see struct tw_inforce */
	/* The last return, until another policy is applied. */
	char *returned_from; /* source of the policy that was not confirmed; NULL: none */
	char returned_why[TW_CONFIRM_WHY_MAX];
	uint64_t returned_ns;
};

/* Reads confirm.json of an earlier agent. */
void tw_confirm_load(struct tw_enforcement *enforcement);
void tw_confirm_done(struct tw_confirm *confirm);

/* Stores the policy in force as the one to return to, unless an earlier one is stored. Called
 * before another policy takes effect. Returns 0, or a negative errno with `err` filled: -ENOENT if
 * no policy is in force. */
int tw_confirm_begin(struct tw_enforcement *enforcement, struct tw_err *err);
/* Called after the apply with its result. `seconds` 0: the policy need not be confirmed. */
void tw_confirm_settle(struct tw_enforcement *enforcement, uint32_t seconds, int result);
/* Keeps the policy in force. Returns 0, or -ENOENT with `err` filled if it need not be confirmed. */
int tw_confirm_keep(struct tw_enforcement *enforcement, struct tw_err *err);
/* Writes confirm.json again, after another program has changed it. */
void tw_confirm_rewrite(struct tw_enforcement *enforcement);
/* True if the previous policy must be put in force now. */
bool tw_confirm_is_over(const struct tw_confirm *confirm);
/* Makes the previous policy due at once. */
void tw_confirm_trip(struct tw_confirm *confirm, const char *why);
/* Writes why the previous policy must be put in force now. */
void tw_confirm_why(const struct tw_confirm *confirm, char ret[TW_CONFIRM_WHY_MAX]);
/* Called if the previous policy could not be put in force. Schedules another attempt. */
void tw_confirm_retry(struct tw_confirm *confirm);
/* Called when the previous policy is in force again. `from` is the source of the policy that was
 * not confirmed. */
void tw_confirm_note_return(struct tw_enforcement *enforcement, const char *from);
