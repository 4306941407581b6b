/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the exchange between tapwall-slowd and a ClickHouse server: each row counts once, whatever answer is
 * lost; a refusal is reported; no text ends its literal. The server is the test's own (fake.h). */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "slowpath/clickhouse/filter_sql.h"
#include "slowpath/store/place.h"
#include "tests/clickhouse/fake.h"

#define NOW_US 1767225600000000u /* 2026-01-01 */

static const struct tw_history_limits limits = {.bytes_max = 1ull << 30};

static struct tw_store_writer *open_writer(
	const struct fake *fake, const struct tw_store_access *access)
{
	struct tw_store_writer *writer = NULL;
	struct tw_err err = {0};

	if (tw_place_open_writer(fake->place, access, &limits, &writer, &err))
		fail_msg("%s: %s", err.place, err.text);
	return writer;
}

static void append(struct tw_store_writer *writer, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct tw_history_row row = {.time_us = NOW_US + i,
			.verdict = TW_V_ALLOW,
			.proto = 6,
			.state = TW_HISTORY_UNKNOWN};

		assert_int_equal(
			writer->ops->name(writer, TW_HISTORY_RULE, "it's", &row.rule[0]), 0);
		assert_int_equal(writer->ops->append(writer, &row, 1), 0);
	}
}

static struct tw_history_state state_of(const struct tw_store_writer *writer)
{
	struct tw_history_state state;

	writer->ops->get_progress(writer, &state);
	return state;
}

static void mark(struct tw_store_writer *writer, uint64_t value)
{
	assert_int_equal(writer->ops->mark_source(writer, "agent a: next", value), 0);
}

/* ---- commits ---- */

static void test_commit(void **state)
{
	struct tw_store_writer *writer;
	struct fake fake;

	fake_start(&fake);
	fake.closes = true; /* the next statement finds its connection closed */
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), 0);
	for (unsigned int i = 1; i <= 3; i++) {
		append(writer, 10);
		mark(writer, 10 * i);
		assert_int_equal(writer->ops->commit(writer), 0);
		assert_int_equal(fake_rows(&fake), 10 * i);
		assert_int_equal(state_of(writer).seq, 10 * i);
		assert_int_equal(state_of(writer).pending, 0);
	}
	assert_int_equal(fake_count(&fake, 0, "INSERT INTO history ("), 3);
	assert_int_equal(fake_count(&fake, 0, "INSERT INTO history_voids"), 0);
	/* A commit without rows and marks sends no statement. */
	assert_int_equal(writer->ops->commit(writer), 0);
	assert_int_equal(fake_count(&fake, 0, "INSERT INTO history_commits"), 4);
	tw_store_writer_free(writer);
	assert_true(fake.released);
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), 0);
	assert_int_equal(writer->ops->marked(writer, "agent a: next"), 30);
	assert_int_equal(writer->ops->marked(writer, "agent b: next"), 0);
	assert_int_equal(state_of(writer).seq, 30);
	assert_int_equal(fake.n_voids, 0);
	tw_store_writer_free(writer);
	fake_stop(&fake);
}

/* The server stores a batch, and its answer is lost. */
static void test_lost_answer(void **state)
{
	struct tw_store_writer *writer;
	struct fake fake;
	unsigned int from;

	fake_start(&fake);
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), 0);
	append(writer, 10);
	mark(writer, 10);
	fake_fail(&fake, FAULT_LOSE, "INSERT INTO history (");
	assert_int_equal(writer->ops->commit(writer), -EIO);
	assert_int_equal(state_of(writer).failing, -EIO);
	assert_non_null(strstr(state_of(writer).why, "cannot be reached"));
	assert_int_equal(state_of(writer).pending, 10);
	assert_int_equal(fake_rows(&fake), 10);
	/* Until the batch is void, no row is sent again. */
	append(writer, 5);
	fake_fail(&fake, FAULT_REFUSE, "INSERT INTO history_voids");
	from = fake.n_log;
	assert_int_equal(writer->ops->commit(writer), -EIO);
	assert_int_equal(fake_count(&fake, from, "INSERT INTO history ("), 0);
	assert_int_equal(writer->ops->commit(writer), 0);
	assert_int_equal(fake_rows(&fake), 15);
	assert_int_equal(fake.n_voids, 1);
	assert_int_equal(state_of(writer).seq, 15);
	assert_int_equal(state_of(writer).failing, 0);
	assert_string_equal(state_of(writer).why, "");
	tw_store_writer_free(writer);
	fake_stop(&fake);
}

