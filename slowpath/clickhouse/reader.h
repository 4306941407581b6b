/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reader.h: queries of the history in ClickHouse.
 *
 * How:        two queries find the newest or oldest rows. The first finds the time of the last wanted row; it
 *             reads few columns, and looks in short spans first. The second reads the rows up to that time.
 *             The server adds up totals. They are those that a file gives (history/read.h), but without
 *             "others".
 * Callers:    store.c, search.c; any thread with a reader of its own.
 */
#pragma once

#include "slowpath/store/store.h"

#define TW_CLICKHOUSE_READ_MS 60000

int tw_clickhouse_reader_open(const char *place, const struct tw_store_access *access,
	struct tw_store_reader **ret, struct tw_err *err);
