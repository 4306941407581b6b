/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* neighbour.h: ARP, neighbour discovery and MLD: housekeeping, which no rule judges.
 *
 * Why:        messages that pass without a rule must carry no other data, and must not speak for
 *             another guest. So they are well-formed to the last byte, and go where their standard
 *             sends them.
 * Out:        TW_R_NEIGHBOUR: passes. TW_R_NONE: another kind of message. Any other: denied.
 * Invariants: 1. From a guest: sender, source and target are its own, link-layer options its MAC;
 *                the destination is the group that the RFC names, at the group's MAC, or a
 *                neighbour.
 *             2. Both ways: hop limit 255 (MLD: 1), no fragments, no extension headers but MLD's
 *                router alert, known options of known length, each once, nothing after the message.
 *                MLD: a correct checksum.
 *                Router advertisements and redirects have many options; only their lengths are
 *                checked.
 *             3. A guest sends MLD queries only with `may: router`.
 *             4. A guest's padding is zeros (RFC 894). Arriving ARP may have any padding, as old
 *                devices pad with stale memory.
 * Bounds:     TW_ND_OPTIONS_MAX options, TW_MLD_RECORDS_MAX records, a load each; runs in a
 *             subprogram.
 * Source:     RFC 826, 903, 5227 (ARP); 4861, 4862, 6980, 7527 (ND); 2710, 3590, 3810 (MLD).
 */
#pragma once

#include "fastpath/path/dhcp/dhcp6.h"
#include "fastpath/path/grant.h"
#include "fastpath/path/slaac.h"
#include "fastpath/path/transport.h"

#define TW_ND_OPTIONS_MAX  32
#define TW_MLD_RECORDS_MAX 128
#define TW_PAYLOAD_MIN	   46 /* the shortest Ethernet payload: shorter packets are padded */
#define TW_PADDING_MAX	   18 /* no packet is shorter than 28 bytes */

#define TW_ND_REDIRECTED 24 /* offset of a redirect's destination (RFC 4861 §4.5) */

#define TW_ND_O_SOURCE 1
#define TW_ND_O_TARGET 2
#define TW_ND_O_NONCE  14 /* RFC 3971, 7527 */
#define TW_ND_O_ROUTE  24 /* RFC 4191 §2.3 */

/* Checks the padding of a packet that ends at `end`. */
tw_inline enum tw_reason tw_house_padding(
	const struct tw_frame *f, const struct tw_packet *p, __u32 end, int from_guest)
{
	__u32 i, len = f->len - end;
	const __u8 *byte;

	if (len && f->len - p->l3_off > TW_PAYLOAD_MIN)
		return TW_R_BAD_LENGTH;
	for (i = 0; from_guest && i < TW_PADDING_MAX; i++) {
		if (i >= len)
			break;
		byte = tw_at(f, end + i, 1);
		if (!byte)
			return TW_R_TRUNCATED;
		if (*byte)
			return TW_R_BAD_HEADER;
	}
	return TW_R_NONE;
}

/* ---- ARP ---- */

/* Judges a RARP announcement of a MAC, as QEMU and Cloud Hypervisor send it for a guest that has
 * arrived: broadcast, about the sender's own MAC, without any address. */
tw_inline enum tw_reason tw_rarp(const struct tw_packet *p, const struct tw_arp *arp)
{
	__be32 sender, target;

	__builtin_memcpy(&sender, arp->sender, sizeof(sender));
	__builtin_memcpy(&target, arp->target, sizeof(target));
	if (!tw_mac_equal(arp->sender_mac, p->src_mac) ||
		!tw_mac_equal(arp->target_mac, p->src_mac))
		return TW_R_SPOOFED_ARP;
	return sender || target || !tw_mac_is_broadcast(p->dst_mac) ? TW_R_BAD_HEADER
								    : TW_R_NEIGHBOUR;
}

/* Judges ARP from a guest: the sender is the guest, or 0 in a probe for its own address (RFC
 * 5227). */
