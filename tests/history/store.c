/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Committed rows survive SIGKILL, a full disk and damage elsewhere in the file, and are kept
 * within the limits. */
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/history/rows.h"
#include "tests/history/file.h"
#include "tests/scale.h"

#define START_US (1767225600ull * 1000000)
#define STEP_US	 100u
#define DAY_US	 (24 * 3600 * 1000000ull)

static struct tw_history *open_history(
	const struct history_file *file, const struct tw_history_limits *limits)
{
	const struct tw_history_limits none = {0};
	struct tw_history *history = NULL;
	struct tw_err err = {0};
	int code = tw_history_open(file->path, limits ? limits : &none, &history, &err);

	if (code)
		print_message("%s\n", err.text);
	assert_int_equal(code, 0);
	return history;
}

/* Makes row number `number`, and stores the number in its byte counter. */
static void make_row(uint64_t number, struct tw_history_row *row)
{
	struct random random = {.state = number + 1};
	const struct row_names names = {0};

	random_next(&random);
	row_make(&random, &names, START_US + number * STEP_US, false, row);
	row->bytes[0] = number;
}

/* Appends rows [from, to) without a commit. */
static int append(struct tw_history *history, uint64_t from, uint64_t to)
{
	int err = 0;

	for (; from < to && !err; from++) {
		struct tw_history_row row;

		make_row(from, &row);
		err = tw_history_append(history, &row, 1);
	}
	return err;
}

/* Checks that the file has rows [from, to), each once and unchanged. Returns the number of rows
 * that follow. */
static uint64_t check_rows(const struct history_file *file, uint64_t from, uint64_t to)
{
	struct tw_history_query q = {.limit = 50000, .oldest_first = true};
	struct tw_history_reader *reader = NULL;
	struct tw_history_result result = {0};
	struct tw_err err = {0};
	uint64_t next = from;
	size_t n;

	assert_int_equal(tw_history_reader_open(file->path, &reader, &err), 0);
	do {
		q.filter.since_us = START_US + next * STEP_US;
		assert_int_equal(tw_history_select(reader, &q, &result), 0);
		assert_int_equal(result.n_damage, 0);
		n = result.n;
		for (size_t i = 0; i < n; i++) {
			struct tw_history_row row;

			make_row(next++, &row);
			assert_memory_equal(&row, &result.rows[i], sizeof(row));
		}
		tw_history_result_done(&result);
	} while (n);
	assert_true(next >= to);
	tw_history_reader_free(reader);
	return next - to;
}

/* ---- SIGKILL ---- */

