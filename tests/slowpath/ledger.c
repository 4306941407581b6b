/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the slow path's list of quarantines: numbers of changes grow, a restart keeps all, the list
 * is bounded, and a change that cannot be stored changes nothing. */
#include "tests/unit/test.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "slowpath/quarantine/ledger.h"

struct fixture {
	char folder[64];
	char path[96];
	struct tw_policies *policies;
	struct tw_ledger *ledger;
};

static void open_ledger(struct fixture *f)
{
	const struct tw_policies_limits limits = {1000, 256u << 20};
	struct tw_err err = {0};

	assert_int_equal(tw_policies_open(f->path, &limits, &f->policies, &err), 0);
	assert_int_equal(tw_ledger_open(f->policies, &f->ledger, &err), 0);
}

static void close_ledger(struct fixture *f)
{
	tw_ledger_free(f->ledger);
	tw_policies_free(f->policies);
	f->ledger = NULL;
	f->policies = NULL;
}

static void set_up(struct fixture *f)
{
	*f = (struct fixture){0};
	snprintf(f->folder, sizeof(f->folder), "/tmp/tapwall-ledger-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/policies.db", f->folder);
	open_ledger(f);
}

static void tear_down(struct fixture *f)
{
	close_ledger(f);
	unlink(f->path);
	assert_int_equal(rmdir(f->folder), 0);
}

static int begin_one(struct fixture *f, const char *workload, uint64_t *ret_change)
{
	struct tw_ledger_row row = {.reason = "why", .who = "ann", .since_s = 1};
	struct tw_err err = {0};
	int code;

	snprintf(row.workload, sizeof(row.workload), "%s", workload);
	code = tw_ledger_begin(f->ledger, &row, &err);
	assert_int_equal(err.code, code);
	*ret_change = row.change;
	return code;
}

static int end_one(struct fixture *f, const char *workload, bool unknown, uint64_t *ret_change)
{
	struct tw_ledger_row row = {0};
	struct tw_err err = {0};
	int code = tw_ledger_end(f->ledger, workload, "bob", unknown, &row, &err);

	assert_int_equal(err.code, code);
	*ret_change = row.change;
	return code;
}

static void changes_grow_over_restarts(void **state)
{
	struct fixture f;
	uint64_t first, second, third, fourth;

	set_up(&f);
	assert_int_equal(begin_one(&f, "w1", &first), 0);
	assert_true(first > (uint64_t)time(NULL) * 900000);
	assert_int_equal(begin_one(&f, "w2", &second), 0);
	close_ledger(&f);
	open_ledger(&f);
	assert_int_equal(tw_ledger_count(f.ledger), 2);
	assert_int_equal(end_one(&f, "w1", false, &third), 0);
	assert_int_equal(begin_one(&f, "w2", &fourth), 0);
	assert_true(first < second && second < third && third < fourth);
	assert_int_equal(tw_ledger_newest(f.ledger), fourth);
	assert_null(tw_ledger_find(f.ledger, "w1"));
	assert_int_equal(tw_ledger_find(f.ledger, "w2")->change, fourth);
	assert_int_equal(tw_ledger_at(f.ledger, 0)->change, third);
	assert_string_equal(tw_ledger_at(f.ledger, 0)->ended_by, "bob");
	assert_null(tw_ledger_at(f.ledger, 2));
	tear_down(&f);
}

static void a_change_from_the_future_is_followed_by_a_newer_one(void **state)
{
	struct fixture f;
	uint64_t change;

	set_up(&f);
	assert_int_equal(begin_one(&f, "w1", &change), 0);
	close_ledger(&f);
	assert_int_equal(tw_policies_open(f.path, &(struct tw_policies_limits){10, 1 << 20},
				 &f.policies, NULL),
		0);
	assert_int_equal(
		sqlite3_exec(tw_policies_db(f.policies),
			"UPDATE quarantine SET change = 9000000000000000", NULL, NULL, NULL),
		SQLITE_OK);
	tw_policies_free(f.policies);
	open_ledger(&f);
	assert_int_equal(begin_one(&f, "w2", &change), 0);
	assert_int_equal(change, 9000000000000001);
	tear_down(&f);
}

static void what_is_unknown_is_ended_only_on_demand(void **state)
{
	struct fixture f;
	uint64_t change;

	set_up(&f);
	assert_int_equal(end_one(&f, "w1", false, &change), -ENOENT);
	assert_null(tw_ledger_at(f.ledger, 0));
	assert_int_equal(end_one(&f, "w1", true, &change), 0);
	assert_int_equal(tw_ledger_at(f.ledger, 0)->change, change);
	tear_down(&f);
}

static void the_list_is_bounded(void **state)
{
	struct fixture f;
	uint64_t change;
	char name[16];

	set_up(&f);
	/* This test is not about durability. */
	sqlite3_exec(tw_policies_db(f.policies), "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	for (unsigned int i = 0; i < TW_LEDGER_MAX; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		assert_int_equal(begin_one(&f, name, &change), 0);
	}
	assert_int_equal(begin_one(&f, "more", &change), -ENOSPC);
	assert_int_equal(begin_one(&f, "w7", &change), 0);
	for (unsigned int i = 0; i < TW_LEDGER_ENDED_MAX + 10; i++) {
		assert_int_equal(end_one(&f, "w7", false, &change), 0);
		assert_int_equal(begin_one(&f, "w7", &change), 0);
	}
	assert_int_equal(tw_ledger_count(f.ledger), TW_LEDGER_MAX);
	assert_null(tw_ledger_at(f.ledger, TW_LEDGER_MAX + TW_LEDGER_ENDED_MAX + 1));
	assert_non_null(tw_ledger_find(f.ledger, "w0"));
	tear_down(&f);
}

static void a_change_that_is_not_stored_changes_nothing(void **state)
{
	struct fixture f;
	uint64_t change, again;

	set_up(&f);
	assert_int_equal(begin_one(&f, "w1", &change), 0);
	sqlite3_exec(tw_policies_db(f.policies), "PRAGMA query_only = 1", NULL, NULL, NULL);
	assert_true(begin_one(&f, "w2", &again) < 0);
	assert_true(begin_one(&f, "w1", &again) < 0);
	assert_true(end_one(&f, "w1", false, &again) < 0);
	assert_int_equal(tw_ledger_newest(f.ledger), change);
	assert_int_equal(tw_ledger_count(f.ledger), 1);
	sqlite3_exec(tw_policies_db(f.policies), "PRAGMA query_only = 0", NULL, NULL, NULL);
	assert_int_equal(begin_one(&f, "w2", &again), 0);
	tear_down(&f);
}

static void time_ends_it(void **state)
{
	struct tw_ledger_row row = {.workload = "w1", .reason = "why", .who = "ann", .until_s = 1};
	struct tw_err err = {0};
	struct fixture f;

	set_up(&f);
	assert_int_equal(tw_ledger_begin(f.ledger, &row, &err), 0);
	tw_ledger_tick(f.ledger);
	assert_int_equal(tw_ledger_count(f.ledger), 0);
	assert_true(tw_ledger_at(f.ledger, 0)->change > row.change);
	assert_string_equal(tw_ledger_at(f.ledger, 0)->ended_by, "");
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_grow_over_restarts),
		cmocka_unit_test(a_change_from_the_future_is_followed_by_a_newer_one),
		cmocka_unit_test(what_is_unknown_is_ended_only_on_demand),
		cmocka_unit_test(the_list_is_bounded),
		cmocka_unit_test(a_change_that_is_not_stored_changes_nothing),
		cmocka_unit_test(time_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
