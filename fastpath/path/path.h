/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* path.h: the full path of a packet; the only place that orders the stages.
 *
 *	admit → parse → guard → track → classify → inspect → forward → report
 *
 * What:       judges one frame at one port: `out` when the guest sends it, `in` when it is about to
 *             reach the guest.
 * Out:        a struct tw_outcome. If its verdict is allow, the target passes the frame on;
 *             otherwise it drops the frame, unless tw_frame_bounce() has turned it into an answer.
 *             If `release` is set, the target then runs tw_path_release(), last of all.
 * Invariants: 1. Fails closed, only here: any reason but TW_R_NONE ends the frame, and
 *                tw_path_admits() lists the reasons that let it pass.
 *             2. A frame is judged in one policy epoch at both ends; its token carries the epoch.
 *             3. A connection is decided by its first packet, and again by its first packet in a
 *                newer epoch. A rule that asks decides once there is an answer (ask.h).
 * Bounds:     no loops but those of the stages; at most 16 map lookups and 2 updates a frame, and 4
 *             more lookups during a capture.
 * Callers:    kernel/tap.bpf.c and native/native.c, after they define what port.h declares.
 */
#pragma once

#include "fastpath/path/ask.h"
#include "fastpath/path/checksum.h"
#include "fastpath/path/cut.h"
#include "fastpath/path/holder.h"
#include "fastpath/path/limit.h"
#include "fastpath/path/observe.h"
#include "fastpath/path/offload.h"
#include "fastpath/path/conntrack/liberal.h"
#include "fastpath/path/express/syn.h"

/* True if the reason ends the path and lets the frame pass. */
tw_inline int tw_path_admits(enum tw_reason reason)
{
	return reason == TW_R_NEIGHBOUR || reason == TW_R_DHCP_CLIENT || reason == TW_R_GRANTED ||
	       reason == TW_R_OWN_REPLY || reason == TW_R_CUT_THROUGH || reason == TW_R_OBSERVED ||
	       reason == TW_R_TCP_LIBERAL;
}

/* Reads what an event reports about an unparsed frame. */
tw_inline int tw_path_glance(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_ethernet *eth = tw_at(f, 0, sizeof(*eth));

	if (!eth)
		return 0;
	__builtin_memcpy(p->src_mac, eth->src, 6);
	__builtin_memcpy(p->dst_mac, eth->dst, 6);
	p->ethertype = tw_host16(eth->type);
	return 1;
}

/* Judges a frame at a port that no workload claims, by options.unclaimed. A frame from a workload's
 * MAC is denied, and reported if the workload has no port yet. */
tw_inline enum tw_reason tw_path_unclaimed(
	const struct tw_frame *f, const struct tw_ctx *s, struct tw_packet *p, struct tw_outcome *o)
{
	struct tw_mac_key mac = {0};
	const __u32 *listed;

	if (!tw_path_glance(f, p))
		return TW_R_TRUNCATED;
	if (s->dir == TW_DIR_OUT && s->port->flags & TW_PORT_F_WATCH) {
		__builtin_memcpy(mac.mac, p->src_mac, 6);
		listed = tw_macs_lookup(f, &mac);
		if (listed && *listed == TW_MAC_SOUGHT)
			tw_call_tell(f, f->ifindex, s->port->id, TW_EVENT_CLAIM);
		if (listed)
			return TW_R_WORKLOAD_MAC;
	}
	o->verdict = s->port->flags & TW_PORT_F_OPEN ? TW_V_ALLOW : TW_V_DENY;
	return TW_R_UNCLAIMED;
}

