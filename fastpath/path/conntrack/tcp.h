/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tcp.h: advances a TCP connection's state and windows by one segment.
 *
 * What:       the states of RFC 9293 §3.3.2, and what a middlebox knows of each end's sequence
 *             numbers. These are the highest one sent, the highest one acknowledged, and the peer's
 *             window beyond it (struct tw_window).
 * Invariants: 1. Only a SYN opens a connection; only both FINs, or a RST, close it.
 *             2. A segment that no conforming receiver would accept changes nothing. It ends with
 *                TW_R_TCP_WINDOW, or with TW_R_TCP_STATE if the state admits no such segment at
 *                all.
 *             3. A segment that a receiver answers without accepting passes and changes nothing: a
 *                retransmission, a keep-alive, a RST or SYN that it challenges (RFC 5961).
 *             4. Unknown numbers, as in a connection adopted mid-stream, refuse nothing.
 *             5. An end's own segments write its `end`; the other end's segments write its `acked`,
 *                then its `peer_window`. Readers read `peer_window` first, so a race shows too
 *                large a window, never too small a one.
 * Bounds:     one loop, over the options of a SYN; no lookup.
 * Source:     RFC 9293 §3.5 and §3.10.7, RFC 7323 §2, RFC 5961 §3 to §5, RFC 7413 §4 (data in a
 *             SYN); G. van Rooij, "Real Stateful TCP Packet Filtering in IP Filter", 2001.
 */
#pragma once

#include "fastpath/path/packet.h"

/* An acknowledgement further back than both the window and this is not current. RFC 5961 §5.2 uses
 * the largest window ever offered; a record keeps only the present one. */
#define TW_ACK_WINDOW_MIN 66000

#define TW_PEER_WINDOW_MAX 65535 /* largest value of the window field */

/* Attempts to raise a number that other CPUs raise, too. Each failed attempt has seen a higher
 * number. */
#define TW_RAISE_TRIES 4

tw_inline int tw_tcp_is_syn(__u8 flags)
{
	return (flags & (TW_TCP_SYN | TW_TCP_ACK | TW_TCP_RST | TW_TCP_FIN)) == TW_TCP_SYN;
}

tw_inline int tw_tcp_is_syn_ack(__u8 flags)
{
	return (flags & (TW_TCP_SYN | TW_TCP_ACK)) == (TW_TCP_SYN | TW_TCP_ACK);
}

/* True if a SYN may reopen a closed connection, from either end. The end that still knows the old
 * connection judges the new sequence number (RFC 9293 §3.6.1, RFC 6191), so its challenge passes as
 * the answer to any SYN. */
tw_inline int tw_tcp_reopens(const struct tw_conn *c, __u8 flags)
{
	return tw_tcp_is_syn(flags) &&
	       (c->progress.state == TW_S_TIME_WAIT || c->progress.state == TW_S_CLOSED);
}

/* True if only one direction of an adopted connection has been seen (`tcp: liberal`): that of the
 * originator in SYN_SENT, that of the other end in SYN_RECV. */
tw_inline int tw_tcp_one_way(const struct tw_progress *progress)
{
	return progress->state <= TW_S_SYN_RECV && progress->flags & TW_CONN_F_ADOPTED;
}

/* True if sequence number `a` is after `b`. */
tw_inline int tw_seq_after(__u32 a, __u32 b)
{
	return (__s32)(a - b) > 0;
}

/* ---- window scale ---- */

/* Returns the window scale that a SYN offers: TW_SCALE_*. An option beyond the readable bytes
 * counts as unknown. */
tw_inline __u8 tw_tcp_scale(const struct tw_frame *f, const struct tw_packet *p)
{
	__u32 off = p->l4_off + sizeof(struct tw_tcp), end = p->l4_off + p->tcp_header_len, i;
	const __u8 *option;

	for (i = 0; i < 40; i++) {
		__u32 at = TW_MEMORY(off);

		if (at + 3 > end)
			return 0;
		option = tw_at(f, at, 3);
		if (!option)
			return TW_SCALE_OPTION | TW_SCALE_MAX;
		if (option[0] == 0) /* end of options */
			return 0;
		if (option[0] == 3 && option[1] == 3)
			return TW_SCALE_OPTION |
			       (option[2] < TW_SCALE_MAX ? option[2] : TW_SCALE_MAX);
		if (option[0] != 1 && option[1] < 2)
			return 0;
		TW_MEMORY(off) = at + (option[0] == 1 ? 1 : option[1]);
	}
	return 0;
}

