/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of range sets, compared with bitmaps of a small universe that lies at the edges of
 * 128-bit arithmetic. */
#include "test.h"

#include "policy/set.h"
#include "world.h"

#define UNIVERSE 24 /* numbers in the universe, one bit each */
#define ROUNDS	 20000

/* The universe's positions: at both ends, across the 64-bit boundary, and at an arbitrary
 * number. */
static const tw_u128 bases[] = {
	0, ~(tw_u128)0 - (UNIVERSE - 1), ((tw_u128)1 << 64) - 7, (tw_u128)0x20010db8 << 96};

static uint32_t fill(uint64_t *random, tw_u128 base, struct tw_ranges *ret)
{
	uint32_t bits = 0;

	ret->n = 0;
	for (uint32_t n = world_below(random, 5); n; n--) {
		uint32_t lo = world_below(random, UNIVERSE);
		uint32_t hi = lo + world_below(random, UNIVERSE - lo);

		assert_int_equal(tw_ranges_add(ret, base + lo, base + hi), 0);
		bits |= (uint32_t)((2ull << hi) - (1ull << lo));
	}
	tw_ranges_sort(ret);
	return bits;
}

static void check(const struct tw_ranges *ranges, tw_u128 base, uint32_t bits)
{
	for (size_t i = 0; i < ranges->n; i++) {
		assert_true(ranges->at[i].lo <= ranges->at[i].hi);
		if (i)
			assert_true(ranges->at[i].lo - ranges->at[i - 1].hi > 1);
	}
	for (uint32_t i = 0; i < UNIVERSE; i++)
		assert_int_equal(tw_ranges_has(ranges, base + i), bits >> i & 1);
}

static void algebra_equals_bits(void **state)
{
	struct tw_ranges a = {0}, b = {0}, result = {0};
	uint64_t random = 1;

	for (int i = 0; i < ROUNDS; i++) {
		tw_u128 base = bases[i % 4];
		uint32_t in_a = fill(&random, base, &a), in_b = fill(&random, base, &b);

		check(&a, base, in_a);
		assert_int_equal(tw_ranges_minus(&a, &b, &result), 0);
		check(&result, base, in_a & ~in_b);
		assert_int_equal(tw_ranges_and(&a, &b, &result), 0);
		check(&result, base, in_a & in_b);
		assert_int_equal(tw_ranges_contain(&a, &b), (in_b & ~in_a) == 0);
		assert_int_equal(tw_ranges_overlap(&a, &b), (in_a & in_b) != 0);
		result.n = 0;
		assert_int_equal(tw_ranges_add_all(&result, &a), 0);
		assert_int_equal(tw_ranges_add_all(&result, &b), 0);
		tw_ranges_sort(&result);
		check(&result, base, in_a | in_b);
	}
	tw_ranges_done(&a);
	tw_ranges_done(&b);
	tw_ranges_done(&result);
}

static void equal_content_is_one_object(void **state)
{
	struct tw_ranges a = {0}, b = {0};
	struct tw_sets sets;
	uint64_t random = 2;

	assert_int_equal(tw_sets_init(&sets, 42, 10), 0);
	assert_int_equal(sets.everything->id, 10);
	assert_int_equal(sets.empty->id, 11);
	for (int i = 0; i < 2000; i++) {
		bool same = fill(&random, 0, &a) == fill(&random, 0, &b);
		const struct tw_set *x = tw_sets_intern(&sets, &a), *y = tw_sets_intern(&sets, &b);

		assert_int_equal(x == y, same);
		assert_ptr_equal(sets.all.at[x->id - 10], x);
	}
	tw_ranges_done(&a);
	tw_ranges_done(&b);
	tw_sets_done(&sets);
}

static void families(void **state)
{
	struct tw_ranges ranges = {0};
	struct tw_sets sets;

	assert_int_equal(tw_sets_init(&sets, 0, 0), 0);
	assert_int_equal(sets.everything->family, TW_FAMILY_ANY);
	assert_int_equal(sets.empty->family, 0);
	assert_int_equal(tw_ranges_add(&ranges, TW_V4_LAST, TW_V4_LAST), 0);
	assert_int_equal(tw_sets_intern(&sets, &ranges)->family, TW_FAMILY_V4);
	ranges.at[0].hi++;
	assert_int_equal(tw_sets_intern(&sets, &ranges)->family, TW_FAMILY_ANY);
	ranges.at[0].lo++;
	assert_int_equal(tw_sets_intern(&sets, &ranges)->family, TW_FAMILY_V6);
	tw_ranges_done(&ranges);
	tw_sets_done(&sets);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(algebra_equals_bits),
		cmocka_unit_test(equal_content_is_one_object),
		cmocka_unit_test(families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
