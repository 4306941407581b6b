/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cut.h: cut-through: sends an allowed frame directly into its destination port, past the vSwitch.
 *
 * Why:        a redirect costs less than a bridge, so a judged and redirected frame costs less than
 *             one that is only bridged.
 * In:         a packet that the near end allows, at the port of its sender.
 * Out:        s->far, with its interface and its gate's decision in the flow; or an uplink's
 *             interface in the flow. With neither, the frame goes to the vSwitch, and the far end
 *             judges it.
 * Invariants: 1. Only between two ports with TW_PORT_F_CUT in one network and VLAN, to a MAC that
 *                the agent vouches for. Tagged frames of VLAN-filtering bridges, multicast, frames
 *                of transit ports and oversized frames go to the vSwitch. So do frames from or to
 *                further MACs of a guest, as only the bridge knows where such a MAC is.
 *             2. Only frames that the far end's guard and gate would allow too.
 *             3. Both gates are evaluated in one policy epoch.
 *             4. Only while the agent follows changes of ports (config.cut_until_ns). If the kernel
 *                can tell, only between ports that share a bridge: the far program compares
 *                (tw_arrival() in forward.h).
 * Bounds:     one lookup in `locals` if neither the record nor opened_to names the port; one
 *             classification.
 */
#pragma once

#include "fastpath/path/classify.h"
#include "fastpath/path/guard.h"
#include "fastpath/path/conntrack/track.h"

/* True if cut-through may go from this port to the one with this entry. */
tw_inline int tw_cut_fits(const struct tw_ctx *s, const struct tw_port *far)
{
	return far && far->image && far->flags & TW_PORT_F_CUT && !(far->flags & TW_PORT_SPECIAL) &&
	       far->network == s->port->network && far->pvid == s->port->pvid;
}

/* Returns the length of the longest frame that the far port gets: of the frame itself, or of one
 * segment of a super-frame. */
tw_inline __u32 tw_cut_len(const struct tw_frame *f, const struct tw_packet *p)
{
	__u32 header = p->tuple.proto == TW_IPPROTO_TCP ? p->tcp_header_len : sizeof(struct tw_udp);

	return f->gso_size ? p->l4_off + header + f->gso_size : f->len;
}

/* Returns port number `id` if the destination MAC is behind it: the entry's own MAC and flags vouch
 * for it. NULL: it is not. */
tw_inline const struct tw_port *tw_cut_vouched(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow, __u32 id)
{
	const struct tw_port *far = tw_port_numbered(f, id, s->epoch);

	if (!tw_cut_fits(s, far) || !tw_mac_equal(far->mac, p->dst_mac) ||
		tw_cut_len(f, p) > far->len_max || far->ifindex == f->ifindex)
		return 0;
	flow->far_ifindex = far->ifindex;
	return far;
}

/* Returns the port of the destination MAC according to the connection. */
tw_inline const struct tw_port *tw_cut_known(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	return s->conn ? tw_cut_vouched(
				 f, s, p, flow, tw_ports_at(s->conn->ports, !(flow->end & 1)))
		       : 0;
}

/* Returns the port of the destination MAC according to the agent. */
tw_inline const struct tw_port *tw_cut_port(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_local_key key = {.network = s->port->network, .vlan = s->port->pvid};
	const struct tw_local *local;
	const struct tw_port *far;

	__builtin_memcpy(key.mac, p->dst_mac, sizeof(key.mac));
	local = tw_locals_lookup(f, &key);
	if (!local || local->ifindex == f->ifindex || tw_cut_len(f, p) > local->len_max)
		return 0;
	flow->far_ifindex = local->ifindex;
	far = tw_port_at(f, local->ifindex, s->epoch);
	return tw_cut_fits(s, far) ? far : 0;
}

/* Like tw_cut_port(), but first tries a port to which the near port recently opened a connection.
 * Such ports are usually few, and a lookup in `locals` is a tenth of the cost of opening. */
tw_inline const struct tw_port *tw_cut_again(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, struct tw_flow *flow, struct tw_limiter *limiter)
{
	__u16 *last = &limiter->opened_to[(p->dst_mac[4] ^ p->dst_mac[5]) & (TW_OPENED_TO - 1)];
	const struct tw_port *far = tw_cut_vouched(f, s, p, flow, *last);

	if (far)
		return far;
	far = tw_cut_port(f, s, p, flow);
	if (far)
		*last = far->id;
	return far;
}

