/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/policies/policies.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "slowpath/history/db.h"

#define COLUMNS "version, time_us, uid, author, comment, source, sha256, size"

struct tw_policies {
	struct tw_policies_limits limits;
	sqlite3 *db;
	sqlite3_stmt *add, *get, *newest, *find, *wish, *unwish;
};

static const char create_sql[] =
	"CREATE TABLE version(version INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL,"
	" uid INTEGER NOT NULL, author TEXT NOT NULL, comment TEXT NOT NULL, source TEXT NOT NULL,"
	" sha256 BLOB NOT NULL, size INTEGER NOT NULL, text BLOB NOT NULL);"
	"CREATE INDEX version_sha256 ON version(sha256);"
	"CREATE TABLE wish(agent TEXT PRIMARY KEY, wanted INTEGER NOT NULL, delivered INTEGER NOT NULL,"
	" allow_unprotect INTEGER NOT NULL, until_s INTEGER NOT NULL, before INTEGER NOT NULL,"
	" confirm_due INTEGER NOT NULL);";

/* ---- the file ---- */

static int create(sqlite3 *db)
{
	char sql[128];
	int err = tw_history_db_exec(db, "BEGIN IMMEDIATE");

	if (!err)
		err = tw_history_db_exec(db, create_sql);
	sqlite3_snprintf(sizeof(sql), sql,
		"PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
		TW_POLICIES_APPLICATION, TW_POLICIES_SCHEMA);
	if (!err)
		err = tw_history_db_exec(db, sql);
	if (err)
		sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

static int check_schema(sqlite3 *db, const char *path, struct tw_err *err)
{
	uint64_t application = 0, schema = 0, tables = 0;
	int code = tw_history_db_number(db, "PRAGMA application_id", &application);

	if (!code)
		code = tw_history_db_number(db, "PRAGMA user_version", &schema);
	if (!code)
		code = tw_history_db_number(db, "SELECT count(*) FROM sqlite_master", &tables);
	if (!code && !tables && !application && !schema)
		code = create(db);
	else if (!code && application != TW_POLICIES_APPLICATION)
		return tw_err_set(
			err, -EPROTO, path, "move it away", "not a store of policies of tapwall");
	else if (!code && schema != TW_POLICIES_SCHEMA)
		return tw_err_set(err, -EPROTO, path,
			schema > TW_POLICIES_SCHEMA
				? "use the version of tapwall that wrote it, or a newer one"
				: "move it away, and a new one is made",
			"the store has schema %llu, and this version reads schema %d",
			(unsigned long long)schema, TW_POLICIES_SCHEMA);
	return code ? tw_err_set(err, code, path, NULL, "cannot open the store of policies: %s",
			      sqlite3_errmsg(db))
		    : 0;
}

/* Returns 0, or -EBADMSG if pages of the file are damaged. */
static int check_pages(sqlite3 *db, const char *path, struct tw_err *err)
{
	tw_auto_statement sqlite3_stmt *check = NULL;
	const unsigned char *answer = NULL;
	int code = tw_history_db_prepare(db, "PRAGMA quick_check(1)", &check);

	if (!code && sqlite3_step(check) == SQLITE_ROW)
		answer = sqlite3_column_text(check, 0);
	if (answer && !strcmp((const char *)answer, "ok"))
		return 0;
	return tw_err_set(err, -EBADMSG, path, "move it away, or restore a copy",
		"the store of policies is damaged: %s",
		answer ? (const char *)answer : sqlite3_errmsg(db));
}

static int prepare_all(struct tw_policies *policies)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} rows[] = {
		{&policies->add,
			"INSERT INTO version(time_us, uid, author, comment, source, sha256, size,"
			" text) VALUES(?, ?, ?, ?, ?, ?, ?, ?)"},
		{&policies->get, "SELECT " COLUMNS ", text FROM version WHERE version = ?"},
		{&policies->newest, "SELECT max(version) FROM version"},
		{&policies->find, "SELECT max(version) FROM version WHERE sha256 = ?"},
		{&policies->wish,
			"INSERT OR REPLACE INTO wish(agent, wanted, delivered, allow_unprotect,"
			" until_s, before, confirm_due) VALUES(?, ?, ?, ?, ?, ?, ?)"},
		{&policies->unwish, "DELETE FROM wish WHERE agent = ?"},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !err; i++)
		err = tw_history_db_prepare(policies->db, rows[i].sql, rows[i].statement);
	return err;
}

