/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* file.h: reads and replaces whole files, and names them in messages. */
#pragma once

#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

/* Reads a whole file ("-": stdin) of at most TW_FILE_MAX bytes. Returns 0, or a negative errno
 * with `err` filled. */
#define TW_FILE_MAX (64u << 20)
int tw_file_read(const char *path, struct tw_buf *out, struct tw_err *err);

/* Replaces a file, whole or not at all, and waits until the disk has it: writes PATH.new and renames
 * it. Returns 0, or a negative errno with `err` filled. */
int tw_file_replace(
	const char *path, const void *data, size_t len, mode_t mode, struct tw_err *err);

/* Returns the file's name for messages: its path, or "stdin". */
const char *tw_file_label(const char *path);
