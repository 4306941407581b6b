/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* beyond.h: denies frames from beyond the ports, if they claim to be from a guest of this host.
 *
 * Why:        a guest's own port enforces its identity. An uplink, or a port of no workload,
 *             enforces none. A sender there that used a guest's address would get the guest's
 *             rights, and could answer in its name.
 * In:         a frame that did not enter at a filtered port, on its way to a guest.
 * Invariants: 1. A frame that the host itself has made or routed passes, as it entered the bridge
 *                at none of its ports.
 *             2. Only identities at another port of the same bridge and VLAN count. The agent lists
 *                all MACs. It lists no address of an `isolated` port, whose frames are routed
 *                beyond the uplink, and with --hairpin no address at all.
 *             3. From a port of no workload whose device has its other end on this host
 *                (TW_PORT_F_LOCAL), the addresses of all workloads are denied. Devices of other
 *                kinds are uplinks, with workloads of other hosts behind them.
 *             4. A guest whose device is gone has left this host, whether or not the agent knows.
 * Bounds:     two lookups for a frame that no filtered port has tracked, three more for one from
 *             beyond, and one more for a denied one.
 * Callers:    guard.h, in a subprogram; tw_from_uplink, before the bridge learns.
 */
#pragma once

#include "fastpath/path/packet.h"

/* Place where a frame entered its bridge. */
enum tw_beyond {
	TW_BEYOND_NOT, /* at no port, or at one that enforces identities */
	TW_BEYOND_FAR, /* where other hosts may be connected */
	TW_BEYOND_HERE /* where only this host is connected */
};

/* Returns where the frame entered the port's bridge, or TW_BEYOND_NOT if its identity needs no
 * check. */
tw_inline enum tw_beyond tw_beyond_entered(
	const struct tw_frame *f, const struct tw_port *port, __u32 epoch)
{
	__u32 origin = f->origin, *foreign;
	const struct tw_port *from;

	if (!origin || origin == f->ifindex)
		return TW_BEYOND_NOT;
	foreign = tw_foreign_lookup(f, &origin);
	if (foreign)
		return (*foreign & TW_FOREIGN_NETWORK) == port->network ? TW_BEYOND_FAR
									: TW_BEYOND_NOT;
	from = tw_port_at(f, origin, epoch);
	if (!from || !(from->flags & TW_PORT_F_UNCLAIMED) || from->network != port->network)
		return TW_BEYOND_NOT;
	return from->flags & TW_PORT_F_LOCAL ? TW_BEYOND_HERE : TW_BEYOND_FAR;
}

/* True if the key is that of a guest whose interface still exists and is not `ifindex`. */
tw_inline int tw_beyond_resides(
	const struct tw_frame *f, const struct tw_resident_key *key, __u32 ifindex)
{
	const __u32 *resident = tw_residents_lookup(f, key);
	__u32 at;

	if (!resident || *resident == ifindex)
		return 0;
	at = *resident;
	return tw_present_lookup(f, &at) != 0;
}

tw_inline void tw_beyond_mac(struct tw_resident_key *key, const __u8 *mac)
{
	key->addr.d[0] = 0;
	key->addr.d[1] = 0;
	__builtin_memcpy(key->addr.b + 10, mac, 6);
}

/* Fills the source address of a frame; for ARP, the sender's. */
tw_inline void tw_beyond_source(
	const struct tw_frame *f, const struct tw_packet *p, struct tw_addr *ret)
{
	const struct tw_arp *arp;
	__be32 wire;

	*ret = p->tuple.src;
	if (p->ethertype != TW_ETH_ARP)
		return;
	arp = tw_at(f, TW_MEMORY(p->l3_off), sizeof(*arp));
	if (!arp)
		return;
	__builtin_memcpy(&wire, arp->sender, sizeof(wire));
	tw_addr_map(ret, wire);
}

/* Body of tw_call_beyond(): returns why a frame about to reach a port does not pass, or
 * TW_R_NONE. */
tw_inline enum tw_reason tw_beyond(const struct tw_frame *f, const struct tw_port *port,
	__u32 epoch, const struct tw_packet *p)
{
	struct tw_resident_key key = {
		.network = port->network, .vlan = p->vlan ? p->vlan : port->pvid};
	enum tw_beyond entered = tw_beyond_entered(f, port, epoch);

	if (entered == TW_BEYOND_NOT)
		return TW_R_NONE;
	tw_beyond_mac(&key, p->src_mac);
	if (tw_beyond_resides(f, &key, f->origin))
		return TW_R_FOREIGN_SOURCE;
	tw_beyond_source(f, p, &key.addr);
	if (entered == TW_BEYOND_HERE && tw_workloads_lookup(f, &key.addr))
		return TW_R_FOREIGN_SOURCE;
	return tw_beyond_resides(f, &key, f->origin) ? TW_R_FOREIGN_SOURCE : TW_R_NONE;
}

/* Returns the VLAN that a bridge assigns to a frame at a port with this value of `foreign`; 0
 * without VLAN filtering. */
tw_inline __u16 tw_beyond_vlan(const struct tw_frame *f, __u32 foreign)
{
	__u16 vlan = f->has_vlan ? f->vlan_tci & TW_FOREIGN_VLAN : 0;

	if (!(foreign & TW_FOREIGN_FILTERING))
		return 0;
	return vlan ? vlan : foreign >> TW_FOREIGN_VLAN_SHIFT & TW_FOREIGN_VLAN;
}

/* True if a frame at an uplink has the MAC of a guest of this host. The bridge would learn from it
 * that the guest is behind the uplink. */
tw_inline int tw_beyond_uplink(const struct tw_frame *f)
{
	const struct tw_ethernet *eth = tw_at(f, 0, sizeof(*eth));
	__u32 ifindex = f->ifindex, *foreign = tw_foreign_lookup(f, &ifindex);
	struct tw_resident_key key = {0};

	if (!eth || !foreign)
		return 0;
	key.network = (__u16)*foreign;
	key.vlan = tw_beyond_vlan(f, *foreign);
	tw_beyond_mac(&key, eth->src);
	return tw_beyond_resides(f, &key, ifindex);
}
