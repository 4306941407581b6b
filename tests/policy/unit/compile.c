/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of compiled images: an image gives the same decisions as a linear search through the
 * rules. */
#include "test.h"

#include <arpa/inet.h>

#include "image_eval.h"
#include "world.h"

#define WORLDS 150
#define TUPLES 400

static struct tw_policy *read_world(const struct world *world)
{
	tw_auto_buf struct tw_buf text = {0};

	world_print(world, &text);
	assert_false(text.failed);
	return must_read(text.data);
}

static struct tw_image *must_compile(
	const struct tw_policy *policy, size_t vnic, const uint32_t *slots)
{
	struct tw_image *image = NULL;
	struct tw_diags diags = {0};

	assert_int_equal(
		tw_policy_compile(policy, tw_policy_vnic(policy, vnic), slots, &image, &diags), 0);
	assert_int_equal(diags.n, 0);
	return image;
}

static uint32_t ask(const struct tw_policy *policy, size_t vnic, const struct tw_image *image,
	enum tw_dir dir, const struct world_tuple *t)
{
	struct image_question q = {.vnic = tw_policy_vnic(policy, vnic),
		.key = t->proto << 16 | t->dport,
		.sport = t->sport};
	struct tw_members members = {0};
	uint32_t decision;

	assert_int_equal(tw_policy_members(policy, &members), 0);
	q.members = &members;
	q.local = dir == TW_DIR_OUT ? t->from : t->to;
	q.remote = dir == TW_DIR_OUT ? t->to : t->from;
	decision = image_eval(image, dir, &q);
	tw_members_done(&members);
	return decision;
}

static uint32_t expected(
	const struct world *world, int workload, enum tw_dir dir, const struct world_tuple *t)
{
	unsigned int number = world_decide_at(world, workload, dir, t);

	if (number == world->n_rules)
		return tw_decision(world->default_allow ? TW_V_ALLOW : TW_V_DENY, 0, number);
	return tw_decision(world->rules[number].action, world->rules[number].log, number);
}

/* A port's local address: one of its own, or a multicast, broadcast or link-local address. */
static bool make_local(const struct world *world, unsigned int workload, enum tw_dir dir,
	uint64_t *random, bool v6, struct tw_addr *ret)
{
	static const char *const out[] = {"169.254.1.2", "0.0.0.0", "fe80::1", "::"};
	static const char *const in[] = {"224.0.0.251", "255.255.255.255", "ff02::fb", "ff05::2"};
	const char *const *list = dir == TW_DIR_IN && world_below(random, 2) ? in : out;

	if (world->workloads[workload].any)
		return true;
	if (world_below(random, 4))
		return world_own(world, workload, v6, random, ret);
	if (!v6) {
		*ret = (struct tw_addr){.w = {[2] = htonl(0xffff)}};
		return inet_pton(AF_INET, list[world_below(random, 2)], &ret->w[3]) == 1;
	}
	return inet_pton(AF_INET6, list[2 + world_below(random, 2)], ret) == 1;
}

static void check_world(const struct world *world, const struct tw_policy *policy, uint64_t *random,
	size_t *ret_asked)
{
	for (unsigned int w = 0; w < WORLD_WORKLOADS; w++) {
		struct tw_image *image = must_compile(policy, w, NULL);

		for (unsigned int i = 0; i < TUPLES; i++) {
			enum tw_dir dir = world_below(random, 2) ? TW_DIR_IN : TW_DIR_OUT;
			struct world_tuple t = world_tuple(world, random);

			if (!make_local(world, w, dir, random, t.v6,
				    dir == TW_DIR_OUT ? &t.from : &t.to))
				continue;
			/* names_multicast() tests the bit that is masked here. */
			assert_int_equal(ask(policy, w, image, dir, &t) & ~TW_DECISION_NAMED,
				expected(world, (int)w, dir, &t));
			++*ret_asked;
		}
		tw_image_free(image);
	}
}

static void images_equal_rules(void **state)
{
	static struct world world;
	uint64_t random = 1;
	size_t asked = 0;

	for (unsigned int i = 0; i < WORLDS; i++) {
		struct tw_policy *policy;

		world_make(&world, 1000 + i, i % 3 ? 1 + i % 20 : WORLD_RULES_MAX);
		policy = read_world(&world);
		check_world(&world, policy, &random, &asked);
		tw_policy_free(policy);
	}
	assert_true(asked > WORLDS * WORLD_WORKLOADS * TUPLES / 3);
}

