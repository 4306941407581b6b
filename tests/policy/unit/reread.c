/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of incremental reading: a text read on the basis of another policy gives the same
 * policy as on its own. */
#include "test.h"

#include <stdlib.h>

#include "policy/model.h"
#include "world.h"

#define WORLDS	  250
#define EDITS	  40 /* consecutive edits */
#define TEXT_ROOM 65536

struct text {
	char at[TEXT_ROOM];
	size_t len;
};

static struct {
	size_t valid;
	size_t quick;
	size_t invalid;
} counts;

/* ---- comparing two policies ---- */

static void print_lines(const struct tw_policy *p, struct tw_buf *out)
{
	for (size_t i = 0; i < p->rules.n; i++)
		tw_buf_addf(out, "%s %u:%u\n", p->rules.at[i].info.name, p->rules.at[i].info.line,
			p->rules.at[i].column);
	tw_vec_foreach (&p->workloads, workload)
		tw_buf_addf(out, "%s %u\n", workload->name, workload->line);
	tw_vec_foreach (&p->groups, group)
		tw_buf_addf(out, "%s %u:%u %d\n", group->name, group->line, group->column,
			group->learns);
	tw_vec_foreach (&p->nics, nic)
		tw_buf_addf(out, "%zu %u %zu\n", nic->pub.index, nic->line, nic->pub.n_prefixes);
	for (size_t i = 0; i < p->text.n_sections; i++)
		tw_buf_addf(out, "section %u\n", p->text.sections[i]);
}

static void print_sets(const struct tw_policy *p, struct tw_buf *out)
{
	tw_vec_foreach (&p->workloads, workload)
		tw_buf_addf(out, "%llx\n", (unsigned long long)workload->set->digest[0]);
	tw_vec_foreach (&p->groups, group)
		tw_buf_addf(out, "%llx\n", (unsigned long long)group->set->digest[0]);
}

/* Each object must be found by its name. */
static void check_finders(const struct tw_policy *p)
{
	for (size_t i = 0; i < tw_policy_n_rules(p); i++)
		assert_int_equal(tw_policy_rule_index(p, p->rules.at[i].info.name), i);
	tw_vec_foreach (&p->nics, nic) {
		if (nic->pub.port)
			assert_ptr_equal(tw_policy_find_port(p, nic->pub.port), &nic->pub);
		if (nic->pub.has_mac)
			assert_ptr_equal(tw_policy_find_mac(p, nic->pub.mac), &nic->pub);
		for (size_t i = 0; i < nic->pub.n_prefixes; i++)
			assert_non_null(tw_policy_find_owner(p, &nic->pub.prefixes[i].addr));
	}
}

static void print_all(const struct tw_policy *p, struct tw_buf *out)
{
	struct tw_diags diags = {0};

	tw_policy_print(p, out);
	tw_policy_print_lowered(p, out);
	print_lines(p, out);
	print_sets(p, out);
	assert_int_equal(tw_policy_check(p, &diags), 0);
	tw_vec_foreach (&diags, diag)
		tw_buf_addf(out, "%u:%u: %s\n", diag->line, diag->column, diag->text);
	tw_diags_done(&diags);
	assert_false(out->failed);
}

static void compare_diags(const struct tw_diags *a, const struct tw_diags *b)
{
	assert_int_equal(a->n, b->n);
	assert_int_equal(a->n_errors, b->n_errors);
	for (size_t i = 0; i < a->n; i++) {
		assert_int_equal(a->at[i].severity, b->at[i].severity);
		assert_int_equal(a->at[i].line, b->at[i].line);
		assert_int_equal(a->at[i].column, b->at[i].column);
		assert_string_equal(a->at[i].text, b->at[i].text);
		assert_int_equal(!a->at[i].hint, !b->at[i].hint);
		if (a->at[i].hint)
			assert_string_equal(a->at[i].hint, b->at[i].hint);
	}
}

static void compare_policies(const struct tw_policy *got, const struct tw_policy *want)
{
	tw_auto_buf struct tw_buf a = {0};
	tw_auto_buf struct tw_buf b = {0};

	print_all(got, &a);
	print_all(want, &b);
	assert_string_equal(a.data, b.data);
	check_finders(got);
	/* The work compared with the limits is never less than the real work. */
	assert_true(got->text.work >= want->text.work);
	assert_true(got->text.n_addresses >= want->text.n_addresses);
	assert_true(got->text.n_parts >= want->text.n_parts);
}

static void add_change(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	tw_buf_addf(arg, "%d %d %s\n", what, change, name);
}

