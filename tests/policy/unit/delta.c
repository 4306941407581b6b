/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of deltas: the ports reported to share an image in two policies are those whose images
 * are equal when both are compiled. */
#include "test.h"

#include "policy/model.h"
#include "world.h"

#define WORLDS	  3000
#define RULES_MAX 24

static struct tw_policy *read_world(const struct world *world)
{
	tw_auto_buf struct tw_buf text = {0};

	world_print(world, &text);
	assert_false(text.failed);
	return must_read(text.data);
}

/* Changes one object of the world: it is replaced, moved, added or removed. */
static void change(struct world *world, uint64_t *random)
{
	static struct world other;
	unsigned int i = world_below(random, world->n_rules);
	unsigned int w = world_below(random, WORLD_WORKLOADS);
	struct world_rule swap = world->rules[i];

	world_make(&other, world_random(random), world->n_rules);
	switch (world_below(random, 9)) {
	case 0:
		world->rules[i] = other.rules[i];
		break;
	case 1:
		world->rules[i].service = other.rules[i].service;
		break;
	case 2:
		world->rules[i].to = other.rules[i].to;
		break;
	case 3:
		world->n_rules--;
		for (; i < world->n_rules; i++)
			world->rules[i] = world->rules[i + 1];
		break;
	case 4:
		for (unsigned int k = world->n_rules++; k > i; k--)
			world->rules[k] = world->rules[k - 1];
		world->rules[i] = other.rules[i];
		break;
	case 5:
		world->workloads[w].tags ^= 1u << world_below(random, WORLD_TAGS);
		break;
	case 6:
		world->rules[i] = world->rules[0];
		world->rules[0] = swap;
		break;
	case 7:
		world->groups[world_below(random, WORLD_GROUPS)] = other.groups[0];
		break;
	default:
		world->rules[i].at_in = other.rules[i].at_in;
		world->rules[i].at_out = !world->rules[i].at_in || other.rules[i].at_out;
	}
}

/* A rule keeps the slot of the old rule with the same name. */
static void give_slots(const struct tw_policy *old, const struct tw_policy *now,
	uint32_t *old_slots, uint32_t *slots)
{
	for (uint32_t i = 0; i <= tw_policy_n_rules(old); i++)
		old_slots[i] = i;
	for (uint32_t i = 0; i <= tw_policy_n_rules(now); i++) {
		long was = tw_policy_rule_index(old, tw_policy_rule(now, i)->name);

		slots[i] = was < 0 ? 1000 + i : (uint32_t)was;
	}
}

static struct tw_image_key key_of(struct tw_compiler *compiler, const struct tw_policy *policy,
	size_t number, bool *ret_resolved)
{
	struct tw_layout *layout = NULL;
	struct tw_image_key key;

	assert_int_equal(tw_layout_new(compiler, tw_policy_vnic(policy, number), &layout), 0);
	key = *tw_layout_key(layout);
	*ret_resolved = tw_layout_is_resolved(layout);
	tw_layout_free(layout);
	return key;
}

static struct tw_image *must_make(
	struct tw_compiler *compiler, const struct tw_policy *policy, size_t number)
{
	struct tw_layout *layout = NULL;
	struct tw_image *image = NULL;
	struct tw_diags diags = {0};

	assert_int_equal(tw_layout_new(compiler, tw_policy_vnic(policy, number), &layout), 0);
	assert_int_equal(tw_layout_compile(compiler, layout, &image, &diags), 0);
	tw_layout_free(layout);
	return image;
}

/* Compares the images of an incremental compiler with those of a fresh one. */
static void compare_images(const struct tw_policy *now, const uint32_t *slots,
	const struct tw_policy *old, struct tw_compiler *was, struct tw_compiler *is)
{
	struct tw_compiler *fresh = NULL;

	for (size_t i = 0; i < tw_policy_n_vnics(old); i++)
		tw_image_free(must_make(was, old, i));
	tw_compiler_follow(is, was);
	assert_int_equal(tw_compiler_new(now, slots, &fresh), 0);
	for (size_t i = 0; i < tw_policy_n_vnics(now); i++) {
		struct tw_image *image = must_make(is, now, i), *want = must_make(fresh, now, i);

		assert_int_equal(image->n_words, want->n_words);
		assert_memory_equal(
			image->words, want->words, want->n_words * sizeof(*want->words));
		assert_int_equal(image->n_views, want->n_views);
		assert_memory_equal(
			image->views, want->views, want->n_views * sizeof(*want->views));
		assert_int_equal(image->resolved, want->resolved);
		tw_image_free(image);
		tw_image_free(want);
		/* A new compiler for each image, so that not even ports share one. */
		tw_compiler_free(fresh);
		fresh = NULL;
		assert_int_equal(tw_compiler_new(now, slots, &fresh), 0);
	}
	tw_compiler_free(fresh);
}