/* A rule names multicast if its `to` has it by addresses and ranges within multicast. */
static void names_multicast(void **state)
{
	static const struct {
		const char *to;
		const char *group;
		bool names;
	} cases[] = {
		{"239.1.1.1", "239.1.1.1", true},
		{"239.0.0.0/8", "239.1.1.1", true},
		{"224.0.0.0/4", "239.1.1.1", true},
		{"239.1.1.0-239.1.1.9", "239.1.1.1", true},
		{"[10.0.0.0/8, 239.0.0.0/8]", "239.1.1.1", true},
		{"channels", "239.1.1.1", true},
		{"video", "239.1.1.1", true},
		{"['239.0.0.0/8', '!239.2.0.0/16']", "239.1.1.1", true},
		{"'ff00::/8'", "ff05::1", true},
		{"['ff05::/16', 239.0.0.0/8]", "ff05::1", true},
		{"any", "239.1.1.1", false},
		{"any", "ff05::1", false},
		{"0.0.0.0/0", "239.1.1.1", false},
		{"224.0.0.0/3", "239.1.1.1", false},
		{"239.0.0.0-255.255.255.255", "239.1.1.1", false},
		{"'!10.0.0.0/8'", "239.1.1.1", false},
		{"'!224.0.0.0/8'", "239.1.1.1", false},
		{"[239.0.0.0/8, any]", "239.1.1.1", false},
		{"'::/0'", "ff05::1", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tw_auto_buf struct tw_buf text = {0};
		struct world_tuple t = {.proto = 17, .sport = 1, .dport = 5000};
		struct tw_policy *policy;
		struct tw_image *image;
		uint32_t decision;

		tw_buf_addf(&text,
			"version: 1\n"
			"networks: {channels: [239.0.0.0/8]}\n"
			"workloads: {a: {port: a, addresses: [10.0.0.1, 'fd00::1']}}\n"
			"groups: {video: {networks: [channels], workloads: [a]}}\n"
			"rules: [{from: a, to: %s, action: allow}]\n",
			cases[i].to);
		policy = must_read(text.data);
		image = must_compile(policy, 0, NULL);
		t.v6 = strchr(cases[i].group, ':') != NULL;
		if (t.v6) {
			assert_int_equal(inet_pton(AF_INET6, "fd00::1", &t.from), 1);
			assert_int_equal(inet_pton(AF_INET6, cases[i].group, &t.to), 1);
		} else {
			t.from.w[2] = t.to.w[2] = htonl(0xffff);
			assert_int_equal(inet_pton(AF_INET, "10.0.0.1", &t.from.w[3]), 1);
			assert_int_equal(inet_pton(AF_INET, cases[i].group, &t.to.w[3]), 1);
		}
		decision = ask(policy, 0, image, TW_DIR_OUT, &t);
		assert_int_equal(tw_decision_verdict(decision), TW_V_ALLOW);
		assert_int_equal(!!(decision & TW_DECISION_NAMED), cases[i].names);
		tw_image_free(image);
		tw_policy_free(policy);
	}
}

/* Reads a world's policy with its workloads in one network, and a double of each, with the same
 * addresses and tags, in another. */
static struct tw_policy *read_twice(const struct world *world)
{
	tw_auto_buf struct tw_buf text = {0}, twice = {0};
	tw_autofree char *lines = NULL;
	char *rest;

	world_print(world, &text);
	lines = strdup(text.data);
	assert_non_null(lines);
	for (char *line = strtok_r(lines, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *port = strstr(line, ": {port: tap");

		if (port) {
			tw_buf_addf(&twice, "  z%.*s: {network: y, port: z%s\n",
				(int)(port - line - 2), line + 2, port + strlen(": {port: "));
			tw_buf_addf(&twice, "%.*s: {network: x, %s\n", (int)(port - line), line,
				port + strlen(": {"));
		} else {
			tw_buf_addf(&twice, "%s\n", line);
		}
	}
	return must_read(twice.data);
}

/* A second network with the same addresses changes nothing at the ports of the first. */
static void networks_do_not_meet(void **state)
{
	static struct world world;
	uint64_t random = 3;
	size_t asked = 0;

	for (unsigned int i = 0; i < WORLDS / 3; i++) {
		struct tw_policy *policy;

		world_make(&world, 7000 + i, 1 + i % 30);
		policy = read_twice(&world);
		for (unsigned int w = 0; w < WORLD_WORKLOADS; w++) {
			size_t vnic = 2 * w + 1; /* behind its double */
			struct tw_image *image = must_compile(policy, vnic, NULL);

			for (unsigned int k = 0; k < TUPLES; k++) {
				enum tw_dir dir = world_below(&random, 2) ? TW_DIR_IN : TW_DIR_OUT;
				struct world_tuple t = world_tuple(&world, &random);

				if (!make_local(&world, w, dir, &random, t.v6,
					    dir == TW_DIR_OUT ? &t.from : &t.to))
					continue;
				assert_int_equal(ask(policy, vnic, image, dir, &t),
					expected(&world, (int)w, dir, &t));
				asked++;
			}
			tw_image_free(image);
		}
		tw_policy_free(policy);
	}
	assert_true(asked > WORLDS / 3 * WORLD_WORKLOADS * TUPLES / 3);
}

/* For a frame to an address that is not the port's own, the image may refuse what the rules allow,
 * but may not allow what the rules refuse. */
static void cutting_never_allows(void **state)
{
	static struct world world;
	uint64_t random = 2;

	for (unsigned int i = 0; i < WORLDS; i++) {
		struct tw_policy *policy;
		struct tw_image *image;

		world_make(&world, 5000 + i, 1 + i % 30);
		policy = read_world(&world);
		image = must_compile(policy, 0, NULL);
		for (unsigned int k = 0; k < TUPLES; k++) {
			struct world_tuple t = world_tuple(&world, &random);
			enum tw_verdict got = tw_decision_verdict(
				ask(policy, 0, image, TW_DIR_IN, &t));

			if (got == TW_V_ALLOW)
				assert_int_equal(
					tw_decision_verdict(expected(&world, 0, TW_DIR_IN, &t)),
					TW_V_ALLOW);
		}
		tw_image_free(image);
		tw_policy_free(policy);
	}
}

/* The subnet's size is not known: the rules judge every address that could be its broadcast
 * address. */
static void directed_broadcast_is_judged(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: tap0, addresses: [10.1.2.3]}}\n"
		"rules: [{name: b, from: any, to: 10.1.0.0/16, action: allow}]\n");
	struct tw_image *image = must_compile(policy, 0, NULL);
	struct image_question q = {.vnic = tw_policy_vnic(policy, 0), .key = 17u << 16 | 138};

	q.remote = q.local = (struct tw_addr){.w = {[2] = htonl(0xffff), [3] = htonl(0x0a010001)}};
	q.local.w[3] = htonl(0x0a0102ff);
	assert_int_equal(image_eval(image, TW_DIR_IN, &q), tw_decision(TW_V_ALLOW, 0, 0));
	q.local.w[3] = htonl(0x0a01ffff);
	assert_int_equal(image_eval(image, TW_DIR_IN, &q), tw_decision(TW_V_ALLOW, 0, 0));
	q.local.w[3] = htonl(0x0a010204);
	assert_int_equal(image_eval(image, TW_DIR_IN, &q), tw_decision(TW_V_DENY, 0, 1));
	tw_image_free(image);
	tw_policy_free(policy);
}

