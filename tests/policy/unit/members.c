/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of group membership: workloads join and leave groups. Retained images with the present
 * members give the same decisions as newly compiled images and as a linear search through the
 * rules. */
#include "test.h"

#include <arpa/inet.h>

#include "image_eval.h"
#include "world.h"

#define WORLDS 60
#define MOVES  6
#define TUPLES 120

/* A policy in force: its images are retained from an earlier policy, or its own. */
struct state {
	struct tw_policy *policy;
	struct tw_compiler *compiler;
	struct tw_image_key key[WORLD_WORKLOADS];
	struct tw_image *image[WORLD_WORKLOADS];
	bool resolved[WORLD_WORKLOADS];
};

struct counts {
	size_t carried, kept, compiled, asked, told;
};

static void state_done(struct state *s)
{
	tw_compiler_free(s->compiler);
	tw_policy_free(s->policy);
}

static void read_state(struct state *s, const struct world *world)
{
	tw_auto_buf struct tw_buf text = {0};

	*s = (struct state){0};
	world_print(world, &text);
	assert_false(text.failed);
	s->policy = must_read(text.data);
	assert_int_equal(tw_compiler_new(s->policy, NULL, &s->compiler), 0);
}

static struct tw_image *compile(struct state *s, const struct tw_layout *layout, size_t w)
{
	struct tw_image *image = NULL;
	struct tw_diags diags = {0};

	assert_int_equal(tw_layout_compile(s->compiler, layout, &image, &diags), 0);
	assert_int_equal(diags.n, 0);
	s->resolved[w] = image->resolved || tw_layout_is_resolved(layout);
	return image;
}

/* Takes over the images that are still valid from the previous state, as the agent does. */
static void take_over(struct state *was, struct state *now, struct counts *counts)
{
	struct tw_delta *delta = NULL;

	if (was->policy)
		assert_int_equal(tw_delta_new(was->compiler, now->compiler, &delta), 0);
	for (size_t w = 0; w < WORLD_WORKLOADS; w++) {
		struct tw_layout *layout = NULL;

		assert_int_equal(
			tw_layout_new(now->compiler, tw_policy_vnic(now->policy, w), &layout), 0);
		now->key[w] = *tw_layout_key(layout);
		now->resolved[w] = was->resolved[w];
		if (delta && tw_delta_find(delta, tw_policy_vnic(now->policy, w),
				     was->resolved[w]) == (long)w) {
			assert_memory_equal(&now->key[w], &was->key[w], sizeof(now->key[w]));
			counts->carried++;
			now->image[w] = was->image[w];
		} else if (was->image[w] &&
			   !memcmp(&now->key[w], &was->key[w], sizeof(now->key[w]))) {
			counts->kept++;
			now->image[w] = was->image[w];
		} else {
			counts->compiled++;
			tw_image_free(was->image[w]);
			now->image[w] = compile(now, layout, w);
		}
		was->image[w] = NULL;
		tw_layout_free(layout);
	}
	tw_delta_free(delta);
}

static uint32_t expected(
	const struct world *world, int workload, enum tw_dir dir, const struct world_tuple *t)
{
	unsigned int number = world_decide_at(world, workload, dir, t);

	if (number == world->n_rules)
		return tw_decision(world->default_allow ? TW_V_ALLOW : TW_V_DENY, 0, number);
	return tw_decision(world->rules[number].action, world->rules[number].log, number);
}

static void ask_all(
	const struct world *world, struct state *s, uint64_t *random, struct counts *counts)
{
	const struct tw_members *members = tw_compiler_members(s->compiler);

	counts->told += members->all.n;
	for (unsigned int w = 0; w < WORLD_WORKLOADS; w++) {
		struct tw_diags diags = {0};
		struct tw_image *fresh = NULL;

		assert_int_equal(tw_policy_compile(s->policy, tw_policy_vnic(s->policy, w), NULL,
					 &fresh, &diags),
			0);
		for (unsigned int i = 0; i < TUPLES; i++) {
			enum tw_dir dir = world_below(random, 2) ? TW_DIR_IN : TW_DIR_OUT;
			struct world_tuple t = world_tuple(world, random);
			struct image_question q = {.vnic = tw_policy_vnic(s->policy, w),
				.members = members,
				.key = t.proto << 16 | t.dport,
				.sport = t.sport};
			struct tw_addr *own = dir == TW_DIR_OUT ? &t.from : &t.to;

			if (!world->workloads[w].any && !world_own(world, w, t.v6, random, own))
				continue;
			q.local = *own;
			q.remote = dir == TW_DIR_OUT ? t.to : t.from;
			assert_int_equal(
				image_eval(s->image[w], dir, &q), expected(world, (int)w, dir, &t));
			assert_int_equal(
				image_eval(fresh, dir, &q), expected(world, (int)w, dir, &t));
			counts->asked++;
		}
		tw_image_free(fresh);
	}
}

