/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spool_file.h: the files of the spool (spool.h): each holds one part, compressed.
 *
 * How:        a file's name says which rows it has, so that an agent that starts reads only the names. It is written
 *             under a temporary name and renamed. The contents are one frame of zstd with its checksum.
 * Invariants: 1. A file that was damaged, cut off or exchanged gives -EBADMSG. No input makes the reader read or
 *                write outside its memory (tests/agent/spool.c).
 *             2. Files have mode 0600, and symbolic links are not followed.
 * Callers:    spool_disk.c, in its thread; spool.c at start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/vec.h"

#define TW_SPOOL_FILE_RAW_MAX (32u << 20) /* bytes of a part before compression */

/* Consecutive rows of one journal. */
struct tw_spool_part {
	uint64_t seq;	  /* order of the parts */
	uint64_t journal; /* as in EventBatch */
	uint64_t first;	  /* number of the first row */
	uint32_t rows;
	uint64_t lost; /* events lost between the rows or before them */
	uint64_t file_bytes;
};

/* As TW_VEC(). */
struct tw_spool_parts {
	struct tw_spool_part *at;
	size_t n, max;
};

/* Lists the files, oldest first, and removes unfinished ones. Returns 0 or a negative errno. The caller frees the
 * list with tw_vec_done(). */
int tw_spool_file_list(int dir_fd, struct tw_spool_parts *ret);

/* Writes a part, and sets part->file_bytes. Returns 0 or a negative errno, and then there is no file. */
int tw_spool_file_write(int dir_fd, struct tw_spool_part *part, const void *data, size_t len);
/* Reads a part into `ret`. Returns 0, -EBADMSG or another negative errno. */
int tw_spool_file_read(int dir_fd, const struct tw_spool_part *part, struct tw_buf *ret);
void tw_spool_file_remove(int dir_fd, const struct tw_spool_part *part);
