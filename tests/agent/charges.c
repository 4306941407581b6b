/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of publish/charges.h: a charge is read from one word, and corrected only after it was
 * proved wrong. */
#include "agent/publish/charges.h"

#include <stdlib.h>

#include "tests/agent/test.h"

#include "base/alloc.h"

static unsigned int walk_charges(struct tw_charges *charges, uint32_t id, unsigned int n_records)
{
	const struct tw_conn conn = {.ports = tw_ports_charged(id, TW_CHARGE_ESTABLISHED)};

	tw_charges_begin_walk(charges);
	for (unsigned int i = 0; i < n_records; i++)
		tw_charges_meet(charges, &conn);
	return tw_charges_end_walk(charges);
}

/* Adds `n` to a port's charge, as the fast path does; negative to take charges back. */
static void charge(struct tw_charges *charges, uint32_t id, int n)
{
	__atomic_fetch_add(
		(uint64_t *)&charges->usage[id].established, tw_usage_step(n), __ATOMIC_RELAXED);
}

static int charged(const struct tw_charges *charges, uint32_t id)
{
	return tw_usage_net(charges->usage[id].established);
}

static struct tw_charges *charges_new(void)
{
	struct tw_charges *charges = tw_alloc(sizeof(*charges));

	assert_non_null(charges);
	charges->usage = tw_alloc_array(TW_PORTS_MAX, sizeof(struct tw_usage));
	assert_non_null(charges->usage);
	return charges;
}

static void charges_free(struct tw_charges *charges)
{
	free(charges->usage);
	free(charges);
}

/* One word holds the current count and the total count, even if the current count is below 0. */
static void test_charges_word(void **state)
{
	struct tw_charges *charges = charges_new();
	const uint64_t *count = (const uint64_t *)&charges->usage[7].established;

	charge(charges, 7, -1);
	assert_int_equal(charged(charges, 7), -1);
	assert_int_equal(tw_usage_now(*count), 0);
	assert_int_equal(tw_usage_ever(*count), 0);
	charge(charges, 7, 1);
	charge(charges, 7, 1);
	assert_int_equal(tw_usage_now(*count), 1);
	assert_int_equal(tw_usage_ever(*count), 2);
	for (int i = 0; i < 1000; i++)
		charge(charges, 7, i % 2 ? -1 : 1);
	assert_int_equal(tw_usage_now(*count), 1);
	assert_int_equal(tw_usage_ever(*count), 502);
	charges_free(charges);
}

/* A count that two consecutive walks prove wrong is corrected. */
static void test_charges(void **state)
{
	struct tw_charges *charges = charges_new();

	charge(charges, 7, 3);
	assert_int_equal(walk_charges(charges, 7, 3) + walk_charges(charges, 7, 3), 0);
	charge(charges, 7, -7); /* the count is now -4, but there are 3 records */
	assert_int_equal(walk_charges(charges, 7, 3), 0);
	assert_int_equal(walk_charges(charges, 7, 3), 1);
	assert_int_equal(charged(charges, 7), 3);
	/* One wrong walk is not enough for a correction: the surplus is 7, 6, 0, then negative. */
	charge(charges, 7, 7);
	assert_int_equal(walk_charges(charges, 7, 3), 0);
	assert_int_equal(walk_charges(charges, 7, 10), 0);
	assert_int_equal(walk_charges(charges, 7, 4), 0);
	assert_int_equal(walk_charges(charges, 7, 12), 0);
	assert_int_equal(charged(charges, 7), 10);
	/* The correction is the smaller of the two differences. */
	assert_int_equal(walk_charges(charges, 7, 3), 0);
	assert_int_equal(walk_charges(charges, 7, 4), 1);
	assert_int_equal(charged(charges, 7), 4);
	charges_free(charges);
}

/* A port whose connections come and go keeps its count, whichever of them a walk meets. */
static void test_charges_busy(void **state)
{
	const struct tw_conn conn = {.ports = tw_ports_charged(7, TW_CHARGE_ESTABLISHED)};
	struct tw_charges *charges = charges_new();

	charge(charges, 7, 5);
	for (int walk = 0; walk < 4;
		walk++) { /* meets 4: one record ends ahead of the walk, one begins behind it */
		tw_charges_begin_walk(charges);
		charge(charges, 7, -1);
		for (int i = 0; i < 4; i++)
			tw_charges_meet(charges, &conn);
		charge(charges, 7, 1);
		assert_int_equal(tw_charges_end_walk(charges), 0);
		assert_int_equal(charged(charges, 7), 5);
	}
	for (int walk = 0; walk < 4;
		walk++) { /* meets 6: one record begins ahead of the walk, one ends behind it */
		tw_charges_begin_walk(charges);
		charge(charges, 7, 1);
		for (int i = 0; i < 6; i++)
			tw_charges_meet(charges, &conn);
		charge(charges, 7, -1);
		assert_int_equal(tw_charges_end_walk(charges), 0);
		assert_int_equal(charged(charges, 7), 5);
	}
	/* A count that is far off is corrected nevertheless, except for what the traffic hides. */
	charge(charges, 7, 1000);
	for (int walk = 0; walk < 2; walk++) {
		tw_charges_begin_walk(charges);
		for (int i = 0; i < 5; i++)
			tw_charges_meet(charges, &conn);
		charge(charges, 7, 1);
		charge(charges, 7, -1);
		assert_int_equal(tw_charges_end_walk(charges), walk);
	}
	assert_int_equal(charged(charges, 7), 6);
	charges_free(charges);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charges_word),
		cmocka_unit_test(test_charges),
		cmocka_unit_test(test_charges_busy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("charges", tests, NULL, NULL);
}
