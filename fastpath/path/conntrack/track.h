/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* track.h: finds the connection of a packet and advances its state.
 *
 * In:         a packet that parse and guard let through.
 * Out:        a struct tw_flow: the record, or what a new one would be. Nothing is written before
 *             tw_track_commit(), which runs only for packets that every gate here allows.
 * Invariants: 1. One record per connection, shared by both ends of one host and network; transit
 *                ports and multicast judge under records of their own (tw_key.owner).
 *             2. An expired record counts as none, swept or not.
 *             3. A frame that the near end has tracked, as its token says, changes and counts
 *                nothing at the far end: only the far end's gate is evaluated.
 * Bounds:     one lookup in `conns` and one update; for fragments, also the bounds of fragment.h.
 * Source:     RFC 9293; RFC 5508 §4 and 792 for ICMP; timeouts of nf_conntrack (abi/states.def).
 */
#pragma once

#include "fastpath/path/fragment.h"
#include "fastpath/path/conntrack/lost.h"
#include "fastpath/path/conntrack/open.h"
#include "fastpath/path/conntrack/overflow.h"
#include "fastpath/path/conntrack/tcp.h"

/* Returns two adjacent 16-bit fields as one word. Separate stores that the hash loads as a word
 * would defeat store forwarding. */
tw_inline __u32 tw_side_by_side(__u32 first, __u32 second)
{
	return TW_LITTLE ? first | second << 16 : first << 16 | second;
}

/* Makes the canonical key of a tuple. True if the tuple's source is the hi end. */
tw_inline int tw_key_make(struct tw_key *key, const struct tw_ctx *s, const struct tw_packet *p,
	const struct tw_tuple *t)
{
	int order = tw_addr_compare(&t->src, &t->dst);
	int src_is_hi = order ? order > 0 : tw_host16(t->sport) > tw_host16(t->dport);

	key->lo.d[0] = src_is_hi ? t->dst.d[0] : t->src.d[0];
	key->lo.d[1] = src_is_hi ? t->dst.d[1] : t->src.d[1];
	key->hi.d[0] = src_is_hi ? t->src.d[0] : t->dst.d[0];
	key->hi.d[1] = src_is_hi ? t->src.d[1] : t->dst.d[1];
	key->w[8] = src_is_hi ? tw_side_by_side(t->dport, t->sport)
			      : tw_side_by_side(t->sport, t->dport);
	key->w[9] = tw_side_by_side(s->port->network, tw_ctx_alone(s, p) ? s->port->id : 0);
	key->w[10] = tw_key_tags(p->vlan ? p->vlan : s->port->pvid, p->inner_vlan, t->proto);
	key->w[11] = 0;
	return src_is_hi;
}

/* Restores the connection's tuple as its originator sent it. */
tw_inline void tw_flow_tuple(struct tw_flow *flow)
{
	int hi = flow->progress.flags & TW_CONN_F_ORIGIN_HI;
	struct tw_tuple *t = &flow->first;

	t->src = hi ? flow->key.hi : flow->key.lo;
	t->dst = hi ? flow->key.lo : flow->key.hi;
	t->sport = hi ? flow->key.hi_port : flow->key.lo_port;
	t->dport = hi ? flow->key.lo_port : flow->key.hi_port;
	t->proto = flow->key.proto;
}

/* True if a record has ended. A refused connection does not block one that the other end opens;
 * `opens`: the packet comes from that end and could open one. */
tw_inline int tw_conn_ended(
	const struct tw_config *config, const struct tw_conn *c, __u32 now, int opens)
{
	return (opens && tw_conn_refused(c)) || tw_conn_expired(config, c, now, 0);
}

/* True if mid-stream TCP is adopted at a port. */
tw_inline int tw_port_adopts(const struct tw_port *port, __u32 now)
{
	return port->flags & TW_PORT_F_OBSERVED ||
	       (port->adopt_until && tw_tick_after(port->adopt_until, now));
}

/* True if a port may not decide a gate for the first time, because the connection was adopted
 * mid-stream at its other end, and this port adopts none. */
tw_inline int tw_track_stray(const struct tw_port *port, const struct tw_flow *flow, __u32 now)
{
	return flow->progress.flags & TW_CONN_F_ADOPTED && !(port->flags & TW_PORT_F_LIBERAL) &&
	       !tw_port_adopts(port, now);
}

/* Adopts a TCP segment from the middle of a connection. `replies`: its sender is taken for the
 * server. */