tw_inline enum tw_reason tw_arp_sent(
	const struct tw_frame *f, const struct tw_house *s, const struct tw_arp *arp)
{
	const struct tw_packet *p = &s->scratch->packet;
	struct tw_addr addr;
	__be32 sender, target;

	/* The guard has checked that the frame's source MAC is one of the guest's. */
	if (tw_port_has_mac(s->port) && !tw_mac_equal(arp->sender_mac, p->src_mac))
		return TW_R_SPOOFED_ARP;
	if (p->dst_mac[0] & 1 && !tw_mac_is_broadcast(p->dst_mac))
		return TW_R_BAD_HEADER;
	__builtin_memcpy(&sender, arp->sender, sizeof(sender));
	__builtin_memcpy(&target, arp->target, sizeof(target));
	if (!sender && arp->operation == tw_be16(1)) {
		tw_addr_map(&addr, target);
		return tw_own_held(f, s->port, s->epoch, &addr) ? TW_R_NEIGHBOUR : TW_R_SPOOFED_ARP;
	}
	tw_addr_map(&addr, sender);
	return tw_own_source(f, s->port, s->epoch, &addr) ? TW_R_NEIGHBOUR
							  : tw_own_foreign(p, TW_R_SPOOFED_ARP);
}

tw_inline enum tw_reason tw_arp(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_arp *arp = tw_at(f, p->l3_off, sizeof(*arp));
	enum tw_reason reason;

	if (!arp)
		return TW_R_TRUNCATED;
	reason = tw_house_padding(f, p, p->l3_off + (__u32)sizeof(*arp), s->dir == TW_DIR_OUT);
	if (reason)
		return reason;
	if (arp->operation == tw_be16(TW_ARP_REVERSE))
		return tw_rarp(p, arp);
	return s->dir == TW_DIR_OUT ? tw_arp_sent(f, s, arp) : TW_R_NEIGHBOUR;
}

/* ---- ND ---- */

/* True if the address is ff02:: with this last word. */
tw_inline int tw_addr_is_group(const struct tw_addr *addr, __u32 word)
{
	return addr->w[0] == tw_be32(0xff020000) && !addr->w[1] && !addr->w[2] &&
	       addr->w[3] == tw_be32(word);
}

/* True if `group` is the solicited-node group of an address (RFC 4291 §2.7.1). */
tw_inline int tw_addr_is_solicited(const struct tw_addr *group, const struct tw_addr *addr)
{
	return group->w[0] == tw_be32(0xff020000) && !group->w[1] && group->w[2] == tw_be32(1) &&
	       group->w[3] == (addr->w[3] | tw_be32(0xff000000));
}

/* True if an address shares its first 64 bits with one of the guest's leases, or with a prefix in
 * which the guest forms addresses. */
tw_inline int tw_neighbour_leased(
	const struct tw_frame *f, const struct tw_port *port, const struct tw_addr *addr)
{
	struct tw_leases *leases = port->flags & TW_PORT_LEARNS ? tw_leases_of(f, port)
								: (struct tw_leases *)0;
	__u32 i;

	for (i = 0; leases && i < TW_LEASES_MAX; i++)
		if (TW_MEMORY(leases->at[1][i].until_ns) > f->now_ns &&
			leases->at[1][i].addr.d[0] == addr->d[0])
			return 1;
	for (i = 0; leases && i < TW_ANNOUNCED_MAX; i++)
		if (TW_MEMORY(leases->announced[i].until_ns) > f->now_ns &&
			leases->announced[i].prefix == addr->d[0])
			return 1;
	return 0;
}

/* True if a unicast address is link-local, or shares its first 64 bits with one of the port's inline
 * addresses. */
tw_inline int tw_neighbour_beside(const struct tw_port *port, const struct tw_addr *addr)
{
	__u32 i;

	if (tw_addr_is_link_local(addr))
		return 1;
	for (i = 0; i < TW_PORT_ADDRS; i++)
		if (i < port->n_addrs && port->addr[i].d[0] == addr->d[0] &&
			!tw_addr_is_v4(&port->addr[i]))
			return 1;
	return 0;
}

/* True if a unicast address counts as on-link: link-local, or sharing its first 64 bits with an
 * address of the guest. For other addresses a router would forward the message. */
tw_inline int tw_neighbour_near(
	const struct tw_frame *f, const struct tw_house *s, const struct tw_addr *addr)
{
	const struct tw_packet *p = &s->scratch->packet;

	if (s->port->flags & TW_PORT_F_TRANSIT || p->tuple.src.d[0] == addr->d[0])
		return 1;
	return tw_neighbour_beside(s->port, addr) || tw_own_given(f, s->port, s->epoch, addr) ||
	       tw_neighbour_leased(f, s->port, addr);
}

