/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* express.h: the express path of a plain packet of a live connection between two ports of this
 * host.
 *
 * Why:        nearly every frame is such a packet, and the record holds all that the stages would
 *             find out. Reading both once, into registers, costs less than a bridge.
 * In:         a frame that a guest sends, before any other processing.
 * Out:        1: judged, counted and sent as by the stages. 0: nothing was done; the full path
 *             takes it.
 * Invariants: 1. Only passing frames are handled here: nothing is denied, decided, opened or
 *                closed. Any frame that is not plain, or not certain to pass, takes the full path.
 *             2. Every check of the stages is made here too, or follows from the record: the packet
 *                that opened it had the same addresses and passed the checks of parse.
 *             3. Both paths have the same results: tests/run plays the cases on both,
 *                tests/unit/express.c random traffic of guests.
 * Bounds:     loops only over four words of tags and ports' inline addresses; 8 lookups, and 6 to
 *             count.
 */
#pragma once

#include "fastpath/path/offload.h"
#include "fastpath/path/own.h"
#include "fastpath/path/report.h"

/* Returns the first `len` bytes of the frame, or NULL if they are not all in the head. `len` is a
 * constant. */
tw_inline const void *tw_head(const struct tw_frame *f, __u32 len)
{
	const __u8 *p = f->data;

	return (const void *)(p + len) > f->data_end ? 0 : p;
}

/* Header bytes of a plain TCP frame. */
#define TW_EXPRESS_V4 (sizeof(struct tw_ethernet) + sizeof(struct tw_ipv4) + sizeof(struct tw_tcp))
#define TW_EXPRESS_V6 (sizeof(struct tw_ethernet) + sizeof(struct tw_ipv6) + sizeof(struct tw_tcp))

/* True if the express path is worth trying: false for packets that open a TCP connection, as far as
 * a quick look tells. */
tw_inline int tw_express_worth(const struct tw_frame *f)
{
	const struct tw_ethernet *eth = tw_head(f, TW_EXPRESS_V4);
	const struct tw_ipv4 *v4;
	const struct tw_ipv6 *v6;
	const struct tw_tcp *tcp;

	if (!eth)
		return 1;
	v4 = (const void *)(eth + 1);
	v6 = (const void *)(eth + 1);
	if (eth->type == tw_be16(TW_ETH_IPV4)) {
		tcp = (const void *)(v4 + 1);
		return v4->proto != TW_IPPROTO_TCP || !(tcp->flags & TW_TCP_SYN);
	}
	tcp = (const void *)(v6 + 1);
	return v6->next != TW_IPPROTO_TCP || !tw_head(f, TW_EXPRESS_V6) ||
	       !(tcp->flags & TW_TCP_SYN);
}

/* Joins two words of a header to one word of an address. */
tw_inline __be64 tw_pair(__be32 first, __be32 second)
{
	return TW_LITTLE ? (__be64)second << 32 | first : (__be64)first << 32 | second;
}

/* Reads the IP header after an untagged Ethernet header, without options, extensions or fragments.
 * Returns the transport header, or NULL. The protocol is read twice, so that the verifier does not
 * walk the rest once for each value that the second copy is compared with. */
tw_inline const void *tw_express_network(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_ethernet *eth = tw_head(f, sizeof(*eth) + sizeof(struct tw_ipv4));
	const struct tw_ipv4 *v4;
	const struct tw_ipv6 *v6;

	if (!eth)
		return 0;
	v4 = (const void *)(eth + 1);
	v6 = (const void *)(eth + 1);
	p->l3_off = sizeof(*eth);
	p->ethertype = tw_host16(eth->type);
	if (eth->type == tw_be16(TW_ETH_IPV4)) {
		if (v4->version_ihl != 0x45 || v4->fragment & tw_be16(0x3fff) ||
			(!f->gso_size && !tw_ipv4_sum_good(v4, 0)))
			return 0;
		p->l3_len = tw_host16(v4->total_len);
		if (!p->l3_len && f->gso_size)
			p->l3_len = f->len - p->l3_off;
		p->tuple.proto = v4->proto;
		p->ip.next = TW_MEMORY(v4->proto);
		p->tuple.src.d[1] = tw_pair(tw_be32(0xffff), v4->src);
		p->tuple.dst.d[1] = tw_pair(tw_be32(0xffff), v4->dst);
		p->l4_off = sizeof(*eth) + sizeof(*v4);
		return v4 + 1;
	}
	if (eth->type != tw_be16(TW_ETH_IPV6) || !tw_head(f, sizeof(*eth) + sizeof(*v6)) ||
		(v6->version_flow & tw_be32(0xf0000000)) != tw_be32(0x60000000))
		return 0;
	p->l3_len = tw_host16(v6->payload_len) + (__u32)sizeof(*v6);
	if (!v6->payload_len && f->gso_size)
		p->l3_len = f->len - p->l3_off;
	p->tuple.proto = v6->next;
	p->ip.next = TW_MEMORY(v6->next);
	p->tuple.src.d[0] = tw_pair(v6->src[0], v6->src[1]);
	p->tuple.src.d[1] = tw_pair(v6->src[2], v6->src[3]);
	p->tuple.dst.d[0] = tw_pair(v6->dst[0], v6->dst[1]);
	p->tuple.dst.d[1] = tw_pair(v6->dst[2], v6->dst[3]);
	p->l4_off = sizeof(*eth) + sizeof(*v6);
	/* A mapped source would be mistaken for IPv4. */
	return tw_addr_is_v4(&p->tuple.src) ? 0 : v6 + 1;
}

