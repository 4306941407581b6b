/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* diag.h: collects the errors and warnings of a policy text. */
#pragma once

#include "policy/policy.h"

#define TW_DIAGS_ERRORS_MAX   100 /* the next error is counted and ends the reading */
#define TW_DIAGS_WARNINGS_MAX 200

/* Adds a diagnostic. `hint` may be NULL. Returns 0 or -ENOMEM. */
int tw_diags_add(struct tw_diags *diags, enum tw_severity severity, unsigned int line,
	unsigned int column, const char *hint, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
void tw_diags_sort(struct tw_diags *diags);

/* Untrusted text prepared for a message: cleaned of control characters, shortened, and a phrase
 * if it is empty. */
struct tw_shown {
	char text[72];
};
struct tw_shown tw_diag_show(const char *text);

/* Returns the number of single-letter changes that turn `a` into `b`, or `limit` + 1 if there
 * are more than `limit` (<= 3). */
unsigned int tw_diag_distance(const char *a, const char *b, unsigned int limit);