int tw_policies_open(const char *path, const struct tw_policies_limits *limits,
	struct tw_policies **ret, struct tw_err *err)
{
	tw_auto(tw_policies) struct tw_policies *policies = tw_alloc(sizeof(*policies));
	int code;

	if (!policies)
		return tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
	policies->limits = *limits;
	code = sqlite3_open_v2(path, &policies->db,
		SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
	code = tw_history_db_errno(policies->db, code);
	/* In exclusive mode the lock is held until the file is closed. */
	if (!code)
		code = tw_history_db_exec(policies->db,
			"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			"PRAGMA synchronous = FULL; PRAGMA cache_size = -2048");
	if (code)
		return tw_err_set(err, code, path, code == -EBUSY ? "stop the other process" : NULL,
			code == -EBUSY ? "another process uses the store of policies"
				       : "cannot open the store of policies: %s",
			policies->db ? sqlite3_errmsg(policies->db) : "out of memory");
	code = check_schema(policies->db, path, err);
	if (!code)
		code = check_pages(policies->db, path, err);
	if (code)
		return code;
	code = prepare_all(policies);
	if (code)
		return tw_err_set(err, code, path, NULL, "cannot read the store of policies: %s",
			sqlite3_errmsg(policies->db));
	*ret = TW_TAKE_PTR(policies);
	return 0;
}

void tw_policies_free(struct tw_policies *policies)
{
	if (!policies)
		return;
	sqlite3_finalize(policies->add);
	sqlite3_finalize(policies->get);
	sqlite3_finalize(policies->newest);
	sqlite3_finalize(policies->find);
	sqlite3_finalize(policies->wish);
	sqlite3_finalize(policies->unwish);
	sqlite3_close(policies->db);
	free(policies);
}

struct sqlite3 *tw_policies_db(const struct tw_policies *policies)
{
	return policies->db;
}

/* ---- transactions ---- */

static int begin(struct tw_policies *policies)
{
	return tw_history_db_exec(policies->db, "BEGIN IMMEDIATE");
}

/* Ends a transaction: commits it if `code` is 0, and otherwise undoes it. Returns 0 or a negative
 * errno with `err` filled. */
static int end(struct tw_policies *policies, int code, struct tw_err *err)
{
	char why[200] = "";

	if (!code)
		code = tw_history_db_exec(policies->db, "COMMIT");
	if (!code)
		return 0;
	snprintf(why, sizeof(why), "%s", sqlite3_errmsg(policies->db));
	sqlite3_exec(policies->db, "ROLLBACK", NULL, NULL, NULL);
	return err && err->code == code
		       ? code
		       : tw_err_set(err, code, "policies.db", "free space, or see the log",
				 "cannot write the store of policies: %s", why);
}

/* ---- versions ---- */

static void copy_text(char *to, size_t max, sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);

	snprintf(to, max, "%s", text ? (const char *)text : "");
}

static int read_row(sqlite3_stmt *row, struct tw_policies_version *ret)
{
	const void *sha256 = sqlite3_column_blob(row, 6);

	if (!sha256 || sqlite3_column_bytes(row, 6) != sizeof(ret->sha256))
		return -EBADMSG;
	*ret = (struct tw_policies_version){.version = (uint64_t)sqlite3_column_int64(row, 0),
		.time_us = (uint64_t)sqlite3_column_int64(row, 1),
		.uid = (uint32_t)sqlite3_column_int64(row, 2),
		.size = (uint64_t)sqlite3_column_int64(row, 7)};
	copy_text(ret->author, sizeof(ret->author), row, 3);
	copy_text(ret->comment, sizeof(ret->comment), row, 4);
	copy_text(ret->source, sizeof(ret->source), row, 5);
	memcpy(ret->sha256, sha256, sizeof(ret->sha256));
	return 0;
}

/* Runs a query whose answer is one number. Returns 0 if there is no answer. */
static uint64_t number_of(sqlite3_stmt *statement)
{
	uint64_t number = 0;

	if (sqlite3_step(statement) == SQLITE_ROW)
		number = (uint64_t)sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return number;
}

uint64_t tw_policies_find(struct tw_policies *policies, const uint8_t sha256[TW_DIGEST_BYTES])
{
	sqlite3_bind_blob(policies->find, 1, sha256, TW_DIGEST_BYTES, SQLITE_STATIC);
	return number_of(policies->find);
}

/* Reads the version in the current row of the statement `get`. */
static int get_row(struct tw_policies *policies, struct tw_policies_version *ret,
	struct tw_buf *text, struct tw_err *err)
{
	const void *data = sqlite3_column_blob(policies->get, 8);
	size_t len = (size_t)sqlite3_column_bytes(policies->get, 8);
	uint8_t sha256[TW_DIGEST_BYTES];
	int code = read_row(policies->get, ret);

