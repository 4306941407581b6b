/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* files.h: the files of a policy that consists of several.
 *
 * What:       a joined text (base/folder.h) begins with a line that names a file. Such a line
 *             precedes the text of each file. A text that begins otherwise is one file.
 * Lines:      diagnostics and objects have lines of the joined text, which grow from file to file.
 *             tw_files_line() and tw_files_place() convert them.
 */
#pragma once

#include "policy/arena.h"
#include "policy/policy.h"

/* One file of a joined text. */
struct tw_text_file {
	const char *name;  /* owned by the arena */
	unsigned int line; /* line of the joined text before the file's first one */
	size_t at;	   /* offset of the file's text */
	size_t len;
};

struct tw_files {
	struct tw_text_file *at;
	size_t n; /* 0: the text is not joined */
};

/* A place for a message: "line 5", or "line 5 of 20-web.yaml". */
struct tw_line_name {
	char text[160];
};

/* Finds the files of a text. Returns 0; -E2BIG: more than TW_FOLDER_FILES_MAX; -ENOMEM. */
int tw_files_find(const char *text, size_t len, struct tw_arena *arena, struct tw_files *ret);
/* Returns the file that has a line of the joined text, or NULL. */
const struct tw_text_file *tw_files_at(const struct tw_files *files, unsigned int line);
struct tw_line_name tw_files_line(const struct tw_files *files, unsigned int line);

/* Fills `file` and `file_line` of diagnostics about this text. Returns 0 or -ENOMEM. */
int tw_files_place(const char *text, size_t len, struct tw_diags *diags);
