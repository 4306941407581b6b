/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* syn.h: the express paths of a SYN: one that opens a connection between two ports of this host,
 * and a denied SYN from a port whose deny events are rate-limited.
 *
 * Why:        opening a connection should cost little more than its gates, and a flood as little as
 *             possible. After a denial whose event found no token, a port's SYNs try the second
 *             path until one does not fit it; otherwise they try the first.
 * In:         a frame that a guest sends, before any other processing.
 * Out:        an enum tw_syn.
 * Invariants: those of express.h, but the first path opens and reports a connection that both gates
 *             allow: at the first attempt, in its first bucket, within every quota. On the second
 *             path nothing passes; it ends only SYNs that the gate denies without an answer and
 *             without an event. The bucket of a new record is locked before the gates are
 *             evaluated, so that the record can be prefetched meanwhile; other CPUs wait no longer
 *             than a gate takes.
 * Bounds:     two classifications; loops only over tags and inline addresses.
 */
#pragma once

#include "fastpath/path/express/express.h"

enum tw_syn {
	TW_SYN_FULL_PATH, /* nothing was done: the full path takes it */
	TW_SYN_SENT,	  /* opened a connection: counted, reported and sent to the far port */
	TW_SYN_DENIED	  /* counted; ends here */
};

/* True if a SYN's only pending offload is its own checksum. */
tw_inline int tw_syn_offload(const struct tw_frame *f, const struct tw_packet *p)
{
	if (f->gso_size)
		return 0;
	return tw_frame_summed(f) != TW_SUMMED_PARTIAL ||
	       tw_frame_csum_fits(f, p->l4_off, __builtin_offsetof(struct tw_tcp, csum));
}

/* Reads the fields that the gates need into scratch memory, as registers are too few. Returns the
 * TCP header of a well-formed SYN whose header is all in the head, else NULL. */
tw_inline const struct tw_tcp *tw_syn_parse(const struct tw_frame *f, struct tw_packet *p)
{
	const __u8 marks = TW_TCP_FIN | TW_TCP_SYN | TW_TCP_RST | TW_TCP_ACK | TW_TCP_URG;
	__u64 head = (__u64)((const __u8 *)f->data_end - (const __u8 *)f->data);
	const struct tw_tcp *tcp;
	__u32 header;

	p->tuple.src.d[0] = p->tuple.dst.d[0] = 0;
	p->vlan = p->inner_vlan = 0;
	p->icmp = 0;
	p->multicast = 0;
	tcp = f->has_vlan ? 0 : tw_express_network(f, p);
	if (!tcp || (const void *)(tcp + 1) > f->data_end || p->tuple.proto != TW_IPPROTO_TCP ||
		p->l3_len > f->len - p->l3_off || p->l3_off + p->l3_len < p->l4_off)
		return 0;
	header = (tcp->data_offset >> 4) * 4u;
	if (header < sizeof(*tcp) || header > tw_l4_len(p) || head < p->l4_off + header ||
		(tcp->flags & marks) != TW_TCP_SYN || !tw_syn_offload(f, p))
		return 0;
	p->tcp_header_len = (__u8)header;
	p->tuple.sport = tcp->sport;
	p->tuple.dport = tcp->dport;
	return tw_check_addresses(p) || p->multicast || tw_addr_is_unspecified(&p->tuple.src) ? 0
											      : tcp;
}

/* Reads the fields that a new record needs. */
tw_inline void tw_syn_note(
	struct tw_packet *p, const struct tw_ethernet *eth, const struct tw_tcp *tcp)
{
	__builtin_memcpy(p->src_mac, eth->src, 6);
	__builtin_memcpy(p->dst_mac, eth->dst, 6);
	p->tcp_flags = tcp->flags;
	p->seq = tw_host32(tcp->seq);
	p->seq_end = p->seq + tw_l4_len(p) - p->tcp_header_len + 1;
	p->window = tw_host16(tcp->window);
}

/* Fills the flow in scratch: what the packet would open, and its probe sequence. */
tw_inline void tw_syn_place(
	const struct tw_frame *f, const struct tw_ctx *s, struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	struct tw_flow *flow = &scratch->flow;

	flow->progress = (struct tw_progress){.state = TW_S_SYN_SENT};
	if (tw_key_make(&flow->key, s, p, &p->tuple))
		flow->progress.flags = TW_CONN_F_ORIGIN_HI;
	flow->first = p->tuple;
	flow->icmp = 0;
	flow->way = TW_WAY_ORIGINAL;
	tw_probe_make(f, &flow->probe, s->config, &flow->key);
}

