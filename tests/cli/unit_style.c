/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of how numbers, times and aligned rows are printed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/cleanup.h"
#include "cli/excerpt.h"
#include "cli/human.h"
#include "cli/sheet.h"
#include "cli/style.h"
#include "tests/unit/test.h"

static void bytes_are_short(void **state)
{
	assert_string_equal(tw_human_bytes(0).text, "0 B");
	assert_string_equal(tw_human_bytes(999).text, "999 B");
	assert_string_equal(tw_human_bytes(1000).text, "1.0 KiB");
	assert_string_equal(tw_human_bytes(1024).text, "1.0 KiB");
	assert_string_equal(tw_human_bytes(9 * 1024 + 1000).text, "10 KiB");
	assert_string_equal(tw_human_bytes(1500000).text, "1.4 MiB");
	assert_string_equal(tw_human_bytes(UINT64_MAX).text, "16 EiB");
}

static void counts_are_grouped(void **state)
{
	assert_string_equal(tw_human_count(0).text, "0");
	assert_string_equal(tw_human_count(999).text, "999");
	assert_string_equal(tw_human_count(1000).text, "1,000");
	assert_string_equal(tw_human_count(1234567).text, "1,234,567");
	assert_string_equal(tw_human_count(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void spans_fit_their_size(void **state)
{
	assert_string_equal(tw_human_span(-1).text, "never");
	assert_string_equal(tw_human_span(0).text, "0.0s");
	assert_string_equal(tw_human_span(9.94).text, "9.9s");
	assert_string_equal(tw_human_span(9.96).text, "10s");
	assert_string_equal(tw_human_span(59.4).text, "59s");
	assert_string_equal(tw_human_span(59.6).text, "1m00s");
	assert_string_equal(tw_human_span(3599).text, "59m59s");
	assert_string_equal(tw_human_span(3600).text, "1h00m");
	assert_string_equal(tw_human_span(86400 * 5 + 3 * 3600).text, "5d03h");
	assert_string_equal(tw_human_span(1e300).text, "ages");
	assert_string_equal(tw_human_span(0.0 / 0.0).text, "never");
}

static void times_are_local(void **state)
{
	setenv("TZ", "UTC", 1);
	assert_string_equal(tw_human_time(1700000000.25).text, "2023-11-14 22:13:20.250");
	assert_string_equal(tw_human_time(-5).text, "?");
	assert_string_equal(tw_human_time(1e300).text, "?");
	assert_string_equal(tw_human_time(0.0 / 0.0).text, "?");
}

static void milliseconds_keep_two_digits(void **state)
{
	assert_string_equal(tw_human_ms(0.004).text, "0.00 ms");
	assert_string_equal(tw_human_ms(0.42).text, "0.42 ms");
	assert_string_equal(tw_human_ms(3.14).text, "3.1 ms");
	assert_string_equal(tw_human_ms(120.4).text, "120 ms");
}

static void terminals_obey_nothing(void **state)
{
	char text[] = "a\033[31mb\r\n\x7f\xc2\x9b"
		      "c\xc2\xa9";

	tw_clean(text, strlen(text));
	assert_string_equal(text, "a?[31mb?????c\xc2\xa9");
}

static void width_counts_characters(void **state)
{
	assert_int_equal(tw_style_width("abc", 3), 3);
	assert_int_equal(tw_style_width("→é", strlen("→é")), 2);
	assert_int_equal(tw_style_width("\xff\xff", 2), 2);
}

static const struct tw_column columns[] = {
	{.title = "NAME"}, {.title = "N", .right = true}, {.title = "NEVER"}, {.title = "TEXT"}};

static void fill(struct tw_sheet *sheet)
{
	const char *rows[][4] = {{"a", "1", "", "x"}, {"long é", "1000", "", ""}};

	for (size_t r = 0; r < 2; r++)
		for (size_t c = 0; c < 4; c++)
			tw_sheet_cell(sheet, TW_STYLE_PLAIN, "%s", rows[r][c]);
}

static char *printed(const struct tw_sheet *sheet, int *ret_code)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	*ret_code = tw_sheet_print(sheet, out);
	fclose(out);
	return text;
}

static void rows_line_up(void **state)
{
	tw_auto_sheet struct tw_sheet sheet = {.columns = columns, .n_columns = 4, .indent = "> "};
	tw_autofree char *text = NULL;
	int code;

	fill(&sheet);
	text = printed(&sheet, &code);
	assert_int_equal(code, 0);
	assert_string_equal(text, "> NAME       N  TEXT\n> a          1  x\n> long é  1000\n");
}

static void order_picks_rows(void **state)
{
	static const size_t order[] = {1};
	tw_auto_sheet struct tw_sheet sheet = {
		.columns = columns, .n_columns = 4, .order = order, .n_order = 1};
	tw_autofree char *text = NULL;
	int code;

	fill(&sheet);
	text = printed(&sheet, &code);
	assert_int_equal(code, 0);
	assert_string_equal(text, "NAME       N\nlong é  1000\n");
}

static void narrow_terminals_get_less(void **state)
{
	static const struct tw_column spares[] = {{.title = "NAME"},
		{.title = "N", .right = true, .spare = 1}, {.title = "NEVER"},
		{.title = "TEXT", .spare = 2}};
	static const char *const expected[] = {
		[21] = "NAME       N  TEXT\na          1  x\nlong é  1000\n",
		[17] = "NAME       N\na          1\nlong é  1000\n",
		[11] = "NAME\na\nlong é\n",
		[1] = "NAME\na\nlong é\n",
	};

	for (size_t width = 1; width < sizeof(expected) / sizeof(expected[0]); width++) {
		tw_auto_sheet struct tw_sheet sheet = {
			.columns = spares, .n_columns = 4, .width = width};
		tw_autofree char *text = NULL;
		int code;

		if (!expected[width])
			continue;
		fill(&sheet);
		text = printed(&sheet, &code);
		assert_int_equal(code, 0);
		assert_string_equal(text, expected[width]);
	}
}

static void memory_may_run_out(void **state)
{
	for (size_t n = 1;; n++) {
		tw_auto_sheet struct tw_sheet sheet = {.columns = columns, .n_columns = 4};
		tw_autofree char *text = NULL;
		int code;

		tw_alloc_fail_after(n);
		fill(&sheet);
		tw_alloc_fail_after(0);
		text = printed(&sheet, &code);
		if (!code)
			return;
		assert_string_equal(text, "");
		assert_true(n < 100);
	}
}

/* Prints an excerpt and compares it. */
static void check_excerpt(const char *text, size_t len, unsigned int line, unsigned int column,
	size_t width, const char *expected)
{
	tw_autofree char *got = NULL;
	size_t got_len = 0;
	FILE *out = open_memstream(&got, &got_len);

	assert_non_null(out);
	tw_excerpt_print(out, text, len, line, column, width);
	fclose(out);
	assert_string_equal(got, expected);
}

static void excerpts_show_the_place(void **state)
{
	static const char text[] = "\xef\xbb\xbfone: 1\ntwo: \t2  \n\n\xc3\xa9\xc3\xa9: x\nlast";
	char hostile[2000];

	check_excerpt(text, strlen(text), 1, 6, 40, "    1 | one: 1\n      |      ^\n");
	check_excerpt(text, strlen(text), 2, 1, 40, "    2 | two: ?2\n      | ^\n");
	check_excerpt(text, strlen(text), 3, 1, 40, "    3 | \n      | ^\n");
	check_excerpt(text, strlen(text), 4, 5, 40, "    4 | \xc3\xa9\xc3\xa9: x\n      |     ^\n");
	check_excerpt(text, strlen(text), 5, 4, 40, "    5 | last\n      |    ^\n");
	check_excerpt(text, strlen(text), 6, 1, 40, "");
	check_excerpt(text, strlen(text), 0, 0, 40, "");
	check_excerpt(NULL, 0, 1, 1, 40, "");
	check_excerpt("0123456789abcdefghij", 20, 1, 15, 9, "    1 | 9abcdefgh\n      |      ^\n");
	check_excerpt("a", 1, 1, 400, 12, "    1 | \n      |        ^\n");
	/* A line of continuation bytes has no characters, however long it is. */
	memset(hostile, 0x80, sizeof(hostile));
	hostile[0] = '\x1b';
	check_excerpt(hostile, 4, 1, 1, 40, "    1 | ????\n      | ^\n");
	tw_excerpt_print(stdout, hostile, sizeof(hostile), 1, 1, 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(excerpts_show_the_place),
		cmocka_unit_test(bytes_are_short),
		cmocka_unit_test(counts_are_grouped),
		cmocka_unit_test(spans_fit_their_size),
		cmocka_unit_test(times_are_local),
		cmocka_unit_test(milliseconds_keep_two_digits),
		cmocka_unit_test(terminals_obey_nothing),
		cmocka_unit_test(width_counts_characters),
		cmocka_unit_test(rows_line_up),
		cmocka_unit_test(order_picks_rows),
		cmocka_unit_test(narrow_terminals_get_less),
		cmocka_unit_test(memory_may_run_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
