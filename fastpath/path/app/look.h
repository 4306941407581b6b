/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* look.h: looks at the first payloads of a connection, to name its application (app.h).
 *
 * What:       puts each way of a TCP connection in order as far as its segments come in order, and has
 *             the patterns compare its first TW_APP_HEAD bytes after each new segment; for UDP, each
 *             datagram.
 * In:         a packet with a payload in scratch, and what the connection's decisions say so far.
 * Out:        the bits TW_DECISION_LOOK and TW_DECISION_APP that the decisions get. Without the former,
 *             no more payload is looked at.
 * Invariants: 1. A name is given for bytes from the first one of each way on, without a gap. A
 *                connection whose entry is lost, or whose first payload was not seen, gets none.
 *             2. A port's connections take only entries of its share. If they are all in use, new
 *                connections get no name.
 *             3. No CPU waits: a payload that comes while another CPU looks at its connection is not
 *                looked at. TCP then has a gap until it is sent again.
 * Bounds:     TW_LOOK_TRIES lookups; TW_APP_LOOKS payloads of a connection.
 */
#pragma once

#include "fastpath/path/app/app.h"
#include "fastpath/path/packet.h"

/* True if no connection uses the entry. */
tw_inline int tw_look_is_free(const struct tw_look *look, __u32 now)
{
	return !look->who || tw_tick_age(now, look->seen) > TW_LOOK_IDLE + TW_TICKS_AHEAD;
}

/* Returns the offset of the payload in the frame. */
tw_inline __u32 tw_look_off(const struct tw_packet *p)
{
	return p->l4_off +
	       (p->tuple.proto == TW_IPPROTO_TCP ? p->tcp_header_len : sizeof(struct tw_udp));
}

/* Returns the sequence number of the first byte of payload (RFC 9293 §3.4). */
tw_inline __u32 tw_look_seq(const struct tw_packet *p)
{
	return p->seq + !!(p->tcp_flags & TW_TCP_SYN);
}

/* Returns the bytes of payload of a TCP or UDP packet; 0 for others, and for fragments. */
tw_inline __u32 tw_look_len(const struct tw_packet *p)
{
	__u32 end = p->l3_off + p->l3_len, off = tw_look_off(p);

	if ((p->tuple.proto != TW_IPPROTO_TCP && p->tuple.proto != TW_IPPROTO_UDP) || p->fragment)
		return 0;
	return end > off ? end - off : 0;
}

/* Loads up to TW_APP_HEAD bytes of the payload, from `skip` on, to scratch->wire as words in host
 * order; the bytes after them are zeros. Returns their number. */
tw_inline __u32 tw_look_load(const struct tw_frame *f, struct tw_scratch *scratch, __u32 skip)
{
	const struct tw_packet *p = &scratch->packet;
	__u32 off = tw_look_off(p) + skip, n = tw_look_len(p) - skip, i;

	__builtin_memset(scratch->wire, 0, sizeof(scratch->wire));
	if (n > TW_APP_HEAD)
		n = TW_APP_HEAD;
	/* Loads have at least eight bytes: those before a short payload are shifted out. */
	if (n >= 8 ? tw_frame_load(f, off, scratch->wire, n)
		   : tw_frame_load(f, off + n - 8, scratch->wire, 8))
		return 0;
	for (i = 0; i < TW_APP_WORDS; i++)
		scratch->wire[i] = tw_host64(scratch->wire[i]);
	if (n < 8)
		scratch->wire[0] <<= 64 - 8 * n;
	return n;
}

/* Returns the entry of a connection, or, if `begins`, one that it may take; NULL if there is none. */
tw_inline struct tw_look *tw_look_entry(
	const struct tw_frame *f, __u32 payer_id, __u64 who, __u32 begins)
{
	__u32 share = payer_id % (TW_LOOKS_MAX / TW_LOOK_SHARE) * TW_LOOK_SHARE, i, at;
	struct tw_look *look, *room = 0;

	for (i = 0; i < TW_LOOK_TRIES; i++) {
		at = share + ((__u32)(who >> 32) + i) % TW_LOOK_SHARE;
		look = tw_looks_lookup(f, &at);
		if (!look)
			return 0;
		if (look->who == who)
			return look;
		if (begins && !room && tw_look_is_free(look, tw_tick(f->now_ns)))
			room = look;
	}
	return room;
}

/* Makes a locked entry that of a connection. True if it is. */
tw_inline int tw_look_take(struct tw_look *look, __u64 who, __u32 begins, __u32 now)
{
	__u32 i;

	if (look->who != who && !(begins && tw_look_is_free(look, now)))
		return 0;
	look->seen = now;
	if (!begins)
		return 1;
	look->who = who;
	look->state = (struct tw_app_state){0};
	for (i = 0; i < 2; i++)
		look->began[i] = look->have[i] = 0;
	for (i = 0; i < TW_APP_WORDS; i++)
		look->head[0][i] = look->head[1][i] = 0;
	return 1;
}