tw_inline void tw_track_adopt(struct tw_flow *flow, int replies)
{
	if (replies) {
		flow->way = TW_WAY_REPLY;
		flow->progress.flags ^= TW_CONN_F_ORIGIN_HI;
	}
	flow->progress.state = TW_S_ESTABLISHED;
	flow->progress.flags |= TW_CONN_F_ADOPTED;
	tw_tcp_adopt(flow);
}

/* True if the sender of a segment from the middle of a connection is taken for the server: it has
 * the lower port. */
tw_inline int tw_track_serves(const struct tw_tuple *t)
{
	return tw_host16(t->sport) < tw_host16(t->dport);
}

/* True if a packet without a record continues a connection that passed here without one. Then the
 * flow is that connection's. */
tw_inline int tw_track_resumes(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	if (p->fragment == TW_FRAG_LATER || p->multicast || !tw_overflow_may_know(f, s->port->id))
		return 0;
	if (p->tuple.proto == TW_IPPROTO_TCP && tw_tcp_is_syn(p->tcp_flags))
		return 0;
	if ((p->tuple.proto == TW_IPPROTO_ICMP || p->tuple.proto == TW_IPPROTO_ICMPV6) &&
		p->icmp_kind != TW_ICMP_ANSWER)
		return 0;
	return tw_call_overflow_meet(f, s->port->id, s->dir ? TW_DIR_IN : TW_DIR_OUT);
}

/* Fills the flow with the connection that a packet without a record opens, or returns why it may
 * not. */
tw_inline enum tw_reason tw_track_new(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow, int src_is_hi)
{
	flow->way = TW_WAY_ORIGINAL;
	flow->progress.flags = src_is_hi ? TW_CONN_F_ORIGIN_HI : 0;
	flow->icmp = p->icmp;
	if (tw_track_resumes(f, s, p))
		return TW_R_NONE;
	switch (p->tuple.proto) {
	case TW_IPPROTO_TCP:
		flow->progress.state = TW_S_SYN_SENT;
		if (p->fragment == TW_FRAG_LATER)
			return TW_R_FRAG_ORPHAN;
		if (tw_tcp_is_syn(p->tcp_flags)) {
			tw_tcp_begin(p, flow);
			return TW_R_NONE;
		}
		if (p->tcp_flags & (TW_TCP_SYN | TW_TCP_RST))
			return TW_R_NO_CONNECTION;
		if (!tw_port_adopts(s->port, tw_tick(f->now_ns)))
			return tw_call_lost(f, s->port->id, s->dir ? TW_DIR_IN : TW_DIR_OUT);
		tw_track_adopt(flow, tw_track_serves(&p->tuple));
		return TW_R_NONE;
	case TW_IPPROTO_UDP:
		flow->progress.state = TW_S_UDP_UNREPLIED;
		return TW_R_NONE;
	case TW_IPPROTO_ICMP:
	case TW_IPPROTO_ICMPV6:
		flow->progress.state = TW_S_ICMP;
		flow->progress.icmp_type = p->icmp;
		return p->icmp_kind == TW_ICMP_ANSWER ? TW_R_NO_CONNECTION : TW_R_NONE;
	default:
		flow->progress.state = TW_S_OTHER_UNREPLIED;
		return TW_R_NONE;
	}
}

/* Advances the flow of a live record by a packet. */
tw_inline enum tw_reason tw_track_live(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	switch (p->tuple.proto) {
	case TW_IPPROTO_TCP:
		if (p->fragment == TW_FRAG_LATER)
			return TW_R_NONE;
		return tw_tcp_advance(c, p, flow);
	case TW_IPPROTO_UDP:
		if (flow->way == TW_WAY_REPLY)
			flow->progress.state = TW_S_UDP_REPLIED;
		return TW_R_NONE;
	case TW_IPPROTO_ICMP:
	case TW_IPPROTO_ICMPV6:
		if (p->fragment == TW_FRAG_LATER)
			return TW_R_NONE;
		return (p->icmp_kind == TW_ICMP_ANSWER) == (flow->way == TW_WAY_REPLY)
			       ? TW_R_NONE
			       : TW_R_NO_CONNECTION;
	default:
		if (flow->way == TW_WAY_REPLY)
			flow->progress.state = TW_S_OTHER_REPLIED;
		return TW_R_NONE;
	}
}

