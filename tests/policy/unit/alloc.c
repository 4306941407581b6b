/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of allocation failures: each allocation fails once, and the caller returns -ENOMEM
 * without a crash, a leak or an output. The sanitized build detects leaks.
 */
#include "test.h"

#include "base/alloc.h"
#include "world.h"

static const char bad[] =
	"version: 1\n"
	"workloads: {a: {port: p, addresses: [10.0.0.1/8, dhcp]}}\n"
	"groups: {g: {tags: 'x & (y'}, h: {workloads: ['z*', nobody]}}\n"
	"rules: [{from: [nobody, 10.0.0.1/8], action: drop}, {servce: tcp, action: allow}]\n";

static const char joined[] = "# tapwall file: a.yaml\n"
			     "version: 1\n"
			     "networks: {office: 10.20.0.0/16}\n"
			     "# tapwall file: b.yaml\n"
			     "networks: {lab: 10.30.0.0/16}\n"
			     "rules: [{from: office, to: lab, action: deny}]\n";
static const char badly_joined[] = "# tapwall file: a.yaml\n"
				   "version: 1\n"
				   "default: deny\n"
				   "# tapwall file: b.yaml\n"
				   "version: 2\n"
				   "default: allow\n"
				   "networks: [1]\n"
				   "# tapwall file: c.yaml\n"
				   "- a\n";

static void walk_read(const char *text, size_t len, int wanted)
{
	int err = -ENOMEM;

	for (size_t n = 1; err == -ENOMEM; n++) {
		struct tw_policy *policy = NULL;
		struct tw_diags diags = {0};

		tw_alloc_fail_after(n);
		err = tw_policy_read(text, len, &policy, &diags);
		tw_alloc_fail_after(0);
		assert_int_equal(policy != NULL, err == 0);
		tw_policy_free(policy);
		tw_diags_done(&diags);
	}
	assert_int_equal(err, wanted);
}

static void reading(void **state)
{
	static struct world world;
	tw_auto_buf struct tw_buf text = {0};

	world_make(&world, 11, 12);
	world_print(&world, &text);
	walk_read(text.data, text.len, 0);
	walk_read(joined, strlen(joined), 0);
}

static void reading_what_is_wrong(void **state)
{
	walk_read(bad, strlen(bad), -EINVAL);
	walk_read(badly_joined, strlen(badly_joined), -EINVAL);
}

static struct tw_policy *make_policy(uint64_t seed)
{
	static struct world world;
	tw_auto_buf struct tw_buf text = {0};

	world_make(&world, seed, 12);
	world_print(&world, &text);
	return must_read(text.data);
}

static void compiling(void **state)
{
	struct tw_policy *policy = make_policy(11);
	int err = -ENOMEM;

	for (size_t n = 1; err == -ENOMEM; n++) {
		struct tw_image *image = NULL;
		struct tw_diags diags = {0};

		tw_alloc_fail_after(n);
		err = tw_policy_compile(policy, tw_policy_vnic(policy, 0), NULL, &image, &diags);
		tw_alloc_fail_after(0);
		assert_int_equal(image != NULL, err == 0);
		tw_image_free(image);
		tw_diags_done(&diags);
	}
	assert_int_equal(err, 0);
	tw_policy_free(policy);
}

static void printing(void **state)
{
	struct tw_policy *policy = make_policy(11);
	bool failed = true;

	for (size_t n = 1; failed; n++) {
		tw_auto_buf struct tw_buf out = {0};

		tw_alloc_fail_after(n);
		tw_policy_print(policy, &out);
		tw_policy_print_lowered(policy, &out);
		tw_alloc_fail_after(0);
		failed = out.failed;
	}
	tw_policy_free(policy);
}

static void ignore(void *arg, enum tw_changed what, enum tw_change change, const char *name)
{
	++*(size_t *)arg;
}

