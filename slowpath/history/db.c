/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/db.h"

#include <errno.h>
#include <stddef.h>
#include <sys/stat.h>

#define BUSY_MS	   5000
#define MMAP_BYTES "0x7fff0000" /* SQLite's own limit */

static const char create_sql[] =
	"CREATE TABLE block(id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, n INTEGER NOT NULL,"
	" from_us INTEGER NOT NULL, to_us INTEGER NOT NULL, tier INTEGER NOT NULL);"
	"CREATE INDEX block_to ON block(to_us);"
	"CREATE TABLE part(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
	"CREATE TABLE name(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL,"
	" UNIQUE(kind, text));"
	"CREATE TABLE rollup(id INTEGER PRIMARY KEY AUTOINCREMENT, level INTEGER NOT NULL,"
	" dimension INTEGER NOT NULL, start INTEGER NOT NULL, through INTEGER NOT NULL,"
	" data BLOB NOT NULL);"
	"CREATE INDEX rollup_start ON rollup(level, dimension, start);"
	"CREATE TABLE rule_use(rule INTEGER PRIMARY KEY, last_us INTEGER NOT NULL,"
	" rows INTEGER NOT NULL);"
	"CREATE TABLE mark(source TEXT PRIMARY KEY, value INTEGER NOT NULL);"
	"CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL);";

int tw_history_db_errno(sqlite3 *db, int result)
{
	int system = db ? sqlite3_system_errno(db) : 0;

	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return system ? -system : -ENOENT;
	case SQLITE_IOERR:
		return system ? -system : -EIO;
	default:
		return -EIO;
	}
}

int tw_history_db_exec(sqlite3 *db, const char *sql)
{
	return tw_history_db_errno(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int tw_history_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **ret_statement)
{
	return tw_history_db_errno(db,
		sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_statement, NULL));
}

int tw_history_db_run(sqlite3_stmt *statement)
{
	int err = tw_history_db_errno(sqlite3_db_handle(statement), sqlite3_step(statement));

	sqlite3_reset(statement);
	return err;
}

int tw_history_db_get(sqlite3 *db, const char *key, uint64_t *ret_value)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int err = tw_history_db_prepare(db, "SELECT value FROM meta WHERE key = ?", &get), result;

	if (err)
		return err;
	sqlite3_bind_text(get, 1, key, -1, SQLITE_STATIC);
	result = sqlite3_step(get);
	if (result == SQLITE_ROW)
		*ret_value = (uint64_t)sqlite3_column_int64(get, 0);
	return tw_history_db_errno(db, result);
}

int tw_history_db_set(sqlite3 *db, const char *key, uint64_t value)
{
	tw_auto_statement sqlite3_stmt *set = NULL;
	int err = tw_history_db_prepare(
		db, "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", &set);

	if (err)
		return err;
	sqlite3_bind_text(set, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(set, 2, (sqlite3_int64)value);
	return tw_history_db_run(set);
}

int tw_history_db_number(sqlite3 *db, const char *sql, uint64_t *ret_value)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int err = tw_history_db_prepare(db, sql, &get), result;

	if (err)
		return err;
	result = sqlite3_step(get);
	if (result == SQLITE_ROW)
		*ret_value = (uint64_t)sqlite3_column_int64(get, 0);
	return tw_history_db_errno(db, result);
}

static int create(sqlite3 *db)
{
	char sql[128];
	int err = tw_history_db_exec(db, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL;"
					 " BEGIN IMMEDIATE");

	if (!err)
		err = tw_history_db_exec(db, create_sql);
	sqlite3_snprintf(sizeof(sql), sql,
		"PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		TW_HISTORY_APPLICATION, TW_HISTORY_SCHEMA);
	if (!err)
		err = tw_history_db_exec(db, sql);
	if (err)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

/* Returns 0 if the file has our schema, which a writer makes in an empty file. */
static int check_schema(sqlite3 *db, const char *path, bool write, struct tw_err *err)
{
	uint64_t application = 0, schema = 0, tables = 0;
	int code = tw_history_db_number(db, "PRAGMA application_id", &application);

	if (!code)
		code = tw_history_db_number(db, "PRAGMA user_version", &schema);
	if (!code)
		code = tw_history_db_number(db, "SELECT count(*) FROM sqlite_master", &tables);
	if (!code && !tables && !application && !schema)
		code = write ? create(db) : -ENOENT;
	else if (!code && application != TW_HISTORY_APPLICATION)
		return tw_err_set(
			err, -EPROTO, path, "name another file", "not a history of tapwall");
	else if (!code && schema != TW_HISTORY_SCHEMA)
		return tw_err_set(err, -EPROTO, path,
			schema > TW_HISTORY_SCHEMA
				? "use the version of tapwall that wrote it, or a newer one"
				: "move the file away, and a new one is made",
			"the history has schema %llu, and this version reads schema %d",
			(unsigned long long)schema, TW_HISTORY_SCHEMA);
	if (code)
		return tw_err_set(err, code, path,
			code == -EBADMSG ? "move the file away, and a new one is made" : NULL,
			"cannot open the history: %s", sqlite3_errmsg(db));
	return 0;
}

int tw_history_db_open(const char *path, bool write, sqlite3 **ret_db, struct tw_err *err)
{
	int flags = SQLITE_OPEN_NOMUTEX |
		    (write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READWRITE);
	sqlite3 *db = NULL;
	int code = tw_history_db_errno(NULL, sqlite3_open_v2(path, &db, flags, NULL));

	if (code) {
		const char *why = db ? sqlite3_errmsg(db) : "out of memory";

		code = db && sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : code;
		tw_err_set(err, code, path, NULL, "cannot open the history: %s", why);
		sqlite3_close(db);
		return code;
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_busy_timeout(db, BUSY_MS);
	code = check_schema(db, path, write, err);
	if (!code && tw_history_db_exec(db,
			     "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
			     " PRAGMA mmap_size = " MMAP_BYTES "; PRAGMA cache_size = -8192;"
			     " PRAGMA temp_store = MEMORY"))
		code = tw_err_set(
			err, -EIO, path, NULL, "cannot set up the history: %s", sqlite3_errmsg(db));
	if (!code && !write)
		tw_history_db_exec(db, "PRAGMA query_only = 1");
	if (code) {
		sqlite3_close(db);
		return code;
	}
	*ret_db = db;
	return 0;
}
