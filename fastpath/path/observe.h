/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* observe.h: lets frames pass at an observed port (`mode: observe`) that an enforced one would deny.
 *
 * Why:        an operator switches tapwall on beside running guests. Nothing that worked may stop
 *             before the operator has read what policy would deny.
 * How:        a rule or default that does not allow gives a decision with TW_DECISION_OBSERVED and
 *             the verdict allow (tw_path_decide() in path.h), which gates keep like any other. TCP
 *             is adopted mid-stream (track.h). What tracking refuses beyond that is spared here.
 * Invariants: 1. An observed port decides only for itself. An enforced port at the other end judges
 *                by its own rules: a spared frame has no token, or the token of a connection without
 *                a record.
 *             2. A frame is spared only if that affects none but the ends of its connection. Identities,
 *                malformed packets, rates and fragments are judged as at an enforced port.
 *             3. What passes only because of the mode has `spared` set, and is reported.
 * Bounds:     two lookups, for a frame that an enforced port would refuse; no loops.
 * Callers:    path.h, after all stages, in a subprogram.
 */
#pragma once

#include "fastpath/path/claim.h"
#include "fastpath/path/conntrack/track.h"

/* True if the MAC is a group that bridges do not forward: its frames are for the bridge itself (IEEE
 * 802.1Q §8.6.3). */
tw_inline int tw_observe_for_bridge(const __u8 mac[6])
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && !(mac[3] | mac[4]) &&
	       mac[5] < 16;
}

/* True if the frame is neither IP nor ARP, such as PPPoE, and is from the port's own MAC, or to it or to
 * a group. */
tw_inline int tw_observe_other_protocol(
	const struct tw_port *port, enum tw_dir dir, const struct tw_packet *p)
{
	int any = !tw_port_has_mac(port);

	if (p->ethertype == TW_ETH_IPV4 || p->ethertype == TW_ETH_IPV6 ||
		p->ethertype == TW_ETH_ARP || p->ethertype == TW_ETH_RARP)
		return 0;
	if (dir == TW_DIR_OUT)
		return !(p->src_mac[0] & 1) && !tw_observe_for_bridge(p->dst_mac) &&
		       (any || tw_mac_equal(p->src_mac, port->mac));
	return any || p->dst_mac[0] & 1 || tw_mac_equal(p->dst_mac, port->mac);
}

/* True if an observed port spares frames that tracking refuses for this reason. */
tw_inline int tw_observe_tracking(enum tw_reason reason)
{
	const __u64 spared = 1ull << TW_R_NO_CONNECTION | 1ull << TW_R_TCP_MIDSTREAM |
			     1ull << TW_R_TCP_STATE | 1ull << TW_R_ICMP_UNTRACKED |
			     1ull << TW_R_TABLE_FULL | 1ull << TW_R_QUOTA |
			     1ull << TW_R_TCP_WINDOW | 1ull << TW_R_ICMP_SEQUENCE |
			     1ull << TW_R_TABLE_BUSY;

	return reason < 64 && spared >> reason & 1;
}

/* Called for a segment that does not fit its connection, as this host may not see all of its segments.
 * Turns the connection into one that was adopted mid-stream. So only one segment must be spared, and
 * the connection goes on when the port is enforced. */
tw_inline void tw_observe_adopt(const struct tw_frame *f, struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	struct tw_flow *flow = &scratch->flow;
	struct tw_conn *c;

	if (p->tcp_flags & (TW_TCP_SYN | TW_TCP_RST | TW_TCP_FIN))
		return;
	c = tw_conn_at(f, tw_call_find(f));
	if (!c || c->progress.state >= TW_S_TIME_WAIT)
		return;
	flow->found = c->progress;
	flow->progress = flow->found;
	flow->progress.state = TW_S_ESTABLISHED;
	flow->progress.flags |= TW_CONN_F_ADOPTED | (flow->way ? TW_CONN_F_REPLIED : 0);
	tw_tcp_adopt(flow);
	tw_tcp_note_both(c, p, flow);
	c->seen = tw_tick(f->now_ns);
	tw_conn_advance(f, c, flow->found, flow->progress);
}

/* Body of tw_call_spare(): lets the frame in scratch pass, if it was refused for a reason that an
 * observed port spares. It then leaves for the vSwitch without a token, or, if the table or a quota
 * has no room for its connection, with one that says so: its other end keeps no record either. True
 * if it was spared. */
tw_inline int tw_observe_spare(const struct tw_frame *f, const struct tw_port *port,
	enum tw_dir dir, struct tw_scratch *scratch)
{
	enum tw_reason reason = (enum tw_reason)scratch->outcome.reason;
	struct tw_flow *flow = &scratch->flow;

	if (reason == TW_R_NOT_IP ? !tw_observe_other_protocol(port, dir, &scratch->packet)
				  : reason != TW_R_VLAN_TAG && !tw_observe_tracking(reason))
		return 0;
	if (reason == TW_R_TCP_STATE || reason == TW_R_TCP_WINDOW)
		tw_observe_adopt(f, scratch);
	flow->spared = (__u8)reason;
	flow->untracked = 1;
	flow->opened = flow->far_opened = flow->far_spared = 0;
	flow->far_id = 0;
	flow->uplink_ifindex = 0;
	scratch->outcome.reason = TW_R_OBSERVED;
	return 1;
}
