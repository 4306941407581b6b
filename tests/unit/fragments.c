/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of a set of fragmented datagrams (path/fragment.h): which datagram displaces which. */
#include "tests/unit/test.h"

#include <stdbool.h>
#include <string.h>

/* A target must define everything in port.h; a fragment set uses none of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "fastpath/path/fragment.h"

/* Maps that these tests do not use. */
#define TW_MAP(symbol, type, key, value, ...)                                         \
	tw_inline value *tw_##symbol##_lookup(const struct tw_frame *f, const key *k) \
	{                                                                             \
		return NULL;                                                          \
	}                                                                             \
	tw_inline long tw_##symbol##_update(                                          \
		const struct tw_frame *f, const key *k, const value *v, __u64 flags)  \
	{                                                                             \
		return -1;                                                            \
	}
#include "fastpath/abi/maps.def"
#undef TW_MAP

tw_inline void tw_frag_lock(struct tw_frag_set *set)
{
}

tw_inline void tw_frag_unlock(struct tw_frag_set *set)
{
}

tw_inline long tw_frame_keep(const struct tw_frame *f, struct tw_fragq *queued)
{
	return -1;
}

tw_inline long tw_frame_become(struct tw_frame *f, const struct tw_fragq *queued)
{
	return -1;
}

tw_inline void tw_frame_again(const struct tw_frame *f, enum tw_dir dir)
{
}

tw_inline enum tw_reason tw_call_fragment(const struct tw_frame *f, __u32 port_id)
{
	return TW_R_NONE;
}

/* Sends the first or the last fragment of datagram `id` from guest `from`, which may have many
 * addresses. */
static enum tw_reason send(
	struct tw_frag_set *set, uint8_t from, uint32_t addr, uint32_t id, bool first, uint32_t now)
{
	static struct tw_scratch scratch;
	struct tw_packet *p = &scratch.packet;

	memset(&scratch, 0, sizeof(scratch));
	p->src_mac[5] = from;
	tw_addr_map(&p->tuple.src, tw_be32(addr));
	tw_addr_map(&p->tuple.dst, tw_be32(0x0a000002));
	p->tuple.proto = 17;
	p->ethertype = TW_ETH_IPV4;
	p->fragment = first ? TW_FRAG_FIRST : TW_FRAG_LATER;
	p->piece = (struct tw_piece){
		.id = id, .from = first ? 0 : 1400, .to = first ? 1400 : 2000, .more = first};
	tw_frag_name_make(&scratch.name, p);
	return tw_frag_take(set, &scratch, now);
}

/* One guest's first fragments, from any number of addresses, do not displace other guests'
 * datagrams; they displace its own oldest one. */
static void test_flood_displaces_its_own(void **state)
{
	struct tw_frag_set set = {0};
	uint32_t now = 1000;

	for (uint32_t id = 0; id < 100; id++)
		assert_int_equal(send(&set, 1, 0x0a000100 + id, id, true, now++), TW_R_NONE);
	for (uint8_t guest = 3; guest < 7; guest++) {
		assert_int_equal(send(&set, guest, 0x0a000000 + guest, 7, true, now++), TW_R_NONE);
		for (uint32_t id = 0; id < 100; id++)
			send(&set, 1, 0x0a000100 + id, 1000 + id, true, now++);
	}
	for (uint8_t guest = 3; guest < 7; guest++)
		assert_int_equal(send(&set, guest, 0x0a000000 + guest, 7, false, now), TW_R_NONE);
	assert_int_equal(send(&set, 1, 0x0a000100 + 99, 1099, false, now), TW_R_NONE);
	assert_int_equal(send(&set, 1, 0x0a000100, 1000, false, now), TW_R_FRAG_ORPHAN);
}

/* A guest without competitors can use the whole set. */
static void test_alone(void **state)
{
	struct tw_frag_set set = {0};

	for (uint32_t id = 0; id < TW_FRAG_WAYS; id++)
		assert_int_equal(send(&set, 1, 0x0a000001, id, true, 1000 + id), TW_R_NONE);
	for (uint32_t id = 0; id < TW_FRAG_WAYS; id++)
		assert_int_equal(send(&set, 1, 0x0a000001, id, false, 1100), TW_R_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_displaces_its_own),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests_name("fragments", tests, NULL, NULL);
}
