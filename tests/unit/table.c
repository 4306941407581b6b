/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the native substitute for BPF maps, against a list with linear search. */
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/native/table.h"
#include "tests/diff/random.h"

#define MAX 64

struct key {
	uint32_t words[3];
};

struct entry {
	struct key key;
	uint64_t value;
	bool there;
	void *at;
};

static void table_does_as_a_list_does(void **state)
{
	struct tw_random r = tw_random_from(7);
	struct entry list[96] = {0};
	struct tw_table table;
	size_t n = 0;

	assert_int_equal(tw_table_init(&table, sizeof(struct key), sizeof(uint64_t), MAX), 0);
	for (uint32_t i = 0; i < 96; i++)
		list[i].key = (struct key){{i * 0x9e3779b9u, i & 3, 0}};
	for (int step = 0; step < 200000; step++) {
		struct entry *e = &list[tw_random_below(&r, 96)];
		uint64_t value = tw_random_bits(&r);
		bool only_new = tw_random_one_in(&r, 2);
		uint64_t *found = tw_table_lookup(&table, &e->key);
		int expected;

		assert_int_equal(found != NULL, e->there);
		if (e->there) {
			assert_ptr_equal(found, e->at);
			assert_true(*found == e->value);
		}
		if (tw_random_one_in(&r, 3)) {
			assert_int_equal(tw_table_delete(&table, &e->key), e->there ? 0 : -ENOENT);
			n -= e->there;
			e->there = false;
			continue;
		}
		expected = e->there ? (only_new ? -EEXIST : 0) : (n == MAX ? -E2BIG : 0);
		assert_int_equal(tw_table_update(&table, &e->key, &value, only_new), expected);
		if (!expected) {
			n += !e->there;
			e->there = true;
			e->value = value;
			e->at = tw_table_lookup(&table, &e->key);
		}
		assert_int_equal(table.n, n);
	}
	tw_table_done(&table);
}

static void count_entry(void *arg, const void *key, void *value)
{
	(*(size_t *)arg)++;
}

static void a_cleared_table_is_empty_and_usable(void **state)
{
	struct tw_table table;
	size_t n = 0;

	assert_int_equal(tw_table_init(&table, sizeof(uint32_t), sizeof(uint32_t), 10), 0);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 10; i++)
			assert_int_equal(tw_table_update(&table, &i, &i, 1), 0);
		n = 0;
		tw_table_each(&table, count_entry, &n);
		assert_int_equal(n, 10);
		tw_table_clear(&table);
		assert_int_equal(table.n, 0);
		n = 3;
		assert_null(tw_table_lookup(&table, &n));
	}
	tw_table_done(&table);
}

static void lack_of_memory_is_told(void **state)
{
	struct tw_table table;
	uint32_t key = 1;

	tw_alloc_fail_after(1);
	assert_int_equal(tw_table_init(&table, 4, 4, 10), -ENOMEM);
	tw_alloc_fail_after(0);
	assert_int_equal(tw_table_init(&table, 4, 4, 10), 0);
	tw_alloc_fail_after(1);
	assert_int_equal(tw_table_update(&table, &key, &key, 0), -ENOMEM);
	tw_alloc_fail_after(0);
	assert_null(tw_table_lookup(&table, &key));
	assert_int_equal(tw_table_update(&table, &key, &key, 0), 0);
	assert_non_null(tw_table_lookup(&table, &key));
	tw_table_done(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_does_as_a_list_does),
		cmocka_unit_test(a_cleared_table_is_empty_and_usable),
		cmocka_unit_test(lack_of_memory_is_told),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
