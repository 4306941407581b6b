/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of lines of `explain --batch`: the fast reader and the JSON parser give the same
 * result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/batch.h"
#include "tests/unit/test.h"

struct fixture {
	char line[512];
	char room[TW_BATCH_ROOM];
	struct tw_tuple_words words;
	struct tw_err err;
};

static int read_line(struct fixture *f, const char *text)
{
	snprintf(f->line, sizeof(f->line), "%s", text);
	memset(&f->err, 0, sizeof(f->err));
	return tw_batch_words(f->line, strlen(text), f->room, &f->words, &f->err);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void words_are_found(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(read_line(f, "{\"from\":\"10.1.2.3\",\"to\":\"db-1\",\"proto\":\"tcp\","
				      "\"sport\":40000,\"dport\":5432}"),
		0);
	assert_string_equal(f->words.end[TW_DIR_OUT], "10.1.2.3");
	assert_string_equal(f->words.end[TW_DIR_IN], "db-1");
	assert_string_equal(f->words.proto, "tcp");
	assert_string_equal(f->words.sport, "40000");
	assert_string_equal(f->words.dport, "5432");
	assert_null(f->words.type);
	assert_null(f->words.code);
}

/* Each line is the same object, written differently. */
static void spelling_does_not_matter(void **state)
{
	static const char *const lines[] = {
		"{\"from\":\"a\",\"to\":\"b\",\"type\":0}",
		"  { \"to\" : \"b\" ,\t\"type\" : \"0\" , \"from\" : \"a\" }  \r",
		"{\"from\":\"\\u0061\",\"to\":\"b\",\"type\":0}",
		"{\"from\":\"a\",\"to\":\"b\",\"type\":0,\"more\":{\"x\":[1,2]}}",
		"{\"from\":\"a\",\"to\":\"b\",\"type\":0,\"code\":null}",
		"{\"fr\\u006fm\":\"a\",\"to\":\"b\",\"type\":0}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(read_line(f, lines[i]), 0);
		assert_string_equal(f->words.end[TW_DIR_OUT], "a");
		assert_string_equal(f->words.end[TW_DIR_IN], "b");
		assert_string_equal(f->words.type, "0");
		assert_null(f->words.code);
	}
}

static void what_is_no_object_is_told(void **state)
{
	static const char *const lines[] = {
		"{",
		"}",
		"[]",
		"\"from\"",
		"{\"from\":\"a\"",
		"{\"from\":\"a\",}",
		"{\"from\":\"a\"}}",
		"{\"from\":\"a\"} {}",
		"{\"from\":\"a\",\"from\":\"a\"}",
		"{\"from\":01}",
		"{\"from\":1.5}",
		"{\"from\":1e3}",
		"{\"from\":true}",
		"{\"from\":[\"a\"]}",
		"{\"from\":\"a\\u0000b\"}",
		"{\"from\":\"\xff\"}",
		"{\"from\":\"a\tb\"}",
		"{'from':'a'}",
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_not_equal(read_line(f, lines[i]), 0);
		assert_int_not_equal(f->err.text[0], '\0');
	}
}

static void long_lines_are_refused(void **state)
{
	struct fixture *f = *state;
	char *line = malloc(TW_BATCH_LINE_MAX + 2);

	assert_non_null(line);
	memset(line, ' ', TW_BATCH_LINE_MAX + 1);
	memcpy(line, "{\"from\":\"a\"}", 12);
	assert_int_equal(tw_batch_words(line, TW_BATCH_LINE_MAX, f->room, &f->words, &f->err), 0);
	line[12] = ' ';
	assert_true(tw_batch_words(line, TW_BATCH_LINE_MAX + 1, f->room, &f->words, &f->err) < 0);
	free(line);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_found),
		cmocka_unit_test(spelling_does_not_matter),
		cmocka_unit_test(what_is_no_object_is_told),
		cmocka_unit_test(long_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