static size_t compare(const struct tw_policy *old, const struct tw_policy *now, bool images)
{
	uint32_t old_slots[RULES_MAX + 2], slots[RULES_MAX + 2];
	struct tw_compiler *was = NULL, *is = NULL;
	struct tw_delta *delta = NULL;
	size_t shared = 0;

	give_slots(old, now, old_slots, slots);
	assert_int_equal(tw_compiler_new(old, old_slots, &was), 0);
	assert_int_equal(tw_compiler_new(now, slots, &is), 0);
	assert_int_equal(tw_delta_new(was, is, &delta), 0);
	for (size_t i = 0; i < tw_policy_n_vnics(now); i++) {
		long n = tw_delta_find(delta, tw_policy_vnic(now, i), false);
		struct tw_image_key a, b;
		bool resolved;

		if (n < 0)
			continue;
		a = key_of(was, old, (size_t)n, &resolved);
		if (resolved && tw_delta_find(delta, tw_policy_vnic(now, i), true) < 0)
			continue;
		b = key_of(is, now, i, &resolved);
		assert_memory_equal(&a, &b, sizeof(a));
		shared++;
	}
	tw_delta_free(delta);
	if (images)
		compare_images(now, slots, old, was, is);
	tw_compiler_free(was);
	tw_compiler_free(is);
	return shared;
}

static void shared_images_are_equal(void **state)
{
	static struct world world;
	uint64_t random = 11;
	size_t shared = 0;

	for (unsigned int i = 0; i < WORLDS; i++) {
		struct tw_policy *old, *now;

		world_make(&world, 77000 + i, 2 + i % (RULES_MAX - 2));
		old = read_world(&world);
		change(&world, &random);
		now = read_world(&world);
		shared += compare(old, now, !(i % 4));
		tw_policy_free(old);
		tw_policy_free(now);
	}
	print_message("%zu of %d images are shared\n", shared, WORLDS * WORLD_WORKLOADS);
	assert_true(shared > WORLDS / 2);
}

static size_t shared_by(const char *old_text, const char *text)
{
	struct tw_policy *old = must_read(old_text), *now = must_read(text);
	size_t shared = compare(old, now, true);

	tw_policy_free(old);
	tw_policy_free(now);
	return shared;
}

#define HEAD                                                                \
	"version: 1\n"                                                      \
	"workloads:\n"                                                      \
	"  a: {port: ta, addresses: [10.1.0.1], tags: [x]}\n"               \
	"  b: {port: tb, addresses: [10.2.0.1], tags: [y]}\n"               \
	"  c: {port: tc, addresses: [10.3.0.1]}\n"                          \
	"groups: {x: {tags: x}, y: {tags: y}}\n"                            \
	"rules:\n"                                                          \
	"  - {name: one, from: x, to: y, service: tcp/80, action: allow}\n" \
	"  - {name: two, from: 10.9.0.0/16, to: b, service: tcp/81, action: allow}\n"

static void only_what_is_touched(void **state)
{
	/* `two` is enforced only at b. */
	assert_int_equal(shared_by(HEAD "  - {name: three, to: c, at: to, action: allow}\n",
				 HEAD "  - {name: three, to: c, at: to, action: deny}\n"),
		2);
	assert_int_equal(
		shared_by(HEAD, HEAD "  - {name: three, from: a, to: b, action: allow}\n"), 1);
	assert_int_equal(shared_by(HEAD, HEAD "default: allow\n"), 0);
	assert_int_equal(shared_by(HEAD, HEAD "default: deny\n"), 3);
	assert_int_equal(shared_by(HEAD, HEAD "  - {name: all, action: allow}\n"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_images_are_equal),
		cmocka_unit_test(only_what_is_touched),
	};

	return cmocka_run_group_tests_name("delta", tests, NULL, NULL);
}
