/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tcp.h: how a TCP segment moves its connection's state on.
 *
 * What:       the states of RFC 9293 §3.3.2 as a middlebox between the ends can know them.
 * Invariants: 1. Nothing but a SYN opens; nothing but both FINs, or a RST, closes.
 *             2. A segment that no honest end could send in this state is TW_R_TCP_STATE and moves
 *                nothing.
 */
#pragma once

#include "fastpath/path/packet.h"

tw_inline int tw_tcp_is_syn(__u8 flags)
{
	return (flags & (TW_TCP_SYN | TW_TCP_ACK | TW_TCP_RST | TW_TCP_FIN)) == TW_TCP_SYN;
}

tw_inline int tw_tcp_is_syn_ack(__u8 flags)
{
	return (flags & (TW_TCP_SYN | TW_TCP_ACK)) == (TW_TCP_SYN | TW_TCP_ACK);
}

/* A closed connection may open anew, from either end, under the same tuple. */
tw_inline int tw_tcp_reopens(const struct tw_conn *c, __u8 flags)
{
	return tw_tcp_is_syn(flags) && (c->state == TW_S_TIME_WAIT || c->state == TW_S_CLOSED);
}

/* While opening: SYN_SENT until the other end answers, SYN_RECV until the first one confirms. */
tw_inline enum tw_reason tw_tcp_opening(struct tw_progress *c, enum tw_way way, __u8 flags)
{
	if (tw_tcp_is_syn(flags)) {
		if (way == TW_WAY_REPLY)
			c->state = TW_S_SYN_RECV; /* simultaneous open: RFC 9293 §3.5 */
		return TW_R_NONE;
	}
	if (tw_tcp_is_syn_ack(flags)) {
		if (c->state == TW_S_SYN_SENT) {
			if (way == TW_WAY_ORIGINAL)
				return TW_R_TCP_STATE;
			c->state = TW_S_SYN_RECV;
		}
		return TW_R_NONE;
	}
	if (c->state == TW_S_SYN_SENT)
		/* The far end may challenge a SYN with a bare ACK (RFC 5961 §4); nobody else may
		 * speak before the SYN is answered. */
		return way == TW_WAY_REPLY && !(flags & TW_TCP_FIN) ? TW_R_NONE : TW_R_TCP_STATE;
	if (way == TW_WAY_ORIGINAL)
		c->state = TW_S_ESTABLISHED;
	return TW_R_NONE;
}

/* A FIN from one end, then from the other, then the last ACK. */
tw_inline void tw_tcp_closing(struct tw_progress *c, enum tw_way way, __u8 flags)
{
	__u8 mine = way == TW_WAY_ORIGINAL ? TW_CONN_F_FIN_ORIG : TW_CONN_F_FIN_REPLY;
	__u8 both = TW_CONN_F_FIN_ORIG | TW_CONN_F_FIN_REPLY;

	if (flags & TW_TCP_FIN) {
		c->flags |= mine;
		if ((c->flags & both) != both)
			c->state = TW_S_FIN_WAIT;
		else if (c->state != TW_S_TIME_WAIT)
			c->state = TW_S_LAST_ACK;
		return;
	}
	if (c->state == TW_S_FIN_WAIT && !(c->flags & mine))
		c->state = TW_S_CLOSE_WAIT;
	else if (c->state == TW_S_LAST_ACK)
		c->state = TW_S_TIME_WAIT;
}

/* Moves a live connection on, or says that the segment has no place in it. */
tw_inline enum tw_reason tw_tcp_advance(struct tw_progress *c, enum tw_way way, __u8 flags)
{
	enum tw_reason reason;

	if (flags & TW_TCP_RST) {
		c->state = TW_S_CLOSED;
		return TW_R_NONE;
	}
	switch (c->state) {
	case TW_S_SYN_SENT:
	case TW_S_SYN_RECV:
		reason = tw_tcp_opening(c, way, flags);
		if (reason || !(flags & TW_TCP_FIN) || c->state == TW_S_SYN_SENT)
			return reason;
		break;
	case TW_S_CLOSED:
		return TW_R_NONE; /* stragglers; they move nothing and do not prolong it */
	default:
		/* A stray SYN is for the receiver to challenge (RFC 5961 §4). The originator never
		 * answers a SYN, save in a simultaneous open, which is over by now. */
		if (tw_tcp_is_syn(flags))
			return TW_R_NONE;
		if (tw_tcp_is_syn_ack(flags))
			return way == TW_WAY_REPLY ? TW_R_NONE : TW_R_TCP_STATE;
		break;
	}
	tw_tcp_closing(c, way, flags);
	return TW_R_NONE;
}
