/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lease.h: addresses that a DHCP server gave to a port's guest, learned where they are given.
 *
 * Why:        a workload with `addresses: [dhcp]` may send from what it was given, for as long as it
 *             was given it; the guard must know that without asking anyone.
 * What:       a guest's question leaves a mark in `leases`: its transaction. An answer on its way in
 *             that carries this mark and the port's MAC (DHCPv6: the DUID of the question) teaches an address. Guests cannot send
 *             answers (guard), and an answer nobody asked for teaches nothing: so none can teach a
 *             lie about itself or about others.
 * Invariants: 1. An address counts for the guard only once the policy in force takes it into account
 *                (`known`, which the agent writes): no frame is judged by rules that do not know
 *                whose it is, and an address that is somebody else's is not even spoken of in ARP.
 *             2. It ends with its lease to the millisecond, agent or not; and with the MAC.
 *             3. What is malformed, fragmented, overloaded (option 52) or lacks a lease time teaches
 *                nothing.
 * Bounds:     TW_DHCP_OPTIONS_MAX or TW_DHCP6_OPTIONS_MAX options, one load each; runs apart, for DHCP of such ports only.
 * Source:     RFC 2131 §4.3.1, §4.4.1; RFC 2132 §9; RFC 8415 §18.2, §18.3, §21.
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

/* ---- DHCPv6 (RFC 8415 §7.3, §8, §21) ---- */

enum tw_dhcp6_message {
	TW_DHCP6_SOLICIT = 1,
	TW_DHCP6_REQUEST = 3,
	TW_DHCP6_CONFIRM = 4,
	TW_DHCP6_RENEW = 5,
	TW_DHCP6_REBIND = 6,
	TW_DHCP6_REPLY = 7,
	TW_DHCP6_RELEASE = 8,
	TW_DHCP6_DECLINE = 9,
};

enum tw_dhcp6_option {
	TW_DHCP6_O_CLIENT = 1,
	TW_DHCP6_O_IA_NA = 3,
	TW_DHCP6_O_IA_TA = 4,
	TW_DHCP6_O_IA_ADDR = 5,
	TW_DHCP6_O_STATUS = 13,
};

#define TW_DHCP6_OPTIONS_MAX 32

#define TW_DHCP6_HEAD	  4  /* of a message, and of an option */
#define TW_DHCP6_IA_NA	  12 /* identifier and two times, before the options within */
#define TW_DHCP6_IA_TA	  4
#define TW_DHCP6_ADDR_LEN 24 /* address, preferred and valid lifetime */

/* The first `len` bytes of a word. */
tw_inline __u64 tw_dhcp6_cut(__u64 word, __u32 len)
{
	if (len >= sizeof(word))
		return word;
	return len ? word & ~0ull << (64 - 8 * len) : 0;
}

/* What tells one client from another: its DUID's length and first 16 bytes. */
tw_inline int tw_dhcp6_client(const struct tw_frame *f, struct tw_dhcp *d, __u32 off, __u32 len)
{
	__u64 first = 0, second = 0;

	if (tw_dhcp_word(f, d, off, &first) || (len > 8 && tw_dhcp_word(f, d, off + 8, &second)))
		return -1;
	first = tw_dhcp6_cut(first, len) * 0x9e3779b97f4a7c15ull;
	second = tw_dhcp6_cut(second, len > 8 ? len - 8 : 0) + len;
	first = (first ^ (first >> 29) ^ second) * 0xbf58476d1ce4e5b9ull;
	d->client = (__u32)(first >> 32);
	return 0;
}

/* Takes an address with its lifetime; those beyond TW_LEASES_MAX are left out. */
tw_inline int tw_dhcp6_addr(const struct tw_frame *f, struct tw_dhcp *d, __u32 off)
{
	__u32 n = TW_MEMORY(d->n_addrs);
	__u64 high, low, valid;

	if (tw_dhcp_word(f, d, off, &high) || tw_dhcp_word(f, d, off + 8, &low) ||
		tw_dhcp_word(f, d, off + 20, &valid))
		return -1;
	if (n >= TW_LEASES_MAX)
		return 0;
	d->addr[n & (TW_LEASES_MAX - 1)].d[0] = tw_host64(high);
	d->addr[n & (TW_LEASES_MAX - 1)].d[1] = tw_host64(low);
	d->valid[n & (TW_LEASES_MAX - 1)] = (__u32)(valid >> 32);
	d->n_addrs = (__u8)(n + 1);
	return 0;
}