/* Evaluates the far end's gate. True if it is open. */
tw_inline int tw_cut_gate(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_port *far, struct tw_flow *flow)
{
	struct tw_conn *c = s->conn;
	__u32 end = !(flow->end & 1), decision;
	__u64 gate = c ? c->gate[end] : 0;

	decision = tw_gate_decision(gate);
	if (!decision || tw_gate_epoch(gate) != s->epoch || tw_ports_at(c->ports, end) != far->id) {
		if (!decision && tw_track_stray(far, flow, tw_tick(f->now_ns)))
			return 0;
		flow->far_opened = !decision;
		tw_flow_tuple(flow);
		decision = tw_call_classify(f, far->image, end ? TW_DIR_IN : TW_DIR_OUT,
			tw_home_of(far, end ? &flow->first.dst : &flow->first.src, s->epoch));
		if (tw_decision_verdict(decision) != TW_V_ALLOW)
			return 0;
		decision = tw_decision_carry(decision, flow->decision);
		flow->far_spared = tw_decision_spares(decision, tw_gate_decision(gate));
		if (c) {
			tw_conn_set_port(f, c, end ? TW_DIR_IN : TW_DIR_OUT, far->id);
			c->gate[end] = tw_gate(s->epoch, decision);
		}
	}
	flow->far_decision = decision;
	return tw_decision_verdict(decision) == TW_V_ALLOW;
}

/* Returns the interface of the uplink to which the port's bridge would send the frame; 0: none. The
 * bridge knows where the MAC is; the agent lists the uplinks to which cut-through may go. */
tw_inline __u32 tw_cut_uplink(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, __u64 bridge_port)
{
	__u32 ifindex, *network;

	if (!tw_bridge_port_plain(bridge_port))
		return 0;
	ifindex = tw_bridge_way(f, bridge_port, p->dst_mac, tw_cut_len(f, p));
	network = ifindex ? tw_uplinks_lookup(f, &ifindex) : 0;
	return network && *network == s->port->network ? ifindex : 0;
}

/* Returns the interface of the port to which a frame at an uplink may go past the bridge, to be
 * judged there. 0: the frame is left to the bridge, which may have to do more than forward it.
 * *ret_bridge_port: the uplink's bridge port id. */
tw_inline __u32 tw_cut_inbound(
	const struct tw_frame *f, const struct tw_config *config, __u64 *ret_bridge_port)
{
	const struct tw_ethernet *eth = tw_at(f, 0, sizeof(*eth));
	__u32 ifindex = f->ifindex, *network;
	struct tw_local_key key = {0};
	const struct tw_local *local;
	const struct tw_port *port;

	if (!eth || f->now_ns >= config->cut_until_ns || eth->dst[0] & 1 || f->has_vlan ||
		(eth->type != tw_be16(TW_ETH_IPV4) && eth->type != tw_be16(TW_ETH_IPV6)))
		return 0;
	network = tw_uplinks_lookup(f, &ifindex);
	if (!network)
		return 0;
	key.network = (__u16)*network;
	__builtin_memcpy(key.mac, eth->dst, sizeof(key.mac));
	local = tw_locals_lookup(f, &key);
	if (!local)
		return 0;
	port = tw_port_at(f, local->ifindex, config->epoch);
	if (!port || !(port->flags & TW_PORT_F_CUT) || port->network != key.network)
		return 0;
	*ret_bridge_port = tw_frame_bridge_port(f);
	if (!tw_bridge_port_plain(*ret_bridge_port) ||
		!tw_bridge_knows(f, *ret_bridge_port, eth->src))
		return 0;
	ifindex = tw_bridge_way(f, *ret_bridge_port, eth->dst, f->gso_size ? 0 : f->len);
	return ifindex == local->ifindex ? ifindex : 0;
}

tw_inline void tw_cut(
	const struct tw_frame *f, struct tw_ctx *s, const struct tw_packet *p, struct tw_flow *flow)
{
	struct tw_ctx there = {.config = s->config, .epoch = s->epoch, .dir = TW_DIR_IN};

	if (s->dir != TW_DIR_OUT || f->now_ns >= s->config->cut_until_ns ||
		!(s->port->flags & TW_PORT_F_CUT) || tw_ctx_alone(s, p) ||
		(s->port->pvid && p->vlan) || !tw_mac_equal(p->src_mac, s->port->mac))
		return;
	there.port = tw_cut_known(f, s, p, flow);
	if (!there.port)
		there.port = tw_cut_port(f, s, p, flow);
	flow->bridge_port = tw_frame_bridge_port(f);
	if (!flow->bridge_port)
		return;
	if (!there.port) {
		flow->uplink_ifindex = tw_cut_uplink(f, s, p, flow->bridge_port);
		return;
	}
	if (p->vlan && !tw_guard_granted(f, &there, TW_GRANT_TAGS))
		return;
	if (!tw_own_destination(f, there.port, there.epoch, &p->tuple.dst))
		return;
	if (!tw_cut_gate(f, s, there.port, flow))
		return;
	s->far = there.port;
	flow->far_id = there.port->id;
}