/* Appends the loaded bytes to the `have` known ones of a way. */
tw_inline void tw_look_append(struct tw_scratch *scratch, __u64 *head, __u32 have)
{
	__u32 at = have / 8, shift = have % 8 * 8, i;

	/* For the verifier of Linux 6.1, the index is bounded here, not by the caller. */
	TW_OPAQUE(at);
	at %= TW_APP_WORDS;
	__builtin_memset(scratch->stream, 0, sizeof(scratch->stream));
	for (i = 0; i < TW_APP_WORDS; i++) {
		scratch->stream[(at + i) & 15] |= scratch->wire[i] >> shift;
		scratch->stream[(at + i + 1) & 15] |= scratch->wire[i] << 1 << (63 - shift);
	}
	for (i = 0; i < TW_APP_WORDS; i++)
		head[i] |= scratch->stream[i];
}

/* Adds the TCP segment in scratch to its way, and fills scratch->head. True if it has new bytes. */
tw_inline int tw_look_segment(
	const struct tw_frame *f, struct tw_scratch *scratch, struct tw_look *look, __u32 way)
{
	const struct tw_packet *p = &scratch->packet;
	__u32 have = look->have[way], skip = have + look->base[way] - tw_look_seq(p), i;
	struct tw_app_head *h = &scratch->head;

	/* Behind a gap, or known already. */
	if (skip >= tw_look_len(p))
		return 0;
	if (have < TW_APP_HEAD) {
		if (!tw_look_load(f, scratch, skip))
			return 0;
		tw_look_append(scratch, look->head[way], have);
	}
	have += tw_look_len(p) - skip;
	look->have[way] = have;
	for (i = 0; i < TW_APP_WORDS; i++)
		h->w[i] = look->head[way][i];
	h->w[TW_APP_WORDS] = 0;
	h->len = have < TW_APP_HEAD ? have : TW_APP_HEAD;
	h->payload = have;
	return 1;
}

/* Fills scratch->head from the datagram in scratch. True if its bytes could be read. */
tw_inline int tw_look_datagram(const struct tw_frame *f, struct tw_scratch *scratch)
{
	struct tw_app_head *h = &scratch->head;
	__u32 i;

	h->payload = tw_look_len(&scratch->packet);
	h->len = tw_look_load(f, scratch, 0);
	for (i = 0; i < TW_APP_WORDS; i++)
		h->w[i] = scratch->wire[i];
	h->w[TW_APP_WORDS] = 0;
	return h->len != 0;
}

/* Looks at the packet in scratch for a locked entry. */
tw_inline void tw_look_at(
	const struct tw_frame *f, struct tw_scratch *scratch, struct tw_look *look, __u32 expected)
{
	const struct tw_packet *p = &scratch->packet;
	__u32 way = scratch->flow.way & 1, tcp = p->tuple.proto == TW_IPPROTO_TCP, i;
	struct tw_app_head *h = &scratch->head;

	if (tcp && !look->began[way]) {
		/* Bytes before this payload were not looked at. */
		if (tw_look_seq(p) != expected) {
			look->state.done = 1;
			return;
		}
		look->base[way] = tw_look_seq(p);
		look->began[way] = 1;
	}
	h->port[0] = tw_host16(p->tuple.sport);
	h->port[1] = tw_host16(p->tuple.dport);
	for (i = 0; i < TW_APP_SETS; i++)
		h->found[i] = 0;
	if (!(tcp ? tw_look_segment(f, scratch, look, way) : tw_look_datagram(f, scratch))) {
		look->state.done = ++look->state.looks >= TW_APP_LOOKS;
		return;
	}
	if (tcp)
		tw_app_compare_tcp(h);
	else
		tw_app_compare_udp(h);
	tw_app_note(&look->state, way, h);
}

/* Body of tw_call_look(). `expected`: for TCP, the sequence number after all bytes that the sender has
 * sent so far. */
tw_inline __u32 tw_look_packet(const struct tw_frame *f, __u32 payer_id, __u32 known,
	__u32 expected, struct tw_scratch *scratch)
{
	const struct tw_flow *flow = &scratch->flow;
	__u64 who = (__u64)flow->probe.hash << 32 | (__u32)flow->key.lo_port << 16 |
		    flow->key.hi_port;
	__u32 begins = !(known & TW_DECISION_APP);
	struct tw_look *look = tw_look_entry(f, payer_id, who, begins);
	__u32 bits = 0;

	if (!look)
		return 0;
	if (__sync_val_compare_and_swap(&look->locked, 0, 1))
		return known;
	if (tw_look_take(look, who, begins, tw_tick(f->now_ns))) {
		tw_look_at(f, scratch, look, expected);
		bits = look->state.done ? (__u32)look->state.app << TW_DECISION_APP_SHIFT
					: TW_DECISION_LOOK | TW_DECISION_APP;
		if (look->state.done)
			look->who = 0;
	}
	TW_MEMORY(look->locked) = 0;
	return bits & (TW_DECISION_LOOK | TW_DECISION_APP);
}
