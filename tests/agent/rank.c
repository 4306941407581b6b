/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of rank: the traffic of connections between two walks, and the order of the
 * busiest. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "tests/unit/test.h"

#include "agent/ticks.h"
#include "agent/observe/rank.h"
#include "base/alloc.h"

#define S TW_TICKS_PER_SECOND

static struct tw_key key_of(uint32_t n)
{
	return (struct tw_key){.lo.w = {0, 0, 0, n}, .hi.w = {1, 2, 3, 4}, .proto = 6};
}

static int meet(struct tw_rank *rank, uint32_t n, uint64_t packets, uint64_t bytes,
	uint32_t created, uint32_t seen)
{
	const struct tw_key key = key_of(n);
	const struct tw_conn conn = {.packets = {packets, packets / 2},
		.bytes = {bytes, bytes / 2},
		.created = created,
		.seen = seen};

	return tw_rank_meet(rank, &key, &conn);
}

static struct tw_rank *rank_of(size_t limit)
{
	struct tw_rank *rank = NULL;

	assert_int_equal(tw_rank_new(limit, &rank), 0);
	return rank;
}

static void grown_is_moved(void **state)
{
	tw_auto(tw_rank) struct tw_rank *rank = rank_of(10);
	const struct tw_rank_row *rows;
	struct tw_rank_sums sums;
	const struct tw_key second = key_of(2);

	tw_rank_begin(rank, 100 * S);
	assert_int_equal(meet(rank, 1, 1000, 100000, 10 * S, 99 * S), 0);
	assert_int_equal(meet(rank, 2, 10, 1000, 10 * S, 99 * S), 0);
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 0);
	assert_int_equal(sums.live, 2);
	assert_int_equal(sums.opened, 0);

	tw_rank_begin(rank, 101 * S);
	assert_int_equal(meet(rank, 1, 1000, 100000, 10 * S, 99 * S), 0);
	assert_int_equal(meet(rank, 2, 14, 3000, 10 * S, 101 * S), 0);
	assert_int_equal(meet(rank, 3, 2, 100, 100 * S + 5, 101 * S), 1);
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 2);
	assert_int_equal(sums.live, 3);
	assert_int_equal(sums.opened, 1);
	assert_int_equal(sums.moved, 2);
	assert_memory_equal(&rows[0].key, &second, sizeof(second));
	assert_int_equal(rows[0].packets[TW_WAY_ORIGINAL], 4);
	assert_int_equal(rows[0].packets[TW_WAY_REPLY], 2);
	assert_int_equal(rows[0].bytes[TW_WAY_ORIGINAL], 2000);
	assert_int_equal(rows[0].bytes[TW_WAY_REPLY], 1000);
	assert_int_equal(rows[1].packets[TW_WAY_ORIGINAL], 2);
	/* A connection counts as opened once, in the walk that first finds it. */
	tw_rank_begin(rank, 102 * S);
	assert_int_equal(meet(rank, 3, 2, 100, 100 * S + 5, 101 * S), 0);
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 0);
}

static void a_key_that_is_another_connections_now(void **state)
{
	tw_auto(tw_rank) struct tw_rank *rank = rank_of(10);
	const struct tw_rank_row *rows;
	struct tw_rank_sums sums;

	tw_rank_begin(rank, 100 * S);
	meet(rank, 1, 1000, 100000, 10 * S, 99 * S);
	tw_rank_end(rank, &rows, &sums);
	tw_rank_begin(rank, 101 * S);
	meet(rank, 1, 4, 300, 101 * S, 101 * S);
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 1);
	assert_int_equal(rows[0].packets[TW_WAY_ORIGINAL], 4);
	assert_int_equal(rows[0].bytes[TW_WAY_ORIGINAL], 300);
}

/* A connection that resumes after a long pause has no counters from the previous walk, so it does
 * not count as busy. */
