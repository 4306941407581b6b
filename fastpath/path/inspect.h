/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* inspect.h: the stage for payload inspection. It names applications and denies nothing.
 *
 * In:         a packet of a connection whose gate at this end is open.
 * Out:        flow->decision and the record's gates say what is known of the application.
 * Invariants: 1. A payload is looked at where its frame is tracked, not again at the other end.
 *             2. Gates that another CPU decides meanwhile are left to it.
 */
#pragma once

#include "fastpath/path/app/look.h"
#include "fastpath/path/conntrack/track.h"

#define TW_LOOK_BITS (TW_DECISION_LOOK | TW_DECISION_APP)

/* Returns what the decisions of a connection say of its application. For a new one, payloads will be
 * looked at if its first byte is still to come. */
tw_inline __u32 tw_look_known(const struct tw_flow *flow, const struct tw_conn *c)
{
	if (c)
		return (tw_gate_decision(c->gate[0]) | tw_gate_decision(c->gate[1])) & TW_LOOK_BITS;
	return flow->first.proto == TW_IPPROTO_UDP || flow->note == TW_NOTE_BEGIN ? TW_DECISION_LOOK
										  : 0;
}

/* Writes what is known now to a gate. */
tw_inline void tw_look_write(__u64 *gate, __u32 bits)
{
	__u64 old = *gate;

	if (tw_gate_decision(old))
		__sync_val_compare_and_swap(gate, old, (old & ~(__u64)TW_LOOK_BITS) | bits);
}

tw_inline void tw_inspect(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_conn *c = s->conn;
	__u32 known = flow->decision & TW_LOOK_BITS, payer, bits;

	if (!(known & TW_DECISION_LOOK) || flow->related || flow->seen || flow->untracked ||
		!tw_look_len(p))
		return;
	payer = c && c->ports & TW_PORTS_CHARGE_IN ? tw_ports_at(c->ports, TW_DIR_IN)
		: c				   ? tw_ports_at(c->ports, TW_DIR_OUT)
						   : s->port->id;
	bits = tw_call_look(f, payer, known, c ? c->window[flow->way & 1].end : tw_look_seq(p));
	flow->decision = (flow->decision & ~TW_LOOK_BITS) | bits;
	if (!c || bits == known)
		return;
	tw_look_write(&c->gate[TW_DIR_OUT], bits);
	tw_look_write(&c->gate[TW_DIR_IN], bits);
}
