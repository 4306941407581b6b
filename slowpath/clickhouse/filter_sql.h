/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* filter_sql.h: conditions of a query as SQL.
 *
 * Invariants: 1. Only the ASCII letters and digits of a text stand in the SQL unchanged; every other byte
 *                becomes \xHH within quotes. No text can end its literal (tests/clickhouse/protocol.c).
 *                Parameters would do the same, but version 18.16 has none.
 * Callers:    reader.c.
 */
#pragma once

#include "base/buf.h"
#include "slowpath/history/question.h"

/* Adds a text as a literal. */
void tw_filter_sql_text(struct tw_buf *sql, const char *text);
/* Adds "WHERE …" with all conditions; live connections are left out if `no_live` or the filter says so. */
void tw_filter_sql_add(struct tw_buf *sql, const struct tw_history_filter *filter, bool no_live);
/* True if the filter has no condition but a time. */
bool tw_filter_sql_is_plain(const struct tw_history_filter *filter);