static void sleepers_are_ranked_one_walk_late(void **state)
{
	tw_auto(tw_rank) struct tw_rank *rank = rank_of(10);
	const struct tw_rank_row *rows;
	struct tw_rank_sums sums;

	tw_rank_begin(rank, 1000 * S);
	meet(rank, 1, 1000000, 100000000, 10 * S, 20 * S);
	tw_rank_end(rank, &rows, &sums);
	tw_rank_begin(rank, 1001 * S);
	meet(rank, 1, 1000002, 100000100, 10 * S, 1001 * S);
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 0);
	tw_rank_begin(rank, 1002 * S);
	meet(rank, 1, 1000004, 100000300, 10 * S, 1002 * S);
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 1);
	assert_int_equal(rows[0].packets[TW_WAY_ORIGINAL], 2);
	assert_int_equal(rows[0].bytes[TW_WAY_ORIGINAL], 200);
}

/* Among very many connections the busiest are listed, by bytes and by packets, each once, while the
 * tick wraps. */
static void the_busiest_of_many(void **state)
{
	tw_auto(tw_rank) struct tw_rank *rank = rank_of(5);
	const struct tw_rank_row *rows;
	struct tw_rank_sums sums;
	const uint32_t n = 50000, now = UINT32_MAX - 10;

	tw_rank_begin(rank, now);
	for (uint32_t i = 0; i < n; i++)
		meet(rank, i, i, i, now - 5 * S, now);
	tw_rank_end(rank, &rows, &sums);
	tw_rank_begin(rank, now + S);
	for (uint32_t i = 0; i < n; i++) {
		/* The last connections move the most packets, the first ones the most bytes. */
		uint64_t packets = i >= n - 5 ? 2000 + 2 * (uint64_t)i : 2;

		meet(rank, i, i + packets, i + 2 * (uint64_t)(n - i), now - 5 * S, now + S);
	}
	assert_int_equal(tw_rank_end(rank, &rows, &sums), 5 + 5);
	assert_int_equal(sums.moved, n);
	for (uint32_t i = 0; i < 5; i++) {
		const struct tw_key key = key_of(i);

		assert_memory_equal(&rows[i].key, &key, sizeof(key));
	}
	for (size_t i = 1; i < 10; i++)
		assert_true(rows[i].bytes[0] <= rows[i - 1].bytes[0]);
	for (uint32_t i = n - 5; i < n; i++) {
		const struct tw_key key = key_of(i);
		bool found = false;

		for (size_t r = 5; r < 10; r++)
			found |= !memcmp(&rows[r].key, &key, sizeof(key));
		assert_true(found);
	}
}

static void without_memory(void **state)
{
	struct tw_rank *rank = NULL;
	size_t n = 0;
	int failed;

	do {
		tw_alloc_fail_after(++n);
		failed = tw_rank_new(10, &rank);
		tw_alloc_fail_after(0);
		assert_true(!failed || failed == -ENOMEM);
	} while (failed);
	assert_true(n > 3);
	tw_rank_begin(rank, 100 * S);
	tw_alloc_fail_after(1);
	assert_int_equal(meet(rank, 1, 1, 1, 99 * S, 99 * S), -ENOMEM);
	tw_alloc_fail_after(0);
	assert_int_equal(meet(rank, 1, 1, 1, 99 * S, 99 * S), 0);
	tw_rank_free(rank);
}

/* Another CPU may note a time just after the reader has taken its own. */
static void ticks_since(void **state)
{
	assert_int_equal(tw_ticks_since(1000, 1000), 0);
	assert_int_equal(tw_ticks_since(1000, 990), 10);
	assert_int_equal(tw_ticks_since(1000, 1001), 0);
	assert_int_equal(tw_ticks_since(5, UINT32_MAX), 6);
	assert_int_equal(tw_ticks_since(UINT32_MAX, 3), 0);
	assert_int_equal(tw_ticks_since(3u << 30, 0), 3u << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ticks_since),
		cmocka_unit_test(grown_is_moved),
		cmocka_unit_test(a_key_that_is_another_connections_now),
		cmocka_unit_test(sleepers_are_ranked_one_walk_late),
		cmocka_unit_test(the_busiest_of_many),
		cmocka_unit_test(without_memory),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("rank", tests, NULL, NULL);
}