/* True if the key has no record, and its first bucket has room: no record overflowed past it, and
 * none in it has the tag. */
tw_inline int tw_syn_unknown(
	const struct tw_frame *f, const struct tw_bucket *bucket, const struct tw_probe *at)
{
	return tw_bucket_settles(bucket, at->tags) &&
	       tw_bucket_free(bucket, tw_probe_slot(at)) < tw_table_slots(f);
}

/* Returns a gate's decision for the connection that the packet in scratch would open; 0 if this end
 * is not one of the port's inline addresses. */
tw_inline __u32 tw_syn_gate(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_port *port, enum tw_dir end, const struct tw_addr *own)
{
	struct tw_home home = tw_home_of(port, own, s->epoch);

	return home.own ? tw_call_classify(f, port->image, end, home) : 0;
}

/* ---- a SYN of a flood ---- */

/* True if there is still no token to report a denial. */
tw_inline int tw_syn_silent(
	const struct tw_frame *f, const struct tw_config *config, struct tw_limiter *limiter)
{
	if (!config->event_rate)
		return 0;
	tw_limiter_fill(&limiter->event_tokens, &limiter->event_seen, config->event_rate,
		config->event_burst, tw_tick(f->now_ns));
	return limiter->event_tokens < TW_TOKEN;
}

/* Returns the reason for a packet that a gate's decision denies, or lets open a connection. */
tw_inline enum tw_reason tw_syn_reason(__u32 decision)
{
	return decision & TW_DECISION_OBSERVED ? TW_R_OBSERVED : TW_R_POLICY;
}

/* Fills the outcome for events and tracing. */
tw_inline void tw_syn_outcome(
	const struct tw_ctx *s, __u32 decision, __u32 far_decision, struct tw_outcome *o)
{
	__builtin_memset(o, 0, sizeof(*o));
	o->verdict = far_decision ? TW_V_ALLOW : TW_V_DENY;
	o->reason = (__u8)tw_syn_reason(decision);
	o->spared = decision & TW_DECISION_OBSERVED ? TW_R_POLICY : TW_R_NONE;
	o->stage = tw_reason_stages[TW_R_POLICY];
	o->decision = decision;
	o->gate[TW_DIR_OUT] = tw_gate(s->epoch, decision);
	o->gate[TW_DIR_IN] = far_decision ? tw_gate(s->epoch, far_decision) : 0;
	o->state = TW_S_SYN_SENT;
	o->tracked = o->created = !!far_decision;
}

/* Traces the stages that the full path would have entered. */
tw_inline void tw_syn_stages(const struct tw_frame *f, int passes)
{
	__u32 stage;

	for (stage = TW_STAGE_PARSE; stage < TW_STAGE__MAX; stage++)
		if (stage != TW_STAGE_INSPECT || passes)
			tw_stage_enter(f, (enum tw_stage)stage);
}

tw_inline enum tw_syn tw_syn_deny(const struct tw_frame *f, const struct tw_ctx *s,
	struct tw_limiter *limiter, struct tw_scratch *scratch)
{
	struct tw_outcome o = {.verdict = TW_V_DENY, .reason = TW_R_POLICY};
	__u32 n = scratch->flow.probe.bucket, decision;
	const struct tw_bucket *bucket = tw_buckets_lookup(f, &n);

	if (!bucket || !tw_syn_unknown(f, bucket, &scratch->flow.probe))
		return TW_SYN_FULL_PATH;
	decision = tw_syn_gate(f, s, s->port, TW_DIR_OUT, &scratch->flow.first.src);
	if (!decision)
		return TW_SYN_FULL_PATH;
	if (tw_decision_verdict(decision) != TW_V_DENY || !tw_syn_silent(f, s->config, limiter)) {
		limiter->silent = 0;
		return TW_SYN_FULL_PATH;
	}
	tw_count_frame(f, s, &o);
	tw_count_rule(f, decision, 1);
	if (tw_frame_traced(f)) {
		tw_syn_stages(f, 0);
		tw_syn_outcome(s, decision, 0, &scratch->outcome);
	}
	return TW_SYN_DENIED;
}

/* ---- a SYN that opens ---- */

