/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* app.h: names the application of a connection by the first bytes of each direction.
 *
 * What:       a head (head.h) is compared with every pattern of apps.def for its transport. The
 *             outcome is a set of applications per kind of evidence, one bit each.
 * In:         for TCP, each direction's stream from its first byte on, in order and without
 *             duplicates, as far as it is known; once for each new segment. For UDP, each datagram.
 * Out:        an application, or TW_APP_NONE as long as there is none. state->done: more payload
 *             changes nothing.
 * Invariants: 1. A name is given once, and not revised.
 *             2. Bytes that fit two applications name none. A wrong name is worse than none.
 *             3. The verifier walks each row of apps.def once: the results are in memory that it does
 *                not follow, so both sides of a row's branch lead to the same state. Test:
 *                tests/load/apps.c.
 * Bounds:     TW_APP_HEAD bytes of a payload, TW_APP_LOOKS payloads of a connection.
 * Callers:    look.h, sim/apps.c.
 */
#pragma once

#include "fastpath/path/app/check.h"

#define TW_APP_LOOKS 16 /* payloads that are looked at, of both directions together */

enum tw_app_transport {
	TW_APP_TCP = 1,
	TW_APP_UDP = 2,
	TW_APP_ANY = TW_APP_TCP | TW_APP_UDP,
};

/* What a pattern says about a head: index of head->found. */
enum tw_app_says {
	TW_APP_SURE,   /* the application */
	TW_APP_CLIENT, /* a client of it, or something else */
	TW_APP_SERVER, /* a server of it, or something else */
	TW_APP_SAYS__MAX
};

_Static_assert(TW_APP_SAYS__MAX == TW_APP_SETS, "head.h has a set for each");

/* Returns byte `i` of a text of `n` bytes, or 0 after its end. */
#define TW_APP_CHAR(text, n, i) ((i) < (n) ? (__u64)(__u8)(text)[(i) < (n) ? (i) : 0] : 0)
#define TW_APP_VALUE(text, n)                                                    \
	((TW_APP_CHAR(text, n, 0) << 56 | TW_APP_CHAR(text, n, 1) << 48 |        \
		 TW_APP_CHAR(text, n, 2) << 40 | TW_APP_CHAR(text, n, 3) << 32 | \
		 TW_APP_CHAR(text, n, 4) << 24 | TW_APP_CHAR(text, n, 5) << 16 | \
		 TW_APP_CHAR(text, n, 6) << 8 | TW_APP_CHAR(text, n, 7)) >>      \
		(64 - 8 * (n)))

/* Returns the mask under which letters of either case are the same. Their bit 6 is set. */
#define TW_APP_NO_CASE(value) (~(((value)&0x4040404040404040ull) >> 1))

/* Compares a head with the patterns of one transport, a constant. Adds to h->found. */
tw_inline void tw_app_compare(struct tw_app_head *h, enum tw_app_transport transport)
{
#define TW_APP(symbol, name, about)
#define TW_APP_BYTES(symbol, over, says, off, n, value, mask, check) \
	if (TW_APP_##over & transport)                               \
		if (tw_app_bytes(h, off, n, value, mask))            \
			TW_MEMORY(h->found[TW_APP_##says]) |= (__u64)(check) << TW_APP_##symbol;
#define TW_APP_TEXT(symbol, over, says, off, text, check)              \
	TW_APP_BYTES(symbol, over, says, off, (__u32)sizeof(text) - 1, \
		TW_APP_VALUE(text, (__u32)sizeof(text) - 1), ~0ull, check)
#define TW_APP_WORD(symbol, over, says, off, text, check)                            \
	TW_APP_BYTES(symbol, over, says, off, (__u32)sizeof(text) - 1,               \
		TW_APP_VALUE(text, (__u32)sizeof(text) - 1) &                        \
			TW_APP_NO_CASE(TW_APP_VALUE(text, (__u32)sizeof(text) - 1)), \
		TW_APP_NO_CASE(TW_APP_VALUE(text, (__u32)sizeof(text) - 1)), check)
#include "fastpath/path/app/apps.def"
#undef TW_APP
#undef TW_APP_BYTES
#undef TW_APP_TEXT
#undef TW_APP_WORD
}

/* Returns the only application of a set; TW_APP_NONE for none or several. */
tw_inline enum tw_app tw_app_only(__u64 set)
{
	__u32 app;

	if (!set || set & (set - 1))
		return TW_APP_NONE;
	app = (__u32)(tw_app_zero(set & 0xaaaaaaaaaaaaaaaaull) ^ 1) |
	      (__u32)(tw_app_zero(set & 0xccccccccccccccccull) ^ 1) << 1 |
	      (__u32)(tw_app_zero(set & 0xf0f0f0f0f0f0f0f0ull) ^ 1) << 2 |
	      (__u32)(tw_app_zero(set & 0xff00ff00ff00ff00ull) ^ 1) << 3 |
	      (__u32)(tw_app_zero(set & 0xffff0000ffff0000ull) ^ 1) << 4 |
	      (__u32)(tw_app_zero(set & 0xffffffff00000000ull) ^ 1) << 5;
	return (enum tw_app)app;
}

tw_inline void tw_app_compare_tcp(struct tw_app_head *h)
{
	tw_app_compare(h, TW_APP_TCP);
}

tw_inline void tw_app_compare_udp(struct tw_app_head *h)
{
	__u64 opcode = tw_app_be16(h, 0);

	tw_app_compare(h, TW_APP_UDP);
	/* The mode of a read or write request is at no fixed offset. */
	if ((opcode == 1 || opcode == 2) && h->len > 9)
		TW_MEMORY(h->found[TW_APP_SURE]) |= tw_app_tftp(h) << TW_APP_TFTP;
}

/* Adds what a compared head of `way` says. Returns the application, if it is known now. */
tw_inline enum tw_app tw_app_note(
	struct tw_app_state *state, __u32 way, const struct tw_app_head *h)
{
	enum tw_app app = tw_app_only(TW_MEMORY(h->found[TW_APP_SURE]));

	if (state->done)
		return (enum tw_app)state->app;
	way &= 1;
	state->client[way] |= h->found[TW_APP_CLIENT];
	state->server[way] |= h->found[TW_APP_SERVER];
	if (!app)
		app = tw_app_only((state->client[0] & state->server[1]) |
				  (state->client[1] & state->server[0]));
	state->looks++;
	state->app = (__u8)app;
	state->done = app || state->looks == TW_APP_LOOKS;
	return app;
}