/* Returns which end of the connection is at the port. */
tw_inline enum tw_dir tw_flow_end(enum tw_dir dir, enum tw_way way)
{
	return (dir == TW_DIR_OUT) == (way == TW_WAY_ORIGINAL) ? TW_DIR_OUT : TW_DIR_IN;
}

/* Looks up the record of `t`. Fills conn, and the flow's key, stale, way and progress. */
tw_inline int tw_track_find(const struct tw_frame *f, struct tw_ctx *s, const struct tw_packet *p,
	const struct tw_tuple *t, struct tw_flow *flow)
{
	int src_is_hi = tw_key_make(&flow->key, s, p, t);
	struct tw_conn *c = tw_conn_seek(f, s->config, flow);
	int opens;

	if (!c)
		return src_is_hi;
	flow->way = src_is_hi == !!(c->progress.flags & TW_CONN_F_ORIGIN_HI) ? TW_WAY_ORIGINAL
									     : TW_WAY_REPLY;
	opens = flow->way == TW_WAY_REPLY &&
		(t->proto != TW_IPPROTO_TCP || tw_tcp_is_syn(p->tcp_flags));
	if (tw_conn_ended(s->config, c, tw_tick(f->now_ns), opens) ||
		(tw_conn_may_linger(c, tw_tick(f->now_ns)) && !tw_call_retain(f))) {
		/* The result is as if the record had been swept. */
		flow->stale = 1;
		flow->way = TW_WAY_ORIGINAL;
		return src_is_hi;
	}
	s->conn = c;
	flow->found = c->progress;
	flow->progress = c->progress;
	flow->icmp = t->proto == TW_IPPROTO_TCP ? 0 : c->progress.icmp_type;
	return src_is_hi;
}

/* Makes the key of a packet to a group at one of its receivers, which keeps no record. */
tw_inline int tw_track_group(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	int src_is_hi = tw_key_make(&flow->key, s, p, &p->tuple);

	tw_probe_make(f, &flow->probe, s->config, &flow->key);
	flow->untracked = 1;
	return src_is_hi;
}

/* True if the near end has tracked this packet under this key. A packet that the host translated on
 * the way belongs to another connection. */
tw_inline int tw_track_told(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, const struct tw_flow *flow)
{
	const struct tw_scratch *scratch = s->marked ? tw_scratch_get(f) : 0;
	__u64 differs = 0;
	__u32 i;

	if (!scratch || tw_ctx_alone(s, p))
		return 0;
	for (i = 0; i < sizeof(flow->key.d) / sizeof(flow->key.d[0]); i++)
		differs |= scratch->token.key.d[i] ^ flow->key.d[i];
	return !differs;
}

/* True if the near end tracked this packet and let it pass without a record. */
tw_inline int tw_track_untracked(const struct tw_frame *f)
{
	const struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch && scratch->token.untracked;
}

/* Tracks an ICMP error: it belongs to the connection of the packet it quotes, and goes to that
 * packet's sender. A guest that is no router may only report packets sent to itself. */
tw_inline enum tw_reason tw_track_error(
	const struct tw_frame *f, struct tw_ctx *s, const struct tw_packet *p, struct tw_flow *flow)
{
	if (!p->inner.proto || !tw_addr_equal(&p->inner.src, &p->tuple.dst))
		return TW_R_ICMP_UNTRACKED;
	if (s->dir == TW_DIR_OUT && !tw_ctx_alone(s, p) &&
		!tw_addr_equal(&p->inner.dst, &p->tuple.src))
		return TW_R_ICMP_UNTRACKED;
	tw_track_find(f, s, p, &p->inner, flow);
	if (!s->conn)
		return TW_R_ICMP_UNTRACKED;
	if (p->inner.proto == TW_IPPROTO_TCP && !tw_tcp_in_flight(s->conn, flow->way, p->inner_seq))
		return TW_R_ICMP_SEQUENCE;
	flow->related = 1;
	flow->way = flow->way == TW_WAY_ORIGINAL ? TW_WAY_REPLY : TW_WAY_ORIGINAL;
	return TW_R_NONE;
}

