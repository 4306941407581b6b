/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* report.h: exit codes, and how errors reach the person at the terminal.
 *
 * Every error is one line on stderr: `tapwall: <place>: <what is wrong>; <what to do>`; in a file
 * the place is file:line:column.
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "policy/policy.h"

enum tw_exit {
	TW_EXIT_OK,	    /* done, allowed */
	TW_EXIT_NO,	    /* the answer is no: denied, differs, invalid */
	TW_EXIT_USAGE,	    /* wrong usage */
	TW_EXIT_PERMISSION, /* not permitted, or the kernel lacks something */
	TW_EXIT_NO_AGENT,   /* agent not reachable */
	TW_EXIT_INTERNAL
};

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

/* Reads a whole file ("-": stdin) of at most TW_FILE_MAX bytes. 0, or a negative errno with `err`
 * filled. */
#define TW_FILE_MAX (16u << 20)
int tw_file_read(const char *path, struct tw_buf *out, struct tw_err *err);

/* How messages call the file: its path, or "stdin". */
const char *tw_file_label(const char *path);

/* Reads and checks a policy file, telling what is wrong with it. Returns an exit code;
 * *ret is set only with TW_EXIT_OK. Warnings are told only when `warnings` is set. */
int tw_file_policy(const char *path, bool warnings, struct tw_policy **ret);