/* True if the message is complete, nothing follows it, and it is from a direct neighbour (RFC 4861
 * §6.1, §7.1). It has no fragment header (RFC 6980 §5) or other extension header. */
tw_inline int tw_nd_valid(const struct tw_frame *f, const struct tw_packet *p)
{
	return p->hop_limit == 255 && !p->fragment && !p->atomic && !(p->icmp & 0xff) &&
	       !f->gso_size && p->l4_off == p->l3_off + sizeof(struct tw_ipv6) &&
	       f->len == p->l3_off + p->l3_len;
}

/* Returns the options that a message may have, as bits; ~0: any. */
tw_inline __u32 tw_nd_allowed(__u32 type, int unspecified)
{
	switch (type) {
	case TW_ND_RS:
		return unspecified ? 0 : 1u << TW_ND_O_SOURCE;
	case TW_ND_NS:
		return (unspecified ? 0 : 1u << TW_ND_O_SOURCE) | 1u << TW_ND_O_NONCE;
	case TW_ND_NA:
		return 1u << TW_ND_O_TARGET;
	default:
		return ~0u;
	}
}

/* Reads one option of a router's message: notes a prefix (RFC 4861 §4.6.2) or a route (RFC 4191
 * §2.3), or checks a MAC. Returns 0; or -1, with the cause in d->reason, if the MAC is not allowed or
 * the option is malformed. */
tw_inline int tw_nd_router_option(
	const struct tw_frame *f, struct tw_dhcp *d, __u32 off, __u32 code, __u32 len, __u64 word)
{
	__u32 n = TW_MEMORY(d->n_addrs), bits = (__u32)(word >> 40) & 0xff;
	__u32 at = code == TW_ND_O_PREFIX ? 16 : 8;
	__u64 high = 0, low = 0;

	if ((code == TW_ND_O_TARGET && d->bars_target) ||
		(code == TW_ND_O_SOURCE && TW_MEMORY(d->link_mac) != ~0ull &&
			(len != 8 || (word & 0xffffffffffffull) != TW_MEMORY(d->link_mac)))) {
		TW_MEMORY(d->reason) = TW_R_SPOOFED_ND;
		return -1;
	}
	if (code != TW_ND_O_PREFIX && code != TW_ND_O_ROUTE)
		return 0;
	/* A route's prefix may be cut to 0 or 8 bytes. */
	if (code == TW_ND_O_PREFIX ? len != 32 || bits > 128 : len > 24 || bits > (len - 8) * 8)
		return -1;
	if ((len > 8 && tw_dhcp_word(f, d, off + at, &high)) ||
		(len > 16 && tw_dhcp_word(f, d, off + at + 8, &low)))
		return -1;
	if (n >= TW_LEASES_MAX) {
		d->n_beyond = 1;
		return 0;
	}
	TW_OPAQUE(n);
	d->addr[n & (TW_LEASES_MAX - 1)].d[0] = tw_host64(high);
	d->addr[n & (TW_LEASES_MAX - 1)].d[1] = tw_host64(low);
	d->valid[n & (TW_LEASES_MAX - 1)] = bits;
	d->n_addrs = (__u8)(n + 1);
	return 0;
}

/* Reads one option at d->off. */
static long tw_nd_option(__u32 i, void *context)
{
	const struct tw_dhcp_walk *walk = context;
	const struct tw_frame f = {.target = walk->target};
	struct tw_dhcp *d = walk->d;
	__u32 off = TW_MEMORY(d->off), allowed = TW_MEMORY(d->allowed), code, len;
	__u64 word;

	TW_MEMORY(d->reason) = TW_R_NEIGHBOUR;
	if (off == d->end)
		return 1;
	TW_MEMORY(d->reason) = TW_R_BAD_HEADER;
	if (tw_dhcp_word(&f, d, off, &word))
		return 1;
	code = (__u32)(word >> 56);
	len = ((__u32)(word >> 48) & 0xff) * 8;
	if (!len || off + len > d->end)
		return 1;
	TW_MEMORY(d->off) = off + len;
	if (allowed == ~0u && (d->listens ? tw_slaac_option(&f, d, off, code, len, word)
					  : tw_nd_router_option(&f, d, off, code, len, word)))
		return 1;
	if (allowed != ~0u) {
		if (code > 31 || !(allowed >> code & 1) || len != 8)
			return 1;
		TW_MEMORY(d->allowed) = allowed & ~(1u << code);
		TW_MEMORY(d->reason) = TW_R_SPOOFED_ND;
		if (TW_MEMORY(d->link_mac) != ~0ull && code != TW_ND_O_NONCE &&
			(word & 0xffffffffffffull) != TW_MEMORY(d->link_mac))
			return 1;
	}
	TW_MEMORY(d->reason) = TW_R_HEADER_BUDGET;
	return 0;
}

