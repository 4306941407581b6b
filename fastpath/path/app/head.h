/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* head.h: the first bytes of a payload, and comparisons on them.
 *
 * Why:        the verifier walks both sides of a branch, and tells apart the values that they leave in
 *             registers. A comparison here is arithmetic, and its result is 0 or 1. Only
 *             tw_app_bytes(), which begins each row of apps.def, is meant for a branch.
 * Invariants: 1. Bytes from `len` on are zeros, and `w` has one word more than TW_APP_HEAD bytes.
 *             2. Reads are at constant offsets, except for those that are named _at.
 * Bounds:     no loops.
 */
#pragma once

#include "fastpath/path/bytes.h"

#define TW_APP_HEAD  64 /* bytes of a payload that are looked at */
#define TW_APP_WORDS (TW_APP_HEAD / 8)
#define TW_APP_SETS  3 /* kinds of evidence: enum tw_app_says */

/* For comparisons of a few instructions. Otherwise a native compiler would call them, some hundred times
 * for a payload. */
#define tw_app_inline static inline __attribute__((always_inline, unused))

/* The first bytes of a datagram, or of one direction of a TCP connection. */
struct tw_app_head {
	__u64 w[TW_APP_WORDS + 1]; /* host order: the first byte is the highest */
	__u64 len;		   /* bytes in `w`, at most TW_APP_HEAD */
	__u64 payload;		   /* bytes of the datagram, or of the stream so far */
	__u64 port[2];		   /* both ends' ports, host order */
	/* Results: sets of applications (1 << enum tw_app), by enum tw_app_says. In memory that the
	 * verifier does not follow, so that it does not walk once for each set. */
	__u64 found[TW_APP_SETS];
};

/* Returns 1 if the value is zero, else 0. */
tw_app_inline __u64 tw_app_zero(__u64 value)
{
	__u64 minus = 0 - value;

	TW_OPAQUE(minus);
	return (value | minus) >> 63 ^ 1;
}

tw_app_inline __u64 tw_app_same(__u64 a, __u64 b)
{
	return tw_app_zero(a ^ b);
}

/* Returns 1 if a < b, else 0. Both are below 2^63. */
tw_app_inline __u64 tw_app_below(__u64 a, __u64 b)
{
	__u64 difference = a - b;

	TW_OPAQUE(difference);
	return difference >> 63;
}

/* Returns 1 if low <= value <= high, else 0. */
tw_inline __u64 tw_app_within(__u64 value, __u64 low, __u64 high)
{
	return tw_app_below(value - low, high - low + 1) & (tw_app_below(value, low) ^ 1);
}

/* Returns the eight bytes at a constant offset, the first one highest. */
tw_app_inline __u64 tw_app_word(const struct tw_app_head *h, __u32 off)
{
	__u32 i = off / 8, shift = off % 8 * 8;

	return shift ? h->w[i] << shift | h->w[i + 1] >> (64 - shift) : h->w[i];
}

tw_app_inline __u64 tw_app_u8(const struct tw_app_head *h, __u32 off)
{
	return h->w[off / 8] >> (56 - off % 8 * 8) & 0xff;
}

tw_app_inline __u64 tw_app_be16(const struct tw_app_head *h, __u32 off)
{
	return tw_app_word(h, off) >> 48;
}

tw_app_inline __u64 tw_app_be24(const struct tw_app_head *h, __u32 off)
{
	return tw_app_word(h, off) >> 40;
}

tw_app_inline __u64 tw_app_be32(const struct tw_app_head *h, __u32 off)
{
	return tw_app_word(h, off) >> 32;
}

tw_inline __u64 tw_app_le16(const struct tw_app_head *h, __u32 off)
{
	return tw_app_u8(h, off) | tw_app_u8(h, off + 1) << 8;
}

tw_inline __u64 tw_app_le32(const struct tw_app_head *h, __u32 off)
{
	return tw_app_le16(h, off) | tw_app_le16(h, off + 2) << 16;
}

/* Returns the eight bytes at any offset; those from TW_APP_HEAD on are zeros. */
tw_inline __u64 tw_app_word_at(const struct tw_app_head *h, __u64 off)
{
	__u64 inside = tw_app_below(off, TW_APP_HEAD);
	__u64 i = off >> 3 & (TW_APP_WORDS - 1), shift = (off & 7) * 8;

	TW_OPAQUE(i);
	i &= TW_APP_WORDS - 1;
	return (h->w[i] << shift | h->w[i + 1] >> 1 >> (63 - shift)) & (0 - inside);
}

tw_inline __u64 tw_app_u8_at(const struct tw_app_head *h, __u64 off)
{
	return tw_app_word_at(h, off) >> 56;
}

/* Returns 1 if either end has the port, else 0. Only for formats that are the same at several ports,
 * or too short to tell. Each use gives the reason. */
tw_inline __u64 tw_app_port(const struct tw_app_head *h, __u64 port)
{
	return tw_app_same(h->port[0], port) | tw_app_same(h->port[1], port);
}

/* True if the `n` bytes at `off` have `value` under `mask`. All but `h` are constant. */
tw_app_inline int tw_app_bytes(
	const struct tw_app_head *h, __u32 off, __u32 n, __u64 value, __u64 mask)
{
	__u32 shift = 64 - 8 * n;

	if (((tw_app_word(h, off) ^ value << shift) & mask << shift) != 0)
		return 0;
	/* Bytes beyond `len` read as zeros. If the last byte's value may be zero, check that it is
	 * present. */
	return (value & mask & 0xff) || h->len >= off + n;
}

/* Fills `w` and `len` from bytes in wire order; those from `len` on must be zeros. */
tw_inline void tw_app_head_fill(struct tw_app_head *h, const __be64 *wire, __u64 len)
{
	h->w[0] = tw_host64(wire[0]);
	h->w[1] = tw_host64(wire[1]);
	h->w[2] = tw_host64(wire[2]);
	h->w[3] = tw_host64(wire[3]);
	h->w[4] = tw_host64(wire[4]);
	h->w[5] = tw_host64(wire[5]);
	h->w[6] = tw_host64(wire[6]);
	h->w[7] = tw_host64(wire[7]);
	h->w[8] = 0;
	h->len = len;
	h->found[0] = 0;
	h->found[1] = 0;
	h->found[2] = 0;
}
