/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rollup.h: sums of rows by minute, hour and day, for each source, destination, service and rule.
 *
 * Why:        queries for the top talkers span many millions of rows. Finished blocks are added up
 * by minute and written every few blocks, as one more part of their minutes. A minute
 * that is over becomes one part. An hour that is over is merged from its minutes, a day
 * from its hours. Each hour and day stores the number of the last row of `rollup` that
 * it includes; parts of minutes written later are added when it is read.
 * Bounds:     a part keeps 500 keys of a minute, 3,000 of an hour and 10,000 of a day: those with
 *             the most bytes and those with the most rows. All others are added up under the key
 *             "others". Minutes are kept for two days, hours for 62.
 * Callers:    write.c adds and writes; read.c reads, in another thread with its own memory.
 */
#pragma once

#include <stdbool.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "slowpath/history/block.h"
#include "slowpath/history/totals.h"

enum tw_history_level { TW_HISTORY_MINUTE, TW_HISTORY_HOUR, TW_HISTORY_DAY, TW_HISTORY_LEVEL__MAX };

/* Writes all totals as parts of their minutes. Returns 0 or a negative errno; the caller rolls back
 * what it has begun. */
int tw_history_rollup_write(
	sqlite3 *db, struct tw_history_encoder *encoder, const struct tw_history_totals *totals);

/* Merges hours and days that ended before `now_us`, and removes minutes and hours that are too
 * old. Returns 0 or a negative errno. */
int tw_history_rollup_merge(sqlite3 *db, struct tw_history_encoder *encoder, uint64_t now_us);

/* Adds to `totals` one dimension from `from_us` until `to_us`, rounded outward to minutes, or to hours
 * where minutes are not kept any more. Adds the number of damaged parts, which are left out, to
 * `damaged`. Returns 0 or a negative errno. */
int tw_history_rollup_read(sqlite3 *db, enum tw_history_dimension dimension, uint64_t from_us,
	uint64_t to_us, struct tw_history_totals *totals, uint64_t *damaged);
