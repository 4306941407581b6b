/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* batch.h: `explain --batch`: tuples in, verdicts out, one JSON object per line.
 *
 * Bounds:     one line of at most TW_BATCH_LINE_MAX bytes and one block of output in memory.
 * Invariants: each line has one answer, in the same order. The answer to a line that cannot be
 *             read is {"error":…,"line":…}. Blank lines are skipped.
 */
#pragma once

#include "sim/judge.h"

#define TW_BATCH_LINE_MAX (64u << 10)

/* Answers the tuples of `in_fd` until its end. Returns TW_EXIT_OK whatever the verdicts, or
 * TW_EXIT_USAGE if any line was not a tuple. */
int tw_batch_run(struct tw_judge *judge, int in_fd);

/* Reads one line into words. Returns 0, or -EINVAL with `err` filled and `words` undefined. The
 * texts lie in `line`, which is modified (including line[len]), or in `room` of TW_BATCH_ROOM
 * bytes. They are valid until either changes. */
#define TW_BATCH_ROOM (TW_BATCH_LINE_MAX + 256)
int tw_batch_words(
	char *line, size_t len, char *room, struct tw_tuple_words *words, struct tw_err *err);
