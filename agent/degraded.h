/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* degraded.h: records which functions of the agent do not work, for the log and `status`.
 *
 * Each kind is logged when it begins, when its text changes, and when it ends.
 */
#pragma once

enum tw_degraded {
	TW_DEGRADED_STORE,	/* the state directory cannot be written */
	TW_DEGRADED_POLICY,	/* the text of the policy in force is unknown */
	TW_DEGRADED_QUARANTINE, /* the list of quarantines was lost before the start */
	TW_DEGRADED_CONFIRM,	/* the policy to return to was lost before the start */
	TW_DEGRADED_BEFORE,	/* programs of others run before tapwall's */
	TW_DEGRADED_LOG,	/* entries of the log cannot be written to --log-to */
	TW_DEGRADED__MAX
};

#define TW_DEGRADED_TEXT 192

struct tw_degraded_state {
	char text[TW_DEGRADED__MAX][TW_DEGRADED_TEXT]; /* empty: not degraded */
};

__attribute__((format(printf, 3, 4))) void tw_degraded_begin(
	struct tw_degraded_state *state, enum tw_degraded what, const char *format, ...);
void tw_degraded_end(struct tw_degraded_state *state, enum tw_degraded what);