/* True if the port may open connections on this path, and cut through. */
tw_inline int tw_syn_opener(
	const struct tw_frame *f, const struct tw_config *config, const struct tw_port *port)
{
	return tw_express_port(port) && !port->open_rate && f->now_ns < config->cut_until_ns &&
	       !tw_tick_after(tw_tick(f->now_ns), config->agent_seen + TW_AGENT_SILENT);
}

/* Fills every byte of a record. */
tw_inline void tw_syn_fill(struct tw_conn *c, const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_scratch *scratch)
{
	const struct tw_flow *flow = &scratch->flow;
	__u32 now = tw_tick(f->now_ns);

	__builtin_memcpy(c->key, flow->key.d, sizeof(c->key));
	c->key_end = flow->key.w[TW_KEY_WORDS - 1];
	c->progress = flow->progress;
	c->gate[TW_DIR_OUT] = tw_gate(s->epoch, flow->decision);
	c->gate[TW_DIR_IN] = tw_gate(s->epoch, flow->far_decision);
	c->packets[TW_WAY_ORIGINAL] = 1;
	c->packets[TW_WAY_REPLY] = 0;
	c->bytes[TW_WAY_ORIGINAL] = f->len;
	c->bytes[TW_WAY_REPLY] = 0;
	c->created = now;
	c->seen = now;
	c->ports = tw_ports_charged(
		tw_ports_with(s->port->id, TW_DIR_IN, s->far->id), TW_CHARGE_HALF_OPEN);
	c->window[TW_WAY_REPLY] = (struct tw_window){0};
	c->peer_window[TW_WAY_ORIGINAL] = 0;
	tw_tcp_note_begin(c, &scratch->packet, flow);
}

/* True if the port's quotas admit one more half-open connection. */
tw_inline int tw_syn_affords(
	const struct tw_config *config, const struct tw_port *port, const struct tw_usage *usage)
{
	return tw_conn_bound(config, port, usage) == TW_YIELD_NONE &&
	       !tw_usage_half_open_full(usage, tw_port_half_open_max(config, port));
}

/* Locks the first bucket of the flow in scratch and prefetches the future record, if the bucket has
 * room for it. The prefetch is a store, which does not wait: the record arrives while the gates are
 * evaluated. */
tw_inline struct tw_bucket *tw_syn_lock(const struct tw_frame *f, const struct tw_probe *at)
{
	__u32 n = at->bucket;
	struct tw_bucket *bucket = tw_buckets_lookup(f, &n);
	struct tw_conn *c;

	if (!bucket || !tw_bucket_try(bucket))
		return 0;
	c = tw_syn_unknown(f, bucket, at)
		    ? tw_record(f, n, tw_bucket_free(bucket, tw_probe_slot(at)))
		    : 0;
	if (!c) {
		tw_bucket_unlock(bucket);
		return 0;
	}
	/* Only these two fields change: the rest of the old record still tells how its connection
	 * ended (lost.h). */
	TW_MEMORY(c->progress.flags) = 0;
	TW_MEMORY(c->packets[0]) = 0;
	return bucket;
}

/* True if both gates allow the packet in scratch, and the full path need not look at its payload. */
tw_inline int tw_syn_allowed(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	flow->decision = tw_syn_gate(f, s, s->port, TW_DIR_OUT, &flow->first.src);
	if (tw_decision_verdict(flow->decision) != TW_V_ALLOW ||
		(flow->decision & TW_DECISION_LOOK && p->seq_end - p->seq > 1))
		return 0;
	flow->far_decision = tw_syn_gate(f, s, s->far, TW_DIR_IN, &flow->first.dst);
	return tw_decision_verdict(flow->far_decision) == TW_V_ALLOW;
}

/* Opens the connection in scratch in its locked bucket, charged to the near port. True if it is
 * open; false if it is not within the quotas. */
tw_inline int tw_syn_open(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_scratch *scratch, struct tw_bucket *bucket)
{
	const struct tw_probe *at = &scratch->flow.probe;
	__u32 id = s->port->id, slot = tw_bucket_free(bucket, tw_probe_slot(at));
	struct tw_usage *usage = tw_usage_lookup(f, &id);
	struct tw_conn *c = tw_record(f, at->bucket, slot);

	if (!usage || !c || !tw_syn_affords(s->config, s->port, usage))
		return 0;
	tw_usage_count(usage, TW_CHARGE_HALF_OPEN, 1);
	tw_syn_fill(c, f, s, scratch);
	bucket->retained[slot & (TW_BUCKET_SLOTS - 1)] = 0;
	tw_bucket_tag_set(bucket, slot, at->tags);
	return 1;
}