/* Reads the options from d->off. */
tw_inline enum tw_reason tw_nd_options(
	const struct tw_frame *f, const struct tw_house *s, __u32 allowed)
{
	int checks = s->dir == TW_DIR_OUT && tw_port_has_mac(s->port);
	struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_dhcp_walk walk = {f->target, d};

	d->listens = s->dir == TW_DIR_IN && s->port->flags & TW_PORT_F_SLAAC && allowed == ~0u;
	TW_MEMORY(d->link_mac) = checks ? tw_mac_word(s->scratch->packet.src_mac) : ~0ull;
	TW_MEMORY(d->allowed) = allowed;
	TW_MEMORY(d->reason) = TW_R_HEADER_BUDGET;
	tw_repeat(TW_ND_OPTIONS_MAX, tw_nd_option, &walk);
	return (enum tw_reason)TW_MEMORY(d->reason);
}

/* True if a guest's message of this type may go to its destination; `target` is that of NS and
 * NA. */
tw_inline int tw_nd_aimed(const struct tw_frame *f, const struct tw_house *s, __u32 type,
	__be32 rest, const struct tw_addr *target)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_addr *dst = &p->tuple.dst;

	if (!tw_mac_fits(p->dst_mac, dst))
		return 0;
	switch (type) {
	case TW_ND_RS:
		return !rest && (tw_addr_is_group(dst, 2) || tw_addr_is_link_local(dst));
	case TW_ND_NS:
		if (rest)
			return 0;
		if (tw_addr_is_solicited(dst, target))
			return 1;
		return !tw_addr_is_unspecified(&p->tuple.src) && tw_addr_equal(dst, target) &&
		       tw_neighbour_near(f, s, dst);
	default:
		if (rest & tw_be32(0x1fffffff))
			return 0;
		/* All routers: RFC 9131. */
		if (tw_addr_is_group(dst, 1) || tw_addr_is_group(dst, 2))
			return !(rest & tw_be32(0x40000000));
		return !tw_addr_is_multicast(dst) && tw_neighbour_near(f, s, dst);
	}
}

/* Judges the sender of a well-formed NS, NA or RS from a guest. The source must be the guest's own, as
 * must the target of NA and DAD. Runs after the format checks, as malformed DAD must not form an
 * address. */
tw_inline enum tw_reason tw_nd_sent(const struct tw_frame *f, const struct tw_house *s, __u32 type,
	const struct tw_addr *target)
{
	const struct tw_packet *p = &s->scratch->packet;
	int unspecified = tw_addr_is_unspecified(&p->tuple.src),
	    dad = type == TW_ND_NS && unspecified;
	enum tw_reason reason = TW_R_NONE;

	if (s->port->flags & TW_PORT_F_SLAAC)
		reason = tw_slaac_sent(f, s, type == TW_ND_NA || dad ? target : &p->tuple.src, dad);
	if (reason)
		return reason;
	if (unspecified ? type == TW_ND_NA : !tw_own_source(f, s->port, s->epoch, &p->tuple.src))
		return tw_own_foreign(p, TW_R_SPOOFED_ND);
	if (type == TW_ND_NA && !tw_own_source(f, s->port, s->epoch, target))
		return tw_own_foreign(p, TW_R_SPOOFED_ND);
	/* DAD is about an address that is not in use yet. */
	if (dad && !tw_own_held(f, s->port, s->epoch, target))
		return TW_R_SPOOFED_ND;
	return TW_R_NEIGHBOUR;
}

/* Judges a router advertisement or redirect of a guest that may send them. It must come from the
 * guest's own link-local address, and go to a neighbour; an advertisement may go to all nodes, too. A
 * redirect is about a destination that the guest's port may use. If the guest may not use every
 * address, its redirects name no target MAC: receivers would replace the one that they know for the
 * target (RFC 4861 §8.3). */