/* Notes the scale of a SYN. Scales count only if both SYNs have the option (RFC 7323 §2.2). */
tw_inline void tw_tcp_begin(const struct tw_packet *p, struct tw_flow *flow)
{
	__u8 *mine = &flow->progress.scale[flow->way & 1];
	__u8 *theirs = &flow->progress.scale[!(flow->way & 1)];

	flow->note = TW_NOTE_BEGIN;
	*mine = p->scale | TW_SCALE_SEEN;
	if (!(*theirs & TW_SCALE_SEEN) || (*mine & *theirs & TW_SCALE_OPTION))
		return;
	*mine &= ~TW_SCALE_SHIFT;
	*theirs &= ~TW_SCALE_SHIFT;
}

/* Notes that neither SYN was seen: any window fits. */
tw_inline void tw_tcp_adopt(struct tw_flow *flow)
{
	flow->note = TW_NOTE_BOTH;
	flow->progress.scale[TW_WAY_ORIGINAL] = TW_SCALE_OPTION | TW_SCALE_MAX;
	flow->progress.scale[TW_WAY_REPLY] = TW_SCALE_OPTION | TW_SCALE_MAX;
}

/* Notes the scale of a SYN-ACK whose SYN was not seen. A SYN-ACK has the option only if its SYN had
 * it. */
tw_inline void tw_tcp_begin_both(const struct tw_packet *p, struct tw_flow *flow)
{
	flow->note = TW_NOTE_BOTH;
	flow->progress.scale[flow->way & 1] = p->scale | TW_SCALE_SEEN;
	flow->progress.scale[!(flow->way & 1)] = p->scale & TW_SCALE_OPTION
							 ? TW_SCALE_OPTION | TW_SCALE_MAX
							 : 0;
}

/* ---- windows ---- */

/* Returns the shift of the windows that the sender of `way` offers. */
tw_inline __u32 tw_tcp_shift(const struct tw_progress *progress, __u32 way)
{
	const __u32 original = progress->scale[TW_WAY_ORIGINAL];
	const __u32 reply = progress->scale[TW_WAY_REPLY];

	return (way ? reply : original) & TW_SCALE_SHIFT;
}

/* Returns the bytes beyond `acked` that the peer accepts from the sender of `way`. */
tw_inline __u32 tw_tcp_peer_window(
	const struct tw_conn *c, const struct tw_progress *progress, __u32 way)
{
	return (__u32)TW_MEMORY(c->peer_window[way & 1]) << tw_tcp_shift(progress, !(way & 1));
}

/* Returns the window field in units of `shift`. The window of a SYN is not scaled (RFC 7323
 * §2.2). */
tw_inline __u32 tw_tcp_units(const struct tw_packet *p, __u32 shift)
{
	if (p->tcp_flags & TW_TCP_SYN)
		return (p->window + (1u << shift) - 1) >> shift;
	return p->window;
}

/* Raises a sequence number, which several CPUs may do at once. It never goes back. */
tw_inline void tw_seq_raise(__u32 *at, __u32 to)
{
	__u32 i, old = TW_MEMORY(*at), met;

	for (i = 0; i < TW_RAISE_TRIES && tw_seq_after(to, old); i++) {
		met = __sync_val_compare_and_swap(at, old, to);
		if (met == old)
			return;
		old = met;
	}
}

/* Notes a segment's acknowledgement and window. The right edge never goes back (RFC 9293
 * §3.8.6). */
