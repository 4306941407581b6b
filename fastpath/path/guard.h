/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* guard.h: holds a port to its own identity, and lets housekeeping pass that meets no rule.
 *
 * Why:        policy speaks of addresses; that is worth something only if nobody can borrow one.
 * Out:        TW_R_NONE: go on to track. A reason that admits (TW_R_NEIGHBOUR, TW_R_DHCP_CLIENT):
 *             passes now. Any other: denied.
 * Invariants: 1. No frame leaves a guest with a source MAC, IP, ARP sender or ND source or target
 *                that is not its workload's (link-local, DAD and DHCP's 0.0.0.0 apart).
 *             2. No guest answers for DHCP, DHCPv6, routers or redirects.
 * Bounds:     one lookup in `addrs`, only for ports with more than TW_PORT_ADDRS addresses.
 * Source:     RFC 826, 5227 (ARP probes), 4861 and 4862 (ND), 6980 (no ND in fragments), 2131,
 *             8415 (DHCP), 3810 (MLD).
 */
#pragma once

#include "fastpath/path/lease.h"
#include "fastpath/path/transport.h"

#define TW_ND_OPTIONS_MAX 6

/* ICMPv6 types of RFC 4861, 2710 and 3810. */
#define TW_MLD_QUERY   130
#define TW_MLD_REPORT  131
#define TW_MLD_DONE    132
#define TW_ND_RS       133
#define TW_ND_RA       134
#define TW_ND_NS       135
#define TW_ND_NA       136
#define TW_ND_REDIRECT 137
#define TW_MLD2_REPORT 143

/* Whether the policy gives this address to the port. */
tw_inline int tw_guard_given(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_addr *addr)
{
	const struct tw_port *port = s->port;
	struct tw_addr_key key;
	__u32 i;

	if (port->flags & TW_PORT_F_GUARD_ANY)
		return 1;
	for (i = 0; i < TW_PORT_ADDRS; i++)
		if (i < port->n_addrs && tw_addr_equal(&port->addr[i], addr))
			return 1;
	if (!(port->flags & TW_PORT_F_MORE))
		return 0;
	key.prefixlen = 160;
	key.zone = tw_be32(tw_addr_zone(port->id, s->epoch));
	key.addr = *addr;
	return tw_addrs_lookup(f, &key) != 0;
}

/* Whether a workload's port may send from, and be reached at, this address. */
tw_inline int tw_guard_own(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_addr *addr)
{
	return tw_guard_given(f, s, addr) || tw_lease_of(f, s, addr) == TW_LEASE_KNOWN;
}

tw_inline int tw_guard_own_or_link_local(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_addr *addr)
{
	return tw_addr_is_link_local(addr) || tw_guard_own(f, s, addr);
}

/* What a guest may tell DHCP servers that it has: what they gave it too, from that moment on. */
tw_inline int tw_guard_holds(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_addr *addr)
{
	return tw_guard_own_or_link_local(f, s, addr) || tw_lease_of(f, s, addr);
}

/* The address that was asked for last is not the port's: whether it will be, once the policy knows. */
tw_inline enum tw_reason tw_guard_foreign(const struct tw_packet *p, enum tw_reason reason)
{
	return p->lease ? TW_R_LEASE_UNKNOWN : reason;
}

/* A port whose workload names no MAC has mac 0, and takes any. */
tw_inline int tw_guard_has_mac(const struct tw_port *port)
{
	return port->mac[0] | port->mac[1] | port->mac[2] | port->mac[3] | port->mac[4] |
	       port->mac[5];
}

tw_inline enum tw_reason tw_guard_arp(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p)
{
	const struct tw_arp *arp = tw_at(f, p->l3_off, sizeof(*arp));
	struct tw_addr sender;
	__be32 wire;

	if (!arp)
		return TW_R_TRUNCATED;
	if (tw_guard_has_mac(s->port) && !tw_mac_equal(arp->sender_mac, s->port->mac))
		return TW_R_SPOOFED_ARP;
	__builtin_memcpy(&wire, arp->sender, sizeof(wire));
	if (!wire && arp->operation == tw_be16(1))
		return TW_R_NEIGHBOUR; /* a probe: RFC 5227 */
	tw_addr_map(&sender, wire);
	return tw_guard_own(f, s, &sender) ? TW_R_NEIGHBOUR : tw_guard_foreign(p, TW_R_SPOOFED_ARP);
}