tw_inline enum tw_reason tw_nd_routed(
	const struct tw_frame *f, const struct tw_house *s, __u32 type)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_addr *dst = &p->tuple.dst;
	struct tw_addr *about = &s->scratch->target;
	const void *wire;

	if (!tw_addr_is_link_local(&p->tuple.src) ||
		!tw_own_source(f, s->port, s->epoch, &p->tuple.src))
		return TW_R_SPOOFED_ND;
	if (!tw_mac_fits(p->dst_mac, dst))
		return TW_R_BAD_HEADER;
	if (tw_addr_is_multicast(dst))
		return type == TW_ND_RA && tw_addr_is_group(dst, 1) ? TW_R_NONE : TW_R_BAD_HEADER;
	if (!tw_neighbour_beside(s->port, dst))
		return TW_R_BAD_HEADER;
	if (type == TW_ND_RA)
		return TW_R_NONE;
	wire = tw_at(f, p->l4_off + TW_ND_REDIRECTED, sizeof(*about));
	if (!wire)
		return TW_R_TRUNCATED;
	tw_addr_copy(about, wire);
	s->scratch->dhcp.bars_target = !(s->port->flags & TW_PORT_F_GUARD_ANY);
	return tw_own_given(f, s->port, s->epoch, about) ? TW_R_NONE : TW_R_FOREIGN_PREFIX;
}

/* True if the port may use every address of the prefixes and routes that its guest advertises as a
 * router. */
tw_inline int tw_nd_prefixes_own(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_dhcp *d = &s->scratch->dhcp;
	__u32 i;

	if (s->port->flags & TW_PORT_F_GUARD_ANY)
		return 1;
	for (i = 0; i < TW_LEASES_MAX; i++) {
		if (i >= d->n_addrs)
			continue;
		s->scratch->asked.prefixlen = 32 + (d->valid[i] & 0xff);
		s->scratch->asked.zone = tw_be32(tw_addr_zone(s->port->id, s->epoch));
		s->scratch->asked.addr = d->addr[i];
		if (!tw_addrs_lookup(f, &s->scratch->asked))
			return 0;
	}
	return !d->n_beyond;
}

/* Judges a message on its way to a guest. */
tw_inline enum tw_reason tw_nd_met(const struct tw_frame *f, const struct tw_house *s, __u32 type,
	const struct tw_addr *target)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_addr *dst = &p->tuple.dst;
	int router = type == TW_ND_RA || type == TW_ND_REDIRECT;

	if (router && !tw_addr_is_link_local(&p->tuple.src))
		return TW_R_BAD_HEADER;
	if (type == TW_ND_NS && !tw_addr_is_solicited(dst, target) && !tw_addr_equal(dst, target))
		return TW_R_BAD_HEADER;
	if (!tw_addr_is_multicast(dst) && !tw_own_destination(f, s->port, s->epoch, dst))
		return tw_own_foreign(p, TW_R_NOT_FOR_PORT);
	tw_claim_met(f, s->config, s->port, s->epoch, s->scratch, router);
	return TW_R_NONE;
}

/* True if only routers send messages of this type. */
tw_inline int tw_nd_is_router(__u32 type)
{
	return type == TW_ND_RA || type == TW_ND_REDIRECT;
}

/* Returns the number of bytes before the options. */
tw_inline __u32 tw_nd_fixed(__u32 type)
{
	switch (type) {
	case TW_ND_RS:
		return 8;
	case TW_ND_RA:
		return 16;
	case TW_ND_REDIRECT:
		return 40;
	default:
		return 24;
	}
}

