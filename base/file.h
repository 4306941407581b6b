/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* file.h: reads whole files, and names them in messages. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* Reads a whole file ("-": stdin) of at most TW_FILE_MAX bytes. Returns 0, or a negative errno
 * with `err` filled. */
#define TW_FILE_MAX (16u << 20)
int tw_file_read(const char *path, struct tw_buf *out, struct tw_err *err);

/* Returns the file's name for messages: its path, or "stdin". */
const char *tw_file_label(const char *path);
