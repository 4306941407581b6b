/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the differences between two policies. */
#include "test.h"

static const char *const whats[] = {"network", "service", "workload", "group", "rule", "option"};
static const char signs[] = {
	[TW_CHANGE_ADDED] = '+', [TW_CHANGE_REMOVED] = '-', [TW_CHANGE_CHANGED] = '~'};

static void note(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	tw_buf_addf(arg, "%c%s %s;", signs[change], whats[what], name);
}

static void check(const char *old_text, const char *now_text, const char *wanted)
{
	struct tw_policy *old = old_text ? must_read(old_text) : NULL, *now = must_read(now_text);
	tw_auto_buf struct tw_buf out = {0};

	tw_buf_adds(&out, "");
	assert_int_equal(tw_policy_diff(old, now, note, &out), 0);
	assert_string_equal(out.data, wanted);
	tw_policy_free(old);
	tw_policy_free(now);
}

#define BASE                                                            \
	"version: 1\nnetworks: {n: 10.0.0.0/8}\nservices: {s: tcp/1}\n" \
	"workloads: {w: {port: p, addresses: 10.0.0.1, tags: t}}\ngroups: {g: {tags: t}}\n"

static void nothing(void **state)
{
	check(BASE "rules: [{from: n, service: s, action: allow}]",
		BASE "default: deny\nrules: [{from: [n], to: any, service: [s], action: allow}]",
		"");
}

static void everything_is_new(void **state)
{
	check(NULL, BASE "rules: [{name: r, action: allow}]",
		"+network n;+service s;+workload w;+group g;+rule r;+rule default;+option options;");
}

static void each_kind(void **state)
{
	check(BASE,
		"version: 1\nnetworks: {n: 10.0.0.0/9, m: 1.2.3.4}\nservices: {x: udp}\ndefault: allow\n"
		"workloads: {w: {port: p, addresses: 10.0.0.1, tags: [t, u]}}\ngroups: {g: {tags: u}}\n"
		"options: {unclaimed: deny}\n",
		"~network n;+network m;+service x;-service s;~workload w;~group g;~rule default;"
		"~option options;");
}

static void same_name_other_kind(void **state)
{
	check("version: 1\nnetworks: {x: 10.0.0.0/8}",
		"version: 1\ngroups: {x: {networks: 10.0.0.0/8}}", "-network x;+group x;");
}

#define RULE(name, action) "- {name: " name ", action: " action ", service: tcp/1}\n"

static void rules(void **state)
{
	check("version: 1\nrules:\n" RULE("a", "allow") RULE("b", "allow") RULE("c", "allow"),
		"version: 1\nrules:\n" RULE("a", "allow") RULE("x", "deny") RULE("c", "deny"),
		"+rule x;~rule c;-rule b;");
}

/* If one rule moves from the end to the front, only that rule has changed. */
static void a_moved_rule(void **state)
{
	check("version: 1\nrules:\n" RULE("a", "allow") RULE("b", "allow") RULE("c", "allow")
			RULE("d", "allow"),
		"version: 1\nrules:\n" RULE("d", "allow") RULE("a", "allow") RULE("b", "allow")
			RULE("c", "allow"),
		"~rule d;");
}

static void check_key(const char *a_text, const char *b_text, bool same)
{
	struct tw_policy *a = must_read(a_text), *b = must_read(b_text);
	char a_key[TW_RULE_KEY_MAX], b_key[TW_RULE_KEY_MAX];

	assert_int_equal(tw_policy_rule_key(a, 0, a_key), 0);
	assert_int_equal(tw_policy_rule_key(b, 0, b_key), 0);
	assert_int_equal(!strcmp(a_key, b_key), same);
	tw_policy_free(a);
	tw_policy_free(b);
}

/* Notes and `enabled` are part of a rule's text, but a rule without a name keeps its counts. */
static void notes(void **state)
{
	static const char off[] = BASE
		"rules: [{to: n, action: deny, at: to, enabled: false, comment: c}]";
	static const char on[] = BASE "rules: [{to: n, action: deny, at: to, comment: c}]";
	static const char other[] = BASE "rules: [{to: n, action: deny, at: to, comment: d}]";
	static const char none[] = BASE "rules: [{to: n, action: deny, at: to}]";
	static const char owned[] = BASE "rules: [{to: n, action: deny, at: to, owner: c}]";

	check(off, off, "");
	check(off, on, "~rule rule-1;");
	check(on, other, "~rule rule-1;");
	check(none, on, "~rule rule-1;");
	check(on, owned, "~rule rule-1;");
	check_key(off, none, true);
	check_key(on, other, true);
	check_key(none, BASE "rules: [{to: n, action: deny, enabled: false}]", false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notes),
		cmocka_unit_test(nothing),
		cmocka_unit_test(everything_is_new),
		cmocka_unit_test(each_kind),
		cmocka_unit_test(same_name_other_kind),
		cmocka_unit_test(rules),
		cmocka_unit_test(a_moved_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