tw_inline void tw_tcp_note_ack(
	struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	__u32 way = flow->way & 1, shift = tw_tcp_shift(&flow->progress, way);
	struct tw_window *theirs = &c->window[!way];
	__u32 acked = TW_MEMORY(theirs->acked), gained = p->ack - acked;
	__u32 units = tw_tcp_units(p, shift);
	__s32 left;

	if ((__s32)gained < 0)
		return;
	left = (__s32)c->peer_window[!way] - (__s32)(gained >> shift);
	if (left < (__s32)units)
		left = (__s32)units;
	/* If another CPU was faster, the window it stored may be too large, because it knew an
	 * older `acked`. */
	if (gained && __sync_val_compare_and_swap(&theirs->acked, acked, p->ack) != acked) {
		tw_seq_raise(&theirs->acked, p->ack);
		return;
	}
	if (c->peer_window[!way] != left)
		TW_MEMORY(c->peer_window[!way]) = (__u16)left;
}

/* Notes a SYN: its sender's numbers start here, and so does the window that the peer's SYN
 * offered. */
tw_inline void tw_tcp_note_begin(
	struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	__u32 way = flow->way & 1, shift = tw_tcp_shift(&flow->progress, way);
	struct tw_window *mine = &c->window[way];
	__u32 bytes;

	if ((c->progress.scale[!way] ^ flow->progress.scale[!way]) & TW_SCALE_SHIFT) {
		/* The peer's SYN had a scale, but this SYN has none: no scale counts. */
		bytes = (__u32)c->peer_window[way] << (c->progress.scale[!way] & TW_SCALE_SHIFT);
		c->peer_window[way] = (__u16)(bytes < TW_PEER_WINDOW_MAX ? bytes
									 : TW_PEER_WINDOW_MAX);
	}
	mine->end = p->seq_end;
	mine->acked = p->seq;
	if (p->tcp_flags & TW_TCP_ACK)
		c->window[!way].acked = p->ack;
	c->peer_window[!way] = (__u16)tw_tcp_units(p, shift);
}

/* Sets both ends' numbers from the only segment that is known. */
tw_inline void tw_tcp_note_both(
	struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	__u32 way = flow->way & 1, shift = tw_tcp_shift(&flow->progress, way);
	struct tw_window *mine = &c->window[way], *theirs = &c->window[!way];

	mine->end = p->seq_end;
	mine->acked = p->seq;
	c->peer_window[way] = TW_PEER_WINDOW_MAX;
	theirs->end = p->ack;
	theirs->acked = p->ack;
	c->peer_window[!way] = (__u16)tw_tcp_units(p, shift);
}

/* Notes a segment of an established connection. */
tw_inline void tw_tcp_note_move(
	struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	struct tw_window *mine = &c->window[flow->way & 1];

	tw_seq_raise(&mine->end, p->seq_end);
	tw_tcp_note_ack(c, p, flow);
}

/* Notes another SYN-ACK. The ACK may be for this one or for the first, so both starts stay
 * valid. */
tw_inline void tw_tcp_note_twice(
	struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	struct tw_window *mine = &c->window[flow->way & 1];

	if (!tw_seq_after(p->seq, mine->acked))
		mine->acked = p->seq;
	else if (tw_seq_after(p->seq_end, mine->end))
		mine->end = p->seq_end;
	tw_tcp_note_ack(c, p, flow);
}

/* Updates the windows for a segment that passes. Called before its progress is written. */
tw_inline void tw_tcp_note(struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	if (flow->note == TW_NOTE_MOVE) {
		tw_tcp_note_move(c, p, flow);
	} else if (flow->note == TW_NOTE_BEGIN) {
		tw_tcp_note_begin(c, p, flow);
	} else if (flow->note == TW_NOTE_BOTH) {
		tw_tcp_note_both(c, p, flow);
	} else if (flow->note == TW_NOTE_TWICE) {
		tw_tcp_note_twice(c, p, flow);
	}
}

/* Position of a segment relative to what its receiver expects. */
enum tw_fit {
	TW_FIT_TAKEN,
	TW_FIT_ACK_OLD, /* data accepted or challenged; acknowledgement not current */
	TW_FIT_OLD,	/* entirely acknowledged: answered, not accepted */
	TW_FIT_OUTSIDE, /* beyond the offered window, or acknowledges unsent data */
};

/* Returns how a segment with ACK fits: the first and fifth check of RFC 9293 §3.10.7.4, and RFC
 * 5961 §5. */
