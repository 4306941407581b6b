/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of shadowed rules: a rule that is reported never to match never matches.
 * tests/policy/golden tests that simple cases are reported. */
#include "test.h"

#include "world.h"

#define WORLDS 300
#define TUPLES 1000

/* Returns the rules with warnings, one bit each by number. Names are r<n> or rule-<n + 1>. */
static uint64_t warned_of(const struct world *world)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	uint64_t bits = 0;

	world_print(world, &text);
	assert_int_equal(tw_policy_read(text.data, text.len, &policy, &diags), 0);
	for (size_t i = 0; i < diags.n; i++) {
		char name[16];

		if (sscanf(diags.at[i].text, "rule %15s can never match", name) != 1 ||
			!strstr(diags.at[i].text, "everything it matches"))
			continue;
		bits |= 1ull << tw_policy_rule_index(policy, name);
	}
	tw_policy_free(policy);
	tw_diags_done(&diags);
	return bits;
}

static void warnings_are_true(void **state)
{
	static struct world world;
	uint64_t random = 4;
	size_t n_warned = 0;

	for (unsigned int i = 0; i < WORLDS; i++) {
		uint64_t bits;

		world_make(&world, i, 2 + i % 40);
		bits = warned_of(&world);
		n_warned += (size_t)__builtin_popcountll(bits);
		for (unsigned int k = 0; bits && k < TUPLES; k++) {
			struct world_tuple t = world_tuple(&world, &random);

			for (enum tw_dir end = 0; end < TW_DIR__MAX; end++) {
				unsigned int rule = world_decide_at(
					&world, (int)(k % 2) * 5 - 1, end, &t);

				if (rule < world.n_rules)
					assert_int_equal(bits >> rule & 1, 0);
			}
		}
	}
	/* Without shadowed rules in the random policies, the test would prove nothing. */
	assert_true(n_warned > WORLDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warnings_are_true),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
