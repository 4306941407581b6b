/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* loads.h: the file of --policy, and the last policy that was refused.
 *
 * Why:        a reload that fails, or an apply of another text, leaves a host with a policy that is not
 *             what its file says. `status` has to tell that until it is over.
 * How:        a mark (hash) of the file's text is kept with the policy in force, as it was when that took
 *             effect. At start, a file with another mark was changed since and is loaded; one with the
 *             same mark is older than the policy that was in force, which stays.
 * Callers:    agent/publish and agent/answer, in the agent's one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/err.h"
#include "policy/policy.h"

/* A policy that was refused. */
struct tw_refused {
	char *source; /* owned; NULL: the last one was not refused */
	char *text;   /* owned: the first error and its place */
	uint64_t when_ns;
};

struct tw_loads {
	struct tw_refused refused;
	/* The file as it was when `mark` was worked out. */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
	uint64_t mark; /* 0: not read yet */
};

enum tw_file_state {
	TW_FILE_NONE,	 /* the agent runs without --policy */
	TW_FILE_SAME,	 /* its text is in force */
	TW_FILE_DIFFERS, /* another text is, or none */
	TW_FILE_UNREADABLE,
};

/* Reads a whole file, which the caller frees; `err` is filled on failure. */
int tw_loads_read(const char *path, char **ret, size_t *ret_len, struct tw_err *err);

/* Tells one text from another; never 0. */
uint64_t tw_loads_mark(const char *text, size_t len);
/* The mark of the file's text as it is now; 0: there is no file, or it cannot be read. Reads it only if
 * it changed since the last call. */
uint64_t tw_loads_file_mark(struct tw_loads *loads, const char *path);
/* Compares the file, NULL: there is none, with the mark of the text in force, 0: nothing is. */
enum tw_file_state tw_loads_compare(struct tw_loads *loads, const char *path, uint64_t in_force);
const char *tw_file_state_name(enum tw_file_state state); /* a word for programs; empty: no file */

/* Takes note of a refusal, with the first error of `diags`, if there is one, else with `err`. */
void tw_loads_refused(struct tw_loads *loads, const char *source, const struct tw_diags *diags,
	const struct tw_err *err);
/* Forgets the refusal: a policy took effect. */
void tw_loads_accepted(struct tw_loads *loads);
void tw_loads_done(struct tw_loads *loads);