/* Judges a frame about to reach a guest by the token that the near end may have left. */
tw_inline enum tw_reason tw_path_arrive(
	const struct tw_frame *f, struct tw_ctx *s, struct tw_scratch *scratch)
{
	const struct tw_token *token = &scratch->token;
	enum tw_reason reason;

	switch (tw_token_take(f, s->port, &scratch->token)) {
	case TW_TOKEN_CUT:
		return tw_arrival(f, token);
	case TW_TOKEN_INBOUND:
		reason = tw_arrival(f, token);
		return reason == TW_R_ASTRAY ? reason : TW_R_NONE;
	case TW_TOKEN_REPLY:
		return TW_R_OWN_REPLY;
	case TW_TOKEN_TRACKED:
		s->marked = 1;
		if ((token->epoch ^ s->epoch) & 1) {
			s->epoch--;
			s->port = tw_port_at(f, f->ifindex, s->epoch);
		}
		return s->port ? TW_R_NONE : TW_R_NO_IMAGE;
	default:
		return TW_R_NONE;
	}
}

/* Finds the port's entry in the frame's epoch, and admits or ends frames that need no further
 * stages. */
tw_inline enum tw_reason tw_path_admit(
	const struct tw_frame *f, struct tw_ctx *s, struct tw_scratch *scratch)
{
	struct tw_packet *p = &scratch->packet;
	enum tw_reason reason;

	/* Discards the token of the previous frame. */
	if (s->dir == TW_DIR_OUT)
		scratch->token.kind = TW_TOKEN_NONE;
	s->port = tw_port_at(f, f->ifindex, s->epoch);
	if (!s->port) {
		tw_path_glance(f, p);
		return TW_R_NO_IMAGE;
	}
	if (f->mark == tw_mark_reply(s->config)) {
		tw_path_glance(f, p);
		return TW_R_OWN_REPLY;
	}
	reason = s->dir == TW_DIR_IN ? tw_path_arrive(f, s, scratch) : TW_R_NONE;
	if (reason)
		return reason;
	if (s->port->flags & TW_PORT_F_UNCLAIMED)
		return tw_path_unclaimed(f, s, p, &scratch->outcome);
	if (s->port->image)
		return TW_R_NONE;
	tw_path_glance(f, p);
	return s->port->flags & TW_PORT_F_QUARANTINED ? TW_R_QUARANTINED : TW_R_NO_IMAGE;
}

/* The classify stage: evaluates the gate at this end, unless this port has decided it in this
 * epoch. */
tw_inline enum tw_reason tw_path_classify(const struct tw_frame *f, const struct tw_ctx *s,
	struct tw_flow *flow, struct tw_outcome *o)
{
	struct tw_conn *c = s->conn;
	__u32 end = flow->end & 1;
	__u64 gate = c ? c->gate[end] : 0;

	flow->decision = tw_gate_decision(gate);
	/* A rule that has no answer yet asks again. */
	if (tw_decision_verdict(flow->decision) == TW_V_ASK)
		flow->decision = 0;
	if (!flow->decision || tw_gate_epoch(gate) != s->epoch ||
		tw_ports_at(c->ports, end) != s->port->id) {
		tw_stage_enter(f, TW_STAGE_CLASSIFY);
		if (c && !flow->decision && tw_track_stray(s->port, flow, tw_tick(f->now_ns)))
			return TW_R_TCP_MIDSTREAM;
		tw_flow_tuple(flow);
		flow->opened = !flow->decision;
		flow->decided = 1;
		flow->decision = tw_call_classify(f, s->port->image, end,
			tw_home_of(s->port, end ? &flow->first.dst : &flow->first.src, s->epoch));
		if (!flow->decision)
			return TW_R_BAD_IMAGE;
		flow->decision = tw_decision_carry(flow->decision, tw_look_known(flow, c));
		if (tw_decision_verdict(flow->decision) == TW_V_ASK &&
			tw_call_ask(f, s->port->id, s->epoch, tw_gate_decision(gate),
				c ? tw_ports_at(c->ports, end) : 0))
			return (enum tw_reason)TW_MEMORY(flow->asked);
		if (c) {
			tw_conn_set_port(f, c, end ? TW_DIR_IN : TW_DIR_OUT, s->port->id);
			c->gate[end] = tw_gate(s->epoch, flow->decision);
			/* A connection refused here ends now; its slot's grace period starts now,
			 * too. */
			if (tw_decision_verdict(flow->decision) != TW_V_ALLOW)
				c->seen = tw_tick(f->now_ns);
		}
	}
	/* A connection that only observe mode lets pass is reported once for each gate. */
	flow->spared = tw_decision_spares(flow->decision, tw_gate_decision(gate));
	o->decision = flow->decision;
	o->verdict = tw_decision_verdict(flow->decision);
	if (o->verdict == TW_V_ALLOW)
		return TW_R_NONE;
	if (flow->asked)
		return (enum tw_reason)TW_MEMORY(flow->asked);
	return flow->decision & TW_DECISION_ANSWERED ? TW_R_ASK_DENIED : TW_R_POLICY;
}