	if (!code)
		code = tw_digest_make(data, len, sha256);
	if (!code && (len != ret->size || memcmp(sha256, ret->sha256, sizeof(sha256)) != 0))
		code = -EBADMSG;
	if (!code && text) {
		tw_buf_add(text, data, len);
		code = text->failed ? -ENOMEM : 0;
	}
	if (code == -EBADMSG)
		return tw_err_set(err, code, "policies.db",
			"restore a copy, or push the policy again",
			"the stored version is damaged");
	return code ? tw_err_set(err, code, "policies.db", NULL, "out of memory") : 0;
}

int tw_policies_get(struct tw_policies *policies, uint64_t version, struct tw_policies_version *ret,
	struct tw_buf *text, struct tw_err *err)
{
	int result, code;

	if (!version)
		version = number_of(policies->newest);
	sqlite3_bind_int64(policies->get, 1, (sqlite3_int64)version);
	result = sqlite3_step(policies->get);
	code = tw_history_db_errno(policies->db, result);
	if (code)
		tw_err_set(err, code, "policies.db", NULL, "cannot read the store of policies: %s",
			sqlite3_errmsg(policies->db));
	else if (result != SQLITE_ROW)
		code = tw_err_set(err, -ENOENT, "policy", "tapwall policy log lists the versions",
			version ? "no version %llu is stored" : "no version is stored",
			(unsigned long long)version);
	else
		code = get_row(policies, ret, text, err);
	sqlite3_reset(policies->get);
	return code;
}

int tw_policies_each(struct tw_policies *policies, uint64_t before,
	int (*each)(void *arg, const struct tw_policies_version *version), void *arg)
{
	tw_auto_statement sqlite3_stmt *list = NULL;
	int result = SQLITE_DONE, stop = 0;
	int code = tw_history_db_prepare(policies->db,
		"SELECT " COLUMNS " FROM version WHERE version < ? ORDER BY version DESC", &list);

	if (code)
		return code;
	sqlite3_bind_int64(list, 1, before ? (sqlite3_int64)before : INT64_MAX);
	while (!code && !stop && (result = sqlite3_step(list)) == SQLITE_ROW) {
		struct tw_policies_version version;

		code = read_row(list, &version);
		if (!code)
			stop = each(arg, &version);
	}
	return code ? code : tw_history_db_errno(policies->db, result);
}

static int insert(struct tw_policies *policies, const char *text, size_t len,
	struct tw_policies_version *facts)
{
	sqlite3_stmt *add = policies->add;
	int code;

	sqlite3_bind_int64(add, 1, (sqlite3_int64)facts->time_us);
	sqlite3_bind_int64(add, 2, facts->uid);
	sqlite3_bind_text(add, 3, facts->author, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 4, facts->comment, -1, SQLITE_STATIC);
	sqlite3_bind_text(add, 5, facts->source, -1, SQLITE_STATIC);
	sqlite3_bind_blob(add, 6, facts->sha256, sizeof(facts->sha256), SQLITE_STATIC);
	sqlite3_bind_int64(add, 7, (sqlite3_int64)len);
	sqlite3_bind_blob(add, 8, text, (int)len, SQLITE_STATIC);
	code = tw_history_db_run(add);
	facts->version = (uint64_t)sqlite3_last_insert_rowid(policies->db);
	return code;
}

/* Drops the oldest versions that no agent needs, until the newest ones are within the limits. */
static int drop_oldest(struct tw_policies *policies, uint64_t newest, struct tw_err *err)
{
	uint64_t n = 0, bytes = 0, oldest;
	char sql[64];

	for (;;) {
		int code = tw_history_db_number(policies->db, "SELECT count(*) FROM version", &n);

		if (!code)
			code = tw_history_db_number(
				policies->db, "SELECT sum(size) FROM version", &bytes);
		if (code || (n <= policies->limits.versions && bytes <= policies->limits.bytes))
			return code;
		oldest = 0;
		code = tw_history_db_number(policies->db,
			"SELECT coalesce(min(version), 0) FROM version WHERE version NOT IN"
			" (SELECT wanted FROM wish UNION SELECT before FROM wish)",
			&oldest);
		if (code)
			return code;
		if (!oldest || oldest == newest)
			return tw_err_set(err, -ENOSPC, "policies.db",
				"push the newest version to the agents that want old ones",
				"the store is full of versions that agents want");
		sqlite3_snprintf(sizeof(sql), sql, "DELETE FROM version WHERE version = %lld",
			(long long)oldest);
		code = tw_history_db_exec(policies->db, sql);
		if (code)
			return code;
	}
}

int tw_policies_add(struct tw_policies *policies, const char *text, size_t len,
	struct tw_policies_version *facts, bool *ret_same, struct tw_err *err)
{
	struct tw_policies_version newest;
	struct timespec now;
	int code;

