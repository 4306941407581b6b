/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* concern.c: the local addresses that a port's frames can have.
 *
 * Why:        a port's image holds only the rules that can concern it, restricted to these
 *             addresses.
 * Holds:      its own addresses, link-local ones, and those of a guest that has none yet;
 *             towards the guest also multicast and broadcast. The subnet's length is not known
 *             here, so every address that could be its directed broadcast is included.
 */
#include "fastpath/path/bytes.h"
#include "policy/model.h"

#define V4(a, b, c, d) \
	(TW_V4_FIRST | (tw_u128)(((uint32_t)(a) << 24) | ((uint32_t)(b) << 16) | ((c) << 8) | (d)))
#define V6_TOP(bits) ((tw_u128)(bits) << 112)

#define SUBNET_LEN_MIN 8
#define SUBNET_LEN_MAX 30

static const struct concern {
	tw_u128 lo;
	tw_u128 hi;
	bool in_only;
} always[] = {
	{0, 0, false},
	{V4(0, 0, 0, 0), V4(0, 0, 0, 0), false},
	{V4(169, 254, 0, 0), V4(169, 254, 255, 255), false},
	{V6_TOP(0xfe80), V6_TOP(0xfec0) - 1, false},
	{V4(224, 0, 0, 0), V4(239, 255, 255, 255), true},
	{V4(255, 255, 255, 255), V4(255, 255, 255, 255), true},
	{V6_TOP(0xff00), TW_U128_MAX, true},
};

static bool is_host_v4(const struct tw_prefix *prefix)
{
	return prefix->len == 128 && tw_addr_is_v4(&prefix->addr);
}

static int add_broadcasts(const struct tw_prefix *prefix, struct tw_ranges *ret)
{
	tw_u128 host = tw_set_number(&prefix->addr);
	int err = 0;

	if (!is_host_v4(prefix))
		return 0;
	for (unsigned int len = SUBNET_LEN_MIN; len <= SUBNET_LEN_MAX && !err; len++) {
		tw_u128 last = host | (0xffffffffu >> len);

		err = tw_ranges_add(ret, last, last);
	}
	return err;
}

int tw_vnic_concern(const struct tw_vnic *vnic, enum tw_dir dir, struct tw_ranges *ret)
{
	int err = vnic->any ? tw_ranges_add(ret, 0, TW_U128_MAX) : 0;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]) && !err; i++)
		if (!always[i].in_only || dir == TW_DIR_IN)
			err = tw_ranges_add(ret, always[i].lo, always[i].hi);
	for (size_t i = 0; i < vnic->n_prefixes && !err; i++) {
		err = tw_prefix_add_to(&vnic->prefixes[i], ret);
		if (!err && dir == TW_DIR_IN)
			err = add_broadcasts(&vnic->prefixes[i], ret);
	}
	if (!err)
		tw_ranges_sort(ret);
	return err;
}

static bool meets(const struct tw_ranges *ranges, tw_u128 lo, tw_u128 hi)
{
	struct tw_range range = {lo, hi};
	struct tw_ranges one = {.at = &range, .n = 1};

	return tw_ranges_overlap(ranges, &one);
}

static bool meets_broadcasts(const struct tw_prefix *prefix, const struct tw_ranges *ranges)
{
	tw_u128 host = tw_set_number(&prefix->addr);

	if (!is_host_v4(prefix) || !meets(ranges, host | (0xffffffffu >> SUBNET_LEN_MAX),
					   host | (0xffffffffu >> SUBNET_LEN_MIN)))
		return false;
	for (unsigned int len = SUBNET_LEN_MIN; len <= SUBNET_LEN_MAX; len++)
		if (tw_ranges_has(ranges, host | (0xffffffffu >> len)))
			return true;
	return false;
}

bool tw_concern_meets(enum tw_dir dir, const struct tw_ranges *ranges)
{
	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if ((!always[i].in_only || dir == TW_DIR_IN) &&
			meets(ranges, always[i].lo, always[i].hi))
			return true;
	return false;
}

bool tw_vnic_meets(const struct tw_vnic *vnic, enum tw_dir dir, const struct tw_ranges *ranges)
{
	if (vnic->any && ranges->n)
		return true;
	for (size_t i = 0; i < vnic->n_prefixes; i++) {
		const struct tw_prefix *prefix = &vnic->prefixes[i];

		if (meets(ranges, tw_set_number(&prefix->addr), tw_prefix_last(prefix)) ||
			(dir == TW_DIR_IN && meets_broadcasts(prefix, ranges)))
			return true;
	}
	return false;
}
