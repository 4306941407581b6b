/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* diag.h: collecting what is wrong with a policy text. */
#pragma once

#include "policy/policy.h"

#define TW_DIAGS_ERRORS_MAX   100 /* one more is counted, and ends the reading */
#define TW_DIAGS_WARNINGS_MAX 200

/* Adds one; `hint` may be NULL. 0 or -ENOMEM. */
int tw_diags_add(struct tw_diags *diags, enum tw_severity severity, unsigned int line,
	unsigned int column, const char *hint, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
void tw_diags_sort(struct tw_diags *diags);

/* Foreign text made fit for a message: no control characters, no more than a line's part, and
 * a word for no text at all. */
struct tw_shown {
	char text[72];
};
struct tw_shown tw_show(const char *text);

/* How many single-letter changes turn `a` into `b`; `limit` + 1 when more than `limit` (<= 3). */
unsigned int tw_edit_distance(const char *a, const char *b, unsigned int limit);
