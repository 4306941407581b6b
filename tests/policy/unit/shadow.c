/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of shadowed rules: a rule that is reported never to match never matches.
 * tests/policy/golden tests that simple cases are reported. */
#include "test.h"

#include "policy/near.h"
#include "world.h"

#define WORLDS 300
#define TUPLES 1000
#define MANY   30000

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

/* A pair of rules is near unless an end or the port keys of one lie beyond those of the other. */
static bool bounds_meet(const struct tw_ranges *a, const struct tw_ranges *b)
{
	return a->at[0].lo <= b->at[b->n - 1].hi && b->at[0].lo <= a->at[a->n - 1].hi;
}

static bool ends_meet(const struct tw_rule *a, const struct tw_rule *b, enum tw_dir end)
{
	const struct tw_ranges *x = &tw_rule_reach(a, end)->r, *y = &tw_rule_reach(b, end)->r;

	return x->n && y->n && bounds_meet(x, y);
}

static bool rules_meet(const struct tw_rule *a, const struct tw_rule *b)
{
	for (size_t i = 0; i < a->cells->n; i++)
		for (size_t k = 0; k < b->cells->n; k++)
			if (bounds_meet(&a->cells->at[i].keys->r, &b->cells->at[k].keys->r) &&
				ends_meet(a, b, TW_DIR_OUT) && ends_meet(a, b, TW_DIR_IN))
				return true;
	return false;
}

static size_t expect_all_near(const struct tw_policy *policy)
{
	struct tw_near near = {0};
	size_t n_near = 0;

	assert_int_equal(tw_near_init(&near, policy), 0);
	for (uint32_t i = 0; i < tw_policy_n_rules(policy); i++) {
		size_t next = 0;

		assert_int_equal(tw_near_find(&near, i), 0);
		for (uint32_t k = 0; k < i; k++) {
			bool found = next < near.found.n && near.found.at[next] == k;

			next += found;
			assert_true(
				found || !rules_meet(&policy->rules.at[k], &policy->rules.at[i]));
		}
		assert_int_equal(next, near.found.n);
		n_near += next;
	}
	tw_near_done(&near);
	return n_near;
}

static void no_near_rule_is_missed(void **state)
{
	static struct world world;
	size_t n_near = 0;

	for (unsigned int i = 0; i < WORLDS; i++) {
		tw_auto_buf struct tw_buf text = {0};
		struct tw_policy *policy = NULL;
		struct tw_diags diags = {0};

		world_make(&world, i, 2 + i % 60);
		world_print(&world, &text);
		assert_int_equal(tw_policy_read(text.data, text.len, &policy, &diags), 0);
		n_near += expect_all_near(policy);
		tw_policy_free(policy);
		tw_diags_done(&diags);
	}
	assert_true(n_near > WORLDS);
}

/* Comparing all pairs of so many rules for one port would reach the limit before the last rule. */
static void last_of_many_rules_is_checked(void **state)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};

	tw_buf_addf(&text,
		"version: 1\nworkloads:\n  a: {port: tap-a, addresses: [10.0.0.1]}\nrules:\n");
	for (unsigned int i = 0; i < MANY; i++)
		tw_buf_addf(&text,
			"  - {from: 172.%u.%u.%u, to: a, service: tcp/443, action: allow}\n",
			16 + i / 65536, i / 256 % 256, i % 256);
	tw_buf_addf(&text,
		"  - {name: late, from: 172.16.0.7, to: a, service: tcp/443, action: deny}\n");
	assert_int_equal(tw_policy_read(text.data, text.len, &policy, &diags), 0);
	assert_int_equal(diags.n, 1);
	assert_non_null(strstr(diags.at[0].text, "rule late can never match: rule-8 (line 12)"));
	tw_policy_free(policy);
	tw_diags_done(&diags);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warnings_are_true),
		cmocka_unit_test(no_near_rule_is_missed),
		cmocka_unit_test(last_of_many_rules_is_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
