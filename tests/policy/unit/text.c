/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the policy's small notations: what is accepted, what is refused, and how it is
 * printed. */
#include "test.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/mac.h"
#include "fastpath/abi/names.h"
#include "policy/diag.h"
#include "policy/service.h"
#include "policy/text.h"

static void prefixes(void **state)
{
	static const struct {
		const char *text;
		const char *back; /* NULL: refused */
		int err;
		bool host_bits;
	} rows[] = {
		{"10.0.0.1", "10.0.0.1", 0, false},
		{"10.0.0.0/8", "10.0.0.0/8", 0, false},
		{"10.0.0.1/8", "10.0.0.0/8", 0, true},
		{"0.0.0.0/0", "0.0.0.0/0", 0, false},
		{"255.255.255.255/32", "255.255.255.255", 0, false},
		{"10.0.0.1/31", "10.0.0.0/31", 0, true},
		{"::/0", "::/0", 0, false},
		{"FD00:0:0::0001", "fd00::1", 0, false},
		{"2001:db8::/32", "2001:db8::/32", 0, false},
		{"2001:db8::1/127", "2001:db8::/127", 0, true},
		{"::ffff:10.0.0.1", NULL, -EAFNOSUPPORT, false},
		{"::ffff:0:0/96", NULL, -EAFNOSUPPORT, false},
		{"10.0.0.0/33", NULL, -ERANGE, false},
		{"fd00::/129", NULL, -ERANGE, false},
		{"10.0.0.0/", NULL, -EINVAL, false},
		{"10.0.0.0/-1", NULL, -EINVAL, false},
		{"10.0.0.0/8x", NULL, -EINVAL, false},
		{"10.0.0", NULL, -EINVAL, false},
		{"10.0.0.256", NULL, -EINVAL, false},
		{"010.0.0.1", NULL, -EINVAL, false},
		{"fe80::1%eth0", NULL, -EINVAL, false},
		{"", NULL, -EINVAL, false},
		{"/8", NULL, -EINVAL, false},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc", NULL, -EINVAL,
			false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tw_prefix prefix = {.len = 77};
		char text[TW_PREFIX_TEXT_MAX];
		bool host_bits = true;

		assert_int_equal(tw_text_prefix(rows[i].text, &prefix, &host_bits), rows[i].err);
		if (!rows[i].back) {
			assert_int_equal(prefix.len, 77);
			continue;
		}
		assert_int_equal(host_bits, rows[i].host_bits);
		assert_string_equal(tw_prefix_format(&prefix, text), rows[i].back);
	}
}

static void services(void **state)
{
	static const struct {
		const char *text;
		const char *back; /* NULL: refused */
		int err;
	} rows[] = {
		{"tcp", "tcp", 0},
		{"tcp/80", "tcp/80", 0},
		{"tcp/0", "tcp/0", 0},
		{"udp/5000-5100", "udp/5000-5100", 0},
		{"udp/0-65535", "udp", 0},
		{"icmp", "icmp", 0},
		{"icmp/8", "icmp/8", 0},
		{"icmp/3.4", "icmp/3.4", 0},
		{"icmp6/128", "icmp6/128", 0},
		{"proto/47", "proto/47", 0},
		{"proto/0", "proto/0", 0},
		{"proto/6", "tcp", 0},
		{"proto/1", "proto/1", 0},
		{"any", "any", 0},
		{"web", NULL, -ENOENT},
		{"sctp/80", NULL, -ENOENT},
		{"TCP/80", NULL, -ENOENT},
		{"proto", NULL, -EINVAL},
		{"proto/256", NULL, -ERANGE},
		{"tcp/", NULL, -EINVAL},
		{"tcp/65536", NULL, -ERANGE},
		{"tcp/90-80", NULL, -ERANGE},
		{"tcp/80-", NULL, -EINVAL},
		{"tcp/80,443", NULL, -EINVAL},
		{"icmp/256", NULL, -ERANGE},
		{"icmp/3.", NULL, -EINVAL},
		{"icmp/.4", NULL, -EINVAL},
		{"icmp/3.256", NULL, -ERANGE},
		{"icmp/00000000000000003.4", NULL, -EINVAL},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tw_auto_buf struct tw_buf out = {0};
		const char *hint = NULL;
		struct tw_part part;

		assert_int_equal(tw_service_parse(rows[i].text, &part, &hint), rows[i].err);
		if (rows[i].err)
			assert_int_equal(hint != NULL, rows[i].err != -ENOENT);
		if (!rows[i].back)
			continue;
		tw_part_print(&part, &out);
		assert_string_equal(out.data, rows[i].back);
	}
}