/* The rows are stored, and the commit is refused or its answer lost: only the commit is sent again. */
static void test_lost_commit(void **state)
{
	static const enum fault faults[] = {FAULT_LOSE, FAULT_REFUSE};
	struct tw_store_writer *writer;
	struct fake fake;

	fake_start(&fake);
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), 0);
	for (unsigned int i = 0; i < 2; i++) {
		append(writer, 10);
		mark(writer, 100 + i);
		fake_fail(&fake, faults[i], "INSERT INTO history_commits");
		assert_int_equal(writer->ops->commit(writer), -EIO);
		/* Rows and a position that were added after the batch are not in its commit. */
		append(writer, 1);
		mark(writer, 200 + i);
		assert_int_equal(state_of(writer).seq, i * 11);
		assert_int_equal(writer->ops->commit(writer), 0);
		assert_int_equal(fake_rows(&fake), (i + 1) * 11);
		assert_int_equal(state_of(writer).seq, (i + 1) * 11);
	}
	assert_int_equal(fake_count(&fake, 0, "INSERT INTO history ("), 4);
	assert_int_equal(fake.n_voids, 0);
	tw_store_writer_free(writer);
	fake_stop(&fake);
}

/* A process that ended in the middle of a batch may have left it on its way to the server. */
static void test_successor(void **state)
{
	static const char *const ats[] = {"INSERT INTO history (", "INSERT INTO history_commits"};
	struct tw_store_writer *writer;
	struct fake fake;

	for (unsigned int i = 0; i < 2; i++) {
		uint64_t seen;

		fake_start(&fake);
		writer = open_writer(&fake, NULL);
		assert_int_equal(writer->ops->ready(writer), 0);
		append(writer, 10);
		mark(writer, 10);
		assert_int_equal(writer->ops->commit(writer), 0);
		append(writer, 7);
		mark(writer, 17);
		fake_fail(&fake, i ? FAULT_REFUSE : FAULT_LOSE, ats[i]);
		assert_int_equal(writer->ops->commit(writer), -EIO);
		tw_store_writer_free(writer);
		assert_false(fake.released);
		writer = open_writer(&fake, NULL);
		assert_int_equal(writer->ops->ready(writer), 0);
		/* The agent sends the rows from 10 on again. */
		seen = writer->ops->marked(writer, "agent a: next");
		assert_int_equal(seen, 10);
		assert_int_equal(fake_rows(&fake), 10);
		append(writer, 7);
		mark(writer, 17);
		assert_int_equal(writer->ops->commit(writer), 0);
		assert_int_equal(fake_rows(&fake), 17);
		tw_store_writer_free(writer);
		fake_stop(&fake);
	}
}

/* If there are two processes, only the newer one records. The older one acknowledges nothing any more. */
static void test_superseded(void **state)
{
	struct tw_store_writer *old, *new;
	struct fake fake;

	fake_start(&fake);
	old = open_writer(&fake, NULL);
	assert_int_equal(old->ops->ready(old), 0);
	append(old, 10);
	mark(old, 10);
	assert_int_equal(old->ops->commit(old), 0);
	new = open_writer(&fake, NULL);
	assert_int_equal(new->ops->ready(new), 0);
	append(old, 5);
	mark(old, 15);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(old->ops->commit(old), -EBUSY);
		assert_non_null(strstr(state_of(old).why, "another tapwall-slowd"));
		assert_int_equal(state_of(old).pending, 5);
	}
	assert_int_equal(fake_rows(&fake), 10);
	append(new, 5);
	mark(new, 15);
	assert_int_equal(new->ops->commit(new), 0);
	assert_int_equal(fake_rows(&fake), 15);
	tw_store_writer_free(old);
	assert_false(fake.released);
	tw_store_writer_free(new);
	assert_true(fake.released);
	fake_stop(&fake);
}

static void test_bounds(void **state)
{
	struct tw_history_row row = {.time_us = NOW_US, .verdict = TW_V_ALLOW};
	struct tw_store_writer *writer;
	struct fake fake;

	fake_start(&fake);
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), 0);
	for (unsigned int i = 0; i < TW_HISTORY_PENDING_MAX; i++)
		assert_int_equal(writer->ops->append(writer, &row, 1), 0);
	assert_int_equal(writer->ops->append(writer, &row, 1), -ENOBUFS);
	fake_fail(&fake, FAULT_REFUSE, "INSERT INTO history (");
	assert_int_equal(writer->ops->commit(writer), -EIO);
	assert_string_equal(state_of(writer).why, "the server refuses (500): Too many?[31m parts");
	assert_int_equal(writer->ops->append(writer, &row, 1), -EIO);
	assert_int_equal(writer->ops->commit(writer), 0);
	assert_int_equal(writer->ops->append(writer, &row, 1), 0);
	tw_store_writer_free(writer);
	fake_stop(&fake);
}