/* ND messages are whole, from a direct neighbour (RFC 4861 §6.1, §7.1), and have no fragment header,
 * not even an idle one (RFC 6980 §5). */
tw_inline int tw_nd_valid(const struct tw_packet *p)
{
	return p->hop_limit == 255 && !p->fragment && !p->atomic && !(p->icmp & 0xff);
}

/* Walks the options behind `off`: link-layer addresses must be the port's. */
tw_inline enum tw_reason tw_guard_nd_options(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p, __u32 off)
{
	__u32 end = p->l3_off + p->l3_len, i;
	const __u8 *option;

	for (i = 0; i < TW_ND_OPTIONS_MAX; i++) {
		if (off == end)
			return TW_R_NEIGHBOUR;
		option = tw_at(f, off, 8);
		if (!option)
			return tw_at_reason(f, off, 8);
		if (!option[1] || off + option[1] * 8u > end)
			return TW_R_BAD_HEADER;
		if ((option[0] == 1 || option[0] == 2) && tw_guard_has_mac(s->port) &&
			!tw_mac_equal(option + 2, s->port->mac))
			return TW_R_SPOOFED_ND;
		off += option[1] * 8u;
	}
	return TW_R_HEADER_BUDGET;
}

/* NS, NA and RS from a guest: its own source, and as target of NA and DAD its own too. */
tw_inline enum tw_reason tw_guard_nd(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p, __u32 type)
{
	int unspecified = tw_addr_is_unspecified(&p->tuple.src);
	__u32 off = p->l4_off + 8;
	struct tw_addr target;
	const void *wire;

	if (!tw_nd_valid(p))
		return TW_R_BAD_HEADER;
	if (unspecified ? type == TW_ND_NA : !tw_guard_own_or_link_local(f, s, &p->tuple.src))
		return tw_guard_foreign(p, TW_R_SPOOFED_ND);
	if (type == TW_ND_RS)
		return tw_guard_nd_options(f, s, p, off);
	wire = tw_at(f, off, sizeof(target));
	if (!wire || off + sizeof(target) > p->l3_off + p->l3_len)
		return TW_R_BAD_LENGTH;
	tw_addr_copy(&target, wire);
	if ((type == TW_ND_NA || unspecified) && !tw_guard_own_or_link_local(f, s, &target))
		return tw_guard_foreign(p, TW_R_SPOOFED_ND);
	return tw_guard_nd_options(f, s, p, off + sizeof(target));
}

/* ICMP that never meets a rule; TW_R_NONE when this is no such message. */
tw_inline enum tw_reason tw_guard_icmp_out(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p)
{
	__u32 type = p->icmp >> 8;

	if (p->tuple.proto == TW_IPPROTO_ICMP)
		return type == 5 ? TW_R_REDIRECT : TW_R_NONE;
	switch (type) {
	case TW_ND_RA:
		return TW_R_ROUTER_ADVERT;
	case TW_ND_REDIRECT:
		return TW_R_REDIRECT;
	case TW_ND_RS:
	case TW_ND_NS:
	case TW_ND_NA:
		return tw_guard_nd(f, s, p, type);
	case TW_MLD_REPORT:
	case TW_MLD_DONE:
	case TW_MLD2_REPORT:
		/* Without its reports a bridge that snoops would cut the guest off from ND. */
		return p->hop_limit == 1 && !p->fragment &&
				       (tw_addr_is_unspecified(&p->tuple.src) ||
					       tw_addr_is_link_local(&p->tuple.src))
			       ? TW_R_NEIGHBOUR
			       : TW_R_BAD_HEADER;
	default:
		return TW_R_NONE;
	}
}