/* Appends and commits until it is killed, and prints each durable number. */
static void write_for_ever(const struct history_file *file, int out, uint64_t seed)
{
	struct tw_history *history = open_history(file, NULL);
	struct random random = {.state = seed};
	struct tw_history_state state;
	uint64_t seq;

	tw_history_get_state(history, &state);
	for (seq = state.seq;;) {
		uint64_t n = 1 + random_below(&random, random_below(&random, 3) ? 40 : 9000);

		if (append(history, seq, seq + n) ||
			tw_history_mark_source(history, "agent", seq + n) ||
			tw_history_commit(history, &seq) ||
			write(out, &seq, sizeof(seq)) != sizeof(seq))
			_exit(1);
	}
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
	struct random random = {.state = 99};
	struct history_file file;
	uint64_t acknowledged = 0;

	file_make(&file);
	for (size_t round = 0; round < 25 * tw_scale(); round++) {
		uint32_t wanted = 1 + random_below(&random, 60), got = 0;
		uint64_t seq = 0, beyond, marked;
		struct tw_history *history;
		int fds[2], status;
		pid_t child;

		assert_int_equal(pipe(fds), 0);
		child = fork();
		assert_true(child >= 0);
		if (!child) {
			close(fds[0]);
			write_for_ever(&file, fds[1], round + 1);
		}
		close(fds[1]);
		while (got++ < wanted && read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
			acknowledged = seq;
		usleep(random_below(&random, 20000)); /* kills anywhere in the next commits */
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		while (read(fds[0], &seq, sizeof(seq)) == sizeof(seq))
			acknowledged = seq;
		close(fds[0]);
		beyond = check_rows(
			&file, acknowledged > 20000 ? acknowledged - 20000 : 0, acknowledged);
		history = open_history(&file, NULL);
		marked = tw_history_marked(history, "agent");
		tw_history_free(history);
		assert_int_equal(marked, acknowledged + beyond);
	}
	check_rows(&file, 0, acknowledged);
	print_message("%llu rows acknowledged\n", (unsigned long long)acknowledged);
	file_remove(&file);
}

/* ---- a full disk ---- */

/* A limit on file sizes makes writes fail as on a full disk, and needs no privileges. */
static void a_full_disk_loses_nothing(void **state)
{
	struct rlimit old, full;
	struct tw_history_state facts;
	struct tw_history *history;
	struct history_file file;
	uint64_t n = 0, seq = 0, durable;
	int err = 0;

	file_make(&file);
	history = open_history(&file, NULL);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	full = (struct rlimit){.rlim_cur = 3 << 20, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &full), 0);
	while (!err && n < 1000000) {
		assert_int_equal(append(history, n, n + 5000), 0);
		n += 5000;
		err = tw_history_commit(history, &seq);
	}
	assert_true(err == -EIO || err == -EFBIG);
	assert_int_equal(seq, n - 5000);
	durable = seq;
	tw_history_get_state(history, &facts);
	assert_int_equal(facts.failing, err);
	assert_int_equal(facts.pending, 5000);
	/* Rows are accepted up to TW_HISTORY_PENDING_MAX, and then refused. */
	while (!append(history, n, n + 1000))
		n += 1000;
	assert_int_equal(n - durable, TW_HISTORY_PENDING_MAX / 1000 * 1000);
	assert_int_equal(append(history, n, n + 1000), err);
	assert_int_equal(tw_history_commit(history, &seq), err);
	assert_int_equal(seq, durable);
	check_rows(&file, 0, durable);

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_int_equal(tw_history_commit(history, &seq), 0);
	assert_int_equal(seq, n);
	assert_int_equal(append(history, n, n + 10), 0);
	assert_int_equal(tw_history_commit(history, &seq), 0);
	tw_history_get_state(history, &facts);
	assert_int_equal(facts.failing, 0);
	assert_int_equal(facts.pending, 0);
	tw_history_free(history);
	assert_int_equal(check_rows(&file, 0, n + 10), 0);
	file_remove(&file);
}

/* ---- damage ---- */