static void slots_are_used(void **state)
{
	static const uint32_t slots[] = {77, 5};
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: tap0, addresses: [any]}}\n"
		"rules: [{name: r, service: tcp/80, action: reject, log: true}]\n");
	struct tw_image *image = must_compile(policy, 0, slots);
	struct image_question q = {.vnic = tw_policy_vnic(policy, 0), .key = 6u << 16 | 80};

	assert_int_equal(image_eval(image, TW_DIR_IN, &q), tw_decision(TW_V_REJECT, 1, 77));
	assert_int_equal(image_eval(image, TW_DIR_OUT, &q), tw_decision(TW_V_REJECT, 1, 77));
	q.key++;
	assert_int_equal(image_eval(image, TW_DIR_OUT, &q), tw_decision(TW_V_DENY, 0, 5));
	tw_image_free(image);
	tw_policy_free(policy);
}

static void make_random_rules(struct tw_buf *text, unsigned int n)
{
	uint64_t random = 7;

	tw_buf_adds(
		text, "version: 1\nworkloads: {a: {port: tap0, addresses: [10.0.0.1]}}\nrules:\n");
	for (unsigned int i = 0; i < n; i++) {
		unsigned int len = 8 + world_below(&random, 25);
		uint32_t host = (uint32_t)world_random(&random) & ~(uint32_t)(0xffffffffull >> len);

		tw_buf_addf(text,
			"  - {from: %u.%u.%u.%u/%u, to: a, service: tcp/%u, action: allow, at: to}\n",
			host >> 24, host >> 16 & 255, host >> 8 & 255, host & 255, len,
			1 + world_below(&random, 65535));
	}
	assert_false(text->failed);
}