/* Returns the reason for a frame that every stage let pass. */
tw_inline enum tw_reason tw_path_passed(const struct tw_flow *flow)
{
	if (flow->spared)
		return TW_R_OBSERVED;
	if (flow->liberal)
		return TW_R_TCP_LIBERAL;
	if (flow->related)
		return TW_R_RELATED;
	if (flow->asked)
		return (enum tw_reason)flow->asked;
	return flow->decided ? TW_R_POLICY : TW_R_ESTABLISHED;
}

/* Lets a segment that track refuses go on to the rules if the port is liberal, or returns the reason
 * for which it may not. */
tw_inline enum tw_reason tw_path_track_liberal(
	const struct tw_frame *f, struct tw_ctx *s, struct tw_flow *flow, enum tw_reason reason)
{
	if (!(s->port->flags & TW_PORT_F_LIBERAL) && !tw_tcp_one_way(&flow->progress))
		return reason;
	flow->liberal = (__u8)reason;
	reason = tw_call_liberal(f, s->port->id, s->epoch, s->dir);
	if (flow->stale)
		s->conn = 0;
	flow->end = tw_flow_end(s->dir, flow->way);
	return reason;
}

/* Runs the deciding stages in order. */
tw_inline enum tw_reason tw_path_judge(
	const struct tw_frame *f, struct tw_ctx *s, struct tw_scratch *scratch)
{
	struct tw_packet *p = &scratch->packet;
	struct tw_flow *flow = &scratch->flow;
	enum tw_reason reason = tw_path_admit(f, s, scratch);

	if (reason)
		return reason;
	reason = tw_limit_frames(f, s);
	if (reason) {
		tw_path_glance(f, p);
		return reason;
	}
	tw_stage_enter(f, TW_STAGE_PARSE);
	reason = tw_call_parse(f);
	if (reason)
		return reason == TW_R_NOT_IP ? tw_guard_other(f, s, p) : reason;
	reason = tw_offload(f, p);
	if (reason)
		return reason;
	tw_stage_enter(f, TW_STAGE_GUARD);
	reason = tw_guard(f, s, p);
	if (reason)
		return reason;
	tw_stage_enter(f, TW_STAGE_TRACK);
	reason = tw_track(f, s, p, flow);
	if (reason)
		reason = tw_path_track_liberal(f, s, flow, reason);
	if (reason)
		return reason;
	reason = tw_checksum(f, s, p, flow);
	if (reason)
		return reason;
	reason = tw_path_classify(f, s, flow, &scratch->outcome);
	if (!reason && s->dir == TW_DIR_OUT && tw_limit_by_default(s->port, p))
		reason = tw_call_limit(f, s->port->id, s->epoch, flow->decision);
	if (reason)
		return reason;
	tw_stage_enter(f, TW_STAGE_INSPECT);
	tw_inspect(f, s, p, flow);
	reason = tw_limit_opens(f, s, flow);
	if (reason)
		return reason;
	tw_cut(f, s, p, flow);
	reason = tw_track_commit(f, s, p, flow);
	return reason ? reason : tw_path_passed(flow);
}

/* Returns the verdict of a reason, or the stage's own verdict if it has set one. */
tw_inline __u8 tw_path_verdict(enum tw_reason reason, const struct tw_outcome *o)
{
	if (reason == TW_R_UNCLAIMED)
		return o->verdict;
	if (reason == TW_R_POLICY && o->verdict == TW_V_REJECT)
		return TW_V_REJECT;
	if (reason == TW_R_POLICY || reason == TW_R_ESTABLISHED || reason == TW_R_RELATED ||
		tw_ask_reason(reason))
		return o->verdict == TW_V_ALLOW ? TW_V_ALLOW : TW_V_DENY;
	return tw_path_admits(reason) ? TW_V_ALLOW : TW_V_DENY;
}

