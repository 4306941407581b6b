/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bytes.h: byte order, addresses and ticks for the packet path. */
#pragma once

#include "fastpath/abi/inline.h"
#include "fastpath/abi/types.h"

/* Hides the value of a variable from the compiler, so that a bound is checked on the very register
 * that is used, as the BPF verifier requires. */
#define TW_OPAQUE(variable) __asm__ volatile("" : "+r"(variable))

/* Forces an access of a variable in memory. The verifier knows nothing of the loaded value, so it
 * walks the code after the access once, not once for each value that was stored. */
#define TW_MEMORY(variable) (*(volatile __typeof__(variable) *)&(variable))

#define TW_LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* Constant expressions, as switch labels use them. */
#define tw_be16(value) ((__be16)(TW_LITTLE ? __builtin_bswap16((__u16)(value)) : (__u16)(value)))
#define tw_be32(value) ((__be32)(TW_LITTLE ? __builtin_bswap32((__u32)(value)) : (__u32)(value)))

tw_inline __u16 tw_host16(__be16 value)
{
	return TW_LITTLE ? __builtin_bswap16((__u16)value) : (__u16)value;
}

tw_inline __u32 tw_host32(__be32 value)
{
	return TW_LITTLE ? __builtin_bswap32((__u32)value) : (__u32)value;
}

tw_inline __u64 tw_host64(__be64 value)
{
	return TW_LITTLE ? __builtin_bswap64((__u64)value) : (__u64)value;
}

/* Copies an IPv6 address from a header, where it is only 4-byte aligned. */
tw_inline void tw_addr_copy(struct tw_addr *addr, const void *wire)
{
	const __be32 *w = wire;

	addr->w[0] = w[0];
	addr->w[1] = w[1];
	addr->w[2] = w[2];
	addr->w[3] = w[3];
}

/* Maps an IPv4 address into IPv6 (RFC 4291 §2.5.5.2). */
tw_inline void tw_addr_map(struct tw_addr *addr, __be32 wire)
{
	addr->w[0] = 0;
	addr->w[1] = 0;
	addr->w[2] = tw_be32(0xffff);
	addr->w[3] = wire;
}

tw_inline int tw_addr_equal(const struct tw_addr *a, const struct tw_addr *b)
{
	return a->d[0] == b->d[0] && a->d[1] == b->d[1];
}

/* Returns -1, 0 or 1 in the order of memcmp(). */
tw_inline int tw_addr_compare(const struct tw_addr *a, const struct tw_addr *b)
{
	__u64 x = tw_host64(a->d[0]), y = tw_host64(b->d[0]);

	if (x == y) {
		x = tw_host64(a->d[1]);
		y = tw_host64(b->d[1]);
	}
	return x < y ? -1 : x > y;
}

tw_inline int tw_addr_is_v4(const struct tw_addr *addr)
{
	return addr->d[0] == 0 && addr->w[2] == tw_be32(0xffff);
}

tw_inline int tw_addr_is_unspecified(const struct tw_addr *addr)
{
	return addr->w[3] == 0 && addr->d[0] == 0 &&
	       (addr->w[2] == 0 || addr->w[2] == tw_be32(0xffff));
}

/* fe80::/10 (RFC 4291 §2.5.6). */
tw_inline int tw_addr_is_link_local(const struct tw_addr *addr)
{
	return (addr->w[0] & tw_be32(0xffc00000)) == tw_be32(0xfe800000);
}

/* ff00::/8, 224.0.0.0/4 and 255.255.255.255. */
tw_inline int tw_addr_is_multicast(const struct tw_addr *addr)
{
	if (addr->b[0] == 0xff)
		return 1;
	return tw_addr_is_v4(addr) && ((addr->w[3] & tw_be32(0xf0000000)) == tw_be32(0xe0000000) ||
					      addr->w[3] == tw_be32(0xffffffff));
}

tw_inline int tw_addr_is_loopback(const struct tw_addr *addr)
{
	if (tw_addr_is_v4(addr))
		return (addr->w[3] & tw_be32(0xff000000)) == tw_be32(0x7f000000);
	return addr->d[0] == 0 && addr->w[2] == 0 && addr->w[3] == tw_be32(1);
}

tw_inline int tw_mac_equal(const __u8 *a, const __u8 *b)
{
	return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3] && a[4] == b[4] &&
	       a[5] == b[5];
}

/* True if two MACs at even addresses are equal. Loads two bytes at a time and branches once. */
tw_inline int tw_mac_equal_even(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const void *)a, *y = (const void *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

/* Folds a sum of 16-bit or 32-bit words (RFC 1071). */
tw_inline __u16 tw_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

tw_inline int tw_mac_is_broadcast(const __u8 *mac)
{
	return (mac[0] & mac[1] & mac[2] & mac[3] & mac[4] & mac[5]) == 0xff;
}

/* True if the MAC belongs to the address: its group's MAC (RFC 1112 §6.4, 2464 §7), or for unicast
 * no group MAC. */
tw_inline int tw_mac_fits(const __u8 *mac, const struct tw_addr *addr)
{
	if (tw_addr_is_v4(addr) && addr->b[12] >> 4 == 0xe)
		return mac[0] == 0x01 && !mac[1] && mac[2] == 0x5e &&
		       mac[3] == (addr->b[13] & 0x7f) && mac[4] == addr->b[14] &&
		       mac[5] == addr->b[15];
	if (addr->b[0] != 0xff)
		return !(mac[0] & 1);
	return mac[0] == 0x33 && mac[1] == 0x33 && mac[2] == addr->b[12] && mac[3] == addr->b[13] &&
	       mac[4] == addr->b[14] && mac[5] == addr->b[15];
}

tw_inline __u32 tw_tick(__u64 now_ns)
{
	return (__u32)(now_ns >> TW_TICK_SHIFT);
}

/* Returns the age of a tick plus TW_TICKS_AHEAD, which does not wrap even if the tick is ahead of
 * `now`. */
tw_inline __u32 tw_tick_age(__u32 now, __u32 tick)
{
	return now - tick + TW_TICKS_AHEAD;
}

/* True if tick `a` is later than `b`, for ticks less than half a wrap apart. */
tw_inline int tw_tick_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}