/* The reported changes do not depend on what was taken over. */
static void compare_changes(
	const struct tw_policy *old, const struct tw_policy *got, const struct tw_policy *want)
{
	tw_auto_buf struct tw_buf a = {0};
	tw_auto_buf struct tw_buf b = {0};

	tw_buf_adds(&a, "changes\n");
	tw_buf_adds(&b, "changes\n");
	assert_int_equal(tw_policy_diff(old, got, add_change, &a), 0);
	assert_int_equal(tw_policy_diff(old, want, add_change, &b), 0);
	assert_string_equal(a.data, b.data);
}

/* Reads `now` both ways. Returns the policy read on the basis of `old`, or NULL if it is
 * invalid. */
static struct tw_policy *reread(
	const struct tw_policy *old, const struct text *was, const struct text *now)
{
	struct tw_policy *got = NULL, *want = NULL;
	struct tw_diags got_diags = {0}, want_diags = {0};
	int err = tw_policy_read_unchecked(now->at, now->len, NULL, 0, &want, &want_diags);

	assert_int_equal(
		tw_policy_reread(old, was->at, was->len, now->at, now->len, &got, &got_diags), err);
	compare_diags(&got_diags, &want_diags);
	counts.invalid += err != 0;
	counts.valid += !err;
	if (!err) {
		compare_policies(got, want);
		compare_changes(old, got, want);
		counts.quick += got->arena.pool == old->arena.pool;
	}
	tw_diags_done(&got_diags);
	tw_diags_done(&want_diags);
	tw_policy_free(want);
	return got;
}

/* ---- random edits ---- */

static void replace(struct text *t, size_t at, size_t len, const char *by, size_t by_len)
{
	if (at > t->len || len > t->len - at || t->len - len + by_len >= TEXT_ROOM)
		return;
	memmove(t->at + at + by_len, t->at + at + len, t->len - at - len);
	memcpy(t->at + at, by, by_len);
	t->len += by_len - len;
	t->at[t->len] = '\0';
}

/* Returns the line that contains a byte, with its newline. */
static void line_around(const struct text *t, size_t at, size_t *ret_at, size_t *ret_len)
{
	size_t end;

	while (at && t->at[at - 1] != '\n')
		at--;
	for (end = at; end < t->len && t->at[end] != '\n';)
		end++;
	*ret_at = at;
	*ret_len = end - at + (end < t->len);
}

static void edit_word(struct text *t, uint64_t *random)
{
	static const char *const words[] = {"any", "w0", "w1", "g0", "g1", "n0", "s0", "tcp/80",
		"udp", "allow", "deny", "reject", "10.0.0.0/8", "10.1.2.3/8", "name: x",
		", log: true", ", at: to", "\"w2\"", "!w1", "t0", "t1", "t2", "# more", " ", "  ",
		"\n", "\n\n", "- ", "  - ", "---\n", "...\n", "\"", "'", "{", "}", "[", "]", "|\n",
		">\n", ": ", ":", ",", "&a ", "*a", "!!str ", "? ", "\t", "\r\n", "\xc3\xa9",
		"\xe2\x80\xa8", "\xc2\x85", "  - {name: fresh, action: deny}\n",
		"  - {action: allow}\n", "  - name: block\n    action: deny\n", "  # note\n",
		"\n  - {to: w1, action: ask}\n"};
	const char *word = words[world_below(random, sizeof(words) / sizeof(words[0]))];
	size_t at = world_below(random, (uint32_t)t->len + 1), line, line_len;

	if (world_below(random, 2)) {
		line_around(t, at, &line, &line_len);
		at = line;
	}
	replace(t, at, world_below(random, 3) ? 0 : world_below(random, 6), word, strlen(word));
}

static void edit_line(struct text *t, uint64_t *random)
{
	size_t at, len, other, other_len;
	char copy[TEXT_ROOM];

	line_around(t, world_below(random, (uint32_t)t->len + 1), &at, &len);
	line_around(t, world_below(random, (uint32_t)t->len + 1), &other, &other_len);
	memcpy(copy, t->at + other, other_len);
	switch (world_below(random, 3)) {
	case 0:
		replace(t, at, len, "", 0);
		break;
	case 1:
		replace(t, at, 0, copy, other_len);
		break;
	default:
		replace(t, at, len, copy, other_len);
	}
}

/* Most of the edits that leave a policy valid change a digit. */
static void edit_digit(struct text *t, uint64_t *random)
{
	for (int tries = 0; tries < 100; tries++) {
		size_t at = world_below(random, (uint32_t)t->len);

		if (t->at[at] < '0' || t->at[at] > '9')
			continue;
		t->at[at] = (char)('0' + world_below(random, 10));
		return;
	}
}

