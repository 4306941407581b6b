/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* err.h: an error that tells a person what to do.
 *
 * Libraries return 0 or a negative errno. If a person wrote the input, they also fill a struct
 * tw_err. They never print. Programs print with tw_err_print().
 */
#pragma once

#include <stdio.h>

#define TW_ERR_TEXT_MAX 512

/* One error: its place, what is wrong, and what to do. `code` is a negative errno, 0 when
 * there is no error. Texts are owned by the struct; an empty `place` or `hint` is left out. */
struct tw_err {
	int code;
	char place[256];
	char text[TW_ERR_TEXT_MAX];
	char hint[256];
};

/* Fills `err` (which may be NULL) and returns `code`, so that callers can write
 * `return tw_err_set(err, -EINVAL, place, hint, "…", …)`. `place` and `hint` may be NULL. */
int tw_err_set(struct tw_err *err, int code, const char *place, const char *hint,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Prints `program: <place>: <text>; <hint>`, cleaned, and a newline to `out`. */
void tw_err_print(FILE *out, const char *program, const struct tw_err *err);
