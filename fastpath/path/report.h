/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* report.h: counts each frame by its outcome and sends events to user space.
 *
 * Invariants: 1. Never blocks, never decides; the frame is still unchanged.
 *             2. Every frame is counted under one reason; unsent events are counted too.
 *             3. A flood of denials at a port suppresses only that port's events.
 * Bounds:     lookups in `reasons`, `port_counts`, `rules`, and on denial `limiters`.
 */
#pragma once

#include "fastpath/path/capture.h"
#include "fastpath/path/forward.h"

/* Stage in which each reason ends a frame. */
static const __u8 tw_reason_stages[TW_REASON_COUNTERS / TW_DIR__MAX] = {
#define TW_REASON(symbol, name, stage, text) [TW_R_##symbol] = TW_STAGE_##stage,
#include "fastpath/abi/reasons.def"
#undef TW_REASON
};

/* True if one rule decides at both ends. It counts a connection, and each frame, only once. */
tw_inline int tw_rule_shared(__u32 decision, __u32 other)
{
	return other && tw_decision_rule(decision) == tw_decision_rule(other);
}

tw_inline void tw_count_rule(const struct tw_frame *f, __u32 decision, int hit)
{
	__u32 index = tw_rule_index(tw_decision_rule(decision), tw_cpu(f));
	struct tw_rule_count *count = tw_rules_lookup(f, &index);

	if (!count)
		return;
	count->packets++;
	count->bytes += f->len;
	if (hit) {
		count->hits++;
		count->last_ns = f->now_ns;
	}
}

tw_inline void tw_count_reason(const struct tw_frame *f, __u32 reason, __u32 dir)
{
	__u32 index = tw_reason_index(reason, dir);
	__u64 *count = tw_reasons_lookup(f, &index);

	if (count)
		(*count)++;
}

tw_inline void tw_count_frame(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_outcome *o)
{
	__u32 dir = s->dir & 1, id = s->port ? s->port->id : 0;
	struct tw_port_count *count = tw_port_counts_lookup(f, &id);

	tw_count_reason(f, o->reason, dir);
	if (!count)
		return;
	count->packets[dir]++;
	count->bytes[dir] += f->len;
	if (o->verdict != TW_V_ALLOW) {
		count->denied_packets[dir]++;
		count->denied_bytes[dir] += f->len;
		count->events_limited += s->quiet;
	}
}

/* True if a connection opens at an end whose gate was decided for the first time (`opened`). A
 * connection without a record may be one of many: it is reported once, and only if its rule says
 * `log: true`. */
tw_inline int tw_flow_opens(const struct tw_flow *flow, int opened, __u32 decision)
{
	if (!opened || flow->related)
		return 0;
	return !flow->untracked || (flow->overflowed && decision & TW_DECISION_LOG);
}

/* Returns the event kind of a frame: an opening at this end, or a denial; -1: none. A frame that
 * passes only because the port is observed is reported as a denial would be. Unknown unicast
 * that the vSwitch floods is not reported, nor is a packet whose copy is queued, which has no
 * verdict yet. */
tw_inline int tw_event_kind_of(const struct tw_flow *flow, const struct tw_outcome *o)
{
	if (o->verdict == TW_V_ALLOW && tw_flow_opens(flow, flow->opened, flow->decision))
		return TW_EVENT_OPEN;
	if (o->verdict == TW_V_ALLOW)
		return o->spared ? TW_EVENT_DENY : -1;
	return o->reason == TW_R_NOT_FOR_PORT || o->queued ? -1 : TW_EVENT_DENY;
}

/* Takes a token for an event. Events that any frame can cause are limited per port, so that one
 * guest's events cannot displace the others'. */
tw_inline int tw_event_admit(const struct tw_frame *f, const struct tw_config *config, __u32 id)
{
	struct tw_limiter *limiter = tw_limiters_lookup(f, &id);

	if (!limiter)
		return 0;
	return tw_limiter_take(&limiter->event_tokens, &limiter->event_seen, config->event_rate,
		config->event_burst, tw_tick(f->now_ns));
}

/* Entries of `limiters` other than those of ports. */
#define TW_LIMITER_SHUT	   0
#define TW_LIMITER_UPLINKS TW_PORTS_MAX

