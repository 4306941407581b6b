/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* report.h: prints errors.
 *
 * Every error is one line on stderr: `tapwall: <place>: <what is wrong>; <what to do>`; an error
 * in a file has the place file:line:column, and on a terminal is followed by the line of the file.
 */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/exit.h"
#include "policy/policy.h"
#include "sim/judge.h"

/* Prints an error and returns the exit code for its errno. */
int tw_report_err(const struct tw_err *err);

/* Prints an error made from its parts and returns `exit_code`. `place` and `hint` may be NULL. */
int tw_report_error(int exit_code, const char *place, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Prints that memory ran out. Returns TW_EXIT_INTERNAL. */
int tw_report_memory(void);

/* The policy that diagnostics are about. `text` is NULL if it is not available. */
struct tw_report_source {
	const char *file;
	const char *text;
	size_t len;
};

/* Prints one diagnostic of a policy. `line` 0 means the whole file. If stderr is a terminal, the line
 * of the policy follows, with a caret below the place. */
void tw_report_diag(const struct tw_report_source *source, const struct tw_diag *diag);
/* Prints diagnostics. Of warnings with the same hint, prints the first few and how many more there are. */
void tw_report_diags(const struct tw_report_source *source, struct tw_diags *diags);
/* Prints diagnostics, every warning included. */
void tw_report_all_diags(const struct tw_report_source *source, struct tw_diags *diags);

/* Reads and checks a policy file and prints its errors, and its warnings if `warnings`. Returns
 * an exit code; *ret is set only if it is TW_EXIT_OK. */
int tw_report_policy(const char *path, bool warnings, struct tw_policy **ret);

/* Sets up a judge for a policy from `file` and prints errors. Returns an exit code. */
int tw_report_judge(
	struct tw_judge *judge, const struct tw_policy *policy, size_t max_conns, const char *file);

/* Prints one JSON object and a newline to stdout, and frees it. NULL means out of memory.
 * Returns an exit code. */
int tw_report_json(json_t *object);
