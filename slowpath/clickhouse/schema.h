/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* schema.h: the tables of the history in ClickHouse, and their migrations.
 *
 * How:        NNN-NAME.sql are migrations, built into the program. The table history_migrations lists
 *             those that were applied. Missing ones are applied in order, except those that need a newer
 *             server; these are applied once the server is new enough. Each can be repeated, as
 *             tapwall-slowd may end between a migration and its entry in the table.
 * Callers:    writer.c, before it uses the tables.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "slowpath/clickhouse/server.h"

struct tw_schema_migration {
	uint32_t number;
	const char *name; /* of its file */
	const char *text; /* statements, each with a semicolon at the end of its last line */
};

/* All migrations, in order; the last has number 0. */
extern const struct tw_schema_migration tw_schema_migrations[];

/* Creates the database if there is none, and brings its tables up to date. Returns 0, or a negative errno with `err`
 * filled in: -EPROTO if a newer tapwall-slowd has changed them. */
int tw_schema_prepare(struct tw_clickhouse *server, struct tw_err *err);