tw_inline enum tw_fit tw_tcp_fit(
	const struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	__u32 way = flow->way & 1, current;
	__u32 window = tw_tcp_peer_window(c, &flow->progress, way);
	const struct tw_window *mine = &c->window[way], *theirs = &c->window[!way];
	__u32 acked = TW_MEMORY(mine->acked);

	if (tw_seq_after(p->seq, acked + window) && tw_seq_after(p->seq, mine->end))
		return TW_FIT_OUTSIDE;
	if (tw_seq_after(p->ack, theirs->end))
		return TW_FIT_OUTSIDE;
	if (!tw_seq_after(p->seq_end + (p->seq == p->seq_end), acked))
		return TW_FIT_OLD;
	if (tw_seq_after(theirs->acked, p->ack + TW_ACK_WINDOW_MIN)) {
		current = tw_tcp_peer_window(c, &flow->progress, !way);
		if (tw_seq_after(theirs->acked, p->ack + current))
			return TW_FIT_ACK_OLD;
	}
	return TW_FIT_TAKEN;
}

/* True unless a segment is the first to show that its sender has not received everything sent. */
tw_inline int tw_tcp_nothing_new(
	const struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	const __u32 original = flow->progress.scale[TW_WAY_ORIGINAL];
	const __u32 reply = flow->progress.scale[TW_WAY_REPLY];

	return p->ack == c->window[!(flow->way & 1)].end ||
	       (flow->way ? original : reply) & TW_SCALE_BEHIND;
}

/* True if a segment acknowledges the other end's SYN and no unsent data. */
tw_inline int tw_tcp_answers(
	const struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	const struct tw_window *theirs = &c->window[!(flow->way & 1)];

	return p->tcp_flags & TW_TCP_ACK && tw_seq_after(p->ack, theirs->acked) &&
	       !tw_seq_after(p->ack, theirs->end);
}

/* True if the segment that an ICMP error quotes may be in flight: SND.UNA =< SEG.SEQ =< SND.NXT
 * (RFC 5927 §4.1). SEG.SEQ equals SND.NXT only for a segment without data. */
tw_inline int tw_tcp_in_flight(const struct tw_conn *c, __u32 way, __u32 seq)
{
	const struct tw_window *mine = &c->window[way & 1];

	if (c->progress.flags & TW_CONN_F_ADOPTED || !(mine->end | mine->acked))
		return 1; /* the numbers are uncertain */
	return !tw_seq_after(mine->acked, seq) && !tw_seq_after(seq, mine->end);
}

/* ---- states ---- */

/* Handles SYN_SENT: only the originator has sent (RFC 9293 §3.10.7.3). */
tw_inline enum tw_reason tw_tcp_unanswered(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;
	const struct tw_window *mine = &c->window[TW_WAY_ORIGINAL];
	int reply = flow->way == TW_WAY_REPLY, answers = reply && tw_tcp_answers(c, p, flow);

	if (p->tcp_flags & TW_TCP_RST) {
		if (reply && !answers)
			return TW_R_TCP_WINDOW;
		/* The originator resets a challenge to its SYN, or an answer to another one. */
		if (reply || p->seq == mine->end)
			to->state = TW_S_CLOSED;
		return TW_R_NONE;
	}
	if (tw_tcp_is_syn(p->tcp_flags)) {
		/* A repeated SYN may lack its options, so only a new one restarts. A SYN from the
		 * other end is a simultaneous open (RFC 9293 §3.5). */
		if (reply)
			to->state = TW_S_SYN_RECV;
		if (reply || p->seq != mine->acked || tw_seq_after(p->seq_end, mine->end))
			tw_tcp_begin(p, flow);
		return TW_R_NONE;
	}
	if (!reply || p->tcp_flags & TW_TCP_FIN)
		return TW_R_TCP_STATE;
	if (answers && p->tcp_flags & TW_TCP_SYN) {
		to->state = TW_S_SYN_RECV;
		tw_tcp_begin(p, flow);
		if (p->ack != mine->end)
			to->scale[TW_WAY_ORIGINAL] |= TW_SCALE_BEHIND;
	}
	/* Otherwise it answers an older SYN or is a challenge (RFC 5961 §4). The originator will
	 * reset it. */
	return TW_R_NONE;
}

