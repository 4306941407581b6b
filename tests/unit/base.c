/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clean.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/inet.h"
#include "base/vec.h"

static void buf_grows_and_stays_terminated(void **state)
{
	tw_auto_buf struct tw_buf buf = {0};

	for (int i = 0; i < 1000; i++)
		tw_buf_addf(&buf, "%03d,", i);
	assert_false(buf.failed);
	assert_int_equal(buf.len, 4000);
	assert_int_equal(strlen(buf.data), 4000);
	assert_memory_equal(buf.data + 4 * 999, "999,", 5);
	tw_buf_reset(&buf);
	assert_int_equal(buf.len, 0);
	assert_string_equal(buf.data, "");
}

static void buf_takes_bytes_as_they_are(void **state)
{
	tw_auto_buf struct tw_buf buf = {0};
	char *room;

	tw_buf_add(&buf, "a\0b", 3);
	room = tw_buf_extend(&buf, 4);
	assert_non_null(room);
	assert_memory_equal(room, "\0\0\0\0", 4);
	tw_buf_adds(&buf, "c");
	assert_int_equal(buf.len, 8);
	assert_memory_equal(buf.data, "a\0b\0\0\0\0c", 9);
}

static void buf_survives_lack_of_memory(void **state)
{
	tw_auto_buf struct tw_buf buf = {0};
	char big[1024];

	memset(big, 'x', sizeof(big));
	tw_buf_adds(&buf, "kept");
	tw_alloc_fail_after(1);
	tw_buf_add(&buf, big, sizeof(big));
	assert_true(buf.failed);
	assert_null(tw_buf_extend(&buf, 1));
	tw_alloc_fail_after(0);
	tw_buf_adds(&buf, "no more");
	assert_true(buf.failed);
	assert_int_equal(buf.len, 4);
	assert_memory_equal(buf.data, "kept", 4);
	tw_buf_reset(&buf);
	tw_buf_adds(&buf, "again");
	assert_string_equal(buf.data, "again");
}

static void vec_keeps_order_and_content(void **state)
{
	TW_VEC(int) numbers = {0};
	int expected = 0;

	for (int i = 0; i < 1000; i++)
		assert_int_equal(tw_vec_push(&numbers, i), 0);
	assert_int_equal(numbers.n, 1000);
	tw_vec_foreach (&numbers, n)
		assert_int_equal(*n, expected++);
	tw_vec_done(&numbers);
	assert_int_equal(numbers.n, 0);
	assert_null(numbers.at);
}

static void vec_is_unchanged_on_failure(void **state)
{
	TW_VEC(int) numbers = {0};
	int *before;

	for (int i = 0; i < 8; i++)
		assert_int_equal(tw_vec_push(&numbers, i), 0);
	before = numbers.at;
	tw_alloc_fail_after(1);
	assert_int_equal(tw_vec_push(&numbers, 8), -ENOMEM);
	tw_alloc_fail_after(0);
	assert_ptr_equal(numbers.at, before);
	assert_int_equal(numbers.n, 8);
	assert_int_equal(
		tw_vec_reserve_((void **)&numbers.at, &numbers.max, SIZE_MAX / 4, 16), -ENOMEM);
	tw_vec_done(&numbers);
}

static void alloc_zeroes_and_refuses_overflow(void **state)
{
	tw_autofree uint8_t *bytes = tw_alloc_array(100, 10);
	tw_autofree char *copy = tw_strndup("abcdef", 3);
	tw_autofree void *nothing = tw_alloc(0);

	assert_non_null(bytes);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(bytes[i], 0);
	assert_string_equal(copy, "abc");
	assert_non_null(nothing);
	assert_null(tw_alloc_array(SIZE_MAX / 2, 3));
}

static void alloc_fails_when_told(void **state)
{
	void *first;

	tw_alloc_fail_after(2);
	first = tw_alloc(1);
	assert_non_null(first);
	assert_null(tw_alloc(1));
	assert_null(tw_strdup("x"));
	assert_null(tw_realloc(first, 10)); /* `first` is still valid */
	tw_alloc_fail_after(0);
	free(first);
	first = tw_alloc(1);
	assert_non_null(first);
	free(first);
}

