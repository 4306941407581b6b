/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* grant.h: rights of a port's guest beyond sending untagged frames from its own MAC and addresses.
 *
 * Why:        trunk guests, virtual routers (VRRP, CARP), DHCP servers and routers are ordinary
 *             guests on many hosts. The policy names every right; a port has none by default.
 * Invariants: 1. Each tag of a frame must be granted, as a switch may strip one and forward the frame
 *                by the other.
 *             2. A right of one port is no right at its peer: each end of a frame checks its own.
 *             3. No right reaches beyond the port's own addresses: a DHCP server or router can give
 *                other guests only addresses that its own port may use.
 * Bounds:     one lookup in `grants`, at ports with TW_PORT_F_GRANTS only.
 * Callers:    guard.h and cut.h, in a subprogram; housekeeping.
 * Source:     IEEE 802.1Q §6.9 (tags; VLAN id 0 is none), RFC 5798 §7.3 (VRRP's MAC).
 */
#pragma once

#include "fastpath/path/claim.h"

/* Returns a port's rights, or NULL. */
tw_inline const struct tw_grants *tw_grants_at(const struct tw_frame *f, __u32 id, __u32 epoch)
{
	__u32 key = tw_port_key(id, epoch);

	return tw_grants_lookup(f, &key);
}

tw_inline int tw_grant_vlan(const struct tw_grants *g, __u32 vlan)
{
	return g->vlans[vlan / 64 & (TW_VLAN_WORDS - 1)] >> (vlan & 63) & 1;
}

tw_inline int tw_grant_mac(const struct tw_grants *g, const __u8 *mac)
{
	__u64 found = 0, other, own = tw_mac_word(mac);
	__u32 i;

	/* The loop has no branch, so that the verifier walks the code after it once. */
	for (i = 0; i < TW_GRANT_MACS; i++) {
		other = tw_mac_word(g->mac[i]) ^ own;
		found |= (1 ^ (other | -other) >> 63) & (i - g->n_macs) >> 31;
	}
	return (int)found;
}

tw_inline int tw_grant_ethertype(const struct tw_grants *g, __u32 type)
{
	__u32 i, found = 0;

	for (i = 0; i < TW_GRANT_ETHERTYPES; i++)
		found |= g->ethertype[i] == type;
	return (int)found;
}

/* Body of tw_call_granted(): true if the policy grants `what` to the port, for the packet in
 * scratch. */
tw_inline int tw_granted(const struct tw_frame *f, __u32 id, __u32 epoch, enum tw_grant what,
	const struct tw_packet *p)
{
	const struct tw_grants *g = tw_grants_at(f, id, epoch);

	if (!g)
		return 0;
	switch (what) {
	case TW_GRANT_TAGS:
		return tw_grant_vlan(g, p->vlan) &&
		       (!p->inner_vlan || tw_grant_vlan(g, p->inner_vlan));
	case TW_GRANT_SOURCE:
		return tw_grant_mac(g, p->src_mac);
	case TW_GRANT_DESTINATION:
		return tw_grant_mac(g, p->dst_mac);
	case TW_GRANT_ETHERTYPE_OUT:
	case TW_GRANT_ETHERTYPE_IN:
		return !p->snap && tw_grant_ethertype(g, p->ethertype);
	}
	return 0;
}

/* True if the port has the right, one of TW_MAY_*. */
tw_inline int tw_grant_may(
	const struct tw_frame *f, const struct tw_port *port, __u32 epoch, __u32 right)
{
	const struct tw_grants *g = port->flags & TW_PORT_F_GRANTS
					    ? tw_grants_at(f, port->id, epoch)
					    : (const struct tw_grants *)0;

	return g && g->may & right;
}