tw_inline void tw_path_conclude(struct tw_outcome *o, const struct tw_ctx *s,
	const struct tw_flow *flow, enum tw_reason reason)
{
	__u32 end = flow->end & 1;

	o->verdict = tw_path_verdict(reason, o);
	o->reason = (__u8)reason;
	o->stage = tw_reason_stages[reason & (TW_REASON_COUNTERS / TW_DIR__MAX - 1)];
	o->dir = s->dir;
	o->way = flow->way;
	o->state = flow->progress.state;
	o->spared = flow->spared;
	if (s->conn) {
		o->tracked = 1;
		o->gate[TW_DIR_OUT] = s->conn->gate[TW_DIR_OUT];
		o->gate[TW_DIR_IN] = s->conn->gate[TW_DIR_IN];
	} else if (o->verdict == TW_V_ALLOW && flow->decision && !flow->untracked) {
		o->tracked = 1;
		o->created = !flow->met;
	}
	if (flow->decision)
		o->gate[end] = tw_gate(s->epoch, flow->decision);
	if (s->far)
		o->gate[!end] = tw_gate(s->epoch, flow->far_decision);
}

/* Judges one frame and acts on it; returns the outcome in scratch. NULL: there is no scratch
 * memory, and the frame must be dropped. */
tw_inline const struct tw_outcome *tw_path(
	struct tw_frame *f, const struct tw_config *config, enum tw_dir dir)
{
	struct tw_ctx s = {.config = config, .epoch = config->epoch, .dir = (__u8)dir};
	struct tw_scratch *scratch = tw_scratch_get(f);
	struct tw_outcome *o;

	if (!scratch)
		return 0;
	__builtin_memset(scratch, 0, __builtin_offsetof(struct tw_scratch, conn));
	o = &scratch->outcome;
	/* Stored through memory so that the verifier walks the code below once, not once per
	 * reason. */
	*(volatile __u8 *)&o->reason = (__u8)tw_path_judge(f, &s, scratch);
	s.quiet |= TW_MEMORY(scratch->packet.quiet);
	if (s.port && s.port->flags & TW_PORT_F_OBSERVED)
		s.far = tw_call_spare(f, s.port->id, s.epoch, dir) ? 0 : s.far;
	tw_path_conclude(o, &s, &scratch->flow, *(volatile __u8 *)&o->reason);
	tw_stage_enter(f, TW_STAGE_FORWARD);
	if (o->verdict == TW_V_ALLOW && s.port)
		tw_forward(f, &s, scratch);
	tw_stage_enter(f, TW_STAGE_REPORT);
	tw_report(f, &s, &scratch->flow, o);
	if (s.far)
		tw_report_far(f, &s, &scratch->flow, o);
	if (o->verdict == TW_V_REJECT)
		tw_call_refuse(f, dir, s.epoch);
	return o;
}

/* Counts and reports a denied frame at an uplink that has a guest's MAC (tw_beyond_uplink()). */
tw_inline void tw_path_impostor(const struct tw_frame *f, const struct tw_config *config)
{
	struct tw_ctx s = {.config = config, .dir = TW_DIR_IN};
	struct tw_scratch *scratch = tw_scratch_get(f);
	struct tw_outcome *o;

	if (!scratch)
		return;
	__builtin_memset(scratch, 0, __builtin_offsetof(struct tw_scratch, conn));
	o = &scratch->outcome;
	/* Unreadable fields are not reported. */
	tw_call_parse(f);
	o->verdict = TW_V_DENY;
	o->reason = TW_R_FOREIGN_SOURCE;
	o->stage = TW_STAGE_GUARD;
	o->dir = TW_DIR_IN;
	tw_report(f, &s, &scratch->flow, o);
}

/* ---- bodies of subprograms: tw_call_…() of port.h ---- */