/* One option, at d->off; an identity association is entered, not passed by. 0, or -1: malformed. */
tw_inline int tw_dhcp6_step(const struct tw_frame *f, struct tw_dhcp *d)
{
	__u32 off = TW_MEMORY(d->off), at = off + TW_DHCP6_HEAD, ia_end = TW_MEMORY(d->ia_end);
	__u32 code, len, within;
	__u64 word;

	if (tw_dhcp_word(f, d, off, &word))
		return -1;
	code = (__u32)(word >> 48);
	len = (__u32)(word >> 32) & 0xffff;
	within = off < ia_end;
	if (at + len > (within ? ia_end : d->end))
		return -1;
	TW_MEMORY(d->off) = at + len;
	if (code == TW_DHCP6_O_CLIENT && !within)
		return tw_dhcp6_client(f, d, at, len);
	if (code == TW_DHCP6_O_STATUS && !within)
		d->failed |= (word & 0xffff0000) != 0;
	if (code == TW_DHCP6_O_IA_ADDR && within)
		return len < TW_DHCP6_ADDR_LEN ? -1 : tw_dhcp6_addr(f, d, at);
	if ((code == TW_DHCP6_O_IA_NA || code == TW_DHCP6_O_IA_TA) && !within) {
		__u32 head = code == TW_DHCP6_O_IA_NA ? TW_DHCP6_IA_NA : TW_DHCP6_IA_TA;

		if (len < head)
			return -1;
		TW_MEMORY(d->ia_end) = at + len;
		TW_MEMORY(d->off) = at + head;
	}
	return 0;
}

/* Reads all options. 0, or -1: malformed. */
tw_inline int tw_dhcp6_options(const struct tw_frame *f, struct tw_dhcp *d)
{
	__u32 i;

	for (i = 0; i < TW_DHCP6_OPTIONS_MAX; i++) {
		if (TW_MEMORY(d->off) == d->end)
			return 0;
		if (tw_dhcp6_step(f, d))
			return -1;
	}
	return -1;
}

/* Ends or begins the leases that a message lists. Whether any did. */
tw_inline int tw_dhcp6_apply(
	const struct tw_frame *f, struct tw_leases *leases, const struct tw_dhcp *d, int given)
{
	int changed = 0;
	__u32 i;

	for (i = 0; i < TW_LEASES_MAX; i++) {
		const struct tw_addr *addr = &d->addr[i];

		if (i >= d->n_addrs || tw_addr_is_v4(addr) || !tw_lease_is_sane(addr))
			continue;
		if (given && d->valid[i])
			changed |= tw_lease_learn(
				leases, 1, addr, tw_lease_until(d->valid[i], f->now_ns), f->now_ns);
		else
			changed |= tw_lease_end(leases, 1, addr, f->now_ns);
	}
	return changed;
}

/* Reads a DHCPv6 message and acts on it; whether leases changed. */
tw_inline int tw_dhcp6_hear(const struct tw_frame *f, enum tw_dir dir, const struct tw_packet *p,
	struct tw_dhcp *d, struct tw_leases *leases)
{
	__u32 off = p->l4_off + (__u32)sizeof(struct tw_udp);
	const struct tw_lease_query *query;
	__be32 xid;
	__u64 word;

	if (tw_dhcp_word(f, d, off, &word))
		return 0;
	d->type = (__u8)(word >> 56);
	xid = tw_be32((__u32)(word >> 32) & 0xffffff);
	d->off = off + TW_DHCP6_HEAD;
	if (tw_dhcp6_options(f, d))
		return 0;
	if (dir == TW_DIR_OUT) {
		if (d->type == TW_DHCP6_RELEASE || d->type == TW_DHCP6_DECLINE)
			return tw_dhcp6_apply(f, leases, d, 0);
		if (d->type == TW_DHCP6_SOLICIT ||
			(d->type >= TW_DHCP6_REQUEST && d->type <= TW_DHCP6_REBIND))
			tw_lease_ask(leases, 1, xid, d->client, f);
		return 0;
	}
	query = tw_lease_asked(leases, 1, xid, f);
	if (!query || query->about != d->client || d->type != TW_DHCP6_REPLY || d->failed ||
		p->multicast)
		return 0;
	return tw_dhcp6_apply(f, leases, d, 1);
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
	return tw_addr_is_v4(&p->tuple.dst) ? tw_dhcp_hear(f, port, dir, p, d, leases)
					    : tw_dhcp6_hear(f, dir, p, d, leases);
}
