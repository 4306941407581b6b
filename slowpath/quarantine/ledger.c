/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/quarantine/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/log.h"
#include "base/vec.h"
#include "slowpath/history/db.h"

#define COLUMNS "change, workload, reason, who, since_s, until_s, ended_s, ended_by"

struct tw_ledger {
	sqlite3 *db;
	sqlite3_stmt *put, *drop;
	TW_VEC(struct tw_ledger_row) rows; /* ascending by change */
};

static uint64_t unix_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* ---- reading ---- */

static bool copy_text(char *to, size_t max, sqlite3_stmt *row, int column)
{
	const unsigned char *text = sqlite3_column_text(row, column);
	size_t len = (size_t)sqlite3_column_bytes(row, column);

	if (!text || len >= max || strlen((const char *)text) != len ||
		!tw_clean_check((const char *)text, len))
		return false;
	memcpy(to, text, len + 1);
	return true;
}

static bool read_row(sqlite3_stmt *list, struct tw_ledger_row *ret)
{
	*ret = (struct tw_ledger_row){.change = (uint64_t)sqlite3_column_int64(list, 0),
		.since_s = (uint64_t)sqlite3_column_int64(list, 4),
		.until_s = (uint64_t)sqlite3_column_int64(list, 5),
		.ended_s = (uint64_t)sqlite3_column_int64(list, 6)};
	return ret->change <= INT64_MAX && ret->change &&
	       copy_text(ret->workload, sizeof(ret->workload), list, 1) &&
	       copy_text(ret->reason, sizeof(ret->reason), list, 2) &&
	       copy_text(ret->who, sizeof(ret->who), list, 3) &&
	       copy_text(ret->ended_by, sizeof(ret->ended_by), list, 7);
}

static int read_rows(struct tw_ledger *ledger)
{
	tw_auto_statement sqlite3_stmt *list = NULL;
	int code = tw_history_db_prepare(
		ledger->db, "SELECT " COLUMNS " FROM quarantine ORDER BY change", &list);
	int result = SQLITE_DONE;

	while (!code && (result = sqlite3_step(list)) == SQLITE_ROW) {
		struct tw_ledger_row row;

		if (read_row(list, &row))
			code = tw_vec_push(&ledger->rows, row);
		else
			tw_log(TW_LOG_ERR,
				"a row of the list of quarantines is damaged; agents keep theirs");
	}
	return code ? code : tw_history_db_errno(ledger->db, result);
}

