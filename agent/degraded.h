/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* degraded.h: what does not work for the moment, so that the log and `status` say so.
 *
 * Each kind is told when it begins, when its text changes, and when it ends.
 */
#pragma once

enum tw_degraded {
	TW_DEGRADED_STORE,  /* the state folder cannot be written */
	TW_DEGRADED_POLICY, /* what is in force is not known as a text */
	TW_DEGRADED__MAX
};

#define TW_DEGRADED_TEXT 192

struct tw_degraded_state {
	char text[TW_DEGRADED__MAX][TW_DEGRADED_TEXT]; /* empty: it works */
};

__attribute__((format(printf, 3, 4))) void tw_degraded_begin(
	struct tw_degraded_state *state, enum tw_degraded what, const char *format, ...);
void tw_degraded_end(struct tw_degraded_state *state, enum tw_degraded what);
