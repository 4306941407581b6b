/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "fastpath/abi/names.h"

static void every_reason_has_a_name_of_its_own(void **state)
{
	for (unsigned int i = 0; i < TW_R__MAX; i++) {
		const char *name = tw_reason_name(i);

		assert_int_equal(tw_reason_from_name(name), i);
		assert_true(strlen(tw_reason_text(i)) > 5);
		assert_true(tw_reason_stage(i) < TW_STAGE__MAX);
		for (const char *c = name; *c; c++)
			assert_true(islower((unsigned char)*c) || *c == '-');
	}
	assert_int_equal(tw_reason_from_name("no such"), -ENOENT);
	assert_string_equal(tw_reason_name(TW_R__MAX), "?");
	assert_string_equal(tw_reason_text(1000000), "?");
}

static void the_other_lists_are_whole(void **state)
{
	for (unsigned int i = 0; i < TW_STAGE__MAX; i++) {
		assert_string_not_equal(tw_stage_name(i), "?");
		assert_string_not_equal(tw_stage_text(i), "?");
	}
	for (unsigned int i = 0; i < TW_S__MAX; i++) {
		assert_string_not_equal(tw_state_name(i), "?");
		assert_true(tw_state_seconds(i) > 0);
		/* Idle limits must stay below half a wrap of the tick. */
		assert_true((uint64_t)tw_state_seconds(i) * TW_TICKS_PER_SECOND < 1u << 31);
	}
	for (unsigned int i = 0; i < TW_V__MAX; i++)
		assert_int_equal(tw_verdict_from_name(tw_verdict_name(i)), i);
	assert_string_equal(tw_dir_name(TW_DIR_OUT), "out");
	assert_string_equal(tw_dir_name(TW_DIR_IN), "in");
	assert_string_equal(tw_state_name(TW_S__MAX), "?");
	assert_string_equal(tw_stage_name(TW_STAGE__MAX), "?");
	assert_string_equal(tw_dir_name(TW_DIR__MAX), "?");
	assert_string_equal(tw_verdict_name(TW_V__MAX), "?");
	assert_int_equal(tw_state_seconds(TW_S__MAX), 0);
}

static void timeouts_are_the_defaults(void **state)
{
	struct tw_config config = {.timeout = {[TW_S_UDP_REPLIED] = 1}};

	tw_state_timeouts(&config);
	for (unsigned int i = 0; i < TW_S__MAX; i++)
		assert_int_equal(config.timeout[i], tw_state_seconds(i) * TW_TICKS_PER_SECOND);
}

static void addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *text;
		const char *canonical;
	} good[] = {
		{"10.0.0.1", "10.0.0.1"},
		{"255.255.255.255", "255.255.255.255"},
		{"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
		{"::", "::"},
		{"::ffff:10.0.0.1", "10.0.0.1"},
		{"fe80::1", "fe80::1"},
	};
	static const char *const bad[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1/8", "::1::", "x",
		"fe80::1%eth0", " 10.0.0.1"};
	char text[INET6_ADDRSTRLEN];

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct tw_addr addr;

		assert_int_equal(tw_addr_parse(good[i].text, &addr), 0);
		assert_string_equal(tw_addr_format(&addr, text), good[i].canonical);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct tw_addr addr = {.b = {1, 2, 3}}, before = addr;

		assert_int_equal(tw_addr_parse(bad[i], &addr), -EINVAL);
		assert_memory_equal(&addr, &before, sizeof(addr));
	}
}

static void decisions_hold_what_was_put_in(void **state)
{
	for (int v = 0; v < TW_V__MAX; v++) {
		for (int log = 0; log < 2; log++) {
			__u32 d = tw_decision((enum tw_verdict)v, log, TW_RULES_MAX - 1);

			assert_int_equal(tw_decision_verdict(d), v);
			assert_int_equal(tw_decision_rule(d), TW_RULES_MAX - 1);
			assert_int_equal(!!(d & TW_DECISION_LOG), log);
			assert_int_equal(tw_gate_decision(tw_gate(7, d)), d);
			assert_int_equal(tw_gate_epoch(tw_gate(0xffffffff, d)), 0xffffffff);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_a_name_of_its_own),
		cmocka_unit_test(the_other_lists_are_whole),
		cmocka_unit_test(timeouts_are_the_defaults),
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(decisions_hold_what_was_put_in),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