/* The track stage. The caller has zeroed the flow. */
tw_inline enum tw_reason tw_track(
	const struct tw_frame *f, struct tw_ctx *s, struct tw_packet *p, struct tw_flow *flow)
{
	enum tw_reason reason = TW_R_NONE;
	int src_is_hi, told;

	if (p->fragment == TW_FRAG_LATER)
		reason = tw_fragment(f, s, p);
	if (reason)
		return reason;
	if (p->icmp_kind == TW_ICMP_ERROR) {
		reason = tw_track_error(f, s, p, flow);
		flow->seen = tw_track_told(f, s, p, flow);
	} else {
		if (tw_ctx_group_in(s, p))
			src_is_hi = tw_track_group(f, s, p, flow);
		else
			src_is_hi = tw_track_find(f, s, p, &p->tuple, flow);
		told = tw_track_told(f, s, p, flow);
		flow->seen = told && s->conn;
		s->untracked = told && tw_track_untracked(f);
		if (!flow->seen && s->conn && p->tuple.proto == TW_IPPROTO_TCP &&
			tw_tcp_reopens(s->conn, p->tcp_flags)) {
			/* The new connection inherits no scales or flags. */
			s->conn = 0;
			flow->stale = 1;
			flow->progress.word = 0;
		}
		/* For a plain SYN that opens a connection, tw_track_commit() reads the options. */
		if (p->tcp_flags & TW_TCP_SYN && !flow->seen &&
			(s->conn || !tw_tcp_is_syn(p->tcp_flags)))
			tw_call_options(f);
		if (!s->conn) {
			reason = tw_track_new(f, s, p, flow, src_is_hi);
			if (s->untracked && flow->resumed != TW_OVERFLOW_OWN + 1)
				flow->untracked = 1;
		} else if (!flow->seen) {
			reason = tw_track_live(s->conn, p, flow);
		}
	}
	flow->end = tw_flow_end(s->dir, flow->way);
	return reason;
}

/* Opens the record of a new connection, with the gate that allowed its first packet. The
 * originator's port pays if it is on this host. */
tw_inline enum tw_reason tw_track_open(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	__u32 now = tw_tick(f->now_ns), end = flow->end & 1, way = flow->way & 1;
	int far_pays = s->far && way == TW_WAY_REPLY;
	struct tw_scratch *scratch = tw_scratch_get(f);
	struct tw_conn *c;

	if (!scratch)
		return TW_R_TABLE_FULL;
	c = &scratch->conn;
	__builtin_memset(c, 0, sizeof(*c));
	__builtin_memcpy(c->key, flow->key.d, sizeof(c->key));
	c->key_end = flow->key.w[TW_KEY_WORDS - 1];
	c->gate[end] = tw_gate(s->epoch, flow->decision);
	c->ports = tw_ports_with(0, end, s->port->id);
	if (s->far) {
		c->gate[!end] = tw_gate(s->epoch, flow->far_decision);
		c->ports = tw_ports_with(c->ports, !end, s->far->id);
	}
	c->packets[way] = 1;
	c->bytes[way] = f->len;
	c->created = now;
	c->seen = now;
	c->progress = flow->progress;
	if ((far_pays ? !end : end) == TW_DIR_IN)
		c->ports |= TW_PORTS_CHARGE_IN;
	c->ports = tw_ports_charged(c->ports, tw_charge_of(c->progress.state));
	tw_tcp_note(c, p, flow);
	return tw_call_open(f, far_pays ? s->far->id : s->port->id, s->epoch);
}

/* Advances a live record. Late packets of a closed connection do not extend its lifetime. */
tw_inline void tw_track_move(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_conn *c = s->conn;
	__u32 way = flow->way & 1;

	__sync_fetch_and_add(&c->packets[way], 1);
	__sync_fetch_and_add(&c->bytes[way], f->len);
	if (flow->related)
		return;
	if (way == TW_WAY_REPLY)
		flow->progress.flags |= TW_CONN_F_REPLIED;
	if (flow->found.state != TW_S_CLOSED || flow->progress.state != TW_S_CLOSED)
		c->seen = tw_tick(f->now_ns);
	tw_tcp_note(c, p, flow);
	if (!tw_conn_advance(f, c, flow->found, flow->progress))
		tw_call_again(f);
}

/* Joins the packet to the connection that another CPU has opened meanwhile, as its originator or as
 * its other end. */
tw_inline void tw_track_join(const struct tw_conn *c, struct tw_flow *flow)
{
	__u8 differs = flow->progress.flags ^ c->progress.flags;

	flow->way ^= !!(differs & TW_CONN_F_ORIGIN_HI);
	flow->note = TW_NOTE_NOTHING;
	flow->opened = flow->far_opened = 0;
}

