/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lease.h: addresses that a DHCP server gave to a port's guest, learned where they are given.
 *
 * Why:        a workload with `addresses: [dhcp]` may send from what it was given, for as long as it
 *             was given it; the guard must know that without asking anyone.
 * What:       a guest's question leaves a mark in `leases`: its transaction. An answer on its way in
 *             that carries this mark and the port's MAC teaches an address. Guests cannot send
 *             answers (guard), and an answer nobody asked for teaches nothing: so none can teach a
 *             lie about itself or about others.
 * Invariants: 1. An address counts for the guard only once the policy in force takes it into account
 *                (`known`, which the agent writes): no frame is judged by rules that do not know
 *                whose it is, and an address that is somebody else's is not even spoken of in ARP.
 *             2. It ends with its lease to the millisecond, agent or not; and with the MAC.
 *             3. What is malformed, fragmented, overloaded (option 52) or lacks a lease time teaches
 *                nothing.
 * Bounds:     TW_DHCP_OPTIONS_MAX options, one load each; runs apart, for DHCP of such ports only.
 * Source:     RFC 2131 §4.3.1, §4.4.1; RFC 2132 §9.
 */
#pragma once

#include "fastpath/path/packet.h"

#define TW_DHCP_OPTIONS_MAX   64
#define TW_DHCP_QUERY_SECONDS 60 /* an answer that comes later is none */

/* RFC 2131 §2: up to the client's hardware address. */
struct tw_bootp {
	__u8 op;
	__u8 htype;
	__u8 hlen;
	__u8 hops;
	__be32 xid;
	__be16 secs;
	__be16 flags;
	__be32 ciaddr;
	__be32 yiaddr;
	__be32 siaddr;
	__be32 giaddr;
	__u8 chaddr[6];
	__u8 pad[2];
};

#define TW_BOOTP_COOKIE_OFF  236
#define TW_BOOTP_OPTIONS_OFF 240
#define TW_BOOTP_COOKIE	     0x63825363u

enum tw_dhcp_message {
	TW_DHCP_DISCOVER = 1,
	TW_DHCP_REQUEST = 3,
	TW_DHCP_DECLINE = 4,
	TW_DHCP_ACK = 5,
	TW_DHCP_NAK = 6,
	TW_DHCP_RELEASE = 7,
	TW_DHCP_INFORM = 8,
};

enum tw_dhcp_option {
	TW_DHCP_O_PAD = 0,
	TW_DHCP_O_REQUESTED = 50,
	TW_DHCP_O_LEASE = 51,
	TW_DHCP_O_OVERLOAD = 52,
	TW_DHCP_O_TYPE = 53,
	TW_DHCP_O_END = 255,
};

enum tw_lease_state {
	TW_LEASE_NONE,
	TW_LEASE_FRESH, /* given to the guest, and the policy in force does not know */
	TW_LEASE_KNOWN,
};

/* What a port's guest was given, if it still has the MAC it was given to. */
tw_inline struct tw_leases *tw_leases_of(const struct tw_frame *f, const struct tw_port *port)
{
	__u32 id = port->id;
	struct tw_leases *leases = tw_leases_lookup(f, &id);

	return leases && tw_mac_equal(leases->mac, port->mac) ? leases : 0;
}

/* Whether the port's guest has a lease on the address that the sheet is about. A writer changes `serial`
 * between what it takes away and what it puts there: a reader that meets it half way sees no lease. */