static void joins_and_leaves_change_no_other_image(void **state)
{
	static struct world world;
	struct counts counts = {0};
	uint64_t random = 3;

	for (unsigned int i = 0; i < WORLDS; i++) {
		struct state was = {0}, now;

		world_make(&world, 9000 + i, 1 + i % 24);
		for (unsigned int move = 0; move <= MOVES; move++) {
			read_state(&now, &world);
			take_over(&was, &now, &counts);
			ask_all(&world, &now, &random, &counts);
			state_done(&was);
			was = now;
			world.workloads[world_below(&random, WORLD_WORKLOADS)].tags ^=
				1u << world_below(&random, WORLD_TAGS);
		}
		for (size_t w = 0; w < WORLD_WORKLOADS; w++)
			tw_image_free(was.image[w]);
		state_done(&was);
	}
	assert_true(counts.asked > WORLDS * MOVES * WORLD_WORKLOADS * TUPLES / 3);
	assert_true(counts.told > WORLDS);
	assert_true(counts.carried > WORLDS * MOVES);
	assert_true(counts.compiled > WORLDS * WORLD_WORKLOADS);
}

#define THREE(tags, rule)                                                     \
	"version: 1\n"                                                        \
	"workloads: {a: {port: tap0, addresses: [10.1.2.1]},\n"               \
	"  b: {port: tap1, addresses: [10.1.2.5], tags: [" tags "]},\n"       \
	"  c: {port: tap2, addresses: [10.1.2.9], tags: [u]}}\n"              \
	"groups: {t: {tags: t}, u: {tags: u}, net: {networks: [10.1.2.5]}}\n" \
	"rules: [{name: r, to: a, from: " rule ", at: to, service: tcp/80, action: allow}]\n"

/* Decides a connection from 10.1.2.5 at a's port, with a's image of the first text and the members
 * of the second. */
static uint32_t decide(const char *before, const char *after)
{
	struct tw_policy *was = must_read(before), *now = must_read(after);
	struct image_question q = {.vnic = tw_policy_vnic(was, 0), .key = 6u << 16 | 80};
	struct tw_members members = {0};
	struct tw_image *image = NULL;
	struct tw_diags diags = {0};
	uint32_t decision;

	assert_int_equal(tw_policy_compile(was, tw_policy_vnic(was, 0), NULL, &image, &diags), 0);
	assert_int_equal(tw_policy_members(now, &members), 0);
	q.members = &members;
	q.local = q.remote = (struct tw_addr){.w = {[2] = htonl(0xffff), [3] = htonl(0x0a010201)}};
	q.remote.w[3] = htonl(0x0a010205);
	decision = image_eval(image, TW_DIR_IN, &q);
	tw_members_done(&members);
	tw_image_free(image);
	tw_policy_free(was);
	tw_policy_free(now);
	return decision;
}

static void members_alone_decide(void **state)
{
	uint32_t allow = tw_decision(TW_V_ALLOW, 0, 0), deny = tw_decision(TW_V_DENY, 0, 1);

	assert_int_equal(decide(THREE("", "t"), THREE("", "t")), deny);
	assert_int_equal(decide(THREE("", "t"), THREE("t", "t")), allow);
	assert_int_equal(decide(THREE("t", "t"), THREE("", "t")), deny);
	assert_int_equal(decide(THREE("", "[u, t]"), THREE("t, u", "[u, t]")), allow);
	/* Networks are part of the image, and so are a list's exclusions. */
	assert_int_equal(decide(THREE("", "[net, t]"), THREE("", "[net, t]")), allow);
	assert_int_equal(
		decide(THREE("", "[10.0.0.0/8, \"!t\"]"), THREE("t", "[10.0.0.0/8, \"!t\"]")),
		allow);
}

/* An address in more groups than a set holds is resolved in the image for all of them. */
static void many_groups_are_resolved(void **state)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_members members = {0};
	struct tw_policy *policy;

	tw_buf_adds(&text, "version: 1\nworkloads:\n  a: {port: tap0, addresses: [10.1.2.1]}\n");
	tw_buf_adds(&text, "  b: {port: tap1, addresses: [10.1.2.5], tags: [t]}\ngroups:\n");
	for (unsigned int i = 0; i <= TW_GROUP_SET_MAX; i++)
		tw_buf_addf(&text, "  g%u: {tags: t}\n", i);
	tw_buf_adds(&text, "rules:\n");
	for (unsigned int i = 0; i <= TW_GROUP_SET_MAX; i++)
		tw_buf_addf(
			&text, "  - {from: g%u, to: a, service: tcp/%u, action: allow}\n", i, i);
	policy = must_read(text.data);
	assert_int_equal(tw_policy_members(policy, &members), 0);
	assert_int_equal(members.all.n, 0);
	tw_members_done(&members);
	for (unsigned int i = 0; i <= TW_GROUP_SET_MAX; i++) {
		struct tw_diags diags = {0};
		struct tw_image *image = NULL;
		struct image_question q = {.vnic = tw_policy_vnic(policy, 0), .key = 6u << 16 | i};

		assert_int_equal(tw_policy_compile(policy, q.vnic, NULL, &image, &diags), 0);
		q.local = q.remote = (struct tw_addr){
			.w = {[2] = htonl(0xffff), [3] = htonl(0x0a010201)}};
		q.remote.w[3] = htonl(0x0a010205);
		assert_int_equal(image_eval(image, TW_DIR_IN, &q), tw_decision(TW_V_ALLOW, 0, i));
		tw_image_free(image);
	}
	tw_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joins_and_leaves_change_no_other_image),
		cmocka_unit_test(members_alone_decide),
		cmocka_unit_test(many_groups_are_resolved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
