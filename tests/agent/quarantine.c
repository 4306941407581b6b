/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the agent's list of quarantines: which changes of the slow path count, what this host's
 * operator ends, and what a restart finds. No policy is in force, so no port is involved. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/publish/enforcement.h"
#include "agent/publish/quarantine.h"
#include "agent/state/store.h"

struct fixture {
	char folder[64];
	struct tw_enforcement enforcement;
	struct tw_quarantines list;
};

static void open_store(struct fixture *f)
{
	struct tw_err err = {0};

	f->list = (struct tw_quarantines){0};
	f->enforcement = (struct tw_enforcement){.quarantines = &f->list};
	assert_int_equal(tw_store_open(f->folder, &f->enforcement.store, &err), 0);
	assert_null(tw_quarantines_load(&f->list, f->enforcement.store));
}

static void close_store(struct fixture *f)
{
	tw_quarantines_done(&f->list);
	tw_store_free(f->enforcement.store);
}

static void set_up(struct fixture *f)
{
	snprintf(f->folder, sizeof(f->folder), "/tmp/tapwall-quarantine-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	open_store(f);
}

static void tear_down(struct fixture *f)
{
	static const char *const kept[] = {TW_STORE_QUARANTINE, TW_STORE_PRESENT};
	char path[128];

	tw_store_remove(f->enforcement.store);
	close_store(f);
	for (size_t i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->folder, kept[i]);
		unlink(path);
	}
	rmdir(f->folder);
}

static struct tw_quarantine row_for(const char *workload, uint64_t change)
{
	struct tw_quarantine row = {.reason = "why", .who = "ann", .since_s = 1, .change = change};

	snprintf(row.workload, sizeof(row.workload), "%s", workload);
	return row;
}

static int change_one(struct fixture *f, const char *workload, uint64_t change, bool lift)
{
	struct tw_quarantine_change one = {.row = row_for(workload, change), .lift = lift};
	struct tw_err err = {0};

	return tw_quarantine_change(&f->enforcement, &one, 1, &err);
}

static bool is_shut(const struct fixture *f, const char *workload)
{
	return tw_quarantines_find(&f->list, workload, NULL);
}

static void add_here(struct fixture *f, const char *workload)
{
	const struct tw_quarantine row = row_for(workload, 0);
	struct tw_err err = {0};

	assert_int_equal(tw_quarantine_add(&f->enforcement, &row, &err), 0);
}

static void an_older_change_ends_nothing(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	assert_int_equal(change_one(&f, "w1", 10, false), 0);
	assert_true(is_shut(&f, "w1"));
	assert_int_equal(change_one(&f, "w1", 9, true), 0);
	assert_int_equal(change_one(&f, "w1", 10, true), 0);
	assert_true(is_shut(&f, "w1"));
	assert_int_equal(tw_quarantine_change(&f.enforcement, NULL, 0, NULL), 0);
	assert_true(is_shut(&f, "w1"));
	assert_int_equal(change_one(&f, "w1", 11, true), 0);
	assert_false(is_shut(&f, "w1"));
	tear_down(&f);
}

static void an_older_change_does_not_replace_a_newer_one(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	assert_int_equal(change_one(&f, "w1", 10, false), 0);
	assert_int_equal(change_one(&f, "w1", 5, false), 0);
	assert_int_equal(tw_quarantines_row(&f.list, "w1", true)->change, 10);
	assert_int_equal(tw_quarantines_count(&f.list, true), 1);
	tear_down(&f);
}

static void the_slow_path_ends_only_its_own(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(change_one(&f, "w1", 10, false), 0);
	assert_int_equal(change_one(&f, "w1", 11, true), 0);
	assert_true(is_shut(&f, "w1"));
	assert_null(tw_quarantines_row(&f.list, "w1", true));
	tear_down(&f);
}

