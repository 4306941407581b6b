/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "slowpath/clickhouse/wire.h"

#define APPLIED_MAX 64u /* migrations */
#define NEEDS	    "-- needs: "

struct version {
	unsigned int major, minor;
};

static int ask_version(struct tw_clickhouse *server, struct version *ret, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	int code = tw_clickhouse_run(server, "SELECT version()", true, &answer, err);

	if (code < 0)
		return code;
	if (!answer.data || sscanf(answer.data, "%u.%u", &ret->major, &ret->minor) != 2)
		return tw_err_set(err, -EPROTO, "--history", NULL,
			"the server does not answer as ClickHouse does");
	return 0;
}

static int make_database(struct tw_clickhouse *server, struct tw_err *err)
{
	const char *name = tw_clickhouse_database(server);
	tw_auto_buf struct tw_buf statement = {0}, answer = {0};
	int code;

	tw_buf_addf(&statement, "SELECT count() FROM system.databases WHERE name = '%s'", name);
	if (statement.failed)
		return tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	code = tw_clickhouse_run(server, statement.data, true, &answer, err);
	if (code < 0 || answer.data[0] != '0')
		return code;
	tw_buf_reset(&statement);
	tw_buf_addf(&statement, "CREATE DATABASE IF NOT EXISTS %s", name);
	if (statement.failed)
		return tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	return tw_clickhouse_run(server, statement.data, true, NULL, err);
}

/* Lists the migrations that were applied. */
static int list_applied(
	struct tw_clickhouse *server, uint32_t *applied, size_t *ret_n, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	struct tw_wire wire;
	int code = tw_clickhouse_run(server,
		"CREATE TABLE IF NOT EXISTS history_migrations (number UInt32, time DateTime)"
		" ENGINE = MergeTree PARTITION BY tuple() ORDER BY number",
		false, NULL, err);

	if (!code)
		code = tw_clickhouse_run(server,
			"SELECT DISTINCT number FROM history_migrations ORDER BY number"
			" FORMAT RowBinary",
			false, &answer, err);
	if (code < 0)
		return code;
	*ret_n = 0;
	for (wire = tw_wire_of(&answer); !tw_wire_is_at_end(&wire) && *ret_n < APPLIED_MAX;)
		applied[(*ret_n)++] = (uint32_t)tw_wire_number(&wire, sizeof(uint32_t));
	return wire.bad ? tw_err_set(err, -EPROTO, "--history", NULL, "an answer is malformed") : 0;
}

static bool is_met(const char *text, struct version server)
{
	const char *at = strstr(text, NEEDS);
	struct version needs = {0, 0};

	return !at || sscanf(at + strlen(NEEDS), "%u.%u", &needs.major, &needs.minor) != 2 ||
	       server.major > needs.major ||
	       (server.major == needs.major && server.minor >= needs.minor);
}

/* Runs the statements of a migration, and notes it. */
static int apply(struct tw_clickhouse *server, const struct tw_schema_migration *migration,
	struct tw_err *err)
{
	tw_auto_buf struct tw_buf statement = {0};
	int code = 0;

	for (const char *at = migration->text, *end; !code && (end = strstr(at, ";\n"));
		at = end + 2) {
		tw_buf_reset(&statement);
		tw_buf_add(&statement, at, (size_t)(end - at));
		code = statement.failed
			       ? -ENOMEM
			       : tw_clickhouse_run(server, statement.data, false, NULL, err);
	}
	if (!code) {
		tw_buf_reset(&statement);
		tw_buf_addf(&statement, "INSERT INTO history_migrations VALUES (%u, now())",
			migration->number);
		code = statement.failed
			       ? -ENOMEM
			       : tw_clickhouse_run(server, statement.data, false, NULL, err);
	}
	if (!code)
		tw_log(TW_LOG_INFO, "the tables of the history: %s is applied", migration->name);
	return code;
}

static bool is_applied(uint32_t number, const uint32_t *applied, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (applied[i] == number)
			return true;
	return false;
}

int tw_schema_prepare(struct tw_clickhouse *server, struct tw_err *err)
{
	uint32_t applied[APPLIED_MAX], newest = 0;
	struct version version = {0, 0};
	size_t n = 0;
	int code = ask_version(server, &version, err);

	if (!code)
		code = make_database(server, err);
	if (!code)
		code = list_applied(server, applied, &n, err);
	for (const struct tw_schema_migration *m = tw_schema_migrations; m->number; m++)
		newest = m->number;
	if (!code && n && applied[n - 1] > newest)
		return tw_err_set(err, -EPROTO, "--history",
			"start a newer tapwall-slowd, or use another database",
			"the tables have version %u; this tapwall-slowd knows those up to %u",
			applied[n - 1], newest);
	for (const struct tw_schema_migration *m = tw_schema_migrations; m->number && !code; m++)
		if (!is_applied(m->number, applied, n) && is_met(m->text, version))
			code = apply(server, m, err);
	return code;
}
