/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* holder.h: notes which port has announced a shared address (`shared`) last, for reports.
 *
 * Why:        the guests that share an address take turns using it, as in VRRP and CARP. Each of them
 *             may use it at any time, and neighbours send to the guest that announced it last. The
 *             operator must hear which guest that is, and when two of them claim it at once.
 * Invariants: no verdict depends on it.
 * Bounds:     three lookups and an update, for ARP and ND of ports that share addresses.
 * Callers:    guard.h, after housekeeping from a guest has passed, in a subprogram.
 * Source:     RFC 5227 §2.3, RFC 9568 §6.4 (gratuitous ARP, unsolicited NA of a new holder).
 */
#pragma once

#include "fastpath/path/neighbour.h"

/* Reads the address that a frame announces: the sender's in ARP, the target in an NA. True if there
 * is one. */
tw_inline int tw_holder_announced(
	const struct tw_frame *f, const struct tw_packet *p, struct tw_addr *ret)
{
	const struct tw_arp *arp;
	const void *target;
	__be32 wire;

	if (p->ethertype == TW_ETH_ARP) {
		arp = tw_at(f, TW_MEMORY(p->l3_off), sizeof(*arp));
		if (!arp)
			return 0;
		__builtin_memcpy(&wire, arp->sender, sizeof(wire));
		tw_addr_map(ret, wire);
		return wire != 0;
	}
	target = tw_at(f, TW_MEMORY(p->l4_off) + 8, sizeof(*ret));
	if (!target || p->icmp >> 8 != TW_ND_NA)
		return 0;
	tw_addr_copy(ret, target);
	return 1;
}

/* True if the port shares the announced address with others. */
tw_inline int tw_holder_shared(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	struct tw_scratch *scratch)
{
	const __u32 *kind;

	scratch->asked.prefixlen = 160;
	scratch->asked.zone = tw_be32(tw_addr_zone(port->id, epoch));
	scratch->asked.addr = scratch->holder.addr;
	kind = tw_addrs_lookup(f, &scratch->asked);
	return kind && *kind == TW_ADDR_SHARED;
}

/* Notes the shared address that the frame in scratch announces, if any. True if its new holder must
 * be reported. */
tw_inline int tw_holder_note(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	struct tw_scratch *scratch)
{
	__u32 now = tw_tick(f->now_ns), id = port->id, tell = 1;
	const struct tw_holder *was;

	if (!tw_grant_may(f, port, epoch, TW_MAY_SHARE) ||
		!tw_holder_announced(f, &scratch->packet, &scratch->holder.addr) ||
		!tw_holder_shared(f, port, epoch, scratch))
		return 0;
	scratch->holder.network = port->network;
	scratch->holder.vlan = 0;
	scratch->contested = 0;
	was = tw_holders_lookup(f, &scratch->holder);
	if (was && was->port_id == id)
		return 0;
	scratch->held = (struct tw_holder){.port_id = id, .since = now};
	if (was) {
		scratch->held.before = was->port_id;
		scratch->held.contested = was->contested;
		scratch->contested = was->before && now - was->since < TW_HOLDER_TICKS;
	}
	if (scratch->contested) {
		tell = now - scratch->held.contested >= TW_TICKS_PER_SECOND;
		scratch->held.contested = tell ? now : scratch->held.contested;
	}
	tw_holders_update(f, &scratch->holder, &scratch->held, TW_MAP_ANY);
	return (int)tell;
}