/* Returns the entry of `limiters` whose tokens a denial takes. Denials at uplinks have an entry of
 * their own, so that a flood there does not suppress the events of shut ports. */
tw_inline __u32 tw_event_limiter(const struct tw_ctx *s, const struct tw_outcome *o)
{
	if (s->port)
		return s->port->id;
	return o->reason == TW_R_FOREIGN_SOURCE ? TW_LIMITER_UPLINKS : TW_LIMITER_SHUT;
}

/* As tw_event_admit(), for a denial. If it is not admitted, the port's next SYNs try the express
 * path that reports nothing. */
tw_inline int tw_event_admit_denial(
	const struct tw_frame *f, const struct tw_config *config, __u32 id)
{
	struct tw_limiter *limiter = tw_limiters_lookup(f, &id);
	int admitted = tw_event_admit(f, config, id);

	if (limiter)
		limiter->silent = !admitted;
	return admitted;
}

/* Fills the tuple. A frame that was refused before track has no key; its sender then is the lo end,
 * whatever the order. */
tw_inline void tw_event_tuple(
	struct tw_event *e, const struct tw_packet *p, const struct tw_flow *flow)
{
	if (flow->key.hi.d[0] | flow->key.hi.d[1]) {
		e->key = flow->key;
		return;
	}
	e->key.lo = p->tuple.src;
	e->key.hi = p->tuple.dst;
	e->key.lo_port = p->tuple.sport;
	e->key.hi_port = p->tuple.dport;
	e->key.proto = p->tuple.proto;
}

tw_inline void tw_event_fill(struct tw_event *e, const struct tw_frame *f,
	const struct tw_packet *p, const struct tw_flow *flow, const struct tw_outcome *o)
{
	e->outcome = *o;
	tw_event_tuple(e, p, flow);
	e->conn_flags = flow->progress.flags;
	e->tcp_flags = p->tcp_flags;
	e->icmp_type = p->icmp;
	__builtin_memcpy(e->frame.src_mac, p->src_mac, 6);
	__builtin_memcpy(e->frame.dst_mac, p->dst_mac, 6);
	e->ethertype = tw_be16(p->ethertype);
	e->vlan = p->vlan;
}

/* True if a cut-through connection opens at its far end. */
tw_inline int tw_opens_far(const struct tw_flow *flow)
{
	return flow->far_id && tw_flow_opens(flow, flow->far_opened, flow->far_decision);
}

/* Counts an event of a port that is not sent. */
tw_inline void tw_count_untold(const struct tw_frame *f, __u32 port_id, int admitted)
{
	struct tw_port_count *count = tw_port_counts_lookup(f, &port_id);

	if (count && admitted)
		count->events_lost++;
	else if (count)
		count->events_limited++;
}

/* Sends an event about the frame in scratch, or counts it as unsent. If a cut-through connection
 * opens at both ends, one event reports both. Denials are admitted before the call, so that a flood
 * does not cause a call for each. */
tw_inline void tw_tell(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_scratch *scratch, __u32 port_id, __u32 kind)
{
	int admitted = (kind == TW_EVENT_OPEN && !scratch->flow.untracked) ||
		       kind == TW_EVENT_DENY || tw_event_admit(f, config, port_id);
	int both = kind == TW_EVENT_OPEN && tw_opens_far(&scratch->flow) &&
		   tw_flow_opens(&scratch->flow, scratch->flow.opened, scratch->flow.decision);
	struct tw_event *e = 0;

	if (admitted)
		e = tw_event_reserve(f);
	if (!e) {
		tw_count_untold(f, port_id, admitted);
		if (both)
			tw_count_untold(f, scratch->flow.far_id, admitted);
		return;
	}
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = f->now_ns;
	e->ifindex = f->ifindex;
	e->port_id = (__u16)port_id;
	e->kind = (__u8)kind;
	e->frame.len = f->len;
	e->frame.origin = f->origin;
	tw_event_fill(e, f, &scratch->packet, &scratch->flow, &scratch->outcome);
	if (both) {
		e->frame.far_port_id = scratch->flow.far_id;
		e->frame.far_ifindex = scratch->flow.far_ifindex;
		e->frame.far_decision = scratch->flow.far_decision;
	} else if (kind == TW_EVENT_HOLDER) {
		e->key.lo = scratch->holder.addr;
		e->frame.far_port_id = (__u16)scratch->held.before;
		e->frame.window = scratch->contested;
	} else if (kind == TW_EVENT_DENY) {
		e->frame.seq = scratch->packet.seq;
		e->frame.ack = scratch->packet.ack;
		e->frame.window = scratch->packet.window;
	}
	tw_event_submit(f, e);
}

