/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* claim.h: names that belong to one port of a network: link-local addresses, names of DHCP clients.
 *
 * Why:        no policy lists them, yet a guest that uses another guest's name takes its traffic
 *             (RFC 4861 §11) or its lease. The first port that uses a name keeps it.
 * How:        `claims` lists the names of each port; a frame with a known name reads nothing else.
 *             `owners` maps the keyed hash of a name to the port that claims it; only new names are
 *             looked up there. A way in it is valid only while its port lists the claim. So a port
 *             that disappears, or gets another MAC, frees its names without an agent.
 * Invariants: 1. If two names' tags collide, the second name is refused, never granted: a grant
 *                compares the name itself (for DHCP clients, 64 bits of its keyed hash).
 *             2. A link-local address made from a MAC (RFC 4291 App. A) belongs to the ports that
 *                have that MAC, claimed or not.
 *             3. An address that the policy reserves or gives to another port cannot be claimed. In
 *                a new policy epoch, each claim is checked again when it is next used.
 *             4. An address in use beyond the ports can be claimed only with the MAC that used it,
 *                as when a guest moves here from another host. The source of a router
 *                advertisement takes its address back from a guest that claimed it before.
 * Bounds:     TW_CLAIMS_MAX slots, TW_OWNER_WAYS ways, four lookups for each way; runs in a
 *             subprogram.
 * Source:     RFC 4862 §5.4 (DAD), RFC 4291 App. A (EUI-64); hash: J.-P. Aumasson, D. Bernstein,
 *             SipHash (2012), with one round for each word and three at the end.
 */
#pragma once

#include "fastpath/path/packet.h"

/* True if the port's workload names a MAC. Otherwise mac is 0, and any MAC is accepted. */
tw_inline int tw_port_has_mac(const struct tw_port *port)
{
	return port->mac[0] | port->mac[1] | port->mac[2] | port->mac[3] | port->mac[4] |
	       port->mac[5];
}

tw_inline __u64 tw_mac_word(const __u8 *mac)
{
	return (__u64)mac[0] << 40 | (__u64)mac[1] << 32 | (__u64)mac[2] << 24 |
	       (__u64)mac[3] << 16 | (__u64)mac[4] << 8 | mac[5];
}

/* ---- SipHash ---- */

tw_inline __u64 tw_turn(__u64 word, __u32 bits)
{
	return word << bits | word >> (64 - bits);
}

tw_inline void tw_sip_round(struct tw_sip *s)
{
	s->v[0] += s->v[1];
	s->v[1] = tw_turn(s->v[1], 13) ^ s->v[0];
	s->v[0] = tw_turn(s->v[0], 32);
	s->v[2] += s->v[3];
	s->v[3] = tw_turn(s->v[3], 16) ^ s->v[2];
	s->v[0] += s->v[3];
	s->v[3] = tw_turn(s->v[3], 21) ^ s->v[0];
	s->v[2] += s->v[1];
	s->v[1] = tw_turn(s->v[1], 17) ^ s->v[2];
	s->v[2] = tw_turn(s->v[2], 32);
}

tw_inline void tw_sip_begin(struct tw_sip *s, const struct tw_config *config)
{
	s->v[0] = config->hash_key[0] ^ 0x736f6d6570736575ull;
	s->v[1] = config->hash_key[1] ^ 0x646f72616e646f6dull;
	s->v[2] = config->hash_key[0] ^ 0x6c7967656e657261ull;
	s->v[3] = config->hash_key[1] ^ 0x7465646279746573ull;
}

tw_inline void tw_sip_add(struct tw_sip *s, __u64 word)
{
	s->v[3] ^= word;
	tw_sip_round(s);
	s->v[0] ^= word;
}