/* DHCP and DHCPv6 by their well-known ports: what a client sends, what a server sends. */
tw_inline int tw_is_dhcp(const struct tw_packet *p, int from_server)
{
	const struct tw_tuple *t = &p->tuple;
	__be16 client, server;

	if (t->proto != TW_IPPROTO_UDP)
		return 0;
	client = tw_addr_is_v4(&t->dst) ? tw_be16(68) : tw_be16(546);
	server = tw_addr_is_v4(&t->dst) ? tw_be16(67) : tw_be16(547);
	if (from_server)
		return t->dport == client;
	return t->sport == client && t->dport == server && !p->fragment;
}

/* An answer of a server, as a client takes it. */
tw_inline int tw_is_dhcp_answer(const struct tw_packet *p)
{
	__be16 server = tw_addr_is_v4(&p->tuple.dst) ? tw_be16(67) : tw_be16(547);

	return tw_is_dhcp(p, 1) && p->tuple.sport == server && !p->fragment;
}

/* A frame that the guest sends. */
tw_inline enum tw_reason tw_guard_out(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p)
{
	const struct tw_addr *src = &p->tuple.src;
	enum tw_reason reason;

	if (p->src_mac[0] & 1 ||
		(tw_guard_has_mac(s->port) && !tw_mac_equal(p->src_mac, s->port->mac)))
		return TW_R_SPOOFED_MAC;
	if (p->ethertype == TW_ETH_ARP)
		return tw_guard_arp(f, s, p);
	if (p->fragment != TW_FRAG_LATER) {
		if (tw_is_dhcp(p, 1))
			return TW_R_DHCP_SERVER;
		if (tw_is_dhcp(p, 0) && (tw_addr_is_unspecified(src) || tw_guard_holds(f, s, src)))
			return TW_R_DHCP_CLIENT;
		if (p->tuple.proto == TW_IPPROTO_ICMP || p->tuple.proto == TW_IPPROTO_ICMPV6) {
			reason = tw_guard_icmp_out(f, s, p);
			if (reason)
				return reason;
		}
	}
	if (tw_addr_is_unspecified(src) || !tw_guard_own_or_link_local(f, s, src))
		return tw_guard_foreign(p, TW_R_SPOOFED_ADDRESS);
	return TW_R_NONE;
}

/* ND and MLD on their way to a guest. */
tw_inline enum tw_reason tw_guard_icmp_in(const struct tw_packet *p)
{
	__u32 type = p->icmp >> 8;

	if (p->tuple.proto != TW_IPPROTO_ICMPV6)
		return TW_R_NONE;
	if (type >= TW_ND_RS && type <= TW_ND_REDIRECT)
		return tw_nd_valid(p) ? TW_R_NEIGHBOUR : TW_R_BAD_HEADER;
	if ((type >= TW_MLD_QUERY && type <= TW_MLD_DONE) || type == TW_MLD2_REPORT)
		return p->hop_limit == 1 && !p->fragment ? TW_R_NEIGHBOUR : TW_R_BAD_HEADER;
	return TW_R_NONE;
}

/* A frame on its way to the guest. */
tw_inline enum tw_reason tw_guard_in(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p)
{
	int unicast = !(p->dst_mac[0] & 1);
	enum tw_reason reason;

	/* Flooded by the vSwitch for want of a better place: not this guest's business. */
	if (unicast && tw_guard_has_mac(s->port) && !tw_mac_equal(p->dst_mac, s->port->mac))
		return TW_R_NOT_FOR_PORT;
	if (p->ethertype == TW_ETH_ARP)
		return TW_R_NEIGHBOUR;
	if (p->fragment != TW_FRAG_LATER) {
		if (tw_is_dhcp_answer(p))
			return TW_R_DHCP_CLIENT;
		if (p->tuple.proto == TW_IPPROTO_ICMPV6) {
			reason = tw_guard_icmp_in(p);
			if (reason)
				return reason;
		}
	}
	if (unicast && !p->multicast && !tw_guard_own_or_link_local(f, s, &p->tuple.dst))
		return tw_guard_foreign(p, TW_R_NOT_FOR_PORT);
	return TW_R_NONE;
}

/* The guard stage. */
tw_inline enum tw_reason tw_guard(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_packet *p)
{
	return s->dir == TW_DIR_OUT ? tw_guard_out(f, s, p) : tw_guard_in(f, s, p);
}