/* ---- the schema ---- */

static void test_schema(void **state)
{
	struct tw_store_writer *writer;
	struct fake fake;

	fake_start(&fake);
	writer = open_writer(&fake, NULL);
	/* A migration that fails is repeated. */
	fake_fail(&fake, FAULT_REFUSE, "CREATE TABLE IF NOT EXISTS history_voids");
	assert_int_equal(writer->ops->ready(writer), -EIO);
	assert_int_equal(fake.migration, 0);
	assert_int_equal(writer->ops->ready(writer), 0);
	assert_int_equal(fake.migration, 3);
	assert_int_equal(fake_count(&fake, 0, "CREATE TABLE IF NOT EXISTS history_voids"), 2);
	/* The change of the column `batch` needs a newer server. */
	assert_int_equal(fake_count(&fake, 0, "MODIFY COLUMN batch"), 0);
	assert_int_equal(fake_count(&fake, 0, "'would-deny' = 5"), 3);
	tw_store_writer_free(writer);
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), 0);
	assert_int_equal(fake_count(&fake, 0, "CREATE TABLE IF NOT EXISTS history_voids"), 2);
	tw_store_writer_free(writer);
	fake.migration = 99;
	writer = open_writer(&fake, NULL);
	assert_int_equal(writer->ops->ready(writer), -EPROTO);
	assert_non_null(strstr(state_of(writer).why, "the tables have version 99"));
	tw_store_writer_free(writer);
	fake_stop(&fake);
}

/* ---- access ---- */

static void write_login(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_login(void **state)
{
	static const char *const bad[] = {"", "name", "name\npassword\nmore", "\npassword\n"};
	char path[] = "/tmp/tapwall-login-XXXXXX";
	struct tw_store_access access = {.login = path};
	struct tw_store_writer *writer = NULL;
	struct tw_err err = {0};
	struct fake fake;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	fake_start(&fake);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_login(path, bad[i], 0600);
		assert_int_equal(
			tw_place_open_writer(fake.place, &access, &limits, &writer, &err), -EINVAL);
	}
	write_login(path, "anna\nit's \"secret\"\n", 0644);
	assert_int_equal(tw_place_open_writer(fake.place, &access, &limits, &writer, &err), -EPERM);
	write_login(path, "anna\nit's \"secret\"\n", 0600);
	writer = open_writer(&fake, &access);
	assert_int_equal(writer->ops->ready(writer), 0);
	assert_non_null(strstr(fake.headers, "\r\nX-ClickHouse-User: anna\r\n"));
	assert_non_null(strstr(fake.headers, "\r\nX-ClickHouse-Key: it's \"secret\"\r\n"));
	assert_null(strstr(strstr(fake.headers, "POST"), "secret\"\r\nX-"));
	append(writer, 1);
	fake_fail(&fake, FAULT_DENY, "INSERT INTO history (");
	assert_int_equal(writer->ops->commit(writer), -EACCES);
	assert_null(strstr(state_of(writer).why, "secret"));
	tw_store_writer_free(writer);
	fake_stop(&fake);
	unlink(path);
}

static void test_place(void **state)
{
	static const char *const bad[] = {"clickhouse://", "clickhouse://host",
		"clickhouse://host/", "clickhouse://host/a b", "clickhouse://host/a;b",
		"clickhouse:///db", "clickhouse://host:0/db", "clickhouse://host:65536/db",
		"clickhouse://host:1x/db", "clickhouse://user@host/db", "clickhouse://ho st/db",
		"clickhouse://[::1/db", "clickhouse://host/db?x=1", "clickhouse://host#/db",
		"clickhouse://a/b/c"};
	static const char *const good[] = {"clickhouse://host/db",
		"clickhouses://host.example:1/d_1", "clickhouse://[::1]/db",
		"clickhouse://[fe80::1%eth0]:8123/db"};
	struct tw_store_writer *writer = NULL;
	struct tw_err err = {0};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (tw_place_open_writer(bad[i], NULL, &limits, &writer, &err) != -EINVAL)
			fail_msg("%s is taken", bad[i]);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (tw_place_open_writer(good[i], NULL, &limits, &writer, &err))
			fail_msg("%s: %s", good[i], err.text);
		tw_store_writer_free(writer);
	}
	assert_false(tw_place_is_remote("/var/lib/history.db"));
}

