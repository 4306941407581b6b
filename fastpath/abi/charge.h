/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* charge.h: the word of a record that holds the port ids of both ends, which port pays, and for
 * what.
 *
 * Why:        it is one word, so that a CPU that replaces it knows the old value and charges the
 *             exact difference.
 * Layout:     ids of TW_PORT_BITS bits, 0 = no port seen: the out end's from bit 0, the in end's
 *             from bit 16. Bits 15 and 28 to 31 are reserved and 0, for state beside the record
 *             (docs/decisions/014-layout.md).
 * Callers:    types.h, which includes it.
 */
#pragma once

#include <linux/types.h>

#define TW_PORT_BITS	   12
#define TW_PORTS_CHARGE	   0x3000u /* enum tw_charge */
#define TW_PORTS_CHARGE_IN 0x4000u /* the in end's port pays; otherwise the out end's */

enum tw_charge {
	TW_CHARGE_NONE, /* the record is not in the table */
	TW_CHARGE_HALF_OPEN,
	TW_CHARGE_ESTABLISHED,
	TW_CHARGE_OVER, /* TCP: both ends have closed it, or one has reset it */
};

static inline __u32 tw_ports_at(__u32 ports, __u32 end)
{
	return ports >> (end & 1) * 16 & ((1u << TW_PORT_BITS) - 1);
}

static inline __u32 tw_ports_with(__u32 ports, __u32 end, __u32 id)
{
	return (ports & ~(((1u << TW_PORT_BITS) - 1) << (end & 1) * 16)) | id << (end & 1) * 16;
}

static inline enum tw_charge tw_ports_charge(__u32 ports)
{
	return (enum tw_charge)(ports >> TW_PORT_BITS & 3);
}

static inline __u32 tw_ports_charged(__u32 ports, enum tw_charge charge)
{
	return (ports & ~TW_PORTS_CHARGE) | (__u32)charge << TW_PORT_BITS;
}

/* Returns the id of the port that pays. */
static inline __u32 tw_ports_payer(__u32 ports)
{
	return tw_ports_at(ports, ports & TW_PORTS_CHARGE_IN ? 1 : 0);
}

/* ---- a count of struct tw_usage ---- */

/* The lower half is the number of records charged now, below 0 after a miscount. The upper half
 * counts all records ever charged, so that a reader notices a count that changed and changed back.
 * Both change together, in one word. */
static inline __u64 tw_usage_step(__s32 n)
{
	return (__u64)(__s64)n + (n > 0 ? (__u64)n << 32 : 0);
}

static inline __s32 tw_usage_net(__u64 count)
{
	return (__s32)(__u32)count;
}

static inline __u32 tw_usage_ever(__u64 count)
{
	return (__u32)((count - (__u64)(__s64)tw_usage_net(count)) >> 32);
}

static inline __u32 tw_usage_now(__u64 count)
{
	return tw_usage_net(count) < 0 ? 0 : (__u32)count;
}
