/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* liberal.h: TCP at a port with `tcp: liberal`, which may see only a part of a connection.
 *
 * Why:        a router guest on an asymmetric path sees one direction, or loses sight of both for a
 *             while. A strict port then refuses every later segment.
 * How:        a segment that does not fit its connection passes, and the connection takes its
 *             numbers from it: it counts as adopted mid-stream, and refuses no number any more. A
 *             segment without a connection opens one, if the rules allow it.
 * Invariants: 1. The rules judge every segment that opens a record, and every SYN of a connection
 *                whose opening was not seen. So no handshake completes that the rules do not allow.
 *             2. A record is shared by both ends of one host. A strict end decides for both: where
 *                one takes part, nothing passes here that it would refuse, and no record becomes
 *                lenient.
 *             3. A record is half-open, with its quota and timeouts, until both directions have been
 *                seen. So a guest cannot fill the table cheaper than at a strict port.
 *             4. Only state and numbers of TCP are spared. Identities, malformed packets,
 *                checksums, rates, quotas and fragments are judged as at a strict port.
 * Bounds:     the lookups of tw_conn_find(), and one of a port, for a segment that a strict port
 *             would refuse; no loops.
 * Callers:    path.h, in a subprogram, for a segment that track refuses.
 */
#pragma once

#include "fastpath/path/conntrack/track.h"

/* True if the sender of a segment without a connection is taken for the server. A SYN-ACK and the
 * RST that answers a SYN (RFC 9293 §3.5.2) show it. */
tw_inline int tw_liberal_serves(const struct tw_packet *p)
{
	if (p->tcp_flags & TW_TCP_SYN)
		return 1;
	if (p->tcp_flags & TW_TCP_RST && p->tcp_flags & TW_TCP_ACK && !p->seq)
		return 1;
	return tw_track_serves(&p->tuple);
}

/* Fills the flow with the connection that a segment from its middle opens. A RST passes without a
 * record, if the rules allow the connection. */
tw_inline void tw_liberal_pick_up(const struct tw_packet *p, struct tw_flow *flow)
{
	tw_track_adopt(flow, tw_liberal_serves(p));
	flow->progress.state = flow->way == TW_WAY_REPLY ? TW_S_SYN_RECV : TW_S_SYN_SENT;
	if (!(p->tcp_flags & TW_TCP_RST))
		return;
	flow->progress.state = TW_S_CLOSED;
	flow->note = TW_NOTE_NOTHING;
	flow->untracked = 1;
}

/* True if the other end of a connection is a port of this host that refuses what does not fit. */
tw_inline int tw_liberal_opposed(
	const struct tw_frame *f, const struct tw_conn *c, __u32 end, __u32 epoch)
{
	const struct tw_port *other;

	if (!tw_gate_decision(c->gate[!(end & 1)]))
		return 0;
	other = tw_port_numbered(f, tw_ports_at(c->ports, !(end & 1)), epoch);
	return !other || !(other->flags & (TW_PORT_F_LIBERAL | TW_PORT_F_OBSERVED));
}

/* Fills the flow with the connection after a segment that does not fit it. A RST or FIN passes, and
 * its receiver judges it; it closes nothing, as any sender on the path could have made up its
 * number. */
tw_inline void tw_liberal_resynchronise(const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_progress *to = &flow->progress;

	*to = flow->found;
	flow->note = TW_NOTE_NOTHING;
	if (p->tcp_flags & TW_TCP_RST || tw_state_over(to->state))
		return;
	if (to->state == (flow->way == TW_WAY_REPLY ? TW_S_SYN_SENT : TW_S_SYN_RECV))
		to->state = TW_S_ESTABLISHED;
	to->flags |= TW_CONN_F_ADOPTED;
	tw_tcp_adopt(flow);
}

/* True if a SYN replaces an adopted connection, so that the rules judge it. The originator of such a
 * connection is a guess. If both directions have been seen, only a liberal port, at which the
 * connection can be picked up again, lets the SYN end it. */
tw_inline int tw_liberal_restarts(
	const struct tw_port *port, const struct tw_packet *p, const struct tw_flow *flow)
{
	return tw_tcp_is_syn(p->tcp_flags) && flow->found.flags & TW_CONN_F_ADOPTED &&
	       (tw_tcp_one_way(&flow->found) || port->flags & TW_PORT_F_LIBERAL);
}

/* Fills the flow with the connection that a SYN opens in place of an adopted one. */
tw_inline void tw_liberal_restart(const struct tw_packet *p, struct tw_flow *flow)
{
	int src_is_hi = !!(flow->found.flags & TW_CONN_F_ORIGIN_HI) ^ flow->way;

	flow->stale = 1;
	flow->way = TW_WAY_ORIGINAL;
	flow->progress.word = 0;
	flow->progress.state = TW_S_SYN_SENT;
	flow->progress.flags = src_is_hi ? TW_CONN_F_ORIGIN_HI : 0;
	tw_tcp_begin(p, flow);
}

/* Returns TW_R_NONE and the connection in the flow if the TCP segment in scratch may go on to the
 * rules, else flow.liberal, the reason for which a strict port would refuse it. */
tw_inline enum tw_reason tw_liberal_judge(const struct tw_frame *f, const struct tw_port *port,
	__u32 epoch, enum tw_dir dir, struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	struct tw_flow *flow = &scratch->flow;
	enum tw_reason reason = (enum tw_reason)flow->liberal;
	const struct tw_conn *c;

	if (p->tuple.proto != TW_IPPROTO_TCP || p->fragment == TW_FRAG_LATER)
		return reason;
	if (tw_liberal_restarts(port, p, flow)) {
		tw_liberal_restart(p, flow);
		return TW_R_NONE;
	}
	if (!(port->flags & TW_PORT_F_LIBERAL))
		return reason;
	if (reason == TW_R_TCP_WINDOW || reason == TW_R_TCP_STATE) {
		c = tw_conn_at(f, tw_call_find(f));
		/* A SYN-ACK of the originator would complete a handshake in the other direction. */
		if (!c || p->tcp_flags & TW_TCP_SYN ||
			tw_liberal_opposed(f, c, tw_flow_end(dir, flow->way), epoch))
			return reason;
		tw_liberal_resynchronise(p, flow);
	} else {
		tw_liberal_pick_up(p, flow);
	}
	return TW_R_NONE;
}

/* Body of tw_call_liberal(): as tw_liberal_judge(). Clears flow.liberal if the segment is refused, or
 * opens a connection as at any port. */
tw_inline enum tw_reason tw_liberal(const struct tw_frame *f, const struct tw_port *port,
	__u32 epoch, enum tw_dir dir, struct tw_scratch *scratch)
{
	enum tw_reason reason = tw_liberal_judge(f, port, epoch, dir, scratch);

	if (reason || scratch->flow.note == TW_NOTE_BEGIN)
		scratch->flow.liberal = TW_R_NONE;
	return reason;
}