static void the_host_ends_both_and_remembers_it(void **state)
{
	struct fixture f = {0};
	struct tw_err err = {0};

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(change_one(&f, "w1", 10, false), 0);
	assert_int_equal(tw_quarantine_lift(&f.enforcement, "w1", "bob", &err), 0);
	assert_false(is_shut(&f, "w1"));
	assert_int_equal(f.list.n_ended, 1);
	close_store(&f);
	open_store(&f);
	assert_int_equal(change_one(&f, "w1", 10, false), 0);
	assert_false(is_shut(&f, "w1"));
	assert_string_equal(tw_quarantines_row(&f.list, "w1", true)->ended_by, "bob");
	assert_int_equal(tw_quarantine_lift(&f.enforcement, "w1", "bob", &err), -ENOENT);
	assert_int_equal(change_one(&f, "w1", 12, false), 0);
	assert_true(is_shut(&f, "w1"));
	tear_down(&f);
}

static void a_restart_keeps_all(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(change_one(&f, "w2", 10, false), 0);
	tw_quarantines_note(tw_quarantines_row(&f.list, "w2", true), "tap2");
	tw_quarantine_tick(&f.enforcement);
	close_store(&f);
	open_store(&f);
	assert_true(is_shut(&f, "w1") && is_shut(&f, "w2"));
	assert_non_null(tw_quarantines_find(&f.list, NULL, "tap2"));
	tear_down(&f);
}

static void the_port_of_a_workload_that_is_gone_stays_shut(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(change_one(&f, "w1", 10, false), 0);
	tw_quarantines_note(tw_quarantines_row(&f.list, "w1", true), "tap1");
	assert_int_equal(change_one(&f, "w1", 11, true), 0);
	assert_non_null(tw_quarantines_find(&f.list, NULL, "tap1"));
	tear_down(&f);
}

static void the_list_is_bounded(void **state)
{
	struct fixture f = {0};
	char name[16];

	set_up(&f);
	for (unsigned int i = 0; i < TW_QUARANTINES_MAX; i++) {
		struct tw_quarantine row;

		snprintf(name, sizeof(name), "w%u", i);
		row = row_for(name, i + 1);
		assert_int_equal(tw_vec_push(&f.list.list, row), 0);
	}
	assert_int_equal(change_one(&f, "more", 5000, false), -ENOSPC);
	assert_false(is_shut(&f, "more"));
	assert_int_equal(tw_quarantines_count(&f.list, true), TW_QUARANTINES_MAX);
	assert_int_equal(change_one(&f, "w1", 5001, false), 0);
	add_here(&f, "here");
	tear_down(&f);
}

static void forget_file(struct fixture *f, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", f->folder, name);
	assert_int_equal(unlink(path), 0);
}

static const char *load_again(struct fixture *f)
{
	struct tw_err err = {0};

	f->list = (struct tw_quarantines){0};
	f->enforcement = (struct tw_enforcement){.quarantines = &f->list};
	assert_int_equal(tw_store_open(f->folder, &f->enforcement.store, &err), 0);
	return tw_quarantines_load(&f->list, f->enforcement.store);
}

static void a_file_that_is_gone_is_missed(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add_here(&f, "w1");
	close_store(&f);
	forget_file(&f, TW_STORE_QUARANTINE);
	assert_string_equal(load_again(&f), "is missing");
	/* The list is reported as missing until there is another one. */
	close_store(&f);
	assert_string_equal(load_again(&f), "is missing");
	add_here(&f, "w2");
	close_store(&f);
	assert_null(load_again(&f));
	assert_true(is_shut(&f, "w2"));
	tear_down(&f);
}

static void an_empty_list_is_not_missed(void **state)
{
	struct tw_err err = {0};
	struct fixture f = {0};

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(tw_quarantine_lift(&f.enforcement, "w1", "bob", &err), 0);
	close_store(&f);
	forget_file(&f, TW_STORE_QUARANTINE);
	assert_null(load_again(&f));
	tear_down(&f);
}

