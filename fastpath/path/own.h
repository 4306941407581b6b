/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* own.h: the addresses of a port: given by the policy, leased by DHCP, or claimed.
 *
 * Callers:    guard, cut-through and housekeeping.
 */
#pragma once

#include "fastpath/path/dhcp/lease.h"

/* Context of housekeeping: the port and epoch, and the frame's scratch memory. */
struct tw_house {
	const struct tw_config *config;
	const struct tw_port *port;
	struct tw_scratch *scratch;
	__u32 epoch;
	__u8 dir; /* enum tw_dir */
};

/* True if the address is one of the port's inline addresses: the first TW_PORT_ADDRS single ones. */
tw_inline int tw_own_inline(const struct tw_port *port, const struct tw_addr *addr)
{
	__u32 i;

	for (i = 0; i < TW_PORT_ADDRS; i++)
		if (i < port->n_addrs && tw_addr_equal(&port->addr[i], addr))
			return 1;
	return 0;
}

/* True if the policy gives this address to the port. */
tw_inline int tw_own_given(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	const struct tw_addr *addr)
{
	struct tw_addr_key key;

	if (port->flags & TW_PORT_F_GUARD_ANY || tw_own_inline(port, addr))
		return 1;
	if (!(port->flags & TW_PORT_F_MORE))
		return 0;
	key.prefixlen = 160;
	key.zone = tw_be32(tw_addr_zone(port->id, epoch));
	key.addr = *addr;
	return tw_addrs_lookup(f, &key) != 0;
}

/* Returns how the port owns scratch->about, by claim or lease; the search runs in a subprogram. */
tw_inline enum tw_lease_state tw_own_asked(
	const struct tw_frame *f, const struct tw_port *port, __u32 epoch, enum tw_owned kind)
{
	enum tw_lease_state state = (enum tw_lease_state)tw_call_owned(f, port->id, epoch, kind);

	if (state != TW_LEASE_UNCLAIMED)
		return state;
	return tw_call_claim(f, port->id, epoch, kind) ? TW_LEASE_KNOWN : TW_LEASE_NONE;
}

/* Returns how the port owns an address that the policy does not give it: link-local ones by claim,
 * for guests' frames only; others by lease, at ports that learn addresses. */
tw_inline enum tw_lease_state tw_own_learned(const struct tw_frame *f, const struct tw_port *port,
	__u32 epoch, const struct tw_addr *addr)
{
	struct tw_scratch *scratch;

	if (!(port->flags & TW_PORT_LEARNS) && !tw_addr_is_link_local(addr))
		return TW_LEASE_NONE;
	scratch = tw_scratch_get(f);
	if (!scratch)
		return TW_LEASE_NONE;
	scratch->about = *addr;
	return tw_own_asked(f, port, epoch, TW_OWNED_ADDRESS);
}

/* True if a workload's port may send from this address; sending claims a link-local one. */
tw_inline int tw_own_source(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	const struct tw_addr *addr)
{
	return tw_own_given(f, port, epoch, addr) ||
	       tw_own_learned(f, port, epoch, addr) == TW_LEASE_KNOWN;
}

/* True if a workload's port may be reached at this address; for link-local ones the MAC alone
 * decides. */
tw_inline int tw_own_destination(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	const struct tw_addr *addr)
{
	return tw_addr_is_link_local(addr) || tw_own_source(f, port, epoch, addr);
}

/* True if a guest may announce the address. A leased one counts even before the policy in force
 * includes it. */
tw_inline int tw_own_held(const struct tw_frame *f, const struct tw_port *port, __u32 epoch,
	const struct tw_addr *addr)
{
	return tw_own_given(f, port, epoch, addr) || tw_own_learned(f, port, epoch, addr);
}

/* Returns the reason for an address that is not the port's: LEASE_UNKNOWN if it will be the port's
 * once the policy includes the lease. */
tw_inline enum tw_reason tw_own_foreign(const struct tw_packet *p, enum tw_reason reason)
{
	return p->lease ? TW_R_LEASE_UNKNOWN : reason;
}
