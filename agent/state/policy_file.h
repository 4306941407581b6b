/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policy_file.h: the file or directory of --policy, and the last policy that was refused. In the functions,
 * `paths` is the value of --policy.
 *
 * Why:        after a failed reload, or an apply of another text, the policy in force differs from
 *             the file. `status` must show that as long as they differ.
 * How:        the mark (hash) of the file's text at the time when a policy took effect is stored
 *             with the policy. At the start, a file with another mark has changed since and is
 *             loaded. If the mark is the same, the policy that was in force is newer and stays.
 * Callers:    agent/publish and agent/answer, in the agent's one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "policy/policy.h"

/* A refused policy. */
struct tw_refused {
	char *source; /* owned; NULL: the last policy was not refused */
	char *text;   /* owned: the first error and its place */
	uint64_t when_ns;
};

struct tw_policy_file {
	struct tw_refused refused;
	uint64_t stamp;	 /* state of the file when `mark` was computed: tw_folder_stamp() */
	uint64_t mark;	 /* 0: not read yet */
	char path[4096]; /* the path that was found in --policy */
};

enum tw_file_state {
	TW_FILE_NONE,	 /* the agent runs without --policy */
	TW_FILE_SAME,	 /* its text is in force */
	TW_FILE_DIFFERS, /* another text is in force, or none */
	TW_FILE_UNREADABLE,
};

/* Finds the policy that `paths`, the value of --policy, names: a path, or alternatives separated by colons, of
 * which exactly one may exist. Returns 0 with the path in *ret, which lives until the next call, or a negative
 * errno with `err` filled and *ret = `paths`. */
int tw_policy_file_find(
	struct tw_policy_file *file, const char *paths, const char **ret, struct tw_err *err);
/* Reads a file, or the files of a directory as one text, which the caller frees. `err` is filled on
 * failure. */
int tw_policy_file_read(const char *path, char **ret, size_t *ret_len, struct tw_err *err);

/* Returns a hash of a text, never 0. */
uint64_t tw_policy_text_mark(const char *text, size_t len);
/* Returns the mark of the file's current text, or 0 if it does not exist or cannot be read.
 * Reads it only if it has changed since the last call. */
uint64_t tw_policy_file_mark(struct tw_policy_file *file, const char *paths);
/* Compares the file (`paths` NULL: none) with the mark of the text in force (0: none). */
enum tw_file_state tw_policy_file_compare(
	struct tw_policy_file *file, const char *paths, uint64_t in_force);
const char *tw_file_state_name(enum tw_file_state state); /* name for JSON; empty: no file */

/* Records a refusal, with the first error of `diags` or, if there is none, with `err`. */
void tw_policy_file_refused(struct tw_policy_file *file, const char *source,
	const struct tw_diags *diags, const struct tw_err *err);
/* Forgets the refusal after a policy took effect. */
void tw_policy_file_accepted(struct tw_policy_file *file);
void tw_policy_file_done(struct tw_policy_file *file);