static void err_is_filled_and_printed(void **state)
{
	struct tw_err err = {0};
	char text[256] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	assert_non_null(out);
	assert_int_equal(
		tw_err_set(&err, -EINVAL, "a.yaml:3:5", "mend it", "no %s", "good"), -EINVAL);
	assert_int_equal(err.code, -EINVAL);
	tw_err_print(out, "tapwall", &err);
	assert_int_equal(tw_err_set(&err, -EIO, NULL, NULL, "bare"), -EIO);
	tw_err_print(out, "tapwall", &err);
	fclose(out);
	assert_string_equal(text, "tapwall: a.yaml:3:5: no good; mend it\ntapwall: bare\n");
	assert_int_equal(tw_err_set(NULL, -EPERM, "x", "y", "z"), -EPERM);
}

static void err_cuts_what_is_too_long(void **state)
{
	struct tw_err err = {0};
	char big[2000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	tw_err_set(&err, -EINVAL, big, big, "%s", big);
	assert_int_equal(strlen(err.text), TW_ERR_TEXT_MAX - 1);
	assert_int_equal(strlen(err.place), sizeof(err.place) - 1);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
}

static int open_and_forget(int *ret_seen)
{
	tw_autofd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	*ret_seen = fd;
	return 0;
}

static int open_and_take(void)
{
	tw_autofd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return TW_TAKE_FD(fd);
}

static void descriptors_close_themselves_unless_taken(void **state)
{
	int fd = -1;

	open_and_forget(&fd);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	fd = open_and_take();
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
}

static void assert_cleaned(const char *wanted, const char *text)
{
	char copy[300];

	snprintf(copy, sizeof(copy), "%s", text);
	assert_int_equal(tw_clean_check(copy, strlen(copy)), !strcmp(wanted, text));
	tw_clean(copy, strlen(copy));
	assert_string_equal(copy, wanted);
	assert_true(tw_clean_check(copy, strlen(copy)));
	assert_string_equal(tw_cleaned(text).text, wanted);
}

static void what_a_terminal_obeys_is_cleaned(void **state)
{
	assert_cleaned("", "");
	assert_cleaned("plain \xc3\xa9 \xe2\x86\x92 \xf0\x9f\x98\x80",
		"plain \xc3\xa9 \xe2\x86\x92 \xf0\x9f\x98\x80");
	assert_cleaned("a?[31mb?c??d?", "a\033[31mb\nc\r\td\x7f");
	/* CSI as U+009B in UTF-8, and as the Latin-1 byte. */
	assert_cleaned("a??31m", "a\xc2\x9b"
				 "31m");
	assert_cleaned("a?31m", "a\x9b"
				"31m");
	/* Overlong encodings, surrogates, beyond U+10FFFF, truncated. */
	assert_cleaned("??", "\xc0\xaf");
	assert_cleaned("???", "\xe0\x80\x9b");
	assert_cleaned("???", "\xed\xa0\x80");
	assert_cleaned("????", "\xf4\x90\x80\x80");
	assert_cleaned("?????", "\xf8\x88\x80\x80\x80");
	assert_cleaned("a?", "a\xc3");
	assert_cleaned("??", "\xe2\x86");
	/* A right-to-left override; a line separator. */
	assert_cleaned("a???b???c", "a\xe2\x80\xae"
				    "b\xe2\x80\xa8"
				    "c");
}

static void a_cleaned_copy_is_cut_between_characters(void **state)
{
	char text[400];
	struct tw_cleaned cleaned;

	memset(text, 'a', sizeof(text));
	for (size_t len = 250; len < 260; len++) {
		text[len] = '\0';
		cleaned = tw_cleaned(text);
		assert_int_equal(strlen(cleaned.text), len < 256 ? len : 255);
		assert_int_equal(
			!strcmp(cleaned.text + strlen(cleaned.text) - 3, "..."), len >= 256);
		text[len] = 'a';
	}
	for (size_t i = 0; i + 3 < sizeof(text); i += 3)
		memcpy(text + i, "\xe2\x86\x92", 3);
	text[399] = '\0';
	cleaned = tw_cleaned(text);
	assert_int_equal(strlen(cleaned.text) % 3, 0);
	assert_null(strchr(cleaned.text, '?'));
}

/* A name in an error message cannot start a new line. */
static void an_error_is_one_line(void **state)
{
	char printed[256] = "";
	FILE *out = fmemopen(printed, sizeof(printed), "w");
	struct tw_err err;

	assert_non_null(out);
	tw_err_set(&err, -EINVAL, "a\nb", "\033[2J", "%s", "c\nd");
	tw_err_print(out, "prog", &err);
	fclose(out);
	assert_string_equal(printed, "prog: a?b: c?d; ?[2J\n");
}

static void checksums_are_those_of_the_rfc(void **state)
{
	/* RFC 1071 §3, with its sum; then an odd length. */
	static const uint8_t example[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	static const uint8_t zero_sum[8] = {0, 0, 0xff, 0xff, 0, 0, 0, 0};
	uint8_t udp[8];

	assert_int_equal(tw_inet_fold(tw_inet_sum(example, 8, 0)), 0xffff ^ 0xddf2);
	assert_int_equal(tw_inet_fold(tw_inet_sum(example, 3, 0)), 0xffff ^ 0xf201);
	memcpy(udp, zero_sum, sizeof(udp));
	tw_inet_write_sum(udp, sizeof(udp), IPPROTO_UDP, 0);
	assert_int_equal(udp[6] << 8 | udp[7], 0xffff); /* RFC 768: 0 means no checksum */
}

static void headers_have_the_right_bytes(void **state)
{
	static const uint8_t v4[20] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 192,
		168, 0, 1, 192, 168, 0, 199};
	const uint8_t src[16] = {[10] = 0xff, 0xff, 192, 168, 0, 1};
	const uint8_t dst[16] = {[10] = 0xff, 0xff, 192, 168, 0, 199};
	const uint8_t src6[16] = {0xfd, [15] = 1}, dst6[16] = {0xfd, [15] = 2};
	struct tw_inet_ip ip = {src, dst, IPPROTO_UDP, 64, 0x73 - 20};
	uint8_t at[40];

	memset(at, 0xee, sizeof(at));
	assert_int_equal(tw_inet_write_ip(at, &ip), 20);
	assert_memory_equal(at, v4, sizeof(v4));
	assert_int_equal(at[20], 0xee);
	/* Both pseudo-headers: addresses, protocol, length. */
	assert_int_equal(tw_inet_fold(tw_inet_pseudo(src, dst, 17, 8)),
		0xffff ^ (2 * 0xc0a8 - 0xffff + 1 + 199 + 17 + 8));
	assert_int_equal(tw_inet_fold(tw_inet_pseudo(src6, dst6, 6, 20)),
		0xffff ^ (2 * 0xfd00 - 0xffff + 1 + 2 + 6 + 20));
	ip.src = src6;
	ip.dst = dst6;
	assert_int_equal(tw_inet_write_ip(at, &ip), 40);
	assert_int_equal(at[0], 0x60);
	assert_int_equal(at[5], 0x73 - 20);
	assert_memory_equal(at + 24, dst6, 16);
}

static void groups_have_their_macs(void **state)
{
	const uint8_t all[16] = {[10] = 0xff, 0xff, 255, 255, 255, 255};
	const uint8_t group[16] = {[10] = 0xff, 0xff, 239, 129, 2, 3};
	const uint8_t group6[16] = {0xff, 2, [12] = 1, 2, 3, 4};
	const uint8_t host[16] = {[10] = 0xff, 0xff, 10, 0, 0, 1}, host6[16] = {0xfd};
	uint8_t mac[6] = {1, 2, 3, 4, 5, 6};

	assert_false(tw_inet_group_mac(host, mac));
	assert_false(tw_inet_group_mac(host6, mac));
	assert_memory_equal(mac, "\1\2\3\4\5\6", 6);
	assert_true(tw_inet_group_mac(all, mac));
	assert_memory_equal(mac, "\xff\xff\xff\xff\xff\xff", 6);
	assert_true(tw_inet_group_mac(group, mac));
	assert_memory_equal(mac, "\x01\x00\x5e\x01\x02\x03", 6);
	assert_true(tw_inet_group_mac(group6, mac));
	assert_memory_equal(mac, "\x33\x33\x01\x02\x03\x04", 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_grows_and_stays_terminated),
		cmocka_unit_test(buf_takes_bytes_as_they_are),
		cmocka_unit_test(buf_survives_lack_of_memory),
		cmocka_unit_test(vec_keeps_order_and_content),
		cmocka_unit_test(vec_is_unchanged_on_failure),
		cmocka_unit_test(alloc_zeroes_and_refuses_overflow),
		cmocka_unit_test(alloc_fails_when_told),
		cmocka_unit_test(err_is_filled_and_printed),
		cmocka_unit_test(err_cuts_what_is_too_long),
		cmocka_unit_test(what_a_terminal_obeys_is_cleaned),
		cmocka_unit_test(a_cleaned_copy_is_cut_between_characters),
		cmocka_unit_test(an_error_is_one_line),
		cmocka_unit_test(descriptors_close_themselves_unless_taken),
		cmocka_unit_test(checksums_are_those_of_the_rfc),
		cmocka_unit_test(headers_have_the_right_bytes),
		cmocka_unit_test(groups_have_their_macs),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