/* True if the frame's offloads are those that stacks leave: the transport header's own checksum, at
 * `csum`, and segments of `type`. Most frames have neither. Checked while the headers are in
 * registers. */
tw_inline int tw_express_offload(
	const struct tw_frame *f, const struct tw_packet *p, __u32 csum, __u32 type)
{
	if (tw_frame_summed(f) == TW_SUMMED_PARTIAL && !tw_frame_csum_fits(f, p->l4_off, csum))
		return 0;
	if (!f->gso_size)
		return 1;
	return !(tw_frame_gso_type(f) & ~(TW_GSO_MANNERS | type)) && tw_offload_few(f) &&
	       p->l3_off + p->l3_len == f->len;
}

/* Reads a TCP segment with ACK and without SYN, FIN or RST. SYNs are turned away here, before any
 * lookup. */
tw_inline int tw_express_segment(
	const struct tw_frame *f, struct tw_packet *p, const struct tw_tcp *tcp)
{
	__u32 header;

	if ((const void *)(tcp + 1) > f->data_end)
		return 0;
	header = (tcp->data_offset >> 4) * 4u;
	if (header < sizeof(*tcp) || header > tw_l4_len(p) ||
		(tcp->flags & (TW_TCP_FIN | TW_TCP_SYN | TW_TCP_RST | TW_TCP_ACK)) != TW_TCP_ACK)
		return 0;
	p->tcp_flags = TW_TCP_ACK;
	p->tcp_header_len = (__u8)header;
	p->tuple.sport = tcp->sport;
	p->tuple.dport = tcp->dport;
	p->seq = tw_host32(tcp->seq);
	p->seq_end = p->seq + tw_l4_len(p) - header;
	p->ack = tw_host32(tcp->ack);
	p->window = tw_host16(tcp->window);
	return tw_express_offload(f, p, __builtin_offsetof(struct tw_tcp, csum),
		p->ethertype == TW_ETH_IPV4 ? TW_GSO_TCPV4 : TW_GSO_TCPV6);
}

/* Reads a datagram. Those to a DHCP client or server are left to guard. */
tw_inline int tw_express_datagram(
	const struct tw_frame *f, struct tw_packet *p, const struct tw_udp *udp)
{
	__u32 len;

	if ((const void *)(udp + 1) > f->data_end)
		return 0;
	len = tw_host16(udp->len);
	if (!len && f->gso_size)
		len = tw_l4_len(p);
	if (len < sizeof(*udp) || len > tw_l4_len(p) || tw_host16(udp->dport) - 67u < 2 ||
		tw_host16(udp->dport) - 546u < 2 || (f->gso_size && len != tw_l4_len(p)))
		return 0;
	p->tuple.sport = udp->sport;
	p->tuple.dport = udp->dport;
	return tw_express_offload(f, p, __builtin_offsetof(struct tw_udp, csum), TW_GSO_UDP_L4);
}

/* Reads a frame. True if it is plain. */
tw_inline int tw_express_parse(const struct tw_frame *f, struct tw_packet *p)
{
	const void *l4;

	if (f->has_vlan)
		return 0;
	l4 = tw_express_network(f, p);
	if (!l4 || p->l3_len > f->len - p->l3_off ||
		p->l3_off + p->l3_len < p->l4_off + sizeof(struct tw_udp))
		return 0;
	if (p->ip.next == TW_IPPROTO_TCP)
		return tw_express_segment(f, p, l4);
	return p->ip.next == TW_IPPROTO_UDP && tw_express_datagram(f, p, l4);
}

/* True for an ordinary port: cut-through allowed; not transit, unguarded or unclaimed. */
tw_inline int tw_express_port(const struct tw_port *port)
{
	return port && port->image &&
	       (port->flags & (TW_PORT_SPECIAL | TW_PORT_F_CUT)) == TW_PORT_F_CUT;
}