/* A number that is at least this far behind an established connection belongs to another
 * connection. */
#define TW_FORGOTTEN_BEHIND (1 << 24)

/* True if a SYN-ACK is too far behind its connection to be a retransmission. */
tw_inline int tw_tcp_far_behind(const struct tw_conn *c, const struct tw_packet *p)
{
	return (__s32)(c->window[TW_WAY_ORIGINAL].acked - p->ack) > TW_FORGOTTEN_BEHIND ||
	       (__s32)(c->window[TW_WAY_REPLY].acked - p->seq) > TW_FORGOTTEN_BEHIND;
}

/* True if the originator's SYN was seen, but no SYN of the other end. */
tw_inline int tw_tcp_one_sided(const struct tw_progress *progress)
{
	return (progress->scale[TW_WAY_ORIGINAL] & ~progress->scale[TW_WAY_REPLY] &
		       TW_SCALE_SEEN) != 0;
}

/* Handles a SYN-ACK in a connection whose ends are both known. */
tw_inline enum tw_reason tw_tcp_syn_ack(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;
	const struct tw_window *mine = &c->window[flow->way & 1];
	const struct tw_window *theirs = &c->window[!(flow->way & 1)];

	if (to->state == TW_S_SYN_RECV && !tw_seq_after(theirs->acked, p->ack) &&
		!tw_seq_after(p->ack, theirs->end)) {
		/* A retransmission, the other half of a simultaneous open, or a server with SYN
		 * cookies. The originator's ACK tells which of the server's numbers it took. */
		if (flow->way == TW_WAY_ORIGINAL ? !tw_seq_after(p->seq_end, mine->end)
						 : p->seq == mine->acked) {
			flow->note = TW_NOTE_MOVE;
		} else if (flow->way == TW_WAY_REPLY) {
			to->scale[TW_WAY_REPLY] |= TW_SCALE_TWICE;
			flow->note = TW_NOTE_TWICE;
		}
		return TW_R_NONE;
	}
	if (flow->way == TW_WAY_ORIGINAL)
		return to->state == TW_S_SYN_RECV ? TW_R_NONE : TW_R_TCP_STATE;
	if (to->flags & TW_CONN_F_SYN_AGAIN && to->state < TW_S_TIME_WAIT &&
		(tw_tcp_fit(c, p, flow) == TW_FIT_OUTSIDE || tw_tcp_far_behind(c, p))) {
		/* Both ends have lost the connection and open it again. */
		to->state = TW_S_SYN_RECV;
		to->flags &= ~(TW_CONN_F_SYN_AGAIN | TW_CONN_F_ADOPTED | TW_CONN_F_FIN_ORIG |
			       TW_CONN_F_FIN_REPLY);
		tw_tcp_begin_both(p, flow);
	}
	return TW_R_NONE;
}

/* Handles a SYN when both ends are known. Its receiver challenges it, whatever its numbers (RFC
 * 5961 §4). */
tw_inline enum tw_reason tw_tcp_syn(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	if (p->tcp_flags & TW_TCP_ACK)
		return tw_tcp_syn_ack(c, p, flow);
	/* The rules have not allowed the end that is taken for the server to open a connection. */
	if (flow->way == TW_WAY_REPLY && flow->progress.flags & TW_CONN_F_ADOPTED)
		return TW_R_TCP_STATE;
	if (flow->way == TW_WAY_ORIGINAL && p->seq != c->window[TW_WAY_ORIGINAL].acked - 1)
		flow->progress.flags |= TW_CONN_F_SYN_AGAIN;
	return TW_R_NONE;
}

/* Closes a connection after an accepted RST. In SYN_RECV, the TW_SCALE_RESET bits meant
 * TW_SCALE_TWICE. */
tw_inline void tw_tcp_closed(struct tw_progress *to)
{
	to->state = TW_S_CLOSED;
	to->scale[TW_WAY_ORIGINAL] &= (__u8)~TW_SCALE_RESET;
	to->scale[TW_WAY_REPLY] &= (__u8)~TW_SCALE_RESET;
}

