/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of printing: a policy that is printed and read again has the same canonical text and
 * the same lowered rules. */
#include "test.h"

#include "world.h"

#define WORLDS 400

static void print_both(const struct tw_policy *policy, struct tw_buf *text, struct tw_buf *lowered)
{
	tw_policy_print(policy, text);
	tw_policy_print_lowered(policy, lowered);
	assert_false(text->failed || lowered->failed);
}

static void check_round_trip(const char *text)
{
	tw_auto_buf struct tw_buf text_1 = {0}, text_2 = {0}, lowered_1 = {0}, lowered_2 = {0};
	struct tw_policy *policy = must_read(text);

	print_both(policy, &text_1, &lowered_1);
	tw_policy_free(policy);
	policy = must_read(text_1.data);
	print_both(policy, &text_2, &lowered_2);
	tw_policy_free(policy);
	assert_string_equal(text_1.data, text_2.data);
	assert_string_equal(lowered_1.data, lowered_2.data);
}

static void random_policies(void **state)
{
	static struct world world;

	for (unsigned int i = 0; i < WORLDS; i++) {
		tw_auto_buf struct tw_buf text = {0};

		world_make(&world, i, i % WORLD_RULES_MAX);
		world_print(&world, &text);
		check_round_trip(text.data);
	}
}

static void every_key(void **state)
{
	check_round_trip(
		"version: 1\n"
		"networks: {a: 10.0.0.0/8, 'on': ['::/0'], '17': [1.2.3.4]}\n"
		"services: {s: {proto: tcp, port: [80, 443], source-port: [1-2, 9]},\n"
		"  t: [{proto: icmp, type: 3, code: 4}, {proto: icmp6, type: 1}, {proto: 47}, any]}\n"
		"workloads: {'100': {port: tap100i0, addresses: 10.0.0.1, tags: []},\n"
		"  d: {port: d, mac: 52:54:00:00:00:09, addresses: [10.0.0.9, dhcp]},\n"
		"  e: {mac: 52:54:00:00:00:0a, addresses: dhcp}}\n"
		"groups: {g: {workloads: '100', networks: ['on', 1.2.3.4/31]}}\n"
		"rules:\n"
		"- {from: ['100', '17', '! on'], service: [s, tcp, udp/1-2], action: allow, log: false}\n"
		"- {to: '!g', service: any, action: reject, at: both}\n"
		"default: deny\n");
}

static void options(void **state)
{
	check_round_trip(
		"version: 1\n"
		"options: {unclaimed: deny, bind: first-sender, adopt: 0s, timeouts: {established: 86400, icmp: 7m},\n"
		"  limits: {packets: 5, broadcast: none}, refusals: 100, mode: observe, tcp: liberal}\n"
		"default: allow\n");
	check_round_trip(
		"version: 1\nworkloads: {r: {ports: [{port: a, mac: 52-54-00-00-00-01, addresses: "
		"'::/0'}, {mac: 52:54:00:00:00:02, addresses: any, limits: {half-open: 9}}], tags: ['a:b', c],\n"
		"  limits: {packets: 100/s, established: 7}, tcp: strict}}\n"
		"groups: {g: {tags: '!(a:b | !c & !!d) & c'}, h: {networks: [1.2.3.4, '::/1']}}\n");
}

static void one_rule(void **state)
{
	struct tw_policy *policy = must_read(
		"version: 1\n"
		"workloads: {a: {port: tap0, addresses: [10.0.0.1]}}\n"
		"rules:\n"
		"- {to: a, from: ['!10.0.0.0/8', any], service: [tcp], action: ask, at: to}\n"
		"- {name: x, action: deny, from: any, log: true}\n");
	tw_auto_buf struct tw_buf out = {0};

	tw_policy_print_rule(policy, 0, &out);
	assert_string_equal(out.data,
		"{from: [\"!10.0.0.0/8\", any], to: a, service: tcp, action: ask, at: to}");
	tw_buf_reset(&out);
	tw_policy_print_rule(policy, 1, &out);
	assert_string_equal(out.data, "{name: x, from: any, to: any, action: deny, log: true}");
	tw_buf_reset(&out);
	tw_policy_print_rule(policy, 2, &out);
	assert_string_equal(out.data, "default: deny");
	tw_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_policies),
		cmocka_unit_test(every_key),
		cmocka_unit_test(options),
		cmocka_unit_test(one_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