/* True if the frame's source is the port's MAC and one of its inline addresses. */
tw_inline int tw_express_guard(const struct tw_frame *f, const struct tw_port *port,
	const struct tw_ethernet *eth, const struct tw_packet *p)
{
	return tw_mac_equal_even(eth->src, port->mac) && !(eth->dst[0] & 1) && !(eth->src[0] & 1) &&
	       tw_own_inline(port, &p->tuple.src);
}

/* Returns one bit for each zero lane, from bit 0. */
tw_inline __u32 tw_express_lanes(__u64 word)
{
	__u64 lanes = tw_lanes_zero(word);

	return (__u32)(lanes >> 15 | lanes >> 30 | lanes >> 45 | lanes >> 60) & 0xf;
}

/* Returns 1 if a number below 2^31 is not 0, without a branch. */
tw_inline __u32 tw_express_any(__u32 number)
{
	TW_OPAQUE(number);
	return -number >> 31;
}

/* Returns the number of the lowest of 16 bits that is set, without a branch, so that the verifier
 * walks the code after it once. */
tw_inline __u32 tw_express_lowest(__u32 bits)
{
	__u32 low = bits & -bits;

	return tw_express_any(low & 0xaaaa) | tw_express_any(low & 0xcccc) << 1 |
	       tw_express_any(low & 0xf0f0) << 2 | tw_express_any(low & 0xff00) << 3;
}

/* Returns the record if it is in the key's first bucket and its tag is the first match there, else
 * NULL. */
tw_inline struct tw_conn *tw_express_find(
	const struct tw_frame *f, const struct tw_config *config, const struct tw_key *key)
{
	__u32 i, n, slots = 0;
	const struct tw_bucket *bucket;
	struct tw_probe at;
	struct tw_conn *c;

	tw_probe_make(f, &at, config, key);
	n = at.bucket;
	bucket = tw_buckets_lookup(f, &n);
	if (!bucket)
		return 0;
	tw_record_ahead(f, n, tw_probe_slot(&at));
	for (i = 0; i < TW_BUCKET_SLOTS / 4; i++)
		slots |= tw_express_lanes(TW_MEMORY(bucket->tags[i]) ^ at.tags) << 4 * i;
	if (!slots)
		return 0;
	c = tw_record(f, n, tw_express_lowest(slots));
	return c && tw_conn_is(c, key) ? c : 0;
}

/* True if a gate is open, needs no decision, and no payload is looked at. */
tw_inline int tw_express_gate(
	const struct tw_conn *c, __u32 end, const struct tw_port *port, __u32 epoch)
{
	__u64 gate = c->gate[end & 1];

	return tw_gate_epoch(gate) == epoch && tw_ports_at(c->ports, end) == port->id &&
	       tw_decision_is_settled(tw_gate_decision(gate));
}

/* True if an established connection accepts the packet and keeps its state. */
tw_inline int tw_express_taken(const struct tw_config *config, const struct tw_conn *c, __u32 now,
	const struct tw_packet *p, const struct tw_flow *flow)
{
	const __u8 state = flow->progress.state, flags = flow->progress.flags;

	if (flags & (TW_CONN_F_SYN_AGAIN | TW_CONN_F_GONE) ||
		(flow->way && !(flags & TW_CONN_F_REPLIED)) ||
		tw_tick_age(now, c->seen) > config->timeout[state & 15] + TW_TICKS_AHEAD)
		return 0;
	if (state == TW_S_ESTABLISHED)
		return tw_tcp_fit(c, p, flow) == TW_FIT_TAKEN && tw_tcp_nothing_new(c, p, flow);
	return state == TW_S_UDP_REPLIED && !tw_conn_lingers(config, c, now);
}

/* Returns the frame's destination port, if the connection knows it and cut-through may go there. */
tw_inline const struct tw_port *tw_express_far(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_ethernet *eth, const struct tw_packet *p, __u32 end)
{
	const struct tw_port *far = tw_port_numbered(
		f, tw_ports_at(s->conn->ports, !(end & 1)), s->epoch);

	if (!tw_express_port(far) || far->network != s->port->network ||
		far->pvid != s->port->pvid || !tw_mac_equal_even(far->mac, eth->dst) ||
		tw_cut_len(f, p) > far->len_max || far->ifindex == f->ifindex ||
		!tw_express_gate(s->conn, !end, far, s->epoch))
		return 0;
	return tw_own_inline(far, &p->tuple.dst) ? far : 0;
}