/* Handles a RST. The connection closes if the RST has exactly the receiver's next number (RFC 5961
 * §3), which lies between `acked` and `end`. Unless the receiver has shown a gap, its next number
 * is `end`, and it ignores a RST with a lower number, which may answer a stray segment. Elsewhere
 * in the window, the receiver challenges the RST. */
tw_inline enum tw_reason tw_tcp_reset(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;
	__u32 way = flow->way & 1, window = tw_tcp_peer_window(c, to, way);
	const struct tw_window *mine = &c->window[way];
	__u32 acked = TW_MEMORY(mine->acked);

	if (p->seq == mine->end) {
		tw_tcp_closed(to);
		to->scale[way] |= TW_SCALE_RESET;
		return TW_R_NONE;
	}
	if (p->seq == acked) {
		if (!(to->scale[way] & TW_SCALE_BEHIND) && !(to->flags & TW_CONN_F_ADOPTED))
			return TW_R_TCP_WINDOW;
		tw_tcp_closed(to);
		return TW_R_NONE;
	}
	if (!tw_seq_after(acked, p->seq) && !tw_seq_after(p->seq, acked + window))
		return TW_R_NONE;
	if (to->flags & TW_CONN_F_SYN_AGAIN && way == TW_WAY_REPLY && !p->seq &&
		p->tcp_flags & TW_TCP_ACK) {
		tw_tcp_closed(to); /* answers the SYN: RFC 9293 §3.5.2 */
		return TW_R_NONE;
	}
	return to->flags & TW_CONN_F_ADOPTED ? TW_R_NONE : TW_R_TCP_WINDOW;
}

/* Advances the closing states: a FIN from each end, each acknowledged. */
tw_inline void tw_tcp_closing(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;
	__u32 way = flow->way & 1;
	__u8 mine = way == TW_WAY_ORIGINAL ? TW_CONN_F_FIN_ORIG : TW_CONN_F_FIN_REPLY;
	__u8 both = TW_CONN_F_FIN_ORIG | TW_CONN_F_FIN_REPLY;

	if (p->tcp_flags & TW_TCP_FIN) {
		to->flags |= mine;
		if ((to->flags & both) != both)
			to->state = TW_S_FIN_WAIT;
		else if (to->state != TW_S_TIME_WAIT)
			to->state = TW_S_LAST_ACK;
		return;
	}
	if (p->ack != c->window[!way].end)
		return;
	if (to->state == TW_S_FIN_WAIT && !(to->flags & mine))
		to->state = TW_S_CLOSE_WAIT;
	else if (to->state == TW_S_LAST_ACK && c->window[way].acked == c->window[way].end)
		to->state = TW_S_TIME_WAIT;
}

/* True if an accepted segment shows that its sender did not accept the RST that closed the
 * connection: it challenged the RST, or went on after it. */
tw_inline int tw_tcp_goes_on(
	const struct tw_conn *c, const struct tw_packet *p, const struct tw_flow *flow)
{
	__u32 other = !(flow->way & 1);
	const struct tw_window *theirs = &c->window[other];

	if (flow->progress.scale[other] & TW_SCALE_RESET)
		return p->ack != theirs->end && !tw_seq_after(theirs->acked, p->ack);
	return tw_seq_after(p->ack, theirs->acked);
}

/* Returns a closed connection to the state before its RST. */
tw_inline void tw_tcp_revive(struct tw_progress *to)
{
	const __u8 both = TW_CONN_F_FIN_ORIG | TW_CONN_F_FIN_REPLY;

	to->scale[TW_WAY_ORIGINAL] &= (__u8)~TW_SCALE_RESET;
	to->scale[TW_WAY_REPLY] &= (__u8)~TW_SCALE_RESET;
	to->state = !(to->flags & both)		 ? TW_S_ESTABLISHED
		    : (to->flags & both) == both ? TW_S_LAST_ACK
						 : TW_S_FIN_WAIT;
}

/* Notes that the originator has acknowledged a SYN-ACK. If there were several, only this one
 * counts. */