tw_inline __u64 tw_sip_end(struct tw_sip *s)
{
	s->v[2] ^= 0xff;
	tw_sip_round(s);
	tw_sip_round(s);
	tw_sip_round(s);
	return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

/* ---- names ---- */

/* Returns the network and VLANs that a packet travels on. */
tw_inline __u64 tw_claim_where(const struct tw_port *port, const struct tw_packet *p)
{
	__u32 vlan = p->vlan ? p->vlan : port->pvid;

	return (__u64)port->network << 32 | (__u64)vlan << 16 | p->inner_vlan;
}

/* Returns the tag of the name in scratch->about. */
tw_inline __u64 tw_claim_tag(
	const struct tw_config *config, enum tw_claim_kind kind, struct tw_scratch *scratch)
{
	struct tw_sip *sip = &scratch->sip;
	__u64 tag;

	tw_sip_begin(sip, config);
	tw_sip_add(sip, scratch->about.d[0]);
	tw_sip_add(sip, scratch->about.d[1]);
	tw_sip_add(sip, scratch->where | (__u64)kind << 48);
	tag = tw_sip_end(sip) & ~0xffffull;
	return tag ? tag : 0x10000;
}

/* True for a link-local address that contains a MAC. */
tw_inline int tw_addr_is_eui64(const struct tw_addr *addr)
{
	return addr->w[0] == tw_be32(0xfe800000) && !addr->w[1] && addr->b[11] == 0xff &&
	       addr->b[12] == 0xfe;
}

tw_inline int tw_addr_is_of_mac(const struct tw_addr *addr, const __u8 *mac)
{
	return addr->b[8] == (mac[0] ^ 2) && addr->b[9] == mac[1] && addr->b[10] == mac[2] &&
	       addr->b[13] == mac[3] && addr->b[14] == mac[4] && addr->b[15] == mac[5];
}

/* ---- addresses in use beyond the ports ---- */

tw_inline __u32 tw_stranger_now(const struct tw_frame *f)
{
	return tw_tick(f->now_ns) >> TW_STRANGER_SHIFT & 0xffff;
}

/* True if the address was recently seen beyond the ports, with another MAC. */
tw_inline int tw_stranger_holds(const struct tw_frame *f, __u64 tag, const __u8 *mac)
{
	__u32 n = tag >> 16 & (TW_STRANGER_SETS - 1), i;
	struct tw_strangers *set = tw_strangers_lookup(f, &n);
	int holds = 0;

	if (!set)
		return 0;
	for (i = 0; i < TW_STRANGER_WAYS; i++) {
		__u64 word = TW_MEMORY(set->tag[i]);

		if ((word & ~0xffffull) == tag && set->mac[i] != tw_mac_word(mac) &&
			((tw_stranger_now(f) - (__u32)word) & 0xffff) <= TW_STRANGER_UNITS)
			holds = 1;
	}
	return holds;
}

/* Notes an address seen beyond the ports, in place of the least recently seen one. */
tw_inline void tw_stranger_note(const struct tw_frame *f, __u64 tag, const __u8 *mac)
{
	__u32 n = tag >> 16 & (TW_STRANGER_SETS - 1), i, at = 0, oldest = 0;
	struct tw_strangers *set = tw_strangers_lookup(f, &n);

	if (!set)
		return;
	for (i = 0; i < TW_STRANGER_WAYS; i++) {
		__u64 word = TW_MEMORY(set->tag[i]);
		__u32 age = (tw_stranger_now(f) - (__u32)word) & 0xffff;

		if (!word)
			age = 0x10000;
		if ((word & ~0xffffull) == tag)
			age = 0x10001;
		if (age >= oldest) {
			oldest = age;
			at = i;
		}
	}
	TW_MEMORY(set->mac[at & (TW_STRANGER_WAYS - 1)]) = tw_mac_word(mac);
	TW_MEMORY(set->tag[at & (TW_STRANGER_WAYS - 1)]) = tag | tw_stranger_now(f);
}

/* ---- owners ---- */

/* True if a port lists a claim with this tag. The search has no branch, as it runs for each way. */
tw_inline int tw_claim_listed(const struct tw_claims *claims, __u64 tag)
{
	__u64 found = 0, other;
	__u32 i;

	for (i = 0; i < TW_CLAIM__MAX * TW_CLAIMS_MAX; i++) {
		other = TW_MEMORY(claims->at[i / TW_CLAIMS_MAX][i % TW_CLAIMS_MAX].tag) ^ tag;
		found |= 1 ^ (other | -other) >> 63;
	}
	return (int)found;
}

/* True if the port in a way still claims the way's name. False if that port's claims are those of
 * `mac`: the guest itself asks, and may have moved here from that port. */
tw_inline int tw_owner_lives(const struct tw_frame *f, __u32 epoch, __u64 way, __u64 mac)
{
	__u32 id = way & 0xffff;
	const struct tw_port *owner = tw_port_numbered(f, id, epoch);
	const struct tw_claims *claims;

	if (!owner)
		return 0;
	claims = tw_claims_lookup(f, &id);
	if (!claims || claims->mac != tw_mac_word(owner->mac) ||
		(claims->mac && claims->mac == mac))
		return 0;
	return tw_claim_listed(claims, way & ~0xffffull);
}

/* Makes the port the owner of the tag in scratch. False if another port owns it, or no way is free.
 * Results of the ways are kept in memory, so that the verifier walks each way once. */
tw_inline int tw_owner_take(
	const struct tw_frame *f, __u32 id, __u32 epoch, struct tw_scratch *scratch)
{
	__u32 n = TW_MEMORY(scratch->tag) >> 16 & (TW_OWNER_SETS - 1), i;
	struct tw_owners *set = tw_owners_lookup(f, &n);
	__u64 own;

	if (!set)
		return 0;
	TW_MEMORY(scratch->way_at) = TW_OWNER_WAYS;
	for (i = 0; i < TW_OWNER_WAYS; i++) {
		__u64 way = TW_MEMORY(set->way[i]);
		int mine = way == (TW_MEMORY(scratch->tag) | id);

		if (way && !mine && tw_owner_lives(f, epoch, way, TW_MEMORY(scratch->mac))) {
			if (!((way ^ TW_MEMORY(scratch->tag)) >> 16))
				return 0;
			continue;
		}
		if (mine || TW_MEMORY(scratch->way_at) == TW_OWNER_WAYS) {
			TW_MEMORY(scratch->way_at) = i;
			TW_MEMORY(scratch->way) = way;
		}
	}
	i = TW_MEMORY(scratch->way_at);
	if (i >= TW_OWNER_WAYS)
		return 0;
	own = TW_MEMORY(scratch->tag) | id;
	return __sync_val_compare_and_swap(&set->way[i & (TW_OWNER_WAYS - 1)],
		       TW_MEMORY(scratch->way), own) == TW_MEMORY(scratch->way);
}

/* ---- claims ---- */

/* Returns the port's claims; drops those of a MAC that it no longer has. */
tw_inline struct tw_claims *tw_claims_of(const struct tw_frame *f, const struct tw_port *port)
{
	__u32 id = port->id;
	struct tw_claims *claims = tw_claims_lookup(f, &id);

	if (claims && claims->mac != tw_mac_word(port->mac)) {
		__builtin_memset(claims->at, 0, sizeof(claims->at));
		claims->mac = tw_mac_word(port->mac);
	}
	return claims;
}

/* Finds the claim for scratch->about: its slot, or TW_CLAIMS_MAX, and the slot to replace. */
tw_inline void tw_claim_find(const struct tw_claims *claims, enum tw_claim_kind kind, __u32 now,
	struct tw_scratch *scratch)
{
	__u32 age = 0, i;

	TW_MEMORY(scratch->slot) = TW_CLAIMS_MAX;
	TW_MEMORY(scratch->oldest) = 0;
	for (i = 0; i < TW_CLAIMS_MAX; i++) {
		const struct tw_claim *claim = &claims->at[kind & 1][i];
		__u32 its = TW_MEMORY(claim->tag) ? now - TW_MEMORY(claim->seen) : ~0u;

		if (claim->tag && claim->where == scratch->where &&
			tw_addr_equal(&claim->name, &scratch->about))
			TW_MEMORY(scratch->slot) = i;
		if (its >= age) {
			age = its;
			TW_MEMORY(scratch->oldest) = i;
		}
	}
}

/* True if the policy reserves the link-local address: only ports to which it gives the address may
 * use it. */
tw_inline int tw_claim_reserved(const struct tw_frame *f, __u32 epoch, struct tw_scratch *scratch)
{
	scratch->asked.prefixlen = 160;
	scratch->asked.zone = tw_be32(tw_addr_zone(0, epoch));
	scratch->asked.addr = scratch->about;
	return tw_addrs_lookup(f, &scratch->asked) != 0;
}

/* Enters the claim for scratch->about into a slot, if no other port has one. */
tw_inline int tw_claim_enter(const struct tw_frame *f, __u32 id, __u32 epoch,
	struct tw_claim *claim, struct tw_scratch *scratch)
{
	TW_MEMORY(claim->epoch) = ~epoch;
	claim->name = scratch->about;
	claim->where = scratch->where;
	claim->seen = tw_tick(f->now_ns);
	/* The claim is listed before it is owned, so that no other port takes it in between. */
	TW_MEMORY(claim->tag) = scratch->tag;
	if (!tw_owner_take(f, id, epoch, scratch)) {
		TW_MEMORY(claim->tag) = 0;
		return 0;
	}
	TW_MEMORY(claim->epoch) = epoch;
	return 1;
}

/* Returns 1 if scratch->about is the port's, 0 if it is not, and -1 if only `owners` can tell: the
 * port does not list a claim for it, or has not used the claim since the policy changed. A
 * link-local address made from the frame's source MAC, or from the workload's, needs no claim: VRRP
 * announces routers from its virtual MAC, with an address of the interface (RFC 9568 §7.2). */
tw_inline int tw_claim_known(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	enum tw_claim_kind kind, struct tw_scratch *scratch)
{
	__u32 now = tw_tick(f->now_ns), slot;
	struct tw_claims *claims;
	struct tw_claim *claim;

	if (kind == TW_CLAIM_ADDRESS && tw_addr_is_eui64(&scratch->about))
		return tw_addr_is_of_mac(&scratch->about, scratch->packet.src_mac) ||
		       (tw_port_has_mac(port) && tw_addr_is_of_mac(&scratch->about, port->mac));
	claims = tw_claims_of(f, port);
	if (!claims)
		return 0;
	scratch->where = tw_claim_where(port, &scratch->packet);
	tw_claim_find(claims, kind, now, scratch);
	slot = TW_MEMORY(scratch->slot);
	if (slot >= TW_CLAIMS_MAX)
		return -1;
	claim = &claims->at[kind & 1][slot & (TW_CLAIMS_MAX - 1)];
	if (TW_MEMORY(claim->epoch) != epoch)
		return -1;
	if (now - claim->seen > TW_TICKS_PER_SECOND)
		claim->seen = now;
	return 1;
}

/* Claims the name in scratch->about, for which tw_claim_known() returned -1. True if the port owns
 * it now. */
tw_inline int tw_claim_take(const struct tw_frame *f, const struct tw_config *config, __u32 id,
	__u32 epoch, enum tw_claim_kind kind, struct tw_scratch *scratch)
{
	__u32 slot = TW_MEMORY(scratch->slot);
	struct tw_claims *claims = tw_claims_lookup(f, &id);

	if (!claims)
		return 0;
	TW_MEMORY(scratch->tag) = tw_claim_tag(config, kind, scratch);
	TW_MEMORY(scratch->mac) = claims->mac;
	if (kind == TW_CLAIM_ADDRESS && tw_claim_reserved(f, epoch, scratch))
		return 0;
	if (slot >= TW_CLAIMS_MAX) {
		if (kind == TW_CLAIM_ADDRESS &&
			tw_stranger_holds(f, TW_MEMORY(scratch->tag), scratch->packet.src_mac))
			return 0;
		slot = TW_MEMORY(scratch->oldest);
	}
	return tw_claim_enter(
		f, id, epoch, &claims->at[kind & 1][slot & (TW_CLAIMS_MAX - 1)], scratch);
}

/* Revokes the claim of the port in a way. */
tw_inline void tw_claim_revoke(const struct tw_frame *f, __u64 way)
{
	__u32 id = way & 0xffff, i;
	struct tw_claims *claims = tw_claims_lookup(f, &id);

	for (i = 0; claims && i < TW_CLAIMS_MAX; i++)
		if (claims->at[TW_CLAIM_ADDRESS][i].tag == (way & ~0xffffull))
			TW_MEMORY(claims->at[TW_CLAIM_ADDRESS][i].tag) = 0;
}

/* True if the frame entered at the port whose id `way` holds. */
tw_inline int tw_claim_sent(const struct tw_frame *f, __u32 epoch, __u64 way)
{
	const struct tw_port *owner = tw_port_numbered(f, way & 0xffff, epoch);

	return owner && owner->ifindex == f->origin;
}

/* Notes the link-local source of a neighbour message that reaches a port, unless a port of this
 * host claims that address. A router's message ends the claim, unless the claiming guest has sent
 * the message. No other guest can send one from this address. */
tw_inline void tw_claim_met(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *port, __u32 epoch, struct tw_scratch *scratch, int router)
{
	const struct tw_packet *p = &scratch->packet;
	const struct tw_addr *addr = &p->tuple.src;
	struct tw_owners *set;
	__u64 tag, way = 0;
	__u32 n, i;

	if (!tw_addr_is_link_local(addr) || tw_addr_is_eui64(addr))
		return;
	scratch->about = *addr;
	scratch->where = tw_claim_where(port, p);
	tag = tw_claim_tag(config, TW_CLAIM_ADDRESS, scratch);
	n = tag >> 16 & (TW_OWNER_SETS - 1);
	set = tw_owners_lookup(f, &n);
	for (i = 0; set && i < TW_OWNER_WAYS; i++)
		if ((TW_MEMORY(set->way[i]) & ~0xffffull) == tag)
			way = TW_MEMORY(set->way[i]);
	if (way && tw_owner_lives(f, epoch, way, 0)) {
		if (!router || tw_claim_sent(f, epoch, way))
			return;
		tw_claim_revoke(f, way);
	}
	tw_stranger_note(f, tag, p->src_mac);
}
