/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lease.h: addresses that a DHCP server gave to a port's guest, learned from its answers.
 *
 * Why:        a workload with `addresses: [dhcp]` may send from its leased addresses while the
 *             leases last. The guard must know them without asking the agent.
 * What:       `leases` records the transaction of a guest's question. An answer to the guest with
 *             this transaction and the port's MAC (DHCPv6: the DUID of the question) teaches an
 *             address. Guests cannot send answers (guard), and an unsolicited answer teaches
 *             nothing. So no guest can teach a false lease, for itself or for another.
 * Invariants: 1. The guard accepts an address only once the policy in force includes it (`known`,
 *                written by the agent). So no frame is judged by rules that do not know its owner,
 *                and another guest's address is not even announced by ARP.
 *             2. A guest loses an address when its lease ends, to the millisecond, with or without
 *                an agent. It also loses the address when its MAC changes.
 *             3. A message that is malformed, fragmented, overloaded (option 52) or without a lease
 *                time teaches nothing.
 * Bounds:     TW_DHCP_OPTIONS_MAX or TW_DHCP6_OPTIONS_MAX options, one load each; runs in a
 *             subprogram, only for DHCP at such ports.
 * Source:     RFC 2131 §4.3.1, §4.4.1; RFC 2132 §9; RFC 8415 §18.2, §18.3, §21.
 */
#pragma once

#include "fastpath/path/claim.h"

#define TW_DHCP_QUERY_SECONDS 60 /* a later answer is unsolicited */

enum tw_lease_state {
	TW_LEASE_NONE,
	TW_LEASE_FRESH, /* given to the guest, but not yet in the policy in force */
	TW_LEASE_KNOWN,
	TW_LEASE_UNCLAIMED, /* a link-local name that no guest has claimed yet: tw_call_claim() */
};

/* Returns the leases of a port's guest, if it still has their MAC. */
tw_inline struct tw_leases *tw_leases_of(const struct tw_frame *f, const struct tw_port *port)
{
	__u32 id = port->id;
	struct tw_leases *leases = tw_leases_lookup(f, &id);

	return leases && (!tw_port_has_mac(port) || tw_mac_equal(leases->mac, port->mac)) ? leases
											  : 0;
}

/* Forgets everything about a port's guest, and starts anew for one with another MAC. */
tw_inline void tw_leases_reset(struct tw_leases *leases, const __u8 *mac)
{
	__u32 i;

	__builtin_memset(leases->at, 0, sizeof(leases->at));
	__builtin_memset(leases->query, 0, sizeof(leases->query));
	for (i = 0; i < TW_SLAAC_MAX; i++)
		TW_MEMORY(leases->formed[i].until_ns) = 0;
	for (i = 0; i < TW_ANNOUNCED_MAX; i++)
		TW_MEMORY(leases->announced[i].until_ns) = 0;
	leases->named = 0;
	__builtin_memcpy(leases->mac, mac, 6);
}

/* Returns the state of the guest's lease on scratch->about. A writer changes `serial` between
 * removing a lease and writing another one, so a reader in between sees no lease. */
tw_inline enum tw_lease_state tw_lease_find(
	const struct tw_frame *f, const struct tw_port *port, const struct tw_scratch *scratch)
{
	struct tw_leases *leases = tw_leases_of(f, port);
	const struct tw_addr *addr = &scratch->about;
	__u32 family = !tw_addr_is_v4(addr), serial, i;
	struct tw_lease *lease;

	if (!leases)
		return TW_LEASE_NONE;
	for (i = 0; i < TW_LEASES_MAX; i++) {
		lease = &leases->at[family & 1][i];
		serial = TW_MEMORY(lease->serial);
		if (TW_MEMORY(lease->until_ns) > f->now_ns && tw_addr_equal(&lease->addr, addr) &&
			TW_MEMORY(lease->serial) == serial)
			return lease->known == serial ? TW_LEASE_KNOWN : TW_LEASE_FRESH;
	}
	return TW_LEASE_NONE;
}

/* Returns the state of scratch->about among the addresses that the guest formed by SLAAC, and notes
 * its use. An address that the agent has refused counts as none. */
tw_inline enum tw_lease_state tw_lease_formed(
	const struct tw_frame *f, const struct tw_port *port, const struct tw_scratch *scratch)
{
	struct tw_leases *leases = tw_leases_of(f, port);
	const struct tw_addr *addr = &scratch->about;
	__u32 now = tw_tick(f->now_ns), serial, i;
	struct tw_lease *lease;

	if (!leases)
		return TW_LEASE_NONE;
	for (i = 0; i < TW_SLAAC_MAX; i++) {
		lease = &leases->formed[i];
		serial = TW_MEMORY(lease->serial);
		if (TW_MEMORY(lease->until_ns) <= f->now_ns || !tw_addr_equal(&lease->addr, addr) ||
			TW_MEMORY(lease->serial) != serial)
			continue;
		if (now - lease->seen > TW_TICKS_PER_SECOND)
			lease->seen = now;
		if (lease->known == ~serial)
			return TW_LEASE_NONE;
		return lease->known == serial ? TW_LEASE_KNOWN : TW_LEASE_FRESH;
	}
	return TW_LEASE_NONE;
}