static void an_older_file_is_noticed(void **state)
{
	struct fixture f = {0};
	char *text = NULL;
	size_t len = 0;

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(tw_store_read(f.enforcement.store, TW_STORE_QUARANTINE, &text, &len), 0);
	add_here(&f, "w2");
	assert_int_equal(
		tw_store_write(f.enforcement.store, TW_STORE_QUARANTINE, text, len, NULL), 0);
	free(text);
	close_store(&f);
	assert_string_equal(load_again(&f), "is older than the last one");
	assert_true(is_shut(&f, "w1"));
	add_here(&f, "w2");
	close_store(&f);
	assert_null(load_again(&f));
	tear_down(&f);
}

static void a_damaged_note_of_the_files_frees_nothing(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add_here(&f, "w1");
	assert_int_equal(tw_store_write(f.enforcement.store, TW_STORE_PRESENT, "{}", 2, NULL), 0);
	close_store(&f);
	assert_null(load_again(&f));
	assert_true(is_shut(&f, "w1"));
	close_store(&f);
	forget_file(&f, TW_STORE_QUARANTINE);
	assert_string_equal(load_again(&f), "is missing");
	tear_down(&f);
}

static void a_port_of_a_lost_list_stays_shut(void **state)
{
	struct tw_err err = {0};
	struct fixture f = {0};

	set_up(&f);
	assert_int_equal(tw_quarantines_keep_port(&f.list, "tap1"), 0);
	assert_int_equal(tw_quarantines_keep_port(&f.list, "tap1"), 0);
	assert_int_equal(f.list.list.n, 1);
	assert_non_null(tw_quarantines_find(&f.list, "w1", "tap1"));
	assert_null(tw_quarantines_find(&f.list, "tap1", "tap2"));
	add_here(&f, "w1");
	tw_quarantines_note(tw_quarantines_row(&f.list, "w1", false), "tap1");
	close_store(&f);
	open_store(&f);
	assert_non_null(tw_quarantines_find(&f.list, "w9", "tap1"));
	assert_int_equal(tw_quarantine_lift(&f.enforcement, "tap1", "bob", &err), 0);
	assert_null(tw_quarantines_find(&f.list, "w9", "tap1"));
	tear_down(&f);
}

static void what_is_over_ends_at_once(void **state)
{
	struct fixture f = {0};
	struct tw_quarantine_change changes[2] = {
		{.row = row_for("w1", 1)}, {.row = row_for("w2", 2)}};

	set_up(&f);
	changes[0].row.until_s = 1;
	changes[1].row.until_s = (uint64_t)time(NULL) + 1000;
	assert_int_equal(tw_quarantine_change(&f.enforcement, changes, 2, NULL), 0);
	assert_false(is_shut(&f, "w1"));
	assert_true(is_shut(&f, "w2"));
	tw_quarantines_row(&f.list, "w2", true)->until_s = 1;
	tw_quarantine_tick(&f.enforcement);
	assert_int_equal(f.list.list.n, 0);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_older_change_ends_nothing),
		cmocka_unit_test(an_older_change_does_not_replace_a_newer_one),
		cmocka_unit_test(the_slow_path_ends_only_its_own),
		cmocka_unit_test(the_host_ends_both_and_remembers_it),
		cmocka_unit_test(a_restart_keeps_all),
		cmocka_unit_test(the_port_of_a_workload_that_is_gone_stays_shut),
		cmocka_unit_test(the_list_is_bounded),
		cmocka_unit_test(a_file_that_is_gone_is_missed),
		cmocka_unit_test(an_empty_list_is_not_missed),
		cmocka_unit_test(an_older_file_is_noticed),
		cmocka_unit_test(a_damaged_note_of_the_files_frees_nothing),
		cmocka_unit_test(a_port_of_a_lost_list_stays_shut),
		cmocka_unit_test(what_is_over_ends_at_once),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