tw_inline int tw_path_question(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, __u32 epoch, __u32 was)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_ask(f, config, port_id, epoch, was, scratch) : 0;
}

tw_inline __u32 tw_path_decide(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, struct tw_home home)
{
	const struct tw_scratch *scratch = tw_scratch_get(f);
	__u32 decision;

	if (!scratch)
		return 0;
	decision = tw_classify(f, slot, end, home, &scratch->flow.first, scratch->flow.icmp);

	if (home.observed)
		decision = tw_decision_observed(decision);
	if (home.looks && tw_decision_verdict(decision) == TW_V_ALLOW)
		decision |= TW_DECISION_LOOK;
	return decision;
}

/* Checks the frame in scratch, which the decision allows, against its port's default rate. */
tw_inline enum tw_reason tw_path_limit(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 decision)
{
	const struct tw_port *port = tw_port_numbered(f, port_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	if (!port || !scratch)
		return TW_R_NO_IMAGE;
	if (decision & TW_DECISION_NAMED && tw_limit_routed_group(&scratch->packet))
		return TW_R_NONE;
	return tw_limit_default(f, port, &scratch->packet);
}

tw_inline enum tw_reason tw_path_fragment(
	const struct tw_frame *f, const struct tw_config *config, __u32 port_id)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_fragment_judge(f, config, port_id, scratch) : TW_R_FRAG_ORPHAN;
}

tw_inline int tw_path_overflow_find(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, __u32 class, __u32 hi)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch && tw_overflow_find(f, config, port_id, class, hi, scratch);
}

tw_inline int tw_path_overflow_meet(const struct tw_frame *f, __u32 port_id, enum tw_dir dir)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch && tw_overflow_meet(f, port_id, dir, scratch);
}

tw_inline int tw_path_overflow_put(
	const struct tw_frame *f, const struct tw_config *config, __u32 port_id, __u32 class)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch && tw_overflow_put(f, config, port_id, class, scratch);
}

tw_inline enum tw_overflow_room tw_path_overflow_write(
	const struct tw_frame *f, struct tw_overflow_set *set, __u32 now)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_overflow_write(set, scratch->overflow_print, &scratch->overflow, now)
		       : TW_OVERFLOW_FRESH;
}

tw_inline enum tw_reason tw_path_lost(
	const struct tw_frame *f, const struct tw_config *config, __u32 port_id, enum tw_dir dir)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_lost(f, config, port_id, dir, scratch) : TW_R_TCP_MIDSTREAM;
}

