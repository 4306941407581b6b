/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The history gives the same answers as a plain scan of its rows, while it grows and is closed
 * and opened again. */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/history/rows.h"
#include "tests/history/file.h"
#include "tests/scale.h"

#define START_US (1767225600ull * 1000000)
#define ROWS	 80000u
#define LIMIT	 150u

struct world {
	struct history_file file;
	struct tw_history *history;
	struct tw_history_reader *reader;
	struct row_names names;
	struct random random;
	struct tw_history_row *rows; /* all, in order of arrival */
	size_t n;
	uint64_t now_us;
};

static void open_world(struct world *w)
{
	const struct tw_history_limits limits = {0};
	struct tw_err err = {0};

	assert_int_equal(tw_history_open(w->file.path, &limits, &w->history, &err), 0);
	names_make(w->history, &w->names);
	assert_int_equal(tw_history_commit(w->history, NULL), 0);
	if (!w->reader)
		assert_int_equal(tw_history_reader_open(w->file.path, &w->reader, &err), 0);
}

/* Appends rows whose times are mostly in order, in commits of random size. */
static void grow(struct world *w, size_t n, bool few, uint64_t step_us)
{
	for (size_t end = w->n + n; w->n < end;) {
		size_t first = w->n, size = 1 + random_below(&w->random,
							random_below(&w->random, 4) ? 50 : 40000);
		uint64_t seq = 0;

		size = size < end - w->n ? size : end - w->n;
		for (; w->n < first + size; w->n++) {
			uint64_t late = random_below(&w->random, 10)
						? 0
						: random_below(&w->random, 5000000);

			w->now_us += random_next(&w->random) % (2 * step_us);
			row_make(&w->random, &w->names, w->now_us - late, few, &w->rows[w->n]);
		}
		assert_int_equal(tw_history_append(w->history, w->rows + first, size), 0);
		assert_int_equal(tw_history_commit(w->history, &seq), 0);
		assert_int_equal(seq, w->n);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct tw_history_row *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return memcmp(x, y, sizeof(*x));
}

/* Compares an answer with a scan. Rows of equal time may come in any order, and the limit may cut
 * off some of them: the answer's rows of its last time need only be among those that the scan
 * found. */
static void compare(struct world *w, const struct tw_history_query *q)
{
	struct tw_history_row *found = calloc(w->n + 1, sizeof(*found));
	struct tw_history_result result;
	size_t n = 0, expected;
	uint64_t edge;

	assert_non_null(found);
	for (size_t i = 0; i < w->n; i++)
		if (row_matches(&w->names, &w->rows[i], &q->filter))
			found[n++] = w->rows[i];
	qsort(found, n, sizeof(*found), by_time);
	assert_int_equal(tw_history_select(w->reader, q, &result), 0);
	assert_int_equal(result.n_damage, 0);
	if (q->count)
		assert_int_equal(result.matched, n);
	expected = n < q->limit ? n : q->limit;
	assert_int_equal(result.n, expected);
	for (size_t i = 0; i < expected; i++)
		assert_int_equal(
			result.rows[i].time_us, found[q->oldest_first ? i : n - 1 - i].time_us);
	edge = expected ? result.rows[expected - 1].time_us : 0;
	if (expected)
		qsort(result.rows, expected, sizeof(*found), by_time);
	for (size_t i = 0; i < expected; i++) {
		if (result.rows[i].time_us == edge)
			assert_non_null(
				bsearch(&result.rows[i], found, n, sizeof(*found), by_time));
		else
			assert_memory_equal(&result.rows[i],
				&found[q->oldest_first ? i : n - expected + i], sizeof(*found));
	}
	tw_history_result_done(&result);
	free(found);
}

static void init(struct world *w, uint64_t seed)
{
	*w = (struct world){.random.state = seed, .now_us = START_US};
	print_message("seed %llu\n", (unsigned long long)seed);
	file_make(&w->file);
	w->rows = calloc(20 * ROWS, sizeof(*w->rows));
	assert_non_null(w->rows);
	open_world(w);
}

static void done(struct world *w)
{
	tw_history_reader_free(w->reader);
	tw_history_free(w->history);
	file_remove(&w->file);
	free(w->rows);
}

static void answers_as_a_scan_does(void **state)
{
	struct world w;

	init(&w, 42);
	for (int round = 0; round < 4; round++) {
		grow(&w, ROWS / 4, false, 2000);
		for (size_t i = 0; i < 60 * tw_scale(); i++) {
			struct tw_history_query q = {.limit = random_below(&w.random, LIMIT),
				.oldest_first = random_below(&w.random, 2),
				.count = random_below(&w.random, 2)};

			filter_make(&w.random, START_US, w.now_us, &q.filter);
			compare(&w, &q);
		}
		compare(&w,
			&(struct tw_history_query){.limit = TW_HISTORY_LIMIT_MAX, .count = true});
		tw_history_free(w.history);
		open_world(&w);
	}
	done(&w);
}

/* Returns key and name of a row in one dimension, as rollup.h defines them. */
static void key_of(const struct tw_history_row *row, int dimension, struct tw_history_total *t)
{
	*t = (struct tw_history_total){0};
	if (dimension <= TW_HISTORY_BY_DESTINATION) {
		t->key = tw_history_key_of_addr(&row->addr[dimension]);
		t->name = row->workload[dimension];
	} else if (dimension == TW_HISTORY_BY_SERVICE) {
		t->key.lo = (uint64_t)row->proto << 16 | row->port[1];
	} else {
		t->name = tw_history_rule_of(row);
	}
}

static void compare_top(struct world *w, const struct tw_history_filter *f, int dimension)
{
	struct tw_history_total *sums = calloc(w->n + 1, sizeof(*sums)), t;
	struct tw_history_result result;
	size_t n = 0, at;

	assert_non_null(sums);
	for (size_t i = 0; i < w->n; i++) {
		const struct tw_history_row *row = &w->rows[i];

		if (!row_matches(&w->names, row, f) || row->kind == TW_HISTORY_LIVE)
			continue;
		key_of(row, dimension, &t);
		for (at = 0; at < n; at++)
			if (!tw_history_key_compare(sums[at].key, t.key) && sums[at].name == t.name)
				break;
		n += at == n;
		sums[at].key = t.key;
		sums[at].name = t.name;
		sums[at].sums.connections += row->kind == TW_HISTORY_CLOSE;
		sums[at].sums.denials += row->kind == TW_HISTORY_DENY;
		for (int way = 0; way < 2; way++) {
			sums[at].sums.packets[way] += row->packets[way];
			sums[at].sums.bytes[way] += row->bytes[way];
		}
	}
	assert_int_equal(tw_history_top(w->reader, f, dimension, TW_HISTORY_ORDER_CONNECTIONS,
				 UINT32_MAX, &result),
		0);
	assert_int_equal(result.n_damage + result.damaged_rollups, 0);
	assert_int_equal(result.n_totals, n);
	for (size_t i = 0; i < n; i++) {
		const struct tw_history_total *got = &result.totals[i];

		assert_true(!i || result.totals[i - 1].sums.connections >= got->sums.connections);
		for (at = 0; at < n; at++)
			if (!tw_history_key_compare(sums[at].key, got->key) &&
				sums[at].name == got->name)
				break;
		assert_true(at < n);
		assert_memory_equal(&sums[at].sums, &got->sums, sizeof(got->sums));
	}
	tw_history_result_done(&result);
	free(sums);
}

/* Writes rows of five days, so that minutes, hours and days are merged. */
static void totals_are_those_of_a_scan(void **state)
{
	const uint64_t minute = 60000000, hour = 60 * minute, day = 24 * hour;
	struct world w;

	init(&w, 7);
	for (int round = 0; round < 5; round++) {
		grow(&w, 24000, true, day / 24000);
		for (size_t i = 0; i < 6 * tw_scale(); i++) {
			struct tw_history_filter f = {0};
			uint64_t unit = i % 2 ? hour : minute, first = START_US;
			uint64_t span;

			/* Minutes are kept for two days. */
			if (unit == minute && w.now_us > START_US + 2 * day)
				first = (w.now_us - 2 * day + hour) / hour * hour;
			span = (w.now_us - first) / unit;
			f.since_us = first + random_below(&w.random, (uint32_t)span) * unit;
			f.until_us = f.since_us +
				     (1 + random_below(&w.random, (uint32_t)span)) * unit;
			compare_top(&w, &f, i % TW_HISTORY_DIMENSION__MAX);
		}
		compare_top(&w, &(struct tw_history_filter){0}, round % TW_HISTORY_DIMENSION__MAX);
		compare_top(&w, &(struct tw_history_filter){.to.workload = "w2"},
			round % TW_HISTORY_DIMENSION__MAX);
		tw_history_free(w.history);
		open_world(&w);
	}
	done(&w);
}

static void a_rule_is_used_when_it_last_decided(void **state)
{
	struct world w;
	uint64_t last[NAMES + 1] = {0}, got;

	init(&w, 3);
	grow(&w, 70000, true, 2000);
	for (size_t i = 0; i < w.n; i++)
		for (unsigned int r = 1; r <= NAMES; r++)
			if ((w.rows[i].rule[0] == w.names.of[TW_HISTORY_RULE][r] ||
				    w.rows[i].rule[1] == w.names.of[TW_HISTORY_RULE][r]) &&
				w.rows[i].time_us > last[r])
				last[r] = w.rows[i].time_us;
	for (unsigned int r = 1; r <= NAMES; r++) {
		const char name[] = {'r', (char)('0' + r), '\0'};

		assert_int_equal(tw_history_rule_used(w.reader, name, &got), 0);
		assert_int_equal(got, last[r]);
	}
	assert_int_equal(tw_history_rule_used(w.reader, "r9", &got), 0);
	assert_int_equal(got, 0);
	assert_string_equal(tw_history_text(w.reader, w.names.of[TW_HISTORY_RULE][3]), "r3");
	assert_string_equal(tw_history_text(w.reader, 12345), "");
	done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_as_a_scan_does),
		cmocka_unit_test(totals_are_those_of_a_scan),
		cmocka_unit_test(a_rule_is_used_when_it_last_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
