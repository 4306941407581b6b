/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Tokens of enrollment as text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "link/token.h"

static void make(struct tw_token_parts *token, char text[TW_TOKEN_TEXT])
{
	for (size_t i = 0; i < sizeof(token->print); i++)
		token->print[i] = (unsigned char)(i * 7 + 250);
	assert_int_equal(tw_token_new(token), 0);
	assert_int_equal(tw_token_write(token, text), 0);
}

static void test_round_trip(void **state)
{
	char text[TW_TOKEN_TEXT], padded[TW_TOKEN_TEXT + 8];
	struct tw_token_parts token, again;

	make(&token, text);
	assert_int_equal(strlen(text), TW_TOKEN_TEXT - 1);
	assert_int_equal(tw_token_read(text, &again), 0);
	assert_memory_equal(&again, &token, sizeof(token));
	snprintf(padded, sizeof(padded), " \t%s\r\n", text);
	assert_int_equal(tw_token_read(padded, &again), 0);
	assert_true(tw_token_is(text));
	assert_false(tw_token_is("tapwall-token.txt"));
	assert_false(tw_token_is("-"));
}

static void test_two_differ(void **state)
{
	char text[TW_TOKEN_TEXT], other[TW_TOKEN_TEXT];
	struct tw_token_parts token;

	make(&token, text);
	make(&token, other);
	assert_string_not_equal(text, other);
}

/* Any other character, anywhere, and any other length is noticed. */
static void test_damaged(void **state)
{
	char text[TW_TOKEN_TEXT], bad[TW_TOKEN_TEXT + 1];
	struct tw_token_parts token, got, untouched;
	unsigned int missed = 0;

	memset(&token, 0xa5, sizeof(token));
	assert_int_equal(tw_token_write(&token, text), 0);
	memset(&untouched, 0x5a, sizeof(untouched));
	got = untouched;
	for (size_t len = 0; len < TW_TOKEN_TEXT - 1; len++) {
		snprintf(bad, sizeof(bad), "%.*s", (int)len, text);
		assert_int_equal(tw_token_read(bad, &got), -EINVAL);
	}
	snprintf(bad, sizeof(bad), "%sA", text);
	assert_int_equal(tw_token_read(bad, &got), -EINVAL);
	for (size_t i = 0; i < TW_TOKEN_TEXT - 1; i++)
		for (unsigned int c = 1; c < 256; c++) {
			strcpy(bad, text);
			bad[i] = (char)c;
			if (bad[i] != text[i] && !tw_token_read(bad, &got)) {
				missed++;
				got = untouched;
			}
		}
	/* About 5,000 of the changes are valid base64. A 16-bit checksum misses 0.08 of them on average; for this
	 * token it misses none. */
	assert_int_equal(missed, 0);
	assert_memory_equal(&got, &untouched, sizeof(got));
}

static void test_hash(void **state)
{
	char text[TW_TOKEN_TEXT], hash[TW_TOKEN_HASH], other[TW_TOKEN_HASH];
	struct tw_token_parts token;

	make(&token, text);
	assert_int_equal(tw_token_hash(token.secret, sizeof(token.secret), hash), 0);
	assert_int_equal(strlen(hash), TW_TOKEN_HASH - 1);
	token.secret[19] ^= 1;
	assert_int_equal(tw_token_hash(token.secret, sizeof(token.secret), other), 0);
	assert_string_not_equal(hash, other);
	assert_int_equal(tw_token_hash(token.secret, 19, hash), -EINVAL);
	assert_int_equal(tw_token_hash(token.secret, 0, hash), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_two_differ), cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hash)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
