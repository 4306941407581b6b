/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* forward.h: hands an allowed frame to the vSwitch, and the answer to a refused one to its sender.
 *
 * Why:        a token tells the far end in the same network that the near end has tracked the
 *             frame. It is in per-CPU memory (struct tw_token), as skb->mark belongs to the host
 *             and would travel on with the frame.
 * Invariants: 1. A token is valid only for its frame, which still has the ingress interface, MACs,
 *                network and connection of the token. A frame that the host has routed, translated
 *                or made is judged in full (tests/e2e/nat.sh).
 *             2. No frame leaves with a mark that it did not have before (tests/run/play.c).
 *             3. A redirected frame passes only where its sender's bridge would have sent it,
 *                whatever the agent knows (tests/e2e/cut.sh, with the agent dead).
 */
#pragma once

#include "fastpath/path/inspect.h"
#include "fastpath/path/reply.h"

/* True if a bridge forwards untagged frames from one bridge port to another: same bridge, same
 * VLAN, not both isolated. */
tw_inline int tw_bridge_ports_meet(__u64 a, __u64 b)
{
	return !((a ^ b) & ~(__u64)TW_BRIDGE_PORT_ISOLATED) && !(a & b & TW_BRIDGE_PORT_ISOLATED);
}

/* Returns TW_R_CUT_THROUGH if a redirected frame arrives where its sender's bridge would have sent
 * it, else TW_R_ASTRAY. */
tw_inline enum tw_reason tw_arrival(const struct tw_frame *f, const struct tw_token *token)
{
	__u64 bridge_port = tw_frame_bridge_port(f);

	if (bridge_port == TW_BRIDGE_PORT_UNKNOWN)
		return TW_R_CUT_THROUGH;
	return bridge_port && tw_bridge_ports_meet(bridge_port, token->bridge_port) &&
			       tw_frame_fits(f)
		       ? TW_R_CUT_THROUGH
		       : TW_R_ASTRAY;
}

/* True if the token belongs to this frame, which was redirected to this port. */
tw_inline int tw_token_redirected(const struct tw_frame *f, const struct tw_token *token)
{
	return token->far == f->ifindex && token->near == f->origin && token->number == f->number;
}

/* True if the token belongs to this frame, which came through the bridge. A frame that the host has
 * routed or made has another origin or other addresses. */
tw_inline int tw_token_bridged(
	const struct tw_frame *f, const struct tw_port *port, const struct tw_token *token)
{
	const struct tw_ethernet *eth = tw_at(f, 0, sizeof(*eth));

	return eth && token->near == f->origin && token->network == port->network &&
	       f->now_ns - token->left_ns < TW_TOKEN_NS &&
	       tw_mac_equal_even(eth->dst, token->macs) &&
	       tw_mac_equal_even(eth->src, token->macs + 6);
}

/* Reads the token of a frame that is about to reach a guest. A redirect's token is used up. */
tw_inline enum tw_token_kind tw_token_take(
	const struct tw_frame *f, const struct tw_port *port, struct tw_token *token)
{
	__u32 kind = token->kind;

	if (kind == TW_TOKEN_CUT || kind == TW_TOKEN_INBOUND) {
		if (!tw_token_redirected(f, token))
			return TW_TOKEN_NONE;
		token->kind = TW_TOKEN_NONE;
		return (enum tw_token_kind)kind;
	}
	return kind && tw_token_bridged(f, port, token) ? (enum tw_token_kind)kind : TW_TOKEN_NONE;
}

/* Writes the token of a frame and redirects it to another port. */
tw_inline void tw_token_redirect(struct tw_frame *f, struct tw_token *token,
	enum tw_token_kind kind, __u64 bridge_port, __u32 ifindex)
{
	token->bridge_port = bridge_port;
	token->near = f->ifindex;
	token->far = ifindex;
	token->number++;
	token->kind = kind;
	tw_frame_number(f, token->number);
	tw_frame_redirect(f, ifindex);
}

/* Writes the token of a frame that is left to the bridge. */
tw_inline void tw_token_bridge(const struct tw_frame *f, const struct tw_ctx *s,
	struct tw_scratch *scratch, enum tw_token_kind kind)
{
	struct tw_token *token = &scratch->token;

	token->near = f->ifindex;
	token->left_ns = f->now_ns;
	token->key = scratch->flow.key;
	__builtin_memcpy(token->macs, scratch->packet.dst_mac, 6);
	__builtin_memcpy(token->macs + 6, scratch->packet.src_mac, 6);
	token->epoch = s->epoch;
	token->decision = scratch->flow.decision;
	token->network = s->port->network;
	token->untracked = scratch->flow.untracked;
	token->kind = kind;
}

/* The forward stage of a passing frame: cut through, or to the vSwitch. Only a frame tracked for
 * both ends leaves a token: not housekeeping, and nothing from transit ports, which track only for
 * themselves. */
tw_inline void tw_forward(struct tw_frame *f, const struct tw_ctx *s, struct tw_scratch *scratch)
{
	struct tw_flow *flow = &scratch->flow;
	int reply = f->mark == tw_mark_reply(s->config);

	if (reply)
		tw_frame_mark(f, 0);
	if (s->dir == TW_DIR_IN)
		return;
	if (s->far)
		tw_token_redirect(
			f, &scratch->token, TW_TOKEN_CUT, flow->bridge_port, flow->far_ifindex);
	else if (flow->uplink_ifindex)
		tw_frame_redirect(f, flow->uplink_ifindex);
	else if (reply || (flow->decision && !tw_ctx_alone(s, &scratch->packet)))
		tw_token_bridge(f, s, scratch, reply ? TW_TOKEN_REPLY : TW_TOKEN_TRACKED);
}
