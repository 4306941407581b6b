/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the linear search for a connection's rule: random policies, against their meaning. */
#include "test.h"

#include "world.h"

#define WORLDS 80
#define TUPLES 200

static void the_first_matching_rule_is_found(void **state)
{
	size_t by_rule = 0;

	for (uint64_t seed = 1; seed <= WORLDS; seed++) {
		tw_auto_buf struct tw_buf text = {0};
		struct tw_policy *policy;
		uint64_t random = seed;
		struct world world;

		world_make(&world, seed, 1 + (unsigned int)(seed % WORLD_RULES_MAX));
		world_print(&world, &text);
		policy = must_read(text.data);
		for (int i = 0; i < TUPLES; i++) {
			struct world_tuple t = world_tuple(&world, &random);
			const struct tw_first_packet about = {.from = t.from,
				.to = t.to,
				.proto = (uint8_t)t.proto,
				.sport = (uint16_t)t.sport,
				.detail = (uint16_t)t.dport};

			for (int end = 0; end < TW_DIR__MAX; end++) {
				unsigned int rule = world_decide(&world, (enum tw_dir)end, &t);

				assert_int_equal(
					tw_policy_match(policy, 0, (enum tw_dir)end, &about), rule);
				by_rule += rule < world.n_rules;
			}
		}
		tw_policy_free(policy);
	}
	assert_true(by_rule > WORLDS * TUPLES / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_matching_rule_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