static void run_sql(const struct history_file *file, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(file->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Writes full blocks, numbered from 1, and a tail. */
static void make_blocks(const struct history_file *file, unsigned int n)
{
	struct tw_history *history = open_history(file, NULL);

	assert_int_equal(append(history, 0, n * 32000 + 100), 0);
	assert_int_equal(tw_history_commit(history, NULL), 0);
	tw_history_free(history);
}

static void a_damaged_block_is_told_and_the_rest_read(void **state)
{
	static const char *const damages[] = {
		/* Block 2: changed addresses, changed ids of rows, truncated times, a missing
		 * column. */
		"UPDATE part SET data = CAST(substr(data, 1, 30000) || x'5a5a' || substr(data, 30003) AS BLOB)"
		" WHERE id = 2 * 32 + 0",
		"UPDATE part SET data = CAST(substr(data, 1, length(data) - 1000) || x'0100' ||"
		" substr(data, length(data) - 997) AS BLOB) WHERE id = 2 * 32 + 0",
		"UPDATE part SET data = substr(data, 1, length(data) - 5) WHERE id = 2 * 32 + 9",
		"DELETE FROM part WHERE id = 2 * 32 + 15",
	};
	static const unsigned int columns[] = {0, 0, 9, 15};

	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		struct tw_history_query q = {.limit = TW_HISTORY_LIMIT_MAX,
			.filter.either = {.has_prefix = true,
				.prefix_len = 96,
				.prefix = {.b = {[10] = 0xff, [11] = 0xff}}}};
		struct tw_history_reader *reader = NULL;
		struct tw_history_result result = {0};
		struct history_file file;
		struct tw_history *history;
		struct tw_err err = {0};
		size_t whole;

		file_make(&file);
		make_blocks(&file, 3);
		assert_int_equal(tw_history_reader_open(file.path, &reader, &err), 0);
		assert_int_equal(tw_history_select(reader, &q, &result), 0);
		assert_int_equal(result.n_damage, 0);
		whole = result.n;
		assert_true(whole > 90000);
		tw_history_result_done(&result);

		run_sql(&file, damages[i]);
		assert_int_equal(tw_history_select(reader, &q, &result), 0);
		assert_int_equal(result.n_damage, 1);
		assert_int_equal(result.damage[0].block, 2);
		assert_int_equal(result.damage[0].column, columns[i]);
		assert_int_equal(result.damage[0].rows, 32000);
		assert_int_equal(result.damage[0].from_us, START_US + 32000 * STEP_US);
		assert_true(result.n > 60000 && result.n < whole - 30000);
		for (size_t k = 0; k < result.n; k++)
			assert_true(result.rows[k].bytes[0] < 32000 ||
				    result.rows[k].bytes[0] >= 64000);
		tw_history_result_done(&result);
		tw_history_reader_free(reader);
		history = open_history(&file, NULL); /* the damaged file accepts new rows */
		assert_int_equal(append(history, 96100, 96200), 0);
		assert_int_equal(tw_history_commit(history, NULL), 0);
		tw_history_free(history);
		file_remove(&file);
	}
}

static void a_damaged_tail_is_set_aside(void **state)
{
	struct tw_history_state facts;
	struct history_file file;
	struct tw_history *history;
	uint64_t seq = 0;

	file_make(&file);
	history = open_history(&file, NULL);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(append(history, i * 100, i * 100 + 100), 0);
		assert_int_equal(tw_history_commit(history, NULL), 0);
	}
	tw_history_free(history);
	run_sql(&file, "UPDATE part SET data = zeroblob(40) WHERE id = 2 * 32 + 6");
	history = open_history(&file, NULL);
	tw_history_get_state(history, &facts);
	assert_int_equal(facts.damaged, 1);
	assert_int_equal(facts.seq, 300);
	assert_int_equal(append(history, 300, 400), 0);
	assert_int_equal(tw_history_commit(history, &seq), 0);
	assert_int_equal(seq, 400);
	tw_history_free(history);
	check_rows(&file, 200, 400);
	file_remove(&file);
}

/* ---- files that are not ours ---- */

static void refuses(const struct history_file *file, int code, const char *text)
{
	const struct tw_history_limits none = {0};
	struct tw_history_reader *reader = NULL;
	struct tw_history *history = NULL;
	struct tw_err err = {0};

	assert_int_equal(tw_history_open(file->path, &none, &history, &err), code);
	assert_non_null(strstr(err.text, text));
	assert_int_equal(tw_history_reader_open(file->path, &reader, &err), code);
	assert_null(history);
	assert_null(reader);
}

static void other_files_are_refused(void **state)
{
	struct history_file file;
	FILE *out;

	file_make(&file);
	make_blocks(&file, 0);
	run_sql(&file, "PRAGMA user_version = 2");
	refuses(&file, -EPROTO, "schema 2, and this version reads schema 1");
	run_sql(&file, "PRAGMA user_version = 1; PRAGMA application_id = 5");
	refuses(&file, -EPROTO, "not a history of tapwall");
	file_remove(&file);

	file_make(&file);
	out = fopen(file.path, "we");
	assert_non_null(out);
	for (int i = 0; i < 1000; i++)
		fputs("this is a letter\n", out);
	fclose(out);
	refuses(&file, -EBADMSG, "not a database");
	file_remove(&file);
}

static void one_process_writes(void **state)
{
	const struct tw_history_limits none = {0};
	struct tw_history *second = NULL, *history;
	struct history_file file;
	struct tw_err err = {0};

	file_make(&file);
	history = open_history(&file, NULL);
	assert_int_equal(tw_history_open(file.path, &none, &second, &err), -EBUSY);
	assert_null(second);
	tw_history_free(history);
	history = open_history(&file, NULL);
	tw_history_free(history);
	file_remove(&file);
}