tw_inline void tw_tcp_answered(struct tw_flow *flow)
{
	flow->progress.state = TW_S_ESTABLISHED;
	if (!(flow->progress.scale[TW_WAY_REPLY] & TW_SCALE_TWICE))
		return;
	flow->progress.scale[TW_WAY_REPLY] &= (__u8)~TW_SCALE_TWICE;
	flow->note = TW_NOTE_BOTH;
}

/* Handles an accepted segment. In SYN_RECV both ends have sent a SYN; the connection is established
 * when both are acknowledged. */
tw_inline void tw_tcp_taken(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;
	const struct tw_window *replies = &c->window[TW_WAY_REPLY];
	__u32 other = !(flow->way & 1);

	if (flow->way == TW_WAY_REPLY)
		to->flags &= ~TW_CONN_F_SYN_AGAIN; /* the other end knows the connection */
	if (to->state == TW_S_CLOSED) {
		if (!tw_tcp_goes_on(c, p, flow))
			return; /* late segments */
		tw_tcp_revive(to);
	}
	if (to->state == TW_S_SYN_RECV) {
		if (flow->way == TW_WAY_ORIGINAL ? tw_tcp_answers(c, p, flow)
						 : replies->acked == replies->end)
			tw_tcp_answered(flow);
		else if (flow->way == TW_WAY_ORIGINAL)
			flow->note = TW_NOTE_NOTHING; /* acknowledges no SYN: will be reset */
	}
	if (flow->note == TW_NOTE_MOVE && p->ack != c->window[other].end)
		to->scale[other] |= TW_SCALE_BEHIND;
	if (to->state != TW_S_ESTABLISHED || p->tcp_flags & TW_TCP_FIN)
		tw_tcp_closing(c, p, flow);
}

/* Handles an adopted connection of which one direction has been seen. A segment of the other
 * direction establishes it. Until then its record is half-open, however much is sent. */
tw_inline enum tw_reason tw_tcp_half_seen(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;
	__u8 seen = to->state == TW_S_SYN_SENT ? TW_WAY_ORIGINAL : TW_WAY_REPLY;

	if (p->tcp_flags & TW_TCP_RST)
		return tw_tcp_reset(c, p, flow);
	if (tw_tcp_is_syn(p->tcp_flags) ||
		(p->tcp_flags & TW_TCP_SYN && flow->way == TW_WAY_ORIGINAL))
		return TW_R_TCP_STATE; /* liberal.h lets a SYN open a new connection */
	flow->note = TW_NOTE_BOTH;
	if (flow->way == seen)
		return TW_R_NONE;
	to->state = TW_S_ESTABLISHED;
	if (p->tcp_flags & TW_TCP_FIN)
		tw_tcp_closing(c, p, flow);
	return TW_R_NONE;
}

/* Advances a live connection, or returns why the segment does not belong in it. */
tw_inline enum tw_reason tw_tcp_advance(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	enum tw_fit fit;

	if (tw_tcp_one_way(&flow->progress))
		return tw_tcp_half_seen(c, p, flow);
	if (flow->progress.state == TW_S_SYN_SENT)
		return tw_tcp_unanswered(c, p, flow);
	if (flow->progress.state == TW_S_CLOSED && tw_tcp_one_sided(&flow->progress))
		/* The SYN was refused. The originator resets anything more from the other end. */
		return flow->way == TW_WAY_REPLY || p->tcp_flags & TW_TCP_RST ? TW_R_NONE
									      : TW_R_TCP_STATE;
	if (p->tcp_flags & TW_TCP_SYN)
		return tw_tcp_syn(c, p, flow);
	if (p->tcp_flags & TW_TCP_RST)
		return tw_tcp_reset(c, p, flow);
	fit = tw_tcp_fit(c, p, flow);
	if (fit == TW_FIT_OLD)
		return TW_R_NONE;
	if (fit == TW_FIT_OUTSIDE && !(flow->progress.flags & TW_CONN_F_ADOPTED))
		return TW_R_TCP_WINDOW;
	flow->note = TW_NOTE_MOVE;
	if (fit != TW_FIT_ACK_OLD)
		tw_tcp_taken(c, p, flow);
	return TW_R_NONE;
}