tw_inline enum tw_lease_state tw_lease_find(
	const struct tw_frame *f, const struct tw_port *port, const struct tw_sheet *sheet)
{
	struct tw_leases *leases = tw_leases_of(f, port);
	const struct tw_addr *addr = &sheet->about;
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

/* The same of any address, for ports that learn addresses: the search runs apart. */
tw_inline enum tw_lease_state tw_lease_of(
	const struct tw_frame *f, const struct tw_scope *s, const struct tw_addr *addr)
{
	struct tw_sheet *sheet;

	if (!(s->port->flags & TW_PORT_F_DHCP))
		return TW_LEASE_NONE;
	sheet = tw_sheet_get(f);
	if (!sheet)
		return TW_LEASE_NONE;
	sheet->about = *addr;
	return (enum tw_lease_state)tw_apart_leased(f, s->port->id, s->epoch);
}

/* Puts an address into the table, or prolongs it there. Whether the policy has to hear of it. */
tw_inline int tw_lease_learn(
	struct tw_leases *leases, __u32 family, const struct tw_addr *addr, __u64 until, __u64 now)
{
	struct tw_lease *lease, *oldest = &leases->at[family & 1][0];
	__u32 i;

	for (i = 0; i < TW_LEASES_MAX; i++) {
		lease = &leases->at[family & 1][i];
		if (lease->until_ns > now && tw_addr_equal(&lease->addr, addr)) {
			lease->until_ns = until;
			return 0;
		}
		if (lease->until_ns < oldest->until_ns)
			oldest = lease;
	}
	TW_MEMORY(oldest->until_ns) = 0;
	TW_MEMORY(oldest->serial) = __sync_fetch_and_add(&leases->serial, 1) + 1;
	TW_MEMORY(oldest->addr.d[0]) = addr->d[0];
	TW_MEMORY(oldest->addr.d[1]) = addr->d[1];
	TW_MEMORY(oldest->until_ns) = until;
	return 1;
}

/* The lease on an address is over. Whether there was one. */
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

/* When a lease of so many seconds ends; all ones are for ever (RFC 2131 §3.3). */
tw_inline __u64 tw_lease_until(__u32 seconds, __u64 now)
{
	return seconds == 0xffffffff ? ~0ull : now + seconds * 1000000000ull;
}

/* Notes that the guest asked: its next answer is believed. The oldest question gives way. */
tw_inline void tw_lease_ask(
	struct tw_leases *leases, __u32 family, __be32 xid, __be32 about, const struct tw_frame *f)
{
	__u32 at = leases->n_queries++ % TW_LEASE_QUERIES;
	struct tw_lease_query *query = &leases->query[at & (TW_LEASE_QUERIES - 1)];

	query->xid = xid;
	query->about = about;
	query->seen = tw_tick(f->now_ns);
	query->family = family + 1;
}

/* The question that an answer belongs to, or NULL. */
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

/* The eight bytes at `off`, first byte on top, zeros from `end` on. 0, or -1: there is nothing. */
tw_inline int tw_dhcp_word(const struct tw_frame *f, struct tw_dhcp *d, __u32 off, __u64 *ret)
{
	__u32 at = off, shift = 0;
	__be64 wire;

	if (off >= d->end || d->end < sizeof(wire))
		return -1;
	if (d->end - off < sizeof(wire)) {
		at = d->end - (__u32)sizeof(wire);
		shift = 8 * (off - at);
	}
	if (tw_frame_load(f, at, d->bytes, sizeof(wire)))
		return -1;
	__builtin_memcpy(&wire, d->bytes, sizeof(wire));
	*ret = tw_host64(wire) << (shift & 63);
	return 0;
}

/* Takes what one option says. */
tw_inline void tw_dhcp_take(struct tw_dhcp *d, __u32 code, __u32 len, __u64 word)
{
	if (code == TW_DHCP_O_TYPE && len == 1)
		d->type = (__u8)(word >> 40);
	else if (code == TW_DHCP_O_LEASE && len == 4)
		d->seconds = (__u32)(word >> 16);
	else if (code == TW_DHCP_O_REQUESTED && len == 4)
		d->requested = tw_be32((__u32)(word >> 16));
	else if (code == TW_DHCP_O_OVERLOAD)
		d->overloaded = 1;
}

/* Reads the options from d->off to their end. 0, or -1: they have none, or are malformed. */
tw_inline int tw_dhcp_options(const struct tw_frame *f, struct tw_dhcp *d)
{
	__u32 i, code, len;
	__u64 word;

	for (i = 0; i < TW_DHCP_OPTIONS_MAX; i++) {
		__u32 off = TW_MEMORY(d->off);

		if (tw_dhcp_word(f, d, off, &word))
			return -1;
		code = (__u32)(word >> 56);
		if (code == TW_DHCP_O_END)
			return 0;
		if (code == TW_DHCP_O_PAD) {
			TW_MEMORY(d->off) = off + 1;
			continue;
		}
		len = (__u32)(word >> 48) & 0xff;
		if (off + 2 + len >= d->end)
			return -1;
		tw_dhcp_take(d, code, len, word);
		TW_MEMORY(d->off) = off + 2 + len;
	}
	return -1;
}

/* What the guest says to servers. Whether a lease ended by it. */
tw_inline int tw_dhcp_from_guest(const struct tw_frame *f, struct tw_leases *leases,
	const struct tw_dhcp *d, const struct tw_bootp *bootp)
{
	__be32 about = bootp->ciaddr ? bootp->ciaddr : d->requested;
	struct tw_addr addr;

	tw_addr_map(&addr, about);
	switch (d->type) {
	case TW_DHCP_DISCOVER:
	case TW_DHCP_REQUEST:
	case TW_DHCP_INFORM:
		tw_lease_ask(leases, 0, bootp->xid, about, f);
		return 0;
	case TW_DHCP_RELEASE:
	case TW_DHCP_DECLINE:
		return tw_lease_end(leases, 0, &addr, f->now_ns);
	default:
		return 0;
	}
}

/* Whether one host can have the address, and every host does not anyway. */
tw_inline int tw_lease_is_sane(const struct tw_addr *addr)
{
	return !tw_addr_is_unspecified(addr) && !tw_addr_is_multicast(addr) &&
	       !tw_addr_is_loopback(addr) && !tw_addr_is_link_local(addr) &&
	       !(tw_addr_is_v4(addr) && !(addr->w[3] & tw_be32(0xff000000)));
}

/* What a server answers. Whether a lease began or ended by it. */
tw_inline int tw_dhcp_from_server(const struct tw_frame *f, struct tw_leases *leases,
	const struct tw_dhcp *d, const struct tw_bootp *bootp)
{
	struct tw_lease_query *query = tw_lease_asked(leases, 0, bootp->xid, f);
	struct tw_addr addr;

	if (!query)
		return 0;
	if (d->type == TW_DHCP_NAK) {
		tw_addr_map(&addr, query->about);
		return tw_lease_end(leases, 0, &addr, f->now_ns);
	}
	tw_addr_map(&addr, bootp->yiaddr);
	if (d->type != TW_DHCP_ACK || d->overloaded || !tw_lease_is_sane(&addr))
		return 0;
	if (!d->seconds)
		return 0;
	return tw_lease_learn(leases, 0, &addr, tw_lease_until(d->seconds, f->now_ns), f->now_ns);
}

/* Reads a DHCP message and acts on it; whether leases changed. */
tw_inline int tw_dhcp_hear(const struct tw_frame *f, const struct tw_port *port, enum tw_dir dir,
	const struct tw_packet *p, struct tw_dhcp *d, struct tw_leases *leases)
{
	__u32 off = p->l4_off + (__u32)sizeof(struct tw_udp);
	const struct tw_bootp *bootp = tw_at(f, off, sizeof(*bootp));
	__u64 word;

	if (!bootp || bootp->op != (dir == TW_DIR_OUT ? 1 : 2) || bootp->htype != 1 ||
		bootp->hlen != 6 || !tw_mac_equal(bootp->chaddr, port->mac))
		return 0;
	if (tw_dhcp_word(f, d, off + TW_BOOTP_COOKIE_OFF, &word) || word >> 32 != TW_BOOTP_COOKIE)
		return 0;
	d->off = off + TW_BOOTP_OPTIONS_OFF;
	if (tw_dhcp_options(f, d))
		return 0;
	return dir == TW_DIR_OUT ? tw_dhcp_from_guest(f, leases, d, bootp)
				 : tw_dhcp_from_server(f, leases, d, bootp);
}

/* A DHCP message of a port with TW_PORT_F_DHCP, which guard lets pass: as the sheet has it. Whether
 * leases changed. */
tw_inline int tw_lease_hear(const struct tw_frame *f, const struct tw_port *port, enum tw_dir dir,
	struct tw_sheet *sheet)
{
	const struct tw_packet *p = &sheet->packet;
	struct tw_dhcp *d = &sheet->dhcp;
	struct tw_leases *leases;
	__u32 id = port->id;

	leases = tw_leases_lookup(f, &id);
	if (!leases)
		return 0;
	if (!tw_mac_equal(leases->mac, port->mac)) {
		__builtin_memset(leases->at, 0, sizeof(leases->at));
		__builtin_memset(leases->query, 0, sizeof(leases->query));
		__builtin_memcpy(leases->mac, port->mac, 6);
	}
	__builtin_memset(d, 0, sizeof(*d));
	d->end = p->l3_off + p->l3_len;
	return tw_addr_is_v4(&p->tuple.dst) ? tw_dhcp_hear(f, port, dir, p, d, leases) : 0;
}
