/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* server.h: statements to a ClickHouse server over HTTP.
 *
 * Why:        libcurl speaks HTTP and TLS. It is loaded when the first server is opened, so that a
 *             tapwall-slowd that keeps its history in a file does without it.
 * Invariants: 1. Rows are sent on a connection of their own. On one that was used before, libcurl sends a
 *                request again if the server has closed it, and rows would be stored twice.
 *             2. Name and password are sent only in headers, and never logged. Redirections, proxies
 *                and .netrc are not used.
 *             3. No call lasts longer than its timeout.
 * Callers:    schema.c, writer.c and reader.c, with one `struct tw_clickhouse` for each thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "slowpath/store/store.h"

#define TW_CLICKHOUSE_PLAIN	 "clickhouse://"
#define TW_CLICKHOUSE_TLS	 "clickhouses://"
#define TW_CLICKHOUSE_PORT	 8123u
#define TW_CLICKHOUSE_TLS_PORT	 8443u
#define TW_CLICKHOUSE_ANSWER_MAX (256u << 20) /* bytes */
#define TW_CLICKHOUSE_CONNECT_MS 3000

struct tw_clickhouse;

/* Opens a server; nothing is sent. `timeout_ms` bounds a statement. Returns 0, or a negative errno with
 * `err` filled in: -EINVAL for an invalid address, -EPERM if others may read the file with the
 * password, -ENOENT without libcurl. */
int tw_clickhouse_open(const char *place, const struct tw_store_access *access, long timeout_ms,
	struct tw_clickhouse **ret, struct tw_err *err);
/* Sets the bound of each further statement. */
void tw_clickhouse_set_timeout(struct tw_clickhouse *server, long timeout_ms);
void tw_clickhouse_free(struct tw_clickhouse *server); /* accepts NULL */

/* Returns the name of the database: letters, digits and underscores. */
const char *tw_clickhouse_database(const struct tw_clickhouse *server);

/* Runs a statement in the database, or in none if `bare`. Appends its answer to `answer`, if that is
 * not NULL. Returns 0, or a negative errno with `err` filled in. */
int tw_clickhouse_run(struct tw_clickhouse *server, const char *statement, bool bare,
	struct tw_buf *answer, struct tw_err *err);

/* Runs an INSERT whose rows follow in `rows`, on a connection of its own. If it fails, the server may
 * have stored the rows, or store them later. Returns as above. */
int tw_clickhouse_insert(struct tw_clickhouse *server, const char *statement,
	const struct tw_buf *rows, struct tw_err *err);