static void four_thousand_rules_fit(void **state)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_policy *policy;
	struct tw_image *image;

	make_random_rules(&text, 4096);
	policy = must_read(text.data);
	image = must_compile(policy, 0, NULL);
	assert_int_equal(image->n_entries[TW_DIR_IN], 4096);
	assert_int_equal(image->n_entries[TW_DIR_OUT], 0);
	assert_true(image->n_words * 4 < 16u << 20);
	tw_image_free(image);
	tw_policy_free(policy);
}

/* Rules after one that decides everything at a port use no space in its image. */
static void nothing_after_a_full_match(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: tap0, addresses: [10.1.2.3]}}\n"
		"rules: [{name: all, to: a, action: allow},\n"
		"  {name: more, to: a, service: tcp/1, action: deny}]\n");
	struct tw_image *image = must_compile(policy, 0, NULL);

	/* `a` is a single address, and the first rule does not decide frames to multicast
	 * addresses, so both rules stay. */
	assert_int_equal(image->n_entries[TW_DIR_IN], 2);
	tw_image_free(image);
	tw_policy_free(policy);
	policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: tap0, addresses: [10.1.2.3]}}\n"
		"rules: [{name: all, action: allow}, {name: more, service: tcp/1, action: deny}]\n");
	image = must_compile(policy, 0, NULL);
	assert_int_equal(image->n_entries[TW_DIR_IN], 1);
	assert_int_equal(image->n_entries[TW_DIR_OUT], 1);
	tw_image_free(image);
	tw_policy_free(policy);
}

/* Services of several protocols and families share an entry; each source port range has its own. */
static void services_share_an_entry(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: tap0, addresses: [10.1.2.3, 'fd00::1']}}\n"
		"rules: [{to: a, at: to, action: allow, service: [tcp/80, icmp/8, icmp6/128, udp]},\n"
		"  {to: a, at: to, action: allow, service: [{proto: tcp, source-port: [1, 2]}, tcp/9]}]\n");
	struct tw_image *image = must_compile(policy, 0, NULL);

	assert_int_equal(image->n_entries[TW_DIR_IN], 1 + 3);
	assert_int_equal(image->n_entries[TW_DIR_OUT], 0);
	tw_image_free(image);
	tw_policy_free(policy);
}

static struct tw_image_key key_of(struct tw_compiler *compiler, const struct tw_policy *p, size_t n)
{
	struct tw_layout *layout = NULL;
	struct tw_image_key key;

	assert_int_equal(tw_layout_new(compiler, tw_policy_vnic(p, n), &layout), 0);
	key = *tw_layout_key(layout);
	tw_layout_free(layout);
	return key;
}

static bool same_image(const struct tw_policy *p, size_t a, const struct tw_policy *q, size_t b)
{
	struct tw_compiler *of_p = NULL, *of_q = NULL;
	struct tw_image_key left, right;

	assert_int_equal(tw_compiler_new(p, NULL, &of_p), 0);
	assert_int_equal(tw_compiler_new(q, NULL, &of_q), 0);
	left = key_of(of_p, p, a);
	right = key_of(of_q, q, b);
	tw_compiler_free(of_p);
	tw_compiler_free(of_q);
	return !memcmp(&left, &right, sizeof(left));
}

#define THREE(rule)                                                              \
	"version: 1\n"                                                           \
	"workloads: {a: {port: tap0, addresses: [10.1.2.3], tags: [t]},\n"       \
	"  b: {port: tap1, addresses: [10.9.8.4], tags: [t]},\n"                 \
	"  c: {port: tap2, addresses: [10.5.5.5]}}\n"                            \
	"groups: {g: {tags: t}}\n"                                               \
	"rules: [{name: r, to: g, from: any, service: tcp/80, action: allow},\n" \
	"  {name: s, from: c, to: 192.0.2.0/24, action: " rule "}]\n"

/* Ports with equal rules share an image, whatever their addresses. A port that an edit does not
 * affect keeps its image. */
static void equal_rules_are_one_image(void **state)
{
	struct tw_policy *before = must_read(THREE("allow")), *after = must_read(THREE("reject"));

	assert_true(same_image(before, 0, before, 1));
	assert_false(same_image(before, 0, before, 2));
	assert_true(same_image(before, 0, after, 0));
	assert_false(same_image(before, 2, after, 2));
	tw_policy_free(before);
	tw_policy_free(after);
}