/* ---- limits ---- */

static void the_oldest_blocks_go_first(void **state)
{
	struct tw_history_limits limits = {.bytes_max = 6 << 20};
	struct tw_history_state facts;
	struct tw_history *history;
	struct history_file file;
	struct stat st;
	uint64_t n = 0;

	file_make(&file);
	history = open_history(&file, &limits);
	for (; n < 1280000; n += 32000) {
		assert_int_equal(append(history, n, n + 32000), 0);
		assert_int_equal(tw_history_commit(history, NULL), 0);
	}
	tw_history_get_state(history, &facts);
	assert_true(facts.bytes <= limits.bytes_max);
	assert_true(facts.rows >= 96000);
	assert_int_equal(facts.rows + facts.rows_dropped, n);
	assert_int_equal(facts.oldest_us, START_US + facts.rows_dropped * STEP_US);
	tw_history_free(history);
	assert_int_equal(stat(file.path, &st), 0);
	assert_true(st.st_size < 3 * (off_t)limits.bytes_max);
	check_rows(&file, facts.rows_dropped, n);

	/* By age: after rows that are three days newer, no old block is left. */
	limits = (struct tw_history_limits){.age_max_us = 2 * DAY_US};
	history = open_history(&file, &limits);
	assert_int_equal(
		append(history, n + 3 * DAY_US / STEP_US, n + 3 * DAY_US / STEP_US + 32000), 0);
	assert_int_equal(tw_history_commit(history, NULL), 0);
	tw_history_get_state(history, &facts);
	assert_int_equal(facts.rows, 32000);
	tw_history_free(history);
	file_remove(&file);
}

/* ---- memory ---- */

/* Each allocation fails once: nothing leaks, and the failed call succeeds when repeated. */
static void out_of_memory_is_told(void **state)
{
	const struct tw_history_limits none = {0};
	struct tw_history_query q = {.limit = 10};
	struct tw_history_reader *reader = NULL;
	struct tw_history *history = NULL;
	struct tw_history_result result = {0};
	struct history_file file;
	struct tw_err err = {0};
	uint32_t name;
	int code = -ENOMEM;

	file_make(&file);
	make_blocks(&file, 0);
	for (size_t n = 1; code == -ENOMEM; n++) {
		tw_alloc_fail_after(n);
		code = tw_history_open(file.path, &none, &history, &err);
		tw_alloc_fail_after(0);
	}
	assert_int_equal(code, 0);
	assert_int_equal(append(history, 100, 32100), 0);
	code = -ENOMEM;
	for (size_t n = 1; code == -ENOMEM; n++) {
		tw_alloc_fail_after(n);
		code = tw_history_name(history, TW_HISTORY_RULE, "a rule", &name);
		if (!code)
			code = tw_history_commit(history, NULL);
		tw_alloc_fail_after(0);
	}
	assert_int_equal(code, 0);
	tw_history_free(history);
	code = -ENOMEM;
	for (size_t n = 1; code == -ENOMEM; n++) {
		tw_alloc_fail_after(n);
		code = tw_history_reader_open(file.path, &reader, &err);
		if (!code)
			code = tw_history_select(reader, &q, &result);
		if (code) {
			tw_history_reader_free(reader);
			reader = NULL;
		}
		tw_alloc_fail_after(0);
	}
	assert_int_equal(code, 0);
	assert_int_equal(result.n, 10);
	tw_history_result_done(&result);
	tw_history_reader_free(reader);
	check_rows(&file, 0, 32100);
	file_remove(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_acknowledged_survives_a_kill),
		cmocka_unit_test(a_full_disk_loses_nothing),
		cmocka_unit_test(a_damaged_block_is_told_and_the_rest_read),
		cmocka_unit_test(a_damaged_tail_is_set_aside),
		cmocka_unit_test(other_files_are_refused),
		cmocka_unit_test(one_process_writes),
		cmocka_unit_test(the_oldest_blocks_go_first),
		cmocka_unit_test(out_of_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