tw_inline enum tw_reason tw_path_liberal(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir)
{
	const struct tw_port *port = tw_port_numbered(f, port_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	return port && scratch ? tw_liberal(f, port, epoch, dir, scratch) : TW_R_TCP_STATE;
}

tw_inline int tw_path_spare(const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir)
{
	const struct tw_port *port = tw_port_numbered(f, port_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	return port && scratch && tw_observe_spare(f, port, dir, scratch);
}

tw_inline enum tw_reason tw_path_open(
	const struct tw_frame *f, const struct tw_config *config, __u32 payer_id, __u32 epoch)
{
	const struct tw_port *payer = tw_port_numbered(f, payer_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	return payer && scratch ? tw_conn_open(f, config, payer, scratch) : TW_R_TABLE_FULL;
}

tw_inline enum tw_reason tw_path_again(const struct tw_frame *f)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_track_again(f, scratch) : TW_R_NONE;
}

/* Sends the queued fragments of an outcome with `release`. Runs last, as it reuses scratch
 * memory. */
tw_inline long tw_path_release(struct tw_frame *f, enum tw_dir dir, __u32 port_id)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_release(f, dir, port_id, scratch) : 0;
}

tw_inline void tw_path_tell(
	const struct tw_frame *f, const struct tw_config *config, __u32 port_id, __u32 kind)
{
	const struct tw_scratch *scratch = tw_scratch_get(f);

	if (scratch)
		tw_tell(f, config, scratch, port_id, kind);
}

tw_inline void tw_path_capture(const struct tw_frame *f, __u32 port_id)
{
	const struct tw_scratch *scratch = tw_scratch_get(f);

	if (scratch)
		tw_capture(f, &scratch->outcome, port_id);
}

/* Returns how the port owns the address or name in scratch->about: enum tw_lease_state. */
tw_inline __u32 tw_path_owned(const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 kind)
{
	const struct tw_port *port = tw_port_numbered(f, port_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);
	int known;

	if (!port || !scratch)
		return TW_LEASE_NONE;
	scratch->packet.lease = TW_LEASE_NONE;
	if (kind == TW_OWNED_NAME || tw_addr_is_link_local(&scratch->about)) {
		known = tw_claim_known(f, port, epoch,
			kind == TW_OWNED_NAME ? TW_CLAIM_CLIENT : TW_CLAIM_ADDRESS, scratch);
		return known < 0 ? TW_LEASE_UNCLAIMED : known ? TW_LEASE_KNOWN : TW_LEASE_NONE;
	}
	scratch->packet.lease = (__u8)tw_lease_find(f, port, scratch);
	if (!scratch->packet.lease && port->flags & TW_PORT_F_SLAAC)
		scratch->packet.lease = (__u8)tw_lease_formed(f, port, scratch);
	return scratch->packet.lease;
}

/* Lets a port's guest form the address in scratch->about. */
tw_inline enum tw_reason tw_path_form(
	const struct tw_frame *f, const struct tw_config *config, __u32 port_id, __u32 epoch)
{
	const struct tw_port *port = tw_port_numbered(f, port_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	return port && scratch ? tw_slaac_form(f, config, port, scratch) : TW_R_NO_IMAGE;
}

/* Notes what a neighbour message of this type on its way to a guest says about addresses. */
tw_inline void tw_path_heard(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, __u32 epoch, __u32 type)
{
	const struct tw_port *port = tw_port_numbered(f, port_id, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	if (!port || !scratch)
		return;
	if (type == TW_ND_RA)
		tw_slaac_announced(f, port, scratch);
	else
		tw_slaac_heard(f, config, port, scratch, type);
}

/* Claims the name in scratch->about. True if the port owns it now. */
tw_inline int tw_path_claim(const struct tw_frame *f, const struct tw_config *config, __u32 port_id,
	__u32 epoch, __u32 kind)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch &&
	       tw_claim_take(f, config, port_id, epoch,
		       kind == TW_OWNED_NAME ? TW_CLAIM_CLIENT : TW_CLAIM_ADDRESS, scratch);
}

/* Returns 1 if the port has the right `what` (enum tw_grant) for the packet in scratch, else 0;
 * TW_GRANT_OVER if it has, but sends beyond its default rate. */
tw_inline int tw_path_granted(const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 what)
{
	struct tw_scratch *scratch = tw_scratch_get(f);
	const struct tw_port *port;

	if (!scratch || !tw_granted(f, port_id, epoch, (enum tw_grant)what, &scratch->packet))
		return 0;
	if (what != TW_GRANT_ETHERTYPE_OUT)
		return 1;
	port = tw_port_numbered(f, port_id, epoch);
	if (!port || !tw_limit_by_default(port, &scratch->packet))
		return 1;
	return tw_limit_default(f, port, &scratch->packet) ? TW_GRANT_OVER : 1;
}

/* Returns why a frame from beyond the ports may not reach this port, or TW_R_NONE. */
tw_inline enum tw_reason tw_path_beyond(const struct tw_frame *f, __u32 epoch)
{
	const struct tw_port *port = tw_port_at(f, f->ifindex, epoch);
	const struct tw_scratch *scratch = tw_scratch_get(f);

	return port && scratch ? tw_beyond(f, port, epoch, &scratch->packet) : TW_R_NO_IMAGE;
}

/* Checks housekeeping in scratch against its port's default rate. */
tw_inline enum tw_reason tw_path_house(const struct tw_frame *f, const struct tw_house *s)
{
	struct tw_packet *p = &s->scratch->packet;

	return s->dir == TW_DIR_OUT && tw_limit_by_default(s->port, p)
		       ? tw_limit_default(f, s->port, p)
		       : TW_R_NONE;
}

/* Judges the ARP, ND or MLD packet in scratch. */
tw_inline enum tw_reason tw_path_neighbour(
	const struct tw_frame *f, const struct tw_config *config, enum tw_dir dir, __u32 epoch)
{
	struct tw_house s = {.config = config, .epoch = epoch, .dir = (__u8)dir};
	enum tw_reason reason;

	s.port = tw_port_at(f, f->ifindex, epoch);
	s.scratch = tw_scratch_get(f);
	if (!s.port || !s.scratch)
		return TW_R_NO_IMAGE;
	reason = tw_path_house(f, &s);
	return reason ? reason : tw_guard_neighbour(f, &s);
}

/* Judges the IGMP packet in scratch. */
tw_inline enum tw_reason tw_path_igmp(
	const struct tw_frame *f, const struct tw_config *config, enum tw_dir dir, __u32 epoch)
{
	struct tw_house s = {.config = config, .epoch = epoch, .dir = (__u8)dir};
	enum tw_reason reason;

	s.port = tw_port_at(f, f->ifindex, epoch);
	s.scratch = tw_scratch_get(f);
	if (!s.port || !s.scratch)
		return TW_R_NO_IMAGE;
	reason = tw_path_house(f, &s);
	return reason ? reason : tw_igmp(f, &s);
}

/* Notes the shared address that the ARP or ND packet in scratch may announce, and reports a new
 * holder. */
tw_inline void tw_path_holder(const struct tw_frame *f, __u32 epoch)
{
	const struct tw_port *port = tw_port_at(f, f->ifindex, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	if (port && scratch && tw_holder_note(f, port, epoch, scratch))
		tw_call_tell(f, f->ifindex, port->id, TW_EVENT_HOLDER);
}

/* Judges the DHCP packet in scratch. An event tells the agent of leases that begin or end. */
tw_inline enum tw_reason tw_path_dhcp(const struct tw_frame *f, const struct tw_config *config,
	enum tw_dir dir, __u32 epoch, int v4)
{
	struct tw_house s = {.config = config, .epoch = epoch, .dir = (__u8)dir};
	enum tw_reason reason;

	s.port = tw_port_at(f, f->ifindex, epoch);
	s.scratch = tw_scratch_get(f);
	if (!s.port || !s.scratch)
		return TW_R_NO_IMAGE;
	reason = tw_path_house(f, &s);
	if (reason)
		return reason;
	reason = tw_dhcp(f, &s, v4);
	if (reason == TW_R_DHCP_CLIENT && TW_MEMORY(s.scratch->dhcp.changed) &&
		s.port->flags & TW_PORT_F_DHCP)
		tw_call_tell(f, f->ifindex, s.port->id, TW_EVENT_LEASE);
	return reason;
}

tw_inline void tw_path_refuse(
	struct tw_frame *f, const struct tw_config *config, enum tw_dir dir, __u32 epoch)
{
	const struct tw_port *port = tw_port_at(f, f->ifindex, epoch);
	struct tw_scratch *scratch = tw_scratch_get(f);

	if (port && scratch)
		tw_refuse(f, config, port, dir, scratch);
}

tw_inline enum tw_reason tw_path_checksum(const struct tw_frame *f)
{
	const struct tw_scratch *scratch = tw_scratch_get(f);

	return !scratch || tw_checksum_good(f, &scratch->packet) ? TW_R_NONE : TW_R_BAD_CHECKSUM;
}

/* Reads the headers of a frame into the packet in scratch, which is zeroed. */
tw_inline enum tw_reason tw_path_parse(const struct tw_frame *f)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	return scratch ? tw_parse(f, &scratch->packet) : TW_R_TRUNCATED;
}

tw_inline void tw_path_quoted(const struct tw_frame *f, __u32 off)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	if (scratch)
		tw_parse_inner(f, &scratch->packet, off);
}

tw_inline void tw_path_options(const struct tw_frame *f)
{
	struct tw_scratch *scratch = tw_scratch_get(f);

	if (scratch)
		scratch->packet.scale = tw_tcp_scale(f, &scratch->packet);
}