static void edit(struct text *t, uint64_t *random)
{
	switch (world_below(random, 8)) {
	case 0:
		edit_word(t, random);
		break;
	case 1:
		edit_line(t, random);
		break;
	case 2:
		edit_digit(t, random);
		edit_digit(t, random);
		break;
	default:
		edit_digit(t, random);
	}
}

static void walk(const struct text *start, uint64_t *random)
{
	struct text was = *start, now;
	struct tw_policy *old = NULL, *next;
	struct tw_diags diags = {0};

	assert_int_equal(tw_policy_read_unchecked(was.at, was.len, NULL, 0, &old, &diags), 0);
	tw_diags_done(&diags);
	for (unsigned int i = 0; i < EDITS; i++) {
		now = was;
		edit(&now, random);
		next = reread(old, &was, &now);
		if (!next)
			continue;
		tw_policy_free(old);
		old = next;
		was = now;
	}
	tw_policy_free(old);
}

static void set_text(struct text *t, const char *from)
{
	t->len = strlen(from);
	assert_true(t->len < TEXT_ROOM);
	memcpy(t->at, from, t->len + 1);
}

static void random_worlds(void **state)
{
	static struct world world;
	static struct text text;
	uint64_t random = 5;

	counts.valid = counts.quick = counts.invalid = 0;
	for (unsigned int i = 0; i < WORLDS; i++) {
		tw_auto_buf struct tw_buf printed = {0};

		world_make(&world, 31000 + i, 1 + i % WORLD_RULES_MAX);
		world_print(&world, &printed);
		assert_false(printed.failed);
		set_text(&text, printed.data);
		walk(&text, &random);
	}
	print_message("%zu valid, of these %zu quick; %zu invalid\n", counts.valid, counts.quick,
		counts.invalid);
	assert_true(counts.quick > WORLDS * EDITS / 4 && counts.invalid > WORLDS * EDITS / 20);
}

/* Policies in different styles of YAML. */
static const char *const styles[] = {
	"version: 1\n"
	"workloads:\n"
	"  w0: {port: p0, addresses: [10.0.0.1], tags: [t0, t1]}\n"
	"  w1:\n"
	"    port: p1\n"
	"    addresses:\n"
	"    - 10.0.0.2\n"
	"    # the first\n"
	"    tags: [t1]\n"
	"\n"
	"  w2: {port: p2, mac: \"52:54:00:00:00:02\",\n"
	"       addresses: [dhcp],\n"
	"       tags: [t0]}\n"
	"groups:\n"
	"  g0: {tags: t0 & !t1}\n"
	"  g1: {tags: \"t1 | t2\", workloads: [\"w*\", \"x*\"]}\n"
	"rules:\n"
	"# first of all\n"
	"- name: one\n"
	"  from: g0\n"
	"  service: [tcp/80,\n"
	"    tcp/81]\n"
	"  action: allow\n"
	"-   {name: two, from: 10.1.1.1/8, to: g1, action: deny} # a warning\n"
	"- name: \"three\"\n"
	"  action: >-\n"
	"    allow\n"
	"\n"
	"- {from: w1, to: w2, action: reject,\n"
	"   log: true}\n"
	"# the end\n"
	"default: deny\n",

	"rules:\n"
	"    - {name: a, to: w0, service: web, action: allow}\n"
	"    - {name: b, to: [w1, \"!10.0.0.0/24\"], action: allow}\n"
	"    - {name: c, action: 'deny'}\n"
	"options: {unclaimed: deny,\n"
	"  limits: {packets: 100/s}}\n"
	"default: allow\n"
	"services: {web: [tcp/80, tcp/443]}\n"
	"workloads:\n"
	"   w0: {port: p0, addresses: [10.0.0.1], tags: [t0]}\n"
	"   w1: {ports: [{port: p1, addresses: [10.0.0.2]}, {port: p3, addresses: [\"fd00::3\"]}],\n"
	"     tags: [t1, t0]}\n"
	"   w2: {port: p2, addresses: [10.0.0.4], tags: [t1]} # \xc3\xa9\n"
	"groups: {g0: {tags: t0}, g1: {tags: t1}}\n"
	"version: 1",

	"version: 1\n"
	"workloads: {w0: {port: p0, addresses: [10.0.0.1]}, w1: {port: p1,\n"
	"  addresses: [10.0.0.2], tags: [t0]}}\n"
	"rules: [{name: a, to: w0, action: allow},\n"
	"  {name: b, action: deny}]\n",

	"---\n"
	"version: 1\n"
	"workloads:\n"
	"  \"w0\": {port: p0, addresses: [10.0.0.1]}\n"
	"  w1: {port: p1, addresses: [10.0.0.2]}\n"
	"rules:\n"
	"  - {name: a, to: w0, action: allow}\n"
	"  -\n"
	"    name: b\n"
	"    action: deny\n"
	"  - {to: w1, action: deny}\n"
	"...\n",
};