/* True if the port's guest has a lease from a server with this IPv4 address. */
tw_inline int tw_lease_from(const struct tw_frame *f, const struct tw_port *port, __be32 server)
{
	struct tw_leases *leases = tw_leases_of(f, port);
	__u32 i;

	for (i = 0; leases && i < TW_LEASES_MAX; i++)
		if (TW_MEMORY(leases->at[0][i].until_ns) > f->now_ns &&
			leases->at[0][i].server == server)
			return 1;
	return 0;
}

/* True if the port's guest has no IPv4 lease from any server. */
tw_inline int tw_lease_none(const struct tw_frame *f, const struct tw_port *port)
{
	struct tw_leases *leases = tw_leases_of(f, port);
	__u32 i;

	for (i = 0; leases && i < TW_LEASES_MAX; i++)
		if (TW_MEMORY(leases->at[0][i].until_ns) > f->now_ns)
			return 0;
	return 1;
}

/* Writes another address to a lease; see tw_lease_find(). `server`: for SLAAC, tick of last use. */
tw_inline void tw_lease_write(struct tw_leases *leases, struct tw_lease *lease,
	const struct tw_addr *addr, __u64 until, __be32 server)
{
	TW_MEMORY(lease->until_ns) = 0;
	TW_MEMORY(lease->serial) = __sync_fetch_and_add(&leases->serial, 1) + 1;
	TW_MEMORY(lease->addr.d[0]) = addr->d[0];
	TW_MEMORY(lease->addr.d[1]) = addr->d[1];
	TW_MEMORY(lease->server) = server;
	TW_MEMORY(lease->restored) = 0;
	TW_MEMORY(lease->until_ns) = until;
}

/* Adds or renews a lease. True if the policy must learn of it. */
tw_inline int tw_lease_learn(struct tw_leases *leases, __u32 family, const struct tw_addr *addr,
	__u64 until, __be32 server, __u64 now)
{
	struct tw_lease *lease, *oldest = &leases->at[family & 1][0];
	__u32 i;

	for (i = 0; i < TW_LEASES_MAX; i++) {
		lease = &leases->at[family & 1][i];
		if (lease->until_ns > now && tw_addr_equal(&lease->addr, addr)) {
			lease->until_ns = until;
			lease->server = server;
			lease->restored = 0;
			return 0;
		}
		if (lease->until_ns < oldest->until_ns)
			oldest = lease;
	}
	tw_lease_write(leases, oldest, addr, until, server);
	return 1;
}

/* Ends the lease on an address. True if there was one. */
tw_inline int tw_lease_end(
	struct tw_leases *leases, __u32 family, const struct tw_addr *addr, __u64 now)
{
	struct tw_lease *lease;
	int ended = 0;
	__u32 i;

	for (i = 0; i < TW_LEASES_MAX; i++) {
		lease = &leases->at[family & 1][i];
		if (lease->until_ns > now && tw_addr_equal(&lease->addr, addr)) {
			TW_MEMORY(lease->until_ns) = 0;
			ended = 1;
		}
	}
	return ended;
}

/* Returns the time when a lease ends. A duration of all ones means never (RFC 2131 §3.3). */
tw_inline __u64 tw_lease_until(__u32 seconds, __u64 now)
{
	return seconds == 0xffffffff ? ~0ull : now + seconds * 1000000000ull;
}

/* Returns the question that an answer belongs to, or NULL. */
tw_inline struct tw_lease_query *tw_lease_asked(
	struct tw_leases *leases, __u32 family, __be32 xid, const struct tw_frame *f)
{
	struct tw_lease_query *query;
	__u32 i;

	for (i = 0; i < TW_LEASE_QUERIES; i++) {
		query = &leases->query[i];
		if (query->family == family + 1 && query->xid == xid &&
			tw_tick(f->now_ns) - query->seen <
				TW_DHCP_QUERY_SECONDS * TW_TICKS_PER_SECOND)
			return query;
	}
	return 0;
}

/* Notes a guest's question, whose answer will be believed. A repeated question keeps its place; a
 * new one replaces the oldest. */
tw_inline void tw_lease_ask(
	struct tw_leases *leases, __u32 family, __be32 xid, __be32 about, const struct tw_frame *f)
{
	struct tw_lease_query *query = tw_lease_asked(leases, family, xid, f);

	if (!query)
		query = &leases->query[leases->n_queries++ & (TW_LEASE_QUERIES - 1)];
	query->xid = xid;
	query->about = about;
	query->seen = tw_tick(f->now_ns);
	query->family = family + 1;
}
