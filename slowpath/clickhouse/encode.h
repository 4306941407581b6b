/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* encode.h: rows of the history as rows of ClickHouse's table, and back.
 *
 * Invariants: 1. The columns are those of TW_ENCODE_COLUMNS, in this order, in both directions.
 *             2. Read rows are checked: no value indexes beyond a table.
 * Callers:    writer.c and reader.c.
 */
#pragma once

#include <stdint.h>

#include "slowpath/clickhouse/wire.h"
#include "slowpath/history/names.h"
#include "slowpath/history/row.h"

#define TW_ENCODE_COLUMNS                                                                 \
	"time_us, event, verdict, direction, reason, state, agent, proto, from_address,"  \
	" to_address, from_port, to_port, from_workload, to_workload, out_port, in_port," \
	" out_rule, in_rule, out_verdict, in_verdict, packets_out, packets_in,"           \
	" bytes_out, bytes_in, duration_ms, idle_ms"

/* Adds a row. `names` has the texts of its numbers. */
void tw_encode_row(
	struct tw_buf *buf, const struct tw_history_row *row, const struct tw_history_names *names);
/* Reads a row, and adds its texts to `names`. Returns 0, -EPROTO or -ENOMEM. */
int tw_encode_read(
	struct tw_wire *wire, struct tw_history_names *names, struct tw_history_row *ret);

/* Returns the text of a number that tw_history_names_find() gave; "" for 0. */
const char *tw_encode_text(const struct tw_history_names *names, uint32_t number);
