/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of frame building: fields, lengths and checksums are right, and the frames read back
 * as they were built. */
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "sim/frame.h"
#include "sim/glance.h"
#include "tests/unit/test.h"

static struct tw_query tuple_of(const char *from, const char *to, uint8_t proto)
{
	struct tw_query tuple = {
		.proto = proto, .sport = 40000, .dport = 5432, .type = 8, .code = 0};

	assert_int_equal(tw_addr_parse(from, &tuple.addr[TW_DIR_OUT]), 0);
	assert_int_equal(tw_addr_parse(to, &tuple.addr[TW_DIR_IN]), 0);
	return tuple;
}

static uint32_t sum(const uint8_t *data, size_t len, uint32_t start)
{
	for (size_t i = 0; i < len; i++)
		start += (uint32_t)data[i] << (i & 1 ? 0 : 8);
	return start;
}

/* The one's complement sum of data that includes its checksum is all ones (RFC 1071). */
static void assert_sum(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	assert_int_equal(total, 0xffff);
}

static size_t ip_header_len(bool v4)
{
	return v4 ? sizeof(struct ip) : sizeof(struct ip6_hdr);
}

static void lengths_and_sums_are_right(void **state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6};
	static const char *const ends[][2] = {{"10.0.0.1", "10.0.0.2"}, {"fd00::1", "fd00::2"}};

	for (size_t p = 0; p < sizeof(protos); p++)
		for (int v6 = 0; v6 < 2; v6++)
			for (int type = 0; type < 256; type++) {
				struct tw_query tuple = tuple_of(
					ends[v6][0], ends[v6][1], protos[p]);
				size_t at = ETH_HLEN + ip_header_len(!v6), len, payload_len;
				uint8_t data[TW_FRAME_MAX];
				uint32_t pseudo;

				tuple.type = (uint8_t)type;
				len = tw_frame_build(&tuple, data);
				assert_in_range(len, at + 8, TW_FRAME_MAX);
				payload_len = len - at;
				if (!v6) {
					assert_int_equal(
						data[ETH_HLEN + 2] << 8 | data[ETH_HLEN + 3],
						len - ETH_HLEN);
					assert_sum(sum(data + ETH_HLEN, sizeof(struct ip), 0));
				} else {
					assert_int_equal(
						data[ETH_HLEN + 4] << 8 | data[ETH_HLEN + 5],
						payload_len);
				}
				pseudo = protos[p] + (uint32_t)payload_len;
				pseudo = v6 ? sum(data + ETH_HLEN + 8, 32, pseudo)
					    : sum(data + ETH_HLEN + 12, 8, pseudo);
				assert_sum(sum(data + at, payload_len,
					protos[p] == IPPROTO_ICMP ? 0 : pseudo));
			}
}

static void frames_are_read_back(void **state)
{
	struct tw_query tuple = tuple_of("10.0.0.1", "10.0.0.2", IPPROTO_TCP);
	char text[TW_GLANCE_TEXT_MAX];
	struct tw_glance glance;
	uint8_t data[TW_FRAME_MAX];

	tw_glance_read(data, tw_frame_build(&tuple, data), &glance);
	assert_string_equal(
		tw_glance_text(&glance, "->", text), "tcp 10.0.0.1:40000 -> 10.0.0.2:5432");
	assert_memory_equal(&glance.addr, &tuple.addr, sizeof(glance.addr));
	tuple = tuple_of("fd00::1", "ff02::1", IPPROTO_ICMPV6);
	tuple.type = 135;
	tw_glance_read(data, tw_frame_build(&tuple, data), &glance);
	assert_string_equal(tw_glance_text(&glance, "->", text), "icmp6 135.0 fd00::1 -> ff02::1");
	tuple = tuple_of("10.0.0.1", "10.0.0.2", 47);
	tw_glance_read(data, tw_frame_build(&tuple, data), &glance);
	assert_string_equal(tw_glance_text(&glance, "->", text), "47 10.0.0.1 -> 10.0.0.2");
}

static void groups_have_their_macs(void **state)
{
	static const struct {
		const char *from, *to;
		uint8_t mac[6];
	} groups[] = {
		{"10.0.0.1", "224.129.2.3", {0x01, 0, 0x5e, 1, 2, 3}},
		{"10.0.0.1", "255.255.255.255", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"fd00::1", "ff02::1:ff00:12", {0x33, 0x33, 0xff, 0, 0, 0x12}},
		{"10.0.0.1", "10.0.0.2", {2, 0, 0, 0, 0, 2}},
	};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		struct tw_query tuple = tuple_of(groups[i].from, groups[i].to, IPPROTO_UDP);
		uint8_t data[TW_FRAME_MAX];

		tw_frame_build(&tuple, data);
		assert_memory_equal(data, groups[i].mac, 6);
	}
}

/* ARP (RFC 826) after two VLAN tags; and the same after LLC and SNAP. */
static void tags_and_snap_are_passed_over(void **state)
{
	static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0,
		0, 0, 0, 0, 10, 0, 0, 2};
	static const uint8_t tagged[] = {0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 6};
	static const uint8_t snap[] = {0, 36, 0xaa, 0xaa, 3, 0, 0, 0, 8, 6};
	static const uint8_t *const heads[] = {tagged, snap};

	for (int i = 0; i < 2; i++) {
		uint8_t data[12 + sizeof(tagged) + sizeof(arp)] = {0};
		char text[TW_GLANCE_TEXT_MAX];
		struct tw_glance glance;

		_Static_assert(sizeof(tagged) == sizeof(snap), "one length");
		memcpy(data + 12, heads[i], sizeof(tagged));
		memcpy(data + 12 + sizeof(tagged), arp, sizeof(arp));
		tw_glance_read(data, sizeof(data), &glance);
		assert_string_equal(
			tw_glance_text(&glance, "->", text), "arp 10.0.0.1 -> 10.0.0.2");
		for (size_t len = 0; len < sizeof(data); len++) {
			tw_glance_read(data, len, &glance);
			assert_false(glance.has_addrs);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_and_sums_are_right),
		cmocka_unit_test(frames_are_read_back),
		cmocka_unit_test(groups_have_their_macs),
		cmocka_unit_test(tags_and_snap_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
