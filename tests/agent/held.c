/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of observe/held.h: a frame that waited for an answer is sent on with its checksum and
 * VLAN tag. */
#include "agent/observe/held.h"

#include <arpa/inet.h>
#include <string.h>

#include "tests/agent/test.h"

#define L4 34 /* offset of a UDP header behind Ethernet and IPv4 */

/* A UDP datagram with 3 bytes of data, from 10.0.0.1 port 1 to 10.0.0.2 port 2. Its checksum field holds the sum
 * of the pseudo header (RFC 768): 0a00 + 0001 + 0a00 + 0002 + 0011 + 000b. */
static const uint8_t datagram[] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0,	  /* Ethernet */
	0x45, 0, 0, 31, 0, 0, 0, 0, 64, 17, 0x66, 0xcc, 10, 0, 0, 1, 10, 0, 0, 2, /* IPv4 */
	0, 1, 0, 2, 0, 11, 0x14, 0x1f, 'a', 'b', 'c'};

static uint16_t word(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void test_checksum(void **state)
{
	struct tw_asked asked = {.cap_len = sizeof(datagram), .csum_start = L4, .csum_offset = 6};
	uint8_t out[TW_HELD_MAX];

	assert_int_equal(tw_held_finish(&asked, datagram, out), sizeof(datagram));
	/* The sum of pseudo header, header and data is all ones: 141f + 0001 + 0002 + 000b + 6162 + 6300. */
	assert_int_equal(word(out + L4 + 6), (uint16_t) ~(0x141f + 1 + 2 + 11 + 0x6162 + 0x6300));
	asked.csum_start = 0;
	assert_int_equal(tw_held_finish(&asked, datagram, out), sizeof(datagram));
	assert_memory_equal(out, datagram, sizeof(datagram));
}

static void test_checksum_zero(void **state)
{
	struct tw_asked asked = {.cap_len = sizeof(datagram), .csum_start = L4, .csum_offset = 6};
	uint8_t frame[sizeof(datagram)], out[TW_HELD_MAX];
	uint16_t rest = (uint16_t) ~(1 + 2 + 11 + 0x6162 + 0x6300);

	memcpy(frame, datagram, sizeof(frame));
	frame[L4 + 6] = (uint8_t)(rest >> 8);
	frame[L4 + 7] = (uint8_t)rest;
	assert_int_equal(tw_held_finish(&asked, frame, out), sizeof(datagram));
	assert_int_equal(word(out + L4 + 6), 0xffff);
}

static void test_tag(void **state)
{
	struct tw_asked asked = {
		.cap_len = sizeof(datagram), .vlan_tci = 0x6007, .vlan_type = htons(0x8100)};
	uint8_t out[TW_HELD_MAX];

	assert_int_equal(tw_held_finish(&asked, datagram, out), sizeof(datagram) + 4);
	assert_memory_equal(out, datagram, 12);
	assert_int_equal(word(out + 12), 0x8100);
	assert_int_equal(word(out + 14), 0x6007);
	assert_memory_equal(out + 16, datagram + 12, sizeof(datagram) - 12);
}

static void test_beyond(void **state)
{
	struct tw_asked asked = {.cap_len = sizeof(datagram), .csum_start = sizeof(datagram) - 1};
	uint8_t out[TW_HELD_MAX];

	assert_int_equal(tw_held_finish(&asked, datagram, out), 0);
	asked.csum_start = UINT32_MAX;
	asked.csum_offset = 6;
	assert_int_equal(tw_held_finish(&asked, datagram, out), 0);
	asked = (struct tw_asked){.cap_len = TW_ASK_FRAME_MAX + 1};
	assert_int_equal(tw_held_finish(&asked, datagram, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_tag),
		cmocka_unit_test(test_beyond),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
