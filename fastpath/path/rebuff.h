/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rebuff.h: the short way of what a flood is made of: SYNs that the policy denies, from a port of whose
 * denials nobody is to hear more for the moment.
 *
 * Why:        whoever floods is to cost as little as can be. A port's SYNs are tried here from a denial
 *             on that was not told, for want of a token, to the next SYN that is not of that kind.
 * In:         a frame that a guest sends, before anything else is done with it.
 * Out:        1: the policy denies it, and it was counted. 0: nothing was done; the whole way is for it.
 * Invariants: those of express.h, but that here nothing passes: only what the gate denies without an
 *             answer, and without an event, ends here.
 * Bounds:     one classification; no loop but those over tags and inline addresses.
 */
#pragma once

#include "fastpath/path/express.h"

/* Reads a frame; whether it is a SYN that nothing is wrong with. */
tw_inline int tw_rebuff_parse(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_tcp *tcp = f->has_vlan ? 0 : tw_express_network(f, p);
	const __u8 marks = TW_TCP_FIN | TW_TCP_SYN | TW_TCP_RST | TW_TCP_ACK | TW_TCP_URG;
	__u32 header;

	if (!tcp || (const void *)(tcp + 1) > f->data_end || p->tuple.proto != TW_IPPROTO_TCP ||
		p->l3_len > f->len - p->l3_off || p->l3_off + p->l3_len < p->l4_off)
		return 0;
	header = (tcp->data_offset >> 4) * 4u;
	if (header < sizeof(*tcp) || header > tw_l4_len(p) || (tcp->flags & marks) != TW_TCP_SYN)
		return 0;
	p->tuple.sport = tcp->sport;
	p->tuple.dport = tcp->dport;
	return !tw_check_addresses(p) && !p->multicast && !tw_addr_is_unspecified(&p->tuple.src);
}

/* Whether no record can stand under a key: no walk went past its row, and none there has its tag. */
tw_inline int tw_rebuff_unknown(
	const struct tw_frame *f, const struct tw_config *config, const struct tw_key *key)
{
	__u64 lanes = 0;
	struct tw_place at;
	struct tw_row *row;
	__u32 i, n;

	tw_place_make(f, &at, config, key);
	n = at.row;
	row = tw_rows_lookup(f, &n);
	if (!row || TW_MEMORY(row->spilled))
		return 0;
	for (i = 0; i < TW_ROW_SLOTS / 4; i++)
		lanes |= tw_lanes_zero(TW_MEMORY(row->tags[i]) ^ at.tags);
	return !lanes;
}

/* What the gate says of what the packet would open. */
tw_inline __u32 tw_rebuff_decide(const struct tw_frame *f, const struct tw_scope *s,
	const struct tw_packet *p, struct tw_sheet *sheet)
{
	sheet->flow.first = p->tuple;
	sheet->flow.icmp = 0;
	return tw_apart_classify(f, s->port->image, TW_DIR_OUT,
		tw_home_of(s->port, &sheet->flow.first.src, s->epoch));
}

/* Whether there is still no token to tell of a denial with. */
tw_inline int tw_rebuff_silent(
	const struct tw_frame *f, const struct tw_config *config, struct tw_bucket *bucket)
{
	if (!config->event_rate)
		return 0;
	tw_bucket_fill(&bucket->event_tokens, &bucket->event_seen, config->event_rate,
		config->event_burst, tw_tick(f->now_ns));
	return bucket->event_tokens < TW_TOKEN;
}

/* What became of the frame, for those who trace. */
tw_inline void tw_rebuff_tell(
	const struct tw_frame *f, const struct tw_scope *s, __u32 decision, struct tw_outcome *o)
{
	__u32 stage;

	for (stage = TW_STAGE_PARSE; stage < TW_STAGE__MAX; stage++)
		if (stage != TW_STAGE_INSPECT)
			tw_stage_enter(f, (enum tw_stage)stage);
	__builtin_memset(o, 0, sizeof(*o));
	o->verdict = TW_V_DENY;
	o->reason = TW_R_POLICY;
	o->stage = tw_reason_stages[TW_R_POLICY];
	o->decision = decision;
	o->gate[TW_DIR_OUT] = tw_gate(s->epoch, decision);
	o->state = TW_S_SYN_SENT;
}

tw_inline int tw_rebuff(const struct tw_frame *f, const struct tw_config *config)
{
	const __u16 special = TW_PORT_F_GUARD_ANY | TW_PORT_F_TRANSIT | TW_PORT_F_UNCLAIMED;
	struct tw_scope s = {.config = config, .epoch = config->epoch, .quiet = 1};
	struct tw_outcome o = {.verdict = TW_V_DENY, .reason = TW_R_POLICY};
	struct tw_sheet *sheet = tw_sheet_get(f);
	struct tw_packet p = {0};
	struct tw_bucket *bucket;
	__u32 id, decision;
	struct tw_key key;

	s.port = tw_port_at(f, f->ifindex, s.epoch);
	if (!s.port || !sheet || !s.port->image || s.port->flags & special || s.port->packet_rate ||
		config->capturing || f->mark & TW_MARK_REPLY)
		return 0;
	id = s.port->id;
	bucket = tw_buckets_lookup(f, &id);
	if (!bucket || !bucket->silent || !tw_rebuff_parse(f, &p) ||
		!tw_express_guard(f, s.port, f->data, &p))
		return 0;
	tw_key_make(&key, &s, &p, &p.tuple);
	if (!tw_rebuff_unknown(f, config, &key))
		return 0;
	decision = tw_rebuff_decide(f, &s, &p, sheet);
	if (tw_decision_verdict(decision) != TW_V_DENY || !tw_rebuff_silent(f, config, bucket)) {
		bucket->silent = 0;
		return 0;
	}
	tw_count_frame(f, &s, &o);
	tw_count_rule(f, decision, 1);
	if (tw_frame_traced(f))
		tw_rebuff_tell(f, &s, decision, &sheet->outcome);
	return 1;
}