tw_inline enum tw_reason tw_nd(const struct tw_frame *f, const struct tw_house *s, __u32 type)
{
	struct tw_packet *p = &s->scratch->packet;
	struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_addr *target = &s->scratch->target;
	enum tw_reason reason;
	const void *wire;
	__be32 rest;

	target->d[0] = target->d[1] = 0;
	d->bars_target = 0;
	if (!tw_nd_valid(f, p))
		return TW_R_BAD_HEADER;
	if (tw_l4_len(p) < tw_nd_fixed(type))
		return TW_R_BAD_LENGTH;
	wire = tw_at(f, p->l4_off, 8);
	if (!wire)
		return TW_R_TRUNCATED;
	rest = ((const __be32 *)wire)[1];
	if (type == TW_ND_NS || type == TW_ND_NA) {
		wire = tw_at(f, p->l4_off + 8, sizeof(*target));
		if (!wire)
			return TW_R_TRUNCATED;
		tw_addr_copy(target, wire);
		if (tw_addr_is_multicast(target))
			return TW_R_BAD_HEADER;
	}
	if (s->dir == TW_DIR_IN)
		reason = tw_nd_met(f, s, type, target);
	else if (tw_nd_is_router(type))
		reason = tw_nd_routed(f, s, type);
	else
		reason = tw_nd_aimed(f, s, type, rest, target) ? TW_R_NONE : TW_R_BAD_HEADER;
	if (reason)
		return reason;
	d->end = p->l3_off + p->l3_len;
	TW_MEMORY(d->off) = p->l4_off + tw_nd_fixed(type);
	d->n_addrs = d->n_beyond = 0;
	reason = tw_nd_options(f, s, tw_nd_allowed(type, tw_addr_is_unspecified(&p->tuple.src)));
	if (reason != TW_R_NEIGHBOUR)
		return reason;
	if (s->dir == TW_DIR_OUT && tw_nd_is_router(type))
		return tw_nd_prefixes_own(f, s) ? TW_R_GRANTED : TW_R_FOREIGN_PREFIX;
	if (s->dir == TW_DIR_OUT)
		return tw_nd_sent(f, s, type, target);
	if (s->port->flags & TW_PORT_F_SLAAC)
		tw_slaac_met(f, s, type, target);
	return TW_R_NEIGHBOUR;
}

/* ---- MLD ---- */

/* True if the hop limit is 1 and the only extension header is a padded router alert (RFC 2711). */
tw_inline int tw_mld_valid(const struct tw_frame *f, const struct tw_packet *p)
{
	const __u32 len = sizeof(struct tw_ipv6) + 8;
	const __u8 *h = tw_at(f, p->l3_off + (__u32)sizeof(struct tw_ipv6), 8);

	if (!h || p->hop_limit != 1 || p->fragment || p->atomic || p->icmp & 0xff || f->gso_size ||
		p->l4_off != p->l3_off + len || f->len != p->l3_off + p->l3_len)
		return 0;
	if (h[0] != TW_IPPROTO_ICMPV6 || h[1])
		return 0;
	if (h[2] == 1 && !h[3]) /* PadN of two bytes */
		return h[4] == 5 && h[5] == 2 && !h[6] && !h[7];
	return h[2] == 5 && h[3] == 2 && !h[4] && !h[5] && h[6] <= 1 && !h[7];
}

/* Judges an MLDv1 message, or an MLDv2 query, whose length follows from its number of sources. */
tw_inline enum tw_reason tw_mld_group(
	const struct tw_frame *f, const struct tw_house *s, __u32 type, const __u8 *h)
{
	const struct tw_packet *p = &s->scratch->packet;
	__u32 len = tw_l4_len(p);
	struct tw_addr group;

	tw_addr_copy(&group, h + 8);
	if (type == TW_MLD_QUERY) {
		const __be16 *sources = tw_at(f, p->l4_off + 24, 4);

		if (tw_addr_is_unspecified(&group) ? !tw_addr_is_group(&p->tuple.dst, 1)
						   : !tw_addr_equal(&p->tuple.dst, &group))
			return TW_R_BAD_HEADER;
		if (len == 24)
			return TW_R_NEIGHBOUR;
		if (len < 28)
			return TW_R_BAD_LENGTH;
		if (!sources)
			return TW_R_TRUNCATED;
		return len == 28u + 16u * tw_host16(sources[1]) ? TW_R_NEIGHBOUR : TW_R_BAD_LENGTH;
	}
	if (len != 24)
		return TW_R_BAD_LENGTH;
	if (h[4] | h[5] | h[6] | h[7] || !tw_addr_is_multicast(&group))
		return TW_R_BAD_HEADER;
	if (type == TW_MLD_DONE ? !tw_addr_is_group(&p->tuple.dst, 2)
				: !tw_addr_equal(&p->tuple.dst, &group))
		return TW_R_BAD_HEADER;
	return TW_R_NEIGHBOUR;
}

/* Reads one record of a report, of MLDv2 (RFC 3810 §5.2) or IGMPv3 (RFC 3376 §4.2): its type, no auxiliary
 * data, a group, sources. `header` and `source` are lengths in bytes. The four bytes from the group's first
 * on have `value` under `mask`. Ends the loop at a malformed record, or after the last one with d->walked
 * set. */
