/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* beyond.h: holds frames from beyond the ports to what they cannot be: those of a guest of this host.
 *
 * Why:        a guest's own port holds it to its identity. An uplink, and a port of no workload, hold
 *             their senders to none. A sender there that used a guest's address would get the guest's
 *             rights, and could answer in its name.
 * In:         a frame on its way to a guest, whose near end was no port of ours.
 * Invariants: 1. A frame that the host itself has made or routed passes: it entered the bridge by none of
 *                the bridge's ports.
 *             2. Only what is at another port of the same bridge and VLAN counts. The agent lists no address
 *                of a port that its bridge keeps apart (`isolated`), as its frames are routed beyond the
 *                uplink, and none at all with --hairpin; MACs always.
 *             3. All workloads' addresses are denied from a port of no workload whose device has its other
 *                end on this host (TW_PORT_F_LOCAL). Devices of other kinds are uplinks: workloads of other
 *                hosts are behind them.
 *             4. A guest whose device is gone is on this host no longer, whether or not the agent knows.
 * Bounds:     two lookups for a frame that no port of ours has tracked, three more for one from beyond, and
 *             one more for one that is denied.
 * Callers:    guard.h, apart; tw_from_uplink, before the bridge learns.
 */
#pragma once

#include "fastpath/path/packet.h"

/* Where a frame entered its bridge. */
enum tw_beyond {
	TW_BEYOND_NOT, /* at no port, or where guests are held to their identities */
	TW_BEYOND_FAR, /* where other hosts may be behind */
	TW_BEYOND_HERE /* where nothing but this host is behind */
};

/* How the frame entered the port's bridge where no guest is held to its identity. */
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

/* True if the key is that of a guest at an interface other than `ifindex`, which is still there. */
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

/* The address that a frame says it is from: of ARP, the sender. */
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

/* Body of tw_call_beyond(): why a frame that is about to reach a port does not pass, or TW_R_NONE. */
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

/* The VLAN that a bridge takes a frame for at a port of `foreign`: 0 where it does not tell VLANs apart. */
tw_inline __u16 tw_beyond_vlan(const struct tw_frame *f, __u32 foreign)
{
	__u16 vlan = f->has_vlan ? f->vlan_tci & TW_FOREIGN_VLAN : 0;

	if (!(foreign & TW_FOREIGN_FILTERING))
		return 0;
	return vlan ? vlan : foreign >> TW_FOREIGN_VLAN_SHIFT & TW_FOREIGN_VLAN;
}

/* True if a frame at an uplink is from the MAC of a guest of this host: the bridge would learn that the
 * guest is behind the uplink. */
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