/* True if the frame was counted under the same rule where it entered the host. */
tw_inline int tw_rule_counted(const struct tw_frame *f, const struct tw_ctx *s, __u32 decision)
{
	const struct tw_scratch *scratch = s->marked ? tw_scratch_get(f) : 0;

	return scratch && tw_rule_shared(decision, scratch->token.decision);
}

/* True if the frame's connection is a hit of the rule at this end. Its gate is decided for the
 * first time, and the same rule has not decided the other end before. Judging a live connection
 * anew under a newer policy is no hit. */
tw_inline int tw_rule_hit(const struct tw_flow *flow, const struct tw_outcome *o)
{
	__u32 far = flow->far_opened ? 0 : tw_gate_decision(o->gate[!(flow->end & 1)]);

	return flow->opened && !flow->resumed && !tw_rule_shared(o->decision, far);
}

/* The report stage. */
tw_inline void tw_report(const struct tw_frame *f, struct tw_ctx *s, const struct tw_flow *flow,
	const struct tw_outcome *o)
{
	int kind = tw_event_kind_of(flow, o);

	if (kind == TW_EVENT_DENY && !s->quiet)
		s->quiet = !tw_event_admit_denial(f, s->config, tw_event_limiter(s, o));
	tw_count_frame(f, s, o);
	if (o->decision && !tw_rule_counted(f, s, o->decision))
		tw_count_rule(f, o->decision, tw_rule_hit(flow, o));
	if (kind >= 0 && !s->quiet)
		tw_call_tell(f, f->ifindex, s->port ? s->port->id : 0, (__u32)kind);
	if (s->config->capturing)
		tw_call_capture(f, f->ifindex, s->port ? s->port->id : 0);
}

/* Returns the reason at the far end of a cut-through: that of the near end, unless this frame was spared
 * at either end. Has no branch, so that the verifier walks the code after it once. */
tw_inline __u8 tw_far_reason(const struct tw_flow *flow, const struct tw_outcome *o)
{
	__u32 near = o->spared, far = flow->far_spared, reason = o->reason;

	_Static_assert(TW_R_POLICY == 1, "a flag");
	near &= 1;
	far &= 1;
	TW_OPAQUE(near);
	TW_OPAQUE(far);
	reason = near * (TW_R_ESTABLISHED - flow->far_opened) + (1 - near) * reason;
	return (__u8)(far * TW_R_OBSERVED + (1 - far) * reason);
}

/* Reports what the far end would have reported had the frame come there through the vSwitch.
 * Modifies and restores the outcome's end. */
tw_inline void tw_report_far(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_flow *flow, struct tw_outcome *o)
{
	struct tw_ctx there = {.config = s->config, .port = s->far, .dir = TW_DIR_IN};
	int opens = tw_opens_far(flow) && !tw_flow_opens(flow, flow->opened, flow->decision);
	__u8 reason = o->reason, spared = o->spared;

	o->dir = TW_DIR_IN;
	o->decision = flow->far_decision;
	o->reason = tw_far_reason(flow, o);
	o->spared = flow->far_spared;
	tw_count_frame(f, &there, o);
	if (!tw_rule_shared(flow->far_decision, flow->decision))
		tw_count_rule(f, flow->far_decision, flow->far_opened && !flow->resumed);
	if (opens)
		tw_call_tell(f, flow->far_ifindex, s->far->id, TW_EVENT_OPEN);
	else if (flow->far_spared && !tw_opens_far(flow) &&
		 tw_event_admit(f, s->config, s->far->id))
		tw_call_tell(f, flow->far_ifindex, s->far->id, TW_EVENT_DENY);
	if (s->config->capturing)
		tw_call_capture(f, flow->far_ifindex, s->far->id);
	o->dir = TW_DIR_OUT;
	o->decision = flow->decision;
	o->reason = reason;
	o->spared = spared;
}
