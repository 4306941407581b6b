/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* guard.h: enforces a port's identity, and passes housekeeping, which no rule judges.
 *
 * Why:        policies name addresses. A guest that could use another guest's address would get its
 *             rights.
 * Out:        TW_R_NONE: go on to track. A reason that admits (TW_R_NEIGHBOUR, TW_R_DHCP_CLIENT):
 *             passes now. Any other: denied.
 * Invariants: 1. Every source MAC, IP, ARP sender, and ND source or target from a guest belongs to
 *                its workload, or to its port by a claim (except for DAD and DHCP's 0.0.0.0).
 *             2. No guest acts as a DHCP or DHCPv6 server, or sends router advertisements, redirects
 *                or multicast queries, unless the policy grants it that (TW_MAY_*). Even then it can give others
 *                only addresses that its own port may use.
 *             3. Housekeeping is well-formed to the last byte (neighbour.h, igmp.h, dhcp.h).
 *             4. Tags, further MACs and other protocols pass only as granted (grant.h).
 * Bounds:     one lookup in `grants`, only for ports with rights; one in `addrs`, only for ports with
 *             more than TW_PORT_ADDRS addresses; housekeeping and claims run in subprograms.
 * Source:     RFC 826, 5227 (ARP probes), 4861 and 4862 (ND), 6980 (no ND in fragments), 2131, 8415
 *             (DHCP), 3810 (MLD).
 */
#pragma once

#include "fastpath/path/beyond.h"
#include "fastpath/path/grant.h"
#include "fastpath/path/igmp.h"

/* True for a datagram to a DHCP port of either family. */
tw_inline int tw_guard_is_dhcp(const struct tw_packet *p)
{
	__u32 port = tw_host16(p->tuple.dport);

	return p->tuple.proto == TW_IPPROTO_UDP && p->fragment != TW_FRAG_LATER &&
	       (port - 67 < 2 || port - 546 < 2);
}

/* True for ARP, and for ICMPv6 of neighbour discovery or MLD. */
tw_inline int tw_guard_is_neighbour(const struct tw_packet *p)
{
	__u32 type = p->icmp >> 8;

	if (p->ethertype == TW_ETH_ARP)
		return 1;
	return p->tuple.proto == TW_IPPROTO_ICMPV6 && p->fragment != TW_FRAG_LATER &&
	       type >= TW_MLD_QUERY && type <= TW_MLD2_REPORT;
}

/* Judges a datagram to a DHCP port. Only a guest with TW_MAY_DHCP_SERVER answers as a server, and
 * receives messages of clients on its link without a rule. Answers from other ports are not DHCP. */
tw_inline enum tw_reason tw_guard_dhcp(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	int v4 = tw_addr_is_v4(&p->tuple.dst);
	__be16 client = v4 ? tw_be16(68) : tw_be16(546), server = v4 ? tw_be16(67) : tw_be16(547);
	enum tw_dir dir = (enum tw_dir)s->dir;

	if (p->tuple.dport == client && dir == TW_DIR_OUT) {
		if (p->tuple.sport != server || p->fragment ||
			!tw_grant_may(f, s->port, s->epoch, TW_MAY_DHCP_SERVER))
			return TW_R_DHCP_SERVER;
	} else if (p->tuple.dport == server && dir == TW_DIR_IN) {
		if (p->fragment || !tw_grant_may(f, s->port, s->epoch, TW_MAY_DHCP_SERVER))
			return TW_R_NONE;
	} else if (dir == TW_DIR_IN && (p->tuple.sport != server || p->fragment)) {
		return TW_R_NONE;
	}
	/* No lease is learned from a message that its receiver drops. */
	if (tw_call_checksum(f))
		return TW_R_BAD_CHECKSUM;
	return v4 ? tw_call_dhcp(f, dir, s->epoch) : tw_call_dhcp6(f, dir, s->epoch);
}

/* Judges ARP, ND and MLD. TW_R_NONE: not housekeeping. Runs in a subprogram. */
tw_inline enum tw_reason tw_guard_neighbour(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	__u32 type = TW_MEMORY(p->icmp) >> 8;

	if (p->ethertype == TW_ETH_ARP)
		return tw_arp(f, s);
	if (s->dir == TW_DIR_OUT) {
		if ((type == TW_ND_RA || type == TW_ND_REDIRECT) &&
			!tw_grant_may(f, s->port, s->epoch, TW_MAY_ROUTER))
			return type == TW_ND_RA ? TW_R_ROUTER_ADVERT : TW_R_REDIRECT;
	}
	if (type >= TW_ND_RS && type <= TW_ND_REDIRECT)
		return tw_nd(f, s, type);
	if (type <= TW_MLD_DONE || type == TW_MLD2_REPORT)
		return tw_mld(f, s, type);
	return TW_R_NONE;
}

/* Judges housekeeping. TW_R_NONE: it is not housekeeping. */
tw_inline enum tw_reason tw_guard_house(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	if (tw_guard_is_neighbour(p)) {
		enum tw_reason reason = tw_call_neighbour(f, (enum tw_dir)s->dir, s->epoch);

		if (reason == TW_R_NEIGHBOUR && s->dir == TW_DIR_OUT &&
			s->port->flags & TW_PORT_F_GRANTS)
			tw_call_holder(f, s->epoch);
		return reason;
	}
	if (tw_igmp_is(p))
		return tw_call_igmp(f, (enum tw_dir)s->dir, s->epoch);
	if (tw_guard_is_dhcp(p))
		return tw_guard_dhcp(f, s, p);
	return TW_R_NONE;
}

/* True if the policy grants `what` to the port, for the packet. */
tw_inline int tw_guard_granted(const struct tw_frame *f, const struct tw_ctx *s, enum tw_grant what)
{
	return s->port->flags & TW_PORT_F_GRANTS && tw_call_granted(f, s->port->id, s->epoch, what);
}

/* Checks that a frame has a MAC of the guest: as its source if the guest sends it, else as its
 * destination, unless that is a group. A frame for another guest arrives if the vSwitch floods it,
 * because it does not know the MAC. */
tw_inline enum tw_reason tw_guard_mac(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	int out = s->dir == TW_DIR_OUT;
	const __u8 *mac = out ? p->src_mac : p->dst_mac;

	if (mac[0] & 1)
		return out ? TW_R_SPOOFED_MAC : TW_R_NONE;
	if (!tw_port_has_mac(s->port) || tw_mac_equal(mac, s->port->mac) ||
		tw_guard_granted(f, s, out ? TW_GRANT_SOURCE : TW_GRANT_DESTINATION))
		return TW_R_NONE;
	return out ? TW_R_SPOOFED_MAC : TW_R_NOT_FOR_PORT;
}

/* True if the frame has a tag that the guest may not send or receive. A priority tag, with VLAN id
 * 0, is no VLAN. */
tw_inline int tw_guard_tagged(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	return p->vlan && !tw_guard_granted(f, s, TW_GRANT_TAGS);
}

/* Checks a frame that the guest sends. */
tw_inline enum tw_reason tw_guard_out(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	const struct tw_addr *src = &p->tuple.src;
	enum tw_reason reason = tw_guard_house(f, s, p);

	if (reason)
		return reason;
	if (p->tuple.proto == TW_IPPROTO_ICMP && p->fragment != TW_FRAG_LATER &&
		p->icmp >> 8 == 5 && !tw_grant_may(f, s->port, s->epoch, TW_MAY_ROUTER))
		return TW_R_REDIRECT;
	if (tw_addr_is_unspecified(src) || !tw_own_source(f, s->port, s->epoch, src))
		return tw_own_foreign(p, TW_R_SPOOFED_ADDRESS);
	return TW_R_NONE;
}

/* Checks a frame on its way to the guest. */
tw_inline enum tw_reason tw_guard_in(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	int unicast = !(p->dst_mac[0] & 1);
	enum tw_reason reason = s->marked ? TW_R_NONE : tw_call_beyond(f, s->epoch);

	if (reason)
		return reason;
	reason = tw_guard_house(f, s, p);
	if (reason)
		return reason;
	if (unicast && !p->multicast && !tw_own_destination(f, s->port, s->epoch, &p->tuple.dst))
		return tw_own_foreign(p, TW_R_NOT_FOR_PORT);
	return TW_R_NONE;
}

/* Judges a frame that is neither IP nor ARP. The guest must not request a checksum in such a frame:
 * the kernel would write that checksum wherever in the frame the guest asks. */
tw_inline enum tw_reason tw_guard_other(
	const struct tw_frame *f, const struct tw_ctx *s, const struct tw_packet *p)
{
	enum tw_reason reason;
	int granted = 0;

	if (s->port->flags & TW_PORT_F_GRANTS)
		granted = tw_call_granted(f, s->port->id, s->epoch,
			s->dir == TW_DIR_OUT ? TW_GRANT_ETHERTYPE_OUT : TW_GRANT_ETHERTYPE_IN);
	if (granted != 1)
		return granted ? TW_R_RATE_LIMIT : TW_R_NOT_IP;
	tw_stage_enter(f, TW_STAGE_GUARD);
	reason = tw_guard_mac(f, s, p);
	if (reason)
		return reason;
	if (tw_guard_tagged(f, s, p))
		return TW_R_VLAN_TAG;
	if (s->dir == TW_DIR_OUT)
		return f->gso_size || tw_frame_summed(f) == TW_SUMMED_PARTIAL ? TW_R_BAD_OFFLOAD
									      : TW_R_GRANTED;
	reason = tw_call_beyond(f, s->epoch);
	return reason ? reason : TW_R_GRANTED;
}

/* The guard stage. At an observed port, a tag is refused last: a frame that passes only because of
 * the mode must pass all other checks. `tagged` is kept in memory, so that the verifier walks the
 * checks once. */
tw_inline enum tw_reason tw_guard(
	const struct tw_frame *f, const struct tw_ctx *s, struct tw_packet *p)
{
	enum tw_reason reason = tw_guard_mac(f, s, p);

	if (reason)
		return reason;
	TW_MEMORY(p->tagged) = (__u8)tw_guard_tagged(f, s, p);
	if (TW_MEMORY(p->tagged) && !(s->port->flags & TW_PORT_F_OBSERVED))
		return TW_R_VLAN_TAG;
	reason = s->dir == TW_DIR_OUT ? tw_guard_out(f, s, p) : tw_guard_in(f, s, p);
	if (reason && reason != TW_R_NEIGHBOUR && reason != TW_R_DHCP_CLIENT &&
		reason != TW_R_GRANTED)
		return reason;
	return TW_MEMORY(p->tagged) ? TW_R_VLAN_TAG : reason;
}
