/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* writer.h: writes the history into ClickHouse; every acknowledged row is there once.
 *
 * Why:        ClickHouse has no transactions, and an INSERT whose answer was lost may still be stored,
 *             now or later. If it were sent again, its rows would be there twice.
 * How:        a commit has three steps: one INSERT of rows, which is a batch with a number of its own; one
 *             row of history_commits with the positions of all sources; and a check that this process is
 *             still the newest owner. Only then are rows acknowledged. If the answer to a batch is
 *             lost, its number is first stored in history_voids, so that no query sees its rows, and
 *             then the rows are sent again with the next number.
 *             At start, the process becomes the newest owner, and then takes the positions from the
 *             newest commit. Its predecessor, if it has not released the database, may have one batch on
 *             its way, whose number is the next one. It is void.
 * Invariants: 1. A row is acknowledged only after its batch, the commit and the check of the owner.
 *             2. A batch's number is used once. A batch that is not committed is void before any of its
 *                rows is sent again (tests/clickhouse/protocol.c).
 *             3. At most TW_HISTORY_PENDING_MAX rows wait in memory.
 * Bounds:     all statements must go to one server or one replica, because the next query must see every
 *             row that was confirmed. Before version 21.8, the server does not wait for its disk, so its
 *             power failure loses rows that it had confirmed but not yet written.
 * Callers:    store.c, recorder.c; one thread.
 */
#pragma once

#include "slowpath/store/store.h"

#define TW_CLICKHOUSE_WRITE_MS 10000

int tw_clickhouse_writer_open(const char *place, const struct tw_store_access *access,
	const struct tw_history_limits *limits, struct tw_store_writer **ret, struct tw_err *err);
