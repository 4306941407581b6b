/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* batch.h: `explain --batch`: tuples in, verdicts out, one JSON object a line.
 *
 * Bounds:     one line of at most TW_BATCH_LINE_MAX bytes and one block of output in memory.
 * Invariants: a line in, a line out, in order; what cannot be read becomes
 *             {"error":…,"line":…} in its place. Blank lines are skipped.
 */
#pragma once

#include "sim/judge.h"

#define TW_BATCH_LINE_MAX (64u << 10)

/* Answers the tuples of `in_fd` until its end. Returns an exit code: TW_EXIT_OK whatever the
 * verdicts are, TW_EXIT_USAGE when some line was no tuple. */
int tw_batch_run(struct tw_judge *judge, int in_fd);

/* Reads one line into words. 0, or -EINVAL with `err` filled and `words` undefined. The texts lie
 * in `line`, which is written to (line[len] too), or in `room` of TW_BATCH_ROOM bytes, and hold
 * until either changes. */
#define TW_BATCH_ROOM (TW_BATCH_LINE_MAX + 256)
int tw_batch_words(
	char *line, size_t len, char *room, struct tw_tuple_words *words, struct tw_err *err);