/* Each class of addresses is in nearly all sets, too many to list per class. */
static void sets_that_lie_upon_one_another(void **state)
{
	enum { RULES = 1500 };
	tw_auto_buf struct tw_buf text = {0};
	struct image_question q = {.local = {.w = {[2] = htonl(0xffff), [3] = htonl(0x0a090005)}},
		.remote = {.w = {[2] = htonl(0xffff), [3] = htonl(0x0a010101)}}};
	struct tw_policy *policy;
	struct tw_image *image;

	tw_buf_adds(
		&text, "version: 1\nworkloads: {a: {port: tap0, addresses: [10.9.0.5]}}\nrules:\n");
	for (unsigned int i = 0; i < RULES; i++)
		tw_buf_addf(&text,
			"  - {from: \"!10.9.%u.%u\", to: any, service: tcp/%u, action: allow, at: from}\n",
			i >> 8, i & 255, 1000 + i);
	policy = must_read(text.data);
	image = must_compile(policy, 0, NULL);
	assert_int_equal(image->n_entries[TW_DIR_OUT], RULES);
	q.vnic = tw_policy_vnic(policy, 0);
	for (unsigned int i = 0; i < RULES; i++) {
		q.key = 6u << 16 | (1000 + i);
		assert_int_equal(image_eval(image, TW_DIR_OUT, &q),
			i == 5 ? tw_decision(TW_V_DENY, 0, RULES) : tw_decision(TW_V_ALLOW, 0, i));
	}
	tw_image_free(image);
	tw_policy_free(policy);
}

/* A router's local addresses fall into many classes: the image uses vectors, and every rule still
 * applies. */
static void routers_take_vectors(void **state)
{
	tw_auto_buf struct tw_buf text = {0};
	struct image_question q = {.key = 6u << 16 | 80};
	struct tw_policy *policy;
	struct tw_image *image;

	tw_buf_adds(&text,
		"version: 1\nworkloads: {r: {port: tap0, addresses: [10.0.0.0/8]}}\nrules:\n");
	for (unsigned int i = 0; i < 20000; i++)
		tw_buf_addf(&text, "  - {from: 10.%u.%u.0/25, service: tcp/80, action: allow}\n",
			i >> 8, i & 255);
	policy = must_read(text.data);
	image = must_compile(policy, 0, NULL);
	q.vnic = tw_policy_vnic(policy, 0);
	for (unsigned int i = 0; i < 20000; i += 37) {
		q.local = (struct tw_addr){
			.w = {[2] = htonl(0xffff), [3] = htonl(10u << 24 | i << 8 | 5)}};
		q.remote = q.local;
		assert_int_equal(image_engine(image, TW_DIR_OUT, &q), TW_ENGINE_VECTORS);
		assert_int_equal(image_eval(image, TW_DIR_OUT, &q), tw_decision(TW_V_ALLOW, 0, i));
		q.local.w[3] = htonl(10u << 24 | i << 8 | 133);
		assert_int_equal(
			image_eval(image, TW_DIR_OUT, &q), tw_decision(TW_V_DENY, 0, 20000));
	}
	tw_image_free(image);
	tw_policy_free(policy);
}

/* More entries than vectors allow, at a port for which cells do not suffice: refused, with the
 * port's name. */
static void too_many_rules_are_refused(void **state)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_image *image = (struct tw_image *)&text;
	struct tw_diags diags = {0};
	struct tw_policy *policy;

	tw_buf_adds(&text,
		"version: 1\nworkloads: {r: {port: tap0, addresses: [10.0.0.0/8]}}\nrules:\n");
	for (unsigned int i = 0; i < 45000; i++)
		tw_buf_addf(&text,
			"  - {from: 10.%u.%u.0/25, service: [{proto: tcp, source-port: 1}, {proto: tcp, source-port: 2}, {proto: udp, source-port: 3}], action: allow}\n",
			i >> 8, i & 255);
	policy = must_read(text.data);
	assert_int_equal(
		tw_policy_compile(policy, tw_policy_vnic(policy, 0), NULL, &image, &diags), -E2BIG);
	assert_ptr_equal(image, &text);
	assert_int_equal(diags.n_errors, 1);
	assert_non_null(strstr(diags.at[0].text, "workload r"));
	assert_non_null(strstr(diags.at[0].text, "131072"));
	tw_diags_done(&diags);
	tw_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_equal_rules),
		cmocka_unit_test(names_multicast),
		cmocka_unit_test(networks_do_not_meet),
		cmocka_unit_test(cutting_never_allows),
		cmocka_unit_test(directed_broadcast_is_judged),
		cmocka_unit_test(slots_are_used),
		cmocka_unit_test(four_thousand_rules_fit),
		cmocka_unit_test(nothing_after_a_full_match),
		cmocka_unit_test(services_share_an_entry),
		cmocka_unit_test(equal_rules_are_one_image),
		cmocka_unit_test(sets_that_lie_upon_one_another),
		cmocka_unit_test(routers_take_vectors),
		cmocka_unit_test(too_many_rules_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