/* Recomputes the flow from the record's present state, as if the packet had come after those of the
 * other CPU. The windows of a record found before are noted already. */
tw_inline enum tw_reason tw_track_recompute(
	const struct tw_conn *c, const struct tw_packet *p, struct tw_flow *flow)
{
	flow->found = c->progress;
	flow->progress = flow->found;
	if (flow->note != TW_NOTE_MOVE)
		return tw_track_live(c, p, flow);
	tw_tcp_taken(c, p, flow);
	return TW_R_NONE;
}

/* Body of tw_call_again(): recomputes the packet in scratch against its record, which another CPU
 * has opened or advanced meanwhile. */
tw_inline enum tw_reason tw_track_again(const struct tw_frame *f, struct tw_scratch *scratch)
{
	struct tw_flow *flow = &scratch->flow;
	struct tw_conn *c = tw_conn_at(f, tw_call_find(f));
	enum tw_reason reason;
	__u32 way;

	if (!c)
		return TW_R_NONE;
	if (flow->met)
		tw_track_join(c, flow);
	reason = tw_track_recompute(c, &scratch->packet, flow);
	if (reason)
		return flow->met ? reason : TW_R_NONE;
	way = flow->way & 1;
	if (flow->met) {
		__sync_fetch_and_add(&c->packets[way], 1);
		__sync_fetch_and_add(&c->bytes[way], f->len);
		c->seen = tw_tick(f->now_ns);
		tw_tcp_note(c, &scratch->packet, flow);
	}
	if (way == TW_WAY_REPLY)
		flow->progress.flags |= TW_CONN_F_REPLIED;
	tw_conn_advance(f, c, flow->found, flow->progress);
	return TW_R_NONE;
}

/* Returns the class in which a port remembers a connection without a record. */
tw_inline __u32 tw_track_class(
	const struct tw_ctx *s, const struct tw_packet *p, const struct tw_flow *flow)
{
	if (flow->resumed)
		return flow->resumed - 1u;
	if (tw_ctx_group_in(s, p))
		return TW_OVERFLOW_GROUP;
	if (s->dir == TW_DIR_OUT)
		return TW_OVERFLOW_OWN;
	return s->untracked ? TW_OVERFLOW_LOCAL : TW_OVERFLOW_OUTSIDE;
}

/* Remembers a connection that passes without a record, at each port it passes now. An answer adds
 * information only for TCP; after a RST nothing more comes. */
tw_inline void tw_track_overflow(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	int reply = flow->way == TW_WAY_REPLY;

	if (flow->progress.state == TW_S_CLOSED || (reply && p->tuple.proto != TW_IPPROTO_TCP))
		return;
	if (flow->liberal) {
		/* Each of its packets is judged by the rules, and reported as a connection. */
		flow->overflowed = 1;
		return;
	}
	/* A group has no answers. Its entry only tells whether the opening was reported. */
	if (tw_ctx_group_in(s, p) && !(flow->decision & TW_DECISION_LOG))
		return;
	flow->overflowed = tw_call_overflow_put(f, s->port->id, tw_track_class(s, p, flow)) &&
			   !reply;
	if (s->far)
		tw_call_overflow_put(f, s->far->id, reply ? TW_OVERFLOW_OWN : TW_OVERFLOW_LOCAL);
}

/* Writes the packet's changes, now that it passes. */
tw_inline enum tw_reason tw_track_commit(
	const struct tw_frame *f, const struct tw_ctx *s, struct tw_packet *p, struct tw_flow *flow)
{
	enum tw_reason reason = TW_R_NONE;

	if (p->fragment == TW_FRAG_FIRST)
		reason = tw_fragment(f, s, p);
	if (reason || flow->seen)
		return reason;
	if (s->conn) {
		tw_track_move(f, s, p, flow);
		return TW_R_NONE;
	}
	if (flow->note == TW_NOTE_BEGIN) {
		tw_call_options(f);
		flow->progress.scale[flow->way & 1] |= p->scale;
	}
	/* The originator's port would pay, and only that port's program can charge it. */
	if (flow->resumed == TW_OVERFLOW_LOCAL + 1 && !s->far)
		flow->untracked = 1;
	if (!flow->untracked)
		reason = tw_track_open(f, s, p, flow);
	if (!reason && flow->met)
		reason = tw_call_again(f);
	if (!reason && flow->untracked)
		tw_track_overflow(f, s, p, flow);
	return reason;
}
