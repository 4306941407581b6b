/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the tests' frame builder, against bytes written by hand from the standards. */
#include "tests/unit/test.h"

#include <errno.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "base/inet.h"
#include "tests/run/draft_text.h"

static struct tw_draft draft;

static void make_names(struct tw_draft_names *names)
{
	*names = (struct tw_draft_names){
		.from = {true, true, true, {2, 0, 0, 0, 0, 1}},
		.to = {true, true, true, {2, 0, 0, 0, 0, 2}},
	};
	tw_addr_parse("10.0.0.1", &names->from.v4);
	tw_addr_parse("10.0.0.2", &names->to.v4);
	tw_addr_parse("fd00::1", &names->from.v6);
	tw_addr_parse("fd00::2", &names->to.v6);
}

static void build(const char *text, struct tw_buf *out)
{
	struct tw_draft_names names;
	struct tw_err err = {0};

	make_names(&names);
	if (tw_draft_read(text, &names, &draft, &err))
		fail_msg("%s: %s", text, err.text);
	assert_int_equal(tw_draft_build(&draft, out), 0);
}

static void expect(const char *text, const char *hex)
{
	tw_auto_buf struct tw_buf bytes = {0}, got = {0};

	build(text, &bytes);
	for (size_t i = 0; i < bytes.len; i++)
		tw_buf_addf(&got, "%02x", (uint8_t)bytes.data[i]);
	assert_string_equal(got.data, hex);
}

#define MACS "020000000002020000000001"

static void frames_are_built_to_the_byte(void **state)
{
	expect("udp 53 > 1024 / hex 0102", MACS "0800"
						"4500001e00000000401166cd0a0000010a000002"
						"00350400000ae6a00102");
	expect("tcp 1 > 2 S seq=258 win=1024", MACS "0800"
						    "4500002800000000400666ce0a0000010a000002"
						    "0001000200000102000000005002040096db0000");
	expect("arp request 10.0.0.1 > 10.0.0.2", "ffffffffffff020000000001"
						  "0806"
						  "0001080006040001"
						  "0200000000010a000001"
						  "0000000000000a000002");
	expect("eth / qinq 5 / vlan 7 pcp=1 type=0x1234", MACS "88a80005"
							       "81002007"
							       "1234");
	expect("eth / snap / hex 0a", MACS "0009aaaa0300000088b50a");
	expect("raw 00ff | pad 4", "00ff0000");
	expect("ip / data 30 | cut 16", MACS "08004500");
}

static void checksums_hold(void **state)
{
	tw_auto_buf struct tw_buf bytes = {0};
	uint8_t *ip, *l4;

	build("ip6 / dst / tcp 1 > 2 PA / data 333", &bytes);
	ip = (uint8_t *)bytes.data + 14;
	l4 = ip + 48;
	assert_int_equal(bytes.len, 14 + 40 + 8 + 20 + 333);
	assert_int_equal(ip[6], 60);
	assert_int_equal(ip[40], 6);
	assert_int_equal(tw_inet_fold(tw_inet_sum(
				 l4, 353, tw_inet_pseudo(draft.from.v6.b, draft.to.v6.b, 6, 353))),
		0);
	tw_buf_reset(&bytes);
	build("icmp echo id=5 seq=6 / data 7", &bytes);
	ip = (uint8_t *)bytes.data + 14;
	assert_int_equal(tw_inet_fold(tw_inet_sum(ip, 20, 0)), 0);
	assert_int_equal(tw_inet_fold(tw_inet_sum(ip + 20, 15, 0)), 0);
}

static void quoted_packets_travelled_the_other_way(void **state)
{
	tw_auto_buf struct tw_buf bytes = {0};
	const uint8_t *inner;

	build("icmp unreachable.3 / ip / udp 7 > 8", &bytes);
	inner = (uint8_t *)bytes.data + 14 + 20 + 8;
	assert_memory_equal(inner + 12, "\x0a\0\0\2\x0a\0\0\1", 8);
}

static void set_fields_win(void **state)
{
	tw_auto_buf struct tw_buf bytes = {0};
	const uint8_t *ip;

	build("ip len=9 ihl=3 version=7 sum=0x1234 proto=tcp df off=16 / udp 1 > 2 len=3 sum=4",
		&bytes);
	ip = (uint8_t *)bytes.data + 14;
	assert_int_equal(ip[0], 0x73);
	assert_memory_equal(ip + 2, "\0\x09", 2);
	assert_memory_equal(ip + 6, "\x40\x02", 2);
	assert_int_equal(ip[9], 6);
	assert_memory_equal(ip + 10, "\x12\x34", 2);
	assert_memory_equal(ip + 24, "\0\x03\0\x04", 4);
}

static void nonsense_is_refused(void **state)
{
	static const char *const texts[] = {"", "/", "eth /", "nosuch", "ip x > y", "ip 10.0.0.1",
		"tcp 1 > 2 XYZ", "tcp 1 > 99999999999", "icmp nosuch", "icmp", "vlan", "vlan x",
		"hex 0", "hex zz", "dst*0", "dst*99", "ip | cut", "ip | nosuch 1", "ip nosuch=1",
		"ip6 10.0.0.1.2 >", "ip fd00::1 >", "arp maybe", "dhcp", "ip a >b", "data -1",
		"eth 02:00:00:00:00 >"};
	struct tw_draft_names names;
	struct tw_err err;

	make_names(&names);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		err = (struct tw_err){0};
		draft.n_layers = 77;
		if (tw_draft_read(texts[i], &names, &draft, &err) != -EINVAL)
			fail_msg("'%s' was accepted", texts[i]);
		assert_true(err.text[0]);
		assert_int_equal(draft.n_layers, 77);
	}
}

static void too_large_is_refused(void **state)
{
	tw_auto_buf struct tw_buf bytes = {0};
	struct tw_draft_names names;
	struct tw_err err = {0};

	make_names(&names);
	assert_int_equal(tw_draft_read("ip / data 70000", &names, &draft, &err), 0);
	assert_int_equal(tw_draft_build(&draft, &bytes), -EINVAL);
	assert_int_equal(bytes.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_built_to_the_byte),
		cmocka_unit_test(checksums_hold),
		cmocka_unit_test(quoted_packets_travelled_the_other_way),
		cmocka_unit_test(set_fields_win),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(too_large_is_refused),
	};

	return cmocka_run_group_tests_name("draft", tests, NULL, NULL);
}
