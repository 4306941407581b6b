/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the list of policies that were in force: what a restart finds, what is no longer kept, and
 * what a changed file does. */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "agent/state/store.h"
#include "agent/state/versions.h"

struct fixture {
	char folder[64];
	struct tw_store *store;
	struct tw_versions versions;
};

static void open_store(struct fixture *f)
{
	struct tw_err err = {0};

	f->versions = (struct tw_versions){0};
	assert_int_equal(tw_store_open(f->folder, &f->store, &err), 0);
	tw_versions_load(&f->versions, f->store);
}

static void close_store(struct fixture *f)
{
	tw_versions_done(&f->versions);
	tw_store_free(f->store);
}

static void set_up(struct fixture *f)
{
	snprintf(f->folder, sizeof(f->folder), "/tmp/tapwall-versions-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	open_store(f);
}

/* The directory is empty, and so deleted, only if the texts of all policies are deleted. */
static void tear_down(struct fixture *f)
{
	tw_store_remove(f->store);
	close_store(f);
	assert_int_equal(access(f->folder, F_OK), -1);
}

static void add(struct fixture *f, uint64_t number, const char *text, bool linkable)
{
	const struct tw_inforce inforce = {.text = tw_shared_text_new(text, strlen(text)),
		.source = (char *)(uintptr_t) "policy.yaml",
		.mark = tw_policy_text_mark(text, strlen(text)),
		.generation = number};
	const struct tw_authorship by = {.author = "ann", .comment = "why", .uid = 7};
	struct tw_err err = {0};

	assert_non_null(inforce.text);
	if (linkable)
		assert_int_equal(
			tw_store_write(f->store, TW_STORE_POLICY, text, strlen(text), &err), 0);
	assert_int_equal(tw_versions_add(&f->versions, f->store, &inforce, &by, linkable, &err), 0);
	tw_shared_text_free(inforce.text);
}

static int read_text(struct fixture *f, uint64_t number, const char *expected)
{
	struct tw_err err = {0};
	char *text = NULL;
	size_t len = 0;
	int ret = tw_versions_read(&f->versions, f->store, number, &text, &len, &err);

	if (!ret) {
		assert_int_equal(len, strlen(expected));
		assert_memory_equal(text, expected, len);
	}
	free(text);
	return ret;
}

static void a_restart_finds_all(void **state)
{
	const struct tw_version *found;
	struct fixture f = {0};

	set_up(&f);
	add(&f, 1, "one", true);
	add(&f, 2, "two", true);
	close_store(&f);
	open_store(&f);
	assert_int_equal(f.versions.list.n, 2);
	found = tw_versions_find(&f.versions, 1);
	assert_non_null(found);
	assert_string_equal(found->author, "ann");
	assert_string_equal(found->comment, "why");
	assert_string_equal(found->source, "policy.yaml");
	assert_int_equal(found->uid, 7);
	assert_int_equal(read_text(&f, 1, "one"), 0);
	assert_int_equal(read_text(&f, 2, "two"), 0);
	assert_int_equal(read_text(&f, 3, ""), -ENOENT);
	tear_down(&f);
}

static void the_same_policy_is_one_row(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add(&f, 1, "one", true);
	add(&f, 1, "one", true);
	assert_int_equal(f.versions.list.n, 1);
	/* Another text with the same meaning keeps its number. */
	add(&f, 1, "one again", true);
	assert_int_equal(f.versions.list.n, 1);
	assert_int_equal(read_text(&f, 1, "one again"), 0);
	tear_down(&f);
}

static void the_list_is_bounded(void **state)
{
	struct fixture f = {0};
	char text[16];

	set_up(&f);
	for (uint64_t i = 1; i <= TW_VERSIONS_MAX + 5; i++) {
		snprintf(text, sizeof(text), "text %llu", (unsigned long long)i);
		add(&f, i, text, true);
	}
	assert_int_equal(f.versions.list.n, TW_VERSIONS_MAX);
	assert_int_equal(read_text(&f, 5, ""), -ENOENT);
	assert_int_equal(read_text(&f, 6, "text 6"), 0);
	assert_int_equal(read_text(&f, TW_VERSIONS_MAX + 5, text), 0);
	tear_down(&f);
}

static void a_text_that_is_not_on_disk_is_not_given_out(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add(&f, 1, "one", true);
	add(&f, 2, "two", false);
	assert_int_equal(read_text(&f, 2, ""), -ENODATA);
	assert_int_equal(read_text(&f, 1, "one"), 0);
	tear_down(&f);
}

static void a_changed_text_is_not_given_out(void **state)
{
	struct fixture f = {0};
	char path[128];
	FILE *file;

	set_up(&f);
	add(&f, 1, "one", true);
	add(&f, 2, "two", true);
	snprintf(path, sizeof(path), "%s/policy-1.yaml", f.folder);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fputs("own", file) < 0, 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(read_text(&f, 1, ""), -ENODATA);
	assert_int_equal(read_text(&f, 2, "two"), 0);
	tear_down(&f);
}

static void numbers_that_begin_again_replace_the_old_ones(void **state)
{
	struct fixture f = {0};

	set_up(&f);
	add(&f, 1, "one", true);
	add(&f, 2, "two", true);
	add(&f, 3, "three", true);
	add(&f, 2, "other", true);
	assert_int_equal(f.versions.list.n, 2);
	assert_int_equal(read_text(&f, 1, "one"), 0);
	assert_int_equal(read_text(&f, 2, "other"), 0);
	tear_down(&f);
}

static void the_time_never_goes_back(void **state)
{
	struct fixture f = {0};
	int64_t ahead = time(NULL) + 86400;

	set_up(&f);
	assert_true(tw_versions_now(&f.versions) < ahead);
	add(&f, 1, "one", true);
	f.versions.list.at[0].time_s = ahead;
	assert_int_equal(tw_versions_now(&f.versions), ahead);
	f.versions.list.at[0].time_s = 1;
	assert_int_equal(tw_versions_now(&f.versions), ahead);
	tear_down(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_restart_finds_all),
		cmocka_unit_test(the_same_policy_is_one_row),
		cmocka_unit_test(the_list_is_bounded),
		cmocka_unit_test(a_text_that_is_not_on_disk_is_not_given_out),
		cmocka_unit_test(a_changed_text_is_not_given_out),
		cmocka_unit_test(the_time_never_goes_back),
		cmocka_unit_test(numbers_that_begin_again_replace_the_old_ones),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