static void random_styles(void **state)
{
	static struct text text;
	uint64_t random = 6;

	for (size_t i = 0; i < sizeof(styles) / sizeof(styles[0]); i++) {
		counts.valid = counts.quick = counts.invalid = 0;
		set_text(&text, styles[i]);
		for (int turn = 0; turn < 60; turn++)
			walk(&text, &random);
		print_message("%zu valid, of these %zu quick; %zu invalid\n", counts.valid,
			counts.quick, counts.invalid);
	}
}

/* ---- speed ---- */

#define HEAD                                                     \
	"version: 1\n"                                           \
	"workloads:\n"                                           \
	"  a: {port: ta, addresses: [10.0.0.1], tags: [x]}\n"    \
	"  b: {port: tb, addresses: [10.0.0.2], tags: [x, y]}\n" \
	"  c: {port: tc, addresses: [10.0.0.3], tags: ["
#define MIDDLE                                   \
	"]}\n"                                   \
	"groups: {x: {tags: x}, y: {tags: y}}\n" \
	"rules:\n"                               \
	"  - {name: one, from: x, to: y, service: tcp/80, action: allow}\n"
#define RULE(service) "  - {name: two, to: y, service: " service ", action: allow}\n"
#define TAIL	      "  - {name: three, to: c, action: deny}\n"

static bool is_quick(const char *was, const char *now)
{
	static struct text a, b;
	struct tw_policy *old = must_read(was), *next;
	bool quick;

	set_text(&a, was);
	set_text(&b, now);
	next = reread(old, &a, &b);
	assert_non_null(next);
	quick = next->arena.pool == old->arena.pool;
	tw_policy_free(next);
	tw_policy_free(old);
	return quick;
}

static void common_edits_are_quick(void **state)
{
	const char *const was = HEAD "y" MIDDLE RULE("tcp/81") TAIL;

	assert_true(is_quick(was, was));
	assert_true(is_quick(was, HEAD "y" MIDDLE RULE("tcp/82") TAIL));
	assert_true(is_quick(was, HEAD "y" MIDDLE TAIL));
	assert_true(is_quick(was, HEAD "y" MIDDLE RULE("tcp/81")));
	assert_true(
		is_quick(was, HEAD "y" MIDDLE RULE("tcp/81") TAIL "  - {name: d, action: ask}\n"));
	assert_true(is_quick(was, HEAD "y" MIDDLE "  # why\n" RULE("tcp/81") TAIL));
	assert_true(is_quick(was, HEAD "x, y" MIDDLE RULE("tcp/81") TAIL));
	assert_true(is_quick(was, HEAD "y, new" MIDDLE RULE("tcp/81") TAIL));
	assert_true(is_quick(was, HEAD "" MIDDLE RULE("tcp/81") TAIL));
	assert_true(is_quick(was, HEAD "x" MIDDLE RULE("tcp/81") TAIL));
}

/* ---- learned addresses ---- */

#define DHCP(addresses)                                                                        \
	"version: 1\n"                                                                         \
	"workloads:\n"                                                                         \
	"  a: {port: ta, mac: \"52:54:00:00:00:01\", addresses: [" addresses "], tags: [x]}\n" \
	"  b: {port: tb, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.2, dhcp]}\n"           \
	"groups: {x: {tags: x}, all: {workloads: [\"*\"]}}\n"                                  \
	"rules: [{name: one, from: x, to: b, action: allow}, {name: two, to: all, action: allow}]\n"

static void learning_is_reading(void **state)
{
	static const char text[] = DHCP("dhcp");
	struct tw_learned learned[] = {
		{0, {.b = {[10] = 0xff, 0xff, 10, 9, 0, 1}}}, {1, {.b = {0xfd, [15] = 7}}}};
	struct tw_policy *plain = must_read(text);

	for (size_t n = 0; n <= 2; n++) {
		struct tw_policy *got = NULL, *want = NULL;
		struct tw_diags diags = {0};

		assert_int_equal(
			tw_policy_read_unchecked(text, strlen(text), learned, n, &want, &diags), 0);
		assert_int_equal(tw_policy_learn(plain, learned, n, &got, &diags), 0);
		compare_policies(got, want);
		assert_int_equal(diags.n, 0);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(tw_policy_find_owner(got, &learned[i].addr)->index,
				learned[i].vnic);
		tw_policy_free(got);
		tw_policy_free(want);
	}
	tw_policy_free(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_edits_are_quick),
		cmocka_unit_test(learning_is_reading),
		cmocka_unit_test(random_worlds),
		cmocka_unit_test(random_styles),
	};

	return cmocka_run_group_tests_name("reread", tests, NULL, NULL);
}