static void comparing(void **state)
{
	struct tw_policy *old = make_policy(11), *now = make_policy(12);
	int err = -ENOMEM;
	size_t n_told = 0;

	for (size_t n = 1; err == -ENOMEM; n++) {
		n_told = 0;
		tw_alloc_fail_after(n);
		err = tw_policy_diff(old, now, ignore, &n_told);
		tw_alloc_fail_after(0);
	}
	assert_int_equal(err, 0);
	assert_true(n_told > 0);
	tw_policy_free(old);
	tw_policy_free(now);
}

#define SMALL(tags, port)                                                                \
	"version: 1\n"                                                                   \
	"workloads:\n"                                                                   \
	"  a: {port: pa, addresses: [10.0.0.1], tags: [" tags "]}\n"                     \
	"  b: {port: pb, mac: \"52:54:00:00:00:02\", addresses: [dhcp], tags: [x, y]}\n" \
	"groups: {x: {tags: x}, y: {tags: y}}\n"                                         \
	"rules:\n"                                                                       \
	"  - {name: one, from: x, to: y, service: tcp/" port ", action: allow}\n"        \
	"  - {name: two, from: 10.1.1.1/8, to: y, action: deny}\n"

static void walk_reread(const char *was, const char *now)
{
	struct tw_policy *old = must_read(was);
	int err = -ENOMEM;

	for (size_t n = 1; err == -ENOMEM; n++) {
		struct tw_policy *policy = NULL;
		struct tw_diags diags = {0};

		tw_alloc_fail_after(n);
		err = tw_policy_reread(old, was, strlen(was), now, strlen(now), &policy, &diags);
		tw_alloc_fail_after(0);
		assert_int_equal(policy != NULL, err == 0);
		tw_policy_free(policy);
		tw_diags_done(&diags);
	}
	assert_int_equal(err, 0);
	tw_policy_free(old);
}

static void rereading(void **state)
{
	walk_reread(SMALL("x", "80"), SMALL("x", "81"));
	walk_reread(SMALL("x", "80"), SMALL("x, y", "80"));
	walk_reread(SMALL("x", "80"), SMALL("x, y", "81"));
}

static void learning(void **state)
{
	const struct tw_learned learned = {1, {.b = {[10] = 0xff, 0xff, 10, 0, 0, 9}}};
	struct tw_policy *old = must_read(SMALL("x", "80"));
	int err = -ENOMEM;

	for (size_t n = 1; err == -ENOMEM; n++) {
		struct tw_policy *policy = NULL;
		struct tw_diags diags = {0};

		tw_alloc_fail_after(n);
		err = tw_policy_learn(old, &learned, 1, &policy, &diags);
		tw_alloc_fail_after(0);
		assert_int_equal(policy != NULL, err == 0);
		tw_policy_free(policy);
		tw_diags_done(&diags);
	}
	assert_int_equal(err, 0);
	tw_policy_free(old);
}

static void holding_against(void **state)
{
	struct tw_policy *old = must_read(SMALL("x", "80")), *now = must_read(SMALL("x, y", "81"));
	struct tw_compiler *was = NULL, *is = NULL;
	int err = -ENOMEM;

	assert_int_equal(tw_compiler_new(old, NULL, &was), 0);
	assert_int_equal(tw_compiler_new(now, NULL, &is), 0);
	for (size_t n = 1; err == -ENOMEM; n++) {
		struct tw_delta *delta = NULL;

		tw_alloc_fail_after(n);
		err = tw_delta_new(was, is, &delta);
		if (!err)
			tw_delta_find(delta, tw_policy_vnic(now, 1), true);
		tw_alloc_fail_after(0);
		assert_int_equal(delta != NULL, err == 0);
		tw_delta_free(delta);
	}
	assert_int_equal(err, 0);
	tw_compiler_free(was);
	tw_compiler_free(is);
	tw_policy_free(old);
	tw_policy_free(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading),
		cmocka_unit_test(reading_what_is_wrong),
		cmocka_unit_test(compiling),
		cmocka_unit_test(printing),
		cmocka_unit_test(comparing),
		cmocka_unit_test(rereading),
		cmocka_unit_test(learning),
		cmocka_unit_test(holding_against),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
