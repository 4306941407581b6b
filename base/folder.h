/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* folder.h: reads a policy's text from a file, or from all files of a directory as one text.
 *
 * How:        before the text of each file comes a line with TW_FOLDER_MARKER and the file's name.
 *             policy/join.h reads such a text.
 * Invariants: 1. Each file whose name ends in .yaml and does not begin with a dot is read, in the
 *                order of the bytes of the names, or nothing is.
 *             2. If the directory or one of its files changes meanwhile, it is read again, a few
 *                times at most.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TW_FOLDER_MARKER    "# tapwall file: "
#define TW_FOLDER_FILES_MAX 4096
#define TW_FOLDER_NAME_MAX  127
#define TW_FOLDER_TEXT_MAX  (64u << 20) /* as TW_YAML_TEXT_MAX */

/* True if a file may have this name: letters, digits, `_`, `.` and `-`. */
bool tw_folder_is_name(const char *name, size_t len);

/* Returns what is between the path of a directory and a name in it: "/", or "" if the path ends so. */
const char *tw_folder_slash(const char *path);

/* Reads a file ("-": stdin), or the files of a directory. Returns 0, or a negative errno with
 * `err` filled. */
int tw_folder_read(const char *path, struct tw_buf *out, struct tw_err *err);

/* Stores a number that changes if the file, or the directory or one of the files that are read in
 * it, is changed or replaced. Returns 0 or a negative errno. */
int tw_folder_stamp(const char *path, uint64_t *ret);
