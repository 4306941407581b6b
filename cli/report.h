/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* report.h: how errors reach the person at the terminal.
 *
 * Every error is one line on stderr: `tapwall: <place>: <what is wrong>; <what to do>`; in a file
 * the place is file:line:column.
 */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "base/exit.h"
#include "policy/policy.h"
#include "sim/judge.h"

/* Prints an error and returns the exit code that fits its errno. */
int tw_report_err(const struct tw_err *err);

/* Prints an error made from its parts and returns `exit_code`. `place` and `hint` may be NULL. */
int tw_report(int exit_code, const char *place, const char *hint, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Out of memory: prints, returns TW_EXIT_INTERNAL. */
int tw_report_memory(void);

/* Prints one finding about a policy; `line` 0: about the whole file. */
void tw_report_diag(const char *file, enum tw_severity severity, unsigned int line,
	unsigned int column, const char *text, const char *hint);
void tw_report_diags(const char *file, const struct tw_diags *diags);

/* Reads and checks a policy file, telling what is wrong with it. Returns an exit code;
 * *ret is set only with TW_EXIT_OK. Warnings are told only when `warnings` is set. */
int tw_file_policy(const char *path, bool warnings, struct tw_policy **ret);

/* Sets up a judge for a policy from `file`. Returns an exit code, with everything told. */
int tw_report_judge(
	struct tw_judge *judge, const struct tw_policy *policy, size_t max_conns, const char *file);

/* Prints one object and a newline to stdout and frees it; NULL stands for no memory. Returns an exit
 * code. */
int tw_report_json(json_t *object);