int tw_ledger_open(struct tw_policies *policies, struct tw_ledger **ret, struct tw_err *err)
{
	tw_auto(tw_ledger) struct tw_ledger *ledger = tw_alloc(sizeof(*ledger));
	int code = ledger ? 0 : -ENOMEM;

	if (ledger) {
		ledger->db = tw_policies_db(policies);
		code = tw_history_db_exec(ledger->db,
			"CREATE TABLE IF NOT EXISTS quarantine(change INTEGER PRIMARY KEY,"
			" workload TEXT NOT NULL, reason TEXT NOT NULL, who TEXT NOT NULL,"
			" since_s INTEGER NOT NULL, until_s INTEGER NOT NULL,"
			" ended_s INTEGER NOT NULL, ended_by TEXT NOT NULL)");
	}
	if (!code)
		code = tw_history_db_prepare(ledger->db,
			"INSERT INTO quarantine(" COLUMNS ") VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			&ledger->put);
	if (!code)
		code = tw_history_db_prepare(
			ledger->db, "DELETE FROM quarantine WHERE change = ?", &ledger->drop);
	if (!code)
		code = read_rows(ledger);
	if (code)
		return tw_err_set(err, code, "policies.db", NULL,
			"cannot read the list of quarantines: %s", strerror(-code));
	*ret = TW_TAKE_PTR(ledger);
	return 0;
}

void tw_ledger_free(struct tw_ledger *ledger)
{
	if (!ledger)
		return;
	sqlite3_finalize(ledger->put);
	sqlite3_finalize(ledger->drop);
	tw_vec_done(&ledger->rows);
	free(ledger);
}

const struct tw_ledger_row *tw_ledger_at(const struct tw_ledger *ledger, size_t index)
{
	return index < ledger->rows.n ? &ledger->rows.at[index] : NULL;
}

static struct tw_ledger_row *find_row(const struct tw_ledger *ledger, const char *workload)
{
	tw_vec_foreach (&ledger->rows, row)
		if (!row->ended_s && !strcmp(row->workload, workload))
			return row;
	return NULL;
}

const struct tw_ledger_row *tw_ledger_find(const struct tw_ledger *ledger, const char *workload)
{
	return find_row(ledger, workload);
}

size_t tw_ledger_count(const struct tw_ledger *ledger)
{
	size_t n = 0;

	tw_vec_foreach (&ledger->rows, row)
		n += !row->ended_s;
	return n;
}

uint64_t tw_ledger_newest(const struct tw_ledger *ledger)
{
	return ledger->rows.n ? ledger->rows.at[ledger->rows.n - 1].change : 0;
}

/* ---- changes ---- */

static uint64_t next_change(const struct tw_ledger *ledger)
{
	uint64_t newest = tw_ledger_newest(ledger), us;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	return us > newest ? us : newest + 1;
}

static int put_row(struct tw_ledger *ledger, const struct tw_ledger_row *row)
{
	sqlite3_bind_int64(ledger->put, 1, (sqlite3_int64)row->change);
	sqlite3_bind_text(ledger->put, 2, row->workload, -1, SQLITE_STATIC);
	sqlite3_bind_text(ledger->put, 3, row->reason, -1, SQLITE_STATIC);
	sqlite3_bind_text(ledger->put, 4, row->who, -1, SQLITE_STATIC);
	sqlite3_bind_int64(ledger->put, 5, (sqlite3_int64)row->since_s);
	sqlite3_bind_int64(ledger->put, 6, (sqlite3_int64)row->until_s);
	sqlite3_bind_int64(ledger->put, 7, (sqlite3_int64)row->ended_s);
	sqlite3_bind_text(ledger->put, 8, row->ended_by, -1, SQLITE_STATIC);
	return tw_history_db_run(ledger->put);
}

static int drop_row(struct tw_ledger *ledger, uint64_t change)
{
	sqlite3_bind_int64(ledger->drop, 1, (sqlite3_int64)change);
	return tw_history_db_run(ledger->drop);
}

/* Returns the oldest ended row if there are too many, or NULL. */
static const struct tw_ledger_row *find_excess(const struct tw_ledger *ledger)
{
	size_t ended = ledger->rows.n - tw_ledger_count(ledger);

	tw_vec_foreach (&ledger->rows, row)
		if (row->ended_s && ended > TW_LEDGER_ENDED_MAX)
			return row;
	return NULL;
}

static void remove_row(struct tw_ledger *ledger, uint64_t change)
{
	size_t left = 0;

	for (size_t i = 0; i < ledger->rows.n; i++)
		if (ledger->rows.at[i].change != change)
			ledger->rows.at[left++] = ledger->rows.at[i];
	ledger->rows.n = left;
}

/* Stores a new row instead of the one with the number `old` (0: none), in one transaction. */
static int replace_row(
	struct tw_ledger *ledger, uint64_t old, const struct tw_ledger_row *row, struct tw_err *err)
{
	const struct tw_ledger_row *excess = find_excess(ledger);
	uint64_t dropped = excess ? excess->change : 0;
	char why[200];
	/* Memory first: nothing may fail after the transaction. */
	int code = tw_vec_push(&ledger->rows, *row);

	if (code)
		return tw_err_set(err, code, "quarantine", NULL, "out of memory");
	ledger->rows.n--;
	code = tw_history_db_exec(ledger->db, "BEGIN IMMEDIATE");
	if (!code && old)
		code = drop_row(ledger, old);
	if (!code && dropped)
		code = drop_row(ledger, dropped);
	if (!code)
		code = put_row(ledger, row);
	if (!code)
		code = tw_history_db_exec(ledger->db, "COMMIT");
	if (code) {
		snprintf(why, sizeof(why), "%s", sqlite3_errmsg(ledger->db));
		sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
		return tw_err_set(err, code, "policies.db", "free space, or see the log",
			"cannot write the list of quarantines: %s", why);
	}
	ledger->rows.n++;
	remove_row(ledger, old);
	remove_row(ledger, dropped);
	return 0;
}

int tw_ledger_begin(struct tw_ledger *ledger, struct tw_ledger_row *row, struct tw_err *err)
{
	const struct tw_ledger_row *old = find_row(ledger, row->workload);

	if (!old && tw_ledger_count(ledger) >= TW_LEDGER_MAX)
		return tw_err_set(err, -ENOSPC, "quarantine", "lift some",
			"%u workloads are in quarantine", TW_LEDGER_MAX);
	row->change = next_change(ledger);
	return replace_row(ledger, old ? old->change : 0, row, err);
}

int tw_ledger_end(struct tw_ledger *ledger, const char *workload, const char *who, bool unknown,
	struct tw_ledger_row *ret, struct tw_err *err)
{
	const struct tw_ledger_row *old = find_row(ledger, workload);
	struct tw_ledger_row row = {.since_s = unix_s()};

	if (!old && !unknown)
		return tw_err_set(err, -ENOENT, tw_cleaned(workload).text,
			"tapwall quarantine lists the workloads in quarantine",
			"the workload is not in quarantine");
	if (old)
		row = *old;
	snprintf(row.workload, sizeof(row.workload), "%s", workload);
	row.change = next_change(ledger);
	row.ended_s = unix_s();
	snprintf(row.ended_by, sizeof(row.ended_by), "%s", who);
	*ret = row;
	return replace_row(ledger, old ? old->change : 0, &row, err);
}

void tw_ledger_tick(struct tw_ledger *ledger)
{
	uint64_t now = unix_s();

	for (size_t i = 0; ledger && i < ledger->rows.n; i++) {
		struct tw_ledger_row row = ledger->rows.at[i];
		struct tw_err err = {0};

		if (row.ended_s || !row.until_s || now < row.until_s)
			continue;
		if (tw_ledger_end(ledger, row.workload, "", false, &row, &err) && !(now % 60))
			tw_log(TW_LOG_ERR, "quarantine of workload %s stays: %s", row.workload,
				err.text);
		/* Ends one quarantine per tick, because each change waits for the disk. */
		return;
	}
}