static void netmasks(void **state)
{
	assert_int_equal(tw_text_netmask("255.255.255.255"), 32);
	assert_int_equal(tw_text_netmask("255.255.240.0"), 20);
	assert_int_equal(tw_text_netmask("128.0.0.0"), 1);
	assert_int_equal(tw_text_netmask("0.0.0.0"), 0);
	assert_int_equal(tw_text_netmask("0.0.0.255"), -EINVAL);
	assert_int_equal(tw_text_netmask("255.0.255.0"), -EINVAL);
	assert_int_equal(tw_text_netmask("ffff::"), -EINVAL);
	assert_int_equal(tw_text_netmask("24"), -EINVAL);
}

/* Prints the prefixes of a range, or the error. */
static void check_range(const char *text, const char *expected)
{
	tw_auto_buf struct tw_buf out = {0};
	char scratch[TW_PREFIX_TEXT_MAX];
	tw_u128 first, last;
	int err = tw_text_addresses(text, &first, &last);

	if (err)
		tw_buf_adds(&out, err == -ENOENT ? "no range" : "bad range");
	while (!err) {
		struct tw_prefix prefix = tw_prefix_within(first, last);

		tw_buf_addf(&out, "%s ", tw_prefix_format(&prefix, scratch));
		first = tw_prefix_last(&prefix) + 1;
		if (!first || first > last)
			break;
	}
	assert_string_equal(out.data, expected);
}

static void address_ranges(void **state)
{
	check_range("10.0.0.1-10.0.0.9", "10.0.0.1 10.0.0.2/31 10.0.0.4/30 10.0.0.8/31 ");
	check_range("10.0.0.0-10.0.0.255", "10.0.0.0/24 ");
	check_range("10.0.0.7-10.0.0.7", "10.0.0.7 ");
	check_range("0.0.0.0-255.255.255.255", "0.0.0.0/0 ");
	check_range("255.255.255.254-255.255.255.255", "255.255.255.254/31 ");
	check_range("fd00::f-fd00::10", "fd00::f fd00::10 ");
	check_range("::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0 ");
	check_range("10.0.0.9-10.0.0.1", "bad range");
	check_range("10.0.0.1-fd00::1", "bad range");
	check_range("web-1", "no range");
	check_range("10.0.0.1-", "no range");
	check_range("10.0.0.1", "no range");
	check_range("10.0.0.1-9", "no range");
	check_range("10.0.0.0/24-10.0.1.0/24", "no range");
}

static void macs(void **state)
{
	static const char *const bad[] = {"", "52:54:00:00:00", "52:54:00:00:00:0g",
		"52.54.00.00.00.01", "5254.0000.0001", "52:54:00:00:00:01:", "52:54:00:00:00:011"};
	tw_auto_buf struct tw_buf out = {0};
	uint8_t mac[6];

	assert_int_equal(tw_text_mac("52-54-00-AB-cd-01", mac), 0);
	tw_text_mac_print(mac, &out);
	assert_string_equal(out.data, "52:54:00:ab:cd:01");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(tw_text_mac(bad[i], mac), -EINVAL);
}

/* Addresses and MACs are printed as by the C library. */
static void formats(void **state)
{
	for (uint32_t i = 0; i < 100000; i++) {
		uint32_t word = i < 1024 ? htonl(i * 0x01010101u) : i * 2654435761u;
		struct tw_addr addr = {.w = {0, 0, htonl(0xffff), word}};
		uint8_t mac[6] = {(uint8_t)i, (uint8_t)(i >> 8), 0x0f, 0xf0, 0, 0xff};
		char got[INET6_ADDRSTRLEN], wanted[INET6_ADDRSTRLEN], text[TW_MAC_TEXT], as[32];

		assert_string_equal(tw_addr_format(&addr, got),
			inet_ntop(AF_INET, &word, wanted, sizeof(wanted)));
		snprintf(as, sizeof(as), "%02x:%02x:0f:f0:00:ff", mac[0], mac[1]);
		assert_string_equal(tw_mac_format(mac, text), as);
	}
}