/* Updates and counts a passing frame. */
tw_inline void tw_express_commit(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, const struct tw_flow *flow)
{
	struct tw_outcome o = {.verdict = TW_V_ALLOW, .reason = TW_R_ESTABLISHED};
	struct tw_ctx there = {.config = s->config, .port = s->far, .dir = TW_DIR_IN};
	__u32 now = tw_tick(f->now_ns), way = flow->way & 1;
	struct tw_conn *c = s->conn;
	__u32 near = tw_gate_decision(c->gate[flow->end & 1]);
	__u32 far = tw_gate_decision(c->gate[!(flow->end & 1)]);

	__sync_fetch_and_add(&c->packets[way], 1);
	__sync_fetch_and_add(&c->bytes[way], f->len);
	if (c->seen != now)
		c->seen = now;
	if (flow->progress.state == TW_S_ESTABLISHED)
		tw_tcp_note_move(c, p, flow);
	tw_count_frame(f, s, &o);
	tw_count_rule(f, near, 0);
	tw_count_frame(f, &there, &o);
	if (!tw_rule_shared(far, near))
		tw_count_rule(f, far, 0);
}

/* Fills the outcome for tracing. */
tw_inline void tw_express_tell(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_key *key, const struct tw_flow *flow, struct tw_scratch *scratch)
{
	struct tw_outcome *o = &scratch->outcome;
	__u32 stage;

	for (stage = TW_STAGE_PARSE; stage < TW_STAGE__MAX; stage++)
		if (stage != TW_STAGE_CLASSIFY)
			tw_stage_enter(f, (enum tw_stage)stage);
	scratch->flow.key = *key;
	__builtin_memset(o, 0, sizeof(*o));
	o->verdict = TW_V_ALLOW;
	o->reason = TW_R_ESTABLISHED;
	o->stage = tw_reason_stages[TW_R_ESTABLISHED];
	o->way = flow->way;
	o->decision = tw_gate_decision(s->conn->gate[flow->end & 1]);
	o->gate[TW_DIR_OUT] = s->conn->gate[TW_DIR_OUT];
	o->gate[TW_DIR_IN] = s->conn->gate[TW_DIR_IN];
	o->state = flow->progress.state;
	o->tracked = 1;
}

/* True if the frame's connection is established and accepts it. Fills s->conn, key and flow. */
tw_inline int tw_express_track(const struct tw_frame *f, struct tw_ctx *s,
	const struct tw_packet *p, struct tw_key *key, struct tw_flow *flow)
{
	int src_is_hi = tw_key_make(key, s, p, &p->tuple);

	s->conn = tw_express_find(f, s->config, key);
	if (!s->conn)
		return 0;
	flow->progress = s->conn->progress;
	/* TW_WAY_ORIGINAL if the source is the originator; `end` then is TW_DIR_OUT. */
	flow->way = (flow->progress.flags ^ (src_is_hi ? TW_CONN_F_ORIGIN_HI : 0)) &
		    TW_CONN_F_ORIGIN_HI;
	flow->end = flow->way;
	return tw_express_taken(s->config, s->conn, tw_tick(f->now_ns), p, flow) &&
	       tw_express_gate(s->conn, flow->end, s->port, s->epoch);
}

tw_inline int tw_express(struct tw_frame *f, const struct tw_config *config)
{
	struct tw_ctx s = {.config = config, .epoch = config->epoch, .dir = TW_DIR_OUT};
	const struct tw_ethernet *eth = tw_head(f, sizeof(*eth));
	struct tw_packet p = {0};
	struct tw_flow flow = {0};
	struct tw_scratch *scratch = tw_scratch_get(f);
	struct tw_key key;
	__u64 bridge_port;

	if (!eth || !scratch || !tw_express_parse(f, &p))
		return 0;
	s.port = tw_port_at(f, f->ifindex, s.epoch);
	if (!tw_express_port(s.port) || f->mark == tw_mark_reply(config) || config->capturing ||
		s.port->packet_rate || f->now_ns >= config->cut_until_ns ||
		!tw_express_guard(f, s.port, eth, &p) || !tw_express_track(f, &s, &p, &key, &flow))
		return 0;
	s.far = tw_express_far(f, &s, eth, &p, flow.end);
	if (!s.far)
		return 0;
	bridge_port = tw_frame_bridge_port(f);
	if (!bridge_port)
		return 0;
	tw_express_commit(f, &s, &p, &flow);
	tw_token_redirect(f, &scratch->token, TW_TOKEN_CUT, bridge_port, s.far->ifindex);
	if (tw_frame_traced(f))
		tw_express_tell(f, &s, &key, &flow, scratch);
	return 1;
}