/* Counts, reports and sends a packet that both gates allow. */
tw_inline void tw_syn_send(struct tw_frame *f, const struct tw_ctx *s, struct tw_scratch *scratch)
{
	struct tw_ctx there = {.config = s->config, .port = s->far, .dir = TW_DIR_IN};
	struct tw_outcome o = {.verdict = TW_V_ALLOW, .reason = TW_R_POLICY};
	struct tw_flow *flow = &scratch->flow;

	flow->opened = flow->far_opened = 1;
	flow->related = flow->untracked = 0;
	flow->far_id = s->far->id;
	o.reason = (__u8)tw_syn_reason(flow->decision);
	tw_count_frame(f, s, &o);
	tw_count_rule(f, flow->decision, 1);
	o.reason = (__u8)tw_syn_reason(flow->far_decision);
	tw_count_frame(f, &there, &o);
	if (!tw_rule_shared(flow->far_decision, flow->decision))
		tw_count_rule(f, flow->far_decision, 1);
	tw_syn_outcome(s, flow->decision, flow->far_decision, &scratch->outcome);
	tw_tell(f, s->config, scratch, s->port->id, TW_EVENT_OPEN);
	tw_token_redirect(f, &scratch->token, TW_TOKEN_CUT, flow->bridge_port, s->far->ifindex);
	if (tw_frame_traced(f))
		tw_syn_stages(f, 1);
}

tw_inline enum tw_syn tw_syn_pass(struct tw_frame *f, struct tw_ctx *s, struct tw_limiter *limiter,
	struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	struct tw_flow *flow = &scratch->flow;
	struct tw_bucket *bucket;
	int opens;

	tw_bucket_ahead(f, flow->probe.bucket);
	s->far = tw_syn_opener(f, s->config, s->port) ? tw_cut_again(f, s, p, flow, limiter) : 0;
	flow->bridge_port = s->far ? tw_frame_bridge_port(f) : 0;
	if (!flow->bridge_port)
		return TW_SYN_FULL_PATH;
	bucket = tw_syn_lock(f, &flow->probe);
	if (!bucket)
		return TW_SYN_FULL_PATH;
	opens = tw_syn_allowed(f, s, p, flow);
	if (opens) {
		scratch->packet.scale = 0;
		if (p->tcp_header_len > sizeof(struct tw_tcp))
			tw_call_options(f);
		flow->progress.scale[TW_WAY_ORIGINAL] = p->scale | TW_SCALE_SEEN;
		opens = tw_syn_open(f, s, scratch, bucket);
	}
	tw_bucket_unlock(bucket);
	if (!opens)
		return TW_SYN_FULL_PATH;
	tw_syn_send(f, s, scratch);
	return TW_SYN_SENT;
}

tw_inline enum tw_syn tw_syn(struct tw_frame *f, const struct tw_config *config)
{
	struct tw_ctx s = {.config = config, .epoch = config->epoch, .quiet = 1};
	const struct tw_ethernet *eth = tw_head(f, sizeof(*eth));
	struct tw_scratch *scratch = tw_scratch_get(f);
	const struct tw_tcp *tcp;
	struct tw_limiter *limiter;
	__u32 id;

	s.port = tw_port_at(f, f->ifindex, s.epoch);
	if (!s.port || !scratch || !eth || !s.port->image || s.port->flags & TW_PORT_SPECIAL ||
		s.port->packet_rate || config->capturing || f->mark == tw_mark_reply(config))
		return TW_SYN_FULL_PATH;
	id = s.port->id;
	limiter = tw_limiters_lookup(f, &id);
	tcp = limiter ? tw_syn_parse(f, &scratch->packet) : 0;
	if (!tcp || !tw_mac_equal_even(eth->src, s.port->mac) || eth->dst[0] & 1 || eth->src[0] & 1)
		return TW_SYN_FULL_PATH;
	tw_syn_place(f, &s, scratch);
	if (limiter->silent)
		return tw_syn_deny(f, &s, limiter, scratch);
	tw_syn_note(&scratch->packet, eth, tcp);
	return tw_syn_pass(f, &s, limiter, scratch);
}