tw_inline long tw_member_record(const struct tw_dhcp_walk *walk, __u32 i, __u32 header,
	__u32 source, __u32 value, __u32 mask)
{
	const struct tw_frame f = {.target = walk->target};
	struct tw_dhcp *d = walk->d;
	__u32 off = TW_MEMORY(d->off), len;
	__u64 word;

	if (i == d->n_left) {
		d->walked = 1;
		return 1;
	}
	if (tw_dhcp_word(&f, d, off, &word))
		return 1;
	len = header + source * ((__u32)(word >> 32) & 0xffff);
	TW_MEMORY(d->off) = off + len;
	return !(word >> 56) || word >> 56 > 6 || word >> 48 & 0xff || (word & mask) != value ||
	       off + len > d->end;
}

/* Reads the `n` records of a report, from byte 8 of its message to the end of the packet. */
tw_inline enum tw_reason tw_member_records(const struct tw_frame *f, const struct tw_house *s,
	__u32 n, __u32 max, long (*record)(__u32 i, void *context))
{
	const struct tw_packet *p = &s->scratch->packet;
	struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_dhcp_walk walk = {f->target, d};

	TW_MEMORY(d->n_left) = n;
	d->end = p->l3_off + p->l3_len;
	TW_MEMORY(d->off) = p->l4_off + 8;
	TW_MEMORY(d->walked) = 0;
	tw_repeat(max + 1, record, &walk);
	if (!TW_MEMORY(d->walked))
		return TW_R_BAD_HEADER;
	return TW_MEMORY(d->off) == d->end ? TW_R_NEIGHBOUR : TW_R_BAD_LENGTH;
}

static long tw_mld_record(__u32 i, void *context)
{
	return tw_member_record(context, i, 20, 16, 0xff000000, 0xff000000);
}

tw_inline enum tw_reason tw_mld_report(
	const struct tw_frame *f, const struct tw_house *s, const __u8 *h)
{
	if (h[4] | h[5] || !tw_addr_is_group(&s->scratch->packet.tuple.dst, 0x16))
		return TW_R_BAD_HEADER;
	return tw_member_records(f, s, (__u32)h[6] << 8 | h[7], TW_MLD_RECORDS_MAX, tw_mld_record);
}

/* Judges an MLD message that the guest may send. */
tw_inline enum tw_reason tw_mld_message(
	const struct tw_frame *f, const struct tw_house *s, __u32 type)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_addr *src = &p->tuple.src;
	__u32 len = type == TW_MLD2_REPORT ? 8 : 24;
	const __u8 *h;

	if (!tw_mld_valid(f, p) || !(tw_addr_is_link_local(src) ||
					   (type != TW_MLD_QUERY && tw_addr_is_unspecified(src))))
		return TW_R_BAD_HEADER;
	if (tw_l4_len(p) < len)
		return TW_R_BAD_LENGTH;
	if (s->dir == TW_DIR_OUT) {
		if (!tw_addr_is_unspecified(src) && !tw_own_source(f, s->port, s->epoch, src))
			return TW_R_SPOOFED_ADDRESS;
		if (!tw_mac_fits(p->dst_mac, &p->tuple.dst))
			return TW_R_BAD_HEADER;
	}
	h = type == TW_MLD2_REPORT ? tw_at(f, p->l4_off, 8) : tw_at(f, p->l4_off, 24);
	if (!h)
		return TW_R_TRUNCATED;
	return type == TW_MLD2_REPORT ? tw_mld_report(f, s, h) : tw_mld_group(f, s, type, h);
}

/* Judges MLD. Without a guest's reports, a snooping bridge would cut it off from ND. Queries are
 * sent by routers: a guest that forges them takes the place of the link's querier. */
tw_inline enum tw_reason tw_mld(const struct tw_frame *f, const struct tw_house *s, __u32 type)
{
	int queries = s->dir == TW_DIR_OUT && type == TW_MLD_QUERY;
	enum tw_reason reason;

	if (queries && !tw_grant_may(f, s->port, s->epoch, TW_MAY_ROUTER))
		return TW_R_MULTICAST_QUERY;
	reason = tw_mld_message(f, s, type);
	if (reason != TW_R_NEIGHBOUR)
		return reason;
	if (tw_call_checksum(f))
		return TW_R_BAD_CHECKSUM;
	return queries ? TW_R_GRANTED : TW_R_NEIGHBOUR;
}
