/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of observe/answers.h: which entries of `answers` have expired. */
#include "agent/observe/answers.h"

#include "tests/agent/test.h"

#define NOW	100000u /* tick */
#define TIMEOUT 1000000000u
#define EPOCH	7

static bool expired(enum tw_verdict verdict, uint32_t asked, uint32_t until, uint32_t epoch)
{
	const struct tw_answer answer = {
		.word = tw_answer_word(verdict, 3, asked), .until = until, .epoch = epoch};

	return tw_answers_expired(&answer, NOW, TIMEOUT, EPOCH);
}

static void test_question(void **state)
{
	const uint32_t kept = 3 * TW_TICKS_PER_SECOND; /* two timeouts and a second */

	assert_false(expired(TW_V_ASK, NOW, 0, 0));
	assert_false(expired(TW_V_ASK, NOW - kept + 8, 0, 0));
	assert_true(expired(TW_V_ASK, NOW - kept - 8, 0, 0));
	assert_true(expired(TW_V_NONE, NOW, NOW + 1, 0));
}

/* The fast path asks, and the agent answers, while the entries are swept. */
static void test_newer_than_now(void **state)
{
	assert_false(expired(TW_V_ASK, NOW + 1, 0, 0));
	assert_false(expired(TW_V_ASK, NOW + TW_TICKS_PER_SECOND, 0, 0));
	assert_false(expired(TW_V_ALLOW, NOW + 1, NOW + 10, 0));
}

static void test_answer(void **state)
{
	assert_false(expired(TW_V_ALLOW, NOW - 10, NOW, 0));
	assert_true(expired(TW_V_DENY, NOW - 10, NOW - 1, 0));
	assert_false(expired(TW_V_DENY, NOW - 10, NOW + 1, EPOCH));
	assert_true(expired(TW_V_ALLOW, NOW - 10, NOW + 1, EPOCH - 1));
}

/* When half of the entries are used, the quotas of all ports together fit in the other half. */
static void test_quota(void **state)
{
	assert_int_equal(tw_answers_quota(0, 0), TW_ANSWERS_PORT);
	assert_int_equal(tw_answers_quota(TW_ANSWERS_MAX / 2, 2), TW_ANSWERS_PORT);
	for (uint32_t n_ports = 2; n_ports < 100; n_ports++) {
		uint32_t quota = tw_answers_quota(TW_ANSWERS_MAX / 2 + 1, n_ports);

		assert_true(quota * n_ports <= TW_ANSWERS_MAX / 2);
		assert_true(quota > TW_ASK_RATE_DEFAULT / 4);
	}
	assert_true(tw_answers_quota(TW_ANSWERS_MAX, TW_PORTS_MAX) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_newer_than_now),
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_quota),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
