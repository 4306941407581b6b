/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reader.h: queries of the history in ClickHouse.
 *
 * How:        newest and oldest rows are found in two steps: the time of the last wanted row, which reads few
 *             columns and short spans first, then the rows up to that time. Totals are added up by the server.
 *             They are as those of a file (history/read.h), but never have "others".
 * Callers:    store.c, search.c; any thread with a reader of its own.
 */
#pragma once

#include "slowpath/store/store.h"

#define TW_CLICKHOUSE_READ_MS 60000

int tw_clickhouse_reader_open(const char *place, const struct tw_store_access *access,
	struct tw_store_reader **ret, struct tw_err *err);