/* A server that hangs does not keep a thread from ending. */
static void test_end(void **state)
{
	_Atomic uint64_t end_ns = 0;
	struct tw_store_access access = {.end_ns = &end_ns};
	struct tw_store_writer *writer;
	uint64_t began_ns = tw_clock_ns();
	struct fake fake;

	fake_start(&fake);
	writer = open_writer(&fake, &access);
	assert_int_equal(writer->ops->ready(writer), 0);
	append(writer, 1);
	fake_fail(&fake, FAULT_HANG, "INSERT INTO history (");
	atomic_store(&end_ns, began_ns);
	assert_int_equal(writer->ops->commit(writer), -EIO);
	assert_true(tw_clock_ns() - began_ns < 8000000000u);
	tw_store_writer_free(writer);
	fake_stop(&fake);
}

/* ---- questions ---- */

static void test_lies(void **state)
{
	struct tw_history_query query = {.limit = 10, .count = true};
	struct tw_history_result result;
	struct tw_history_extent extent;
	struct tw_history_use *uses;
	struct tw_store_reader *reader = NULL;
	struct tw_err err = {0};
	struct fake fake;
	size_t n;

	fake_start(&fake);
	assert_int_equal(tw_place_open_reader(fake.place, NULL, &reader, &err), 0);
	query.count = false;
	fake_fail(&fake, FAULT_LIE, "ORDER BY time_us DESC, batch");
	/* Without rows, there is no second question. */
	assert_int_equal(reader->ops->select(reader, &query, &result, &err), 0);
	assert_int_equal(result.n, 0);
	tw_history_result_done(&result);
	fake_fail(&fake, FAULT_LIE, "GROUP BY");
	assert_int_equal(reader->ops->top(reader, &query.filter, TW_HISTORY_BY_RULE,
				 TW_HISTORY_ORDER_BYTES, 10, &result, &err),
		-EPROTO);
	fake_fail(&fake, FAULT_LIE, "GROUP BY");
	assert_int_equal(reader->ops->uses(reader, &uses, &n, &err), -EPROTO);
	fake_fail(&fake, FAULT_REFUSE, "system.parts");
	assert_int_equal(reader->ops->get_extent(reader, &extent, &err), -EIO);
	assert_non_null(strstr(err.text, "Too many"));
	/* The time of the last row is nonsense; the rows are asked for, and there are none. */
	fake_fail(&fake, FAULT_LIE, "min(time_us)");
	assert_int_equal(reader->ops->select(reader, &query, &result, &err), 0);
	tw_history_result_done(&result);
	tw_store_reader_free(reader);
	fake_stop(&fake);
}

static void test_literals(void **state)
{
	struct tw_history_filter filter = {0};
	tw_auto_buf struct tw_buf sql = {0};
	char text[256];

	for (int i = 1; i < 256; i++)
		text[i - 1] = (char)i;
	text[255] = '\0';
	tw_filter_sql_text(&sql, text);
	assert_int_equal(sql.data[0], '\'');
	for (size_t i = 1; i < sql.len - 1; i++)
		assert_true(
			strchr("\\0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
				sql.data[i]) != NULL);
	assert_int_equal(sql.data[sql.len - 1], '\'');
	/* Only hexadecimal digits follow a backslash. */
	for (const char *at = strchr(sql.data, '\\'); at; at = strchr(at + 1, '\\'))
		assert_true(at[1] == 'x' && strspn(at + 2, "0123456789ABCDEF") >= 2);
	tw_buf_reset(&sql);
	filter.either.workload = filter.from.workload = filter.to.workload = "'";
	filter.rule = filter.host = "\\'";
	tw_filter_sql_add(&sql, &filter, true);
	assert_null(strstr(sql.data, "'''"));
	assert_non_null(strstr(sql.data, "(from_workload = '\\x27' OR to_workload = '\\x27')"));
	assert_non_null(strstr(sql.data, "(out_rule = '\\x5C\\x27' OR in_rule = '\\x5C\\x27')"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_commit),
		cmocka_unit_test(test_lost_answer),
		cmocka_unit_test(test_lost_commit),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_superseded),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_end),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_literals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
