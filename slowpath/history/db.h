/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* db.h: the SQLite file that holds the history's blocks.
 *
 * Tables: `block`, a row for each block, the newest 32,000 rows in several small ones (the tail);
 * `part`, the columns of blocks, by block * TW_HISTORY_PARTS + column; `name`, texts by number;
 * `rollup` (rollup.h); `rule_use`, when each rule last decided; `mark`, how far each source of rows
 * was read; `meta`, numbers.
 * Callers:    write.c, read.c and rollup.c, each thread with a connection of its own.
 */
#pragma once

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TW_HISTORY_SCHEMA      1
#define TW_HISTORY_APPLICATION 0x74776869 /* "twhi" */
#define TW_HISTORY_PARTS       32	  /* ids of parts of a block */
#define TW_HISTORY_TIER_FULL   255	  /* block.tier of a block that is not of the tail */
#define TW_HISTORY_TIER_BAD    254	  /* a damaged block of the tail: never merged */

/* Opens the file. A writer creates it if there is none. Returns 0 with `ret_db` owned by the caller, or a negative
 * errno with `err` filled: -EPROTO if the file has another schema or is no history. */
int tw_history_db_open(const char *path, bool write, sqlite3 **ret_db, struct tw_err *err);

/* Returns the negative errno of an SQLite result; 0 for SQLITE_OK, SQLITE_ROW and SQLITE_DONE. */
int tw_history_db_errno(sqlite3 *db, int result);

int tw_history_db_exec(sqlite3 *db, const char *sql); /* returns 0 or a negative errno */
int tw_history_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement);

/* Runs a prepared statement that returns no row, and resets it. Returns 0 or a negative errno. */
int tw_history_db_run(sqlite3_stmt *statement);

/* Runs a query of one number, or a pragma. Returns 0 or a negative errno; `ret_value` keeps its value if there
 * is no answer. */
int tw_history_db_number(sqlite3 *db, const char *sql, uint64_t *ret_value);

/* Reads a number of `meta`. If no number has that name, `ret_value` keeps its value. */
int tw_history_db_get(sqlite3 *db, const char *key, uint64_t *ret_value);
int tw_history_db_set(sqlite3 *db, const char *key, uint64_t value);

static inline void tw_history_statement_cleanup(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}

#define tw_auto_statement __attribute__((cleanup(tw_history_statement_cleanup)))