	if (len > TW_POLICIES_TEXT_MAX)
		return tw_err_set(err, -EFBIG, "policy", "apply it on each host, or shorten it",
			"the policy has more than %u MiB", TW_POLICIES_TEXT_MAX >> 20);
	if (tw_digest_make(text, len, facts->sha256) < 0)
		return tw_err_set(err, -ENOMEM, "policy", NULL, "out of memory");
	*ret_same = !tw_policies_get(policies, 0, &newest, NULL, NULL) &&
		    !memcmp(newest.sha256, facts->sha256, sizeof(newest.sha256));
	if (*ret_same) {
		*facts = newest;
		return 0;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	facts->time_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	facts->size = len;
	code = begin(policies);
	if (!code)
		code = insert(policies, text, len, facts);
	if (!code)
		code = drop_oldest(policies, facts->version, err);
	return end(policies, code, err);
}

/* ---- wishes ---- */

int tw_policies_each_wish(struct tw_policies *policies,
	int (*each)(void *arg, const struct tw_policies_wish *wish), void *arg)
{
	tw_auto_statement sqlite3_stmt *list = NULL;
	int result = SQLITE_DONE, stop = 0;
	int code = tw_history_db_prepare(policies->db,
		"SELECT agent, wanted, delivered, allow_unprotect, until_s, before, confirm_due"
		" FROM wish ORDER BY agent",
		&list);

	while (!code && !stop && (result = sqlite3_step(list)) == SQLITE_ROW) {
		struct tw_policies_wish wish = {
			.wanted = (uint64_t)sqlite3_column_int64(list, 1),
			.delivered = sqlite3_column_int(list, 2) != 0,
			.allow_unprotect = sqlite3_column_int(list, 3) != 0,
			.until_s = (uint64_t)sqlite3_column_int64(list, 4),
			.before = (uint64_t)sqlite3_column_int64(list, 5),
			.confirm_due = sqlite3_column_int(list, 6) != 0,
		};

		copy_text(wish.agent, sizeof(wish.agent), list, 0);
		stop = each(arg, &wish);
	}
	return code ? code : stop < 0 ? stop : tw_history_db_errno(policies->db, result);
}

static int put_wish(struct tw_policies *policies, const struct tw_policies_wish *wish)
{
	sqlite3_stmt *put = wish->wanted ? policies->wish : policies->unwish;

	sqlite3_bind_text(put, 1, wish->agent, -1, SQLITE_STATIC);
	if (wish->wanted) {
		sqlite3_bind_int64(put, 2, (sqlite3_int64)wish->wanted);
		sqlite3_bind_int(put, 3, wish->delivered);
		sqlite3_bind_int(put, 4, wish->allow_unprotect);
		sqlite3_bind_int64(put, 5, (sqlite3_int64)wish->until_s);
		sqlite3_bind_int64(put, 6, (sqlite3_int64)wish->before);
		sqlite3_bind_int(put, 7, wish->confirm_due);
	}
	return tw_history_db_run(put);
}

int tw_policies_wish(struct tw_policies *policies, const struct tw_policies_wish *wishes, size_t n,
	struct tw_err *err)
{
	int code = begin(policies);

	for (size_t i = 0; i < n && !code; i++)
		code = put_wish(policies, &wishes[i]);
	return end(policies, code, err);
}