static void times(void **state)
{
	static const struct {
		const char *text;
		uint32_t seconds;
		const char *back;
	} rows[] = {
		{"0", 0, "0s"},
		{"30", 30, "30s"},
		{"90s", 90, "90s"},
		{"60s", 60, "1m"},
		{"2h", 7200, "2h"},
		{"5d", 432000, "5d"},
		{"24h", 86400, "1d"},
		{"61m", 3660, "61m"},
	};
	static const char *const bad[] = {
		"", "s", "1w", "-1s", "1.5h", "5 s", "99999999999999999999s", "50000d", "1hh"};
	uint32_t seconds = 1;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tw_auto_buf struct tw_buf out = {0};

		assert_int_equal(tw_text_seconds(rows[i].text, UINT32_MAX, &seconds), 0);
		assert_int_equal(seconds, rows[i].seconds);
		tw_text_seconds_print(seconds, &out);
		assert_string_equal(out.data, rows[i].back);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_true(tw_text_seconds(bad[i], UINT32_MAX, &seconds) < 0);
	assert_int_equal(tw_text_seconds("61m", 3600, &seconds), -ERANGE);
}

static void globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool fits;
	} rows[] = {
		{"*", "", true},
		{"*", "web", true},
		{"web", "web", true},
		{"web", "webs", false},
		{"web-*", "web-1", true},
		{"web-*", "web", false},
		{"*-1", "web-1", true},
		{"w?b", "web", true},
		{"w?b", "wb", false},
		{"*a*b*c*", "xxaxxbxxc", true},
		{"*a*b*c*", "xxaxxcxxb", false},
		{"a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaa", false},
		{"??", "a", false},
		{"", "a", false},
		{"", "", true},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(tw_text_glob(rows[i].pattern, rows[i].text), rows[i].fits);
}

static void scalars(void **state)
{
	static const struct {
		const char *text, *back;
	} rows[] = {
		{"web-1", "web-1"},
		{"10.0.0.1", "10.0.0.1"},
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"fd00::1", "\"fd00::1\""},
		{"100", "\"100\""},
		{"1.5", "\"1.5\""},
		{"yes", "\"yes\""},
		{"Null", "\"Null\""},
		{"!web", "\"!web\""},
		{"", "\"\""},
		{"a\"b\\c", "\"a\\\"b\\\\c\""},
		{"a\nb", "\"a\\x0ab\""},
		{"web-*", "\"web-*\""},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		tw_auto_buf struct tw_buf out = {0};

		tw_text_yaml_print(rows[i].text, &out);
		assert_string_equal(out.data, rows[i].back);
	}
}

static void names(void **state)
{
	char text[140];

	memset(text, 'a', sizeof(text));
	text[128] = '\0';
	assert_false(tw_text_is_name(text));
	assert_false(tw_text_is_tag(text));
	text[127] = '\0';
	assert_true(tw_text_is_name(text));
	assert_true(tw_text_is_tag(text));
	assert_true(tw_text_is_name("100"));
	assert_true(tw_text_is_name("_a.B-9"));
	assert_false(tw_text_is_name("a b"));
	assert_false(tw_text_is_name("-a"));
	assert_false(tw_text_is_name("a:b"));
	assert_true(tw_text_is_tag("app.example.org/name=x:y@z+1"));
	assert_false(tw_text_is_tag("a&b"));
	assert_false(tw_text_is_tag(""));
}

static void edit_distances(void **state)
{
	assert_int_equal(tw_diag_distance("web", "web", 2), 0);
	assert_int_equal(tw_diag_distance("wbe", "web", 2), 1);
	assert_int_equal(tw_diag_distance("webs", "web", 2), 1);
	assert_int_equal(tw_diag_distance("bew", "web", 2), 2);
	assert_int_equal(tw_diag_distance("action", "acton", 2), 1);
	assert_int_equal(tw_diag_distance("abcdef", "ghijkl", 2), 3);
	assert_int_equal(tw_diag_distance("", "abc", 2), 3);
	assert_int_equal(tw_diag_distance("", "ab", 2), 2);
}

static void shown_text_is_fit_for_a_line(void **state)
{
	char longer[200];
	struct tw_shown shown = tw_diag_show("a\x1b[31m\nb\x7f");

	assert_string_equal(shown.text, "a?[31m?b?");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	shown = tw_diag_show(longer);
	assert_string_equal(shown.text + strlen(shown.text) - 4, "x...");
	/* A two-byte character is not split. */
	memset(longer, 'x', 67);
	memcpy(longer + 67, "\xc3\xbc\xc3\xbc\xc3\xbc", 7);
	shown = tw_diag_show(longer);
	assert_string_equal(shown.text + 66, "x...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prefixes),
		cmocka_unit_test(services),
		cmocka_unit_test(netmasks),
		cmocka_unit_test(address_ranges),
		cmocka_unit_test(macs),
		cmocka_unit_test(formats),
		cmocka_unit_test(times),
		cmocka_unit_test(globs),
		cmocka_unit_test(scalars),
		cmocka_unit_test(names),
		cmocka_unit_test(edit_distances),
		cmocka_unit_test(shown_text_is_fit_for_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
