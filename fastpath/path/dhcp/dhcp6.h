/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dhcp6.h: DHCPv6, and the entry point for DHCP of both families; see dhcp.h.
 *
 * Source:     RFC 8415 §7.3, §8, §16, §18, §21.
 */
#pragma once

#include "fastpath/path/dhcp/dhcp.h"
#include "fastpath/path/transport.h"

enum tw_dhcp6_message {
	TW_DHCP6_SOLICIT = 1,
	TW_DHCP6_ADVERTISE = 2,
	TW_DHCP6_REQUEST = 3,
	TW_DHCP6_CONFIRM = 4,
	TW_DHCP6_RENEW = 5,
	TW_DHCP6_REBIND = 6,
	TW_DHCP6_REPLY = 7,
	TW_DHCP6_RELEASE = 8,
	TW_DHCP6_DECLINE = 9,
	TW_DHCP6_RECONFIGURE = 10,
	TW_DHCP6_INFORMATION = 11,
};

enum tw_dhcp6_option {
	TW_DHCP6_O_CLIENT = 1,
	TW_DHCP6_O_IA_NA = 3,
	TW_DHCP6_O_IA_TA = 4,
	TW_DHCP6_O_IA_ADDR = 5,
	TW_DHCP6_O_STATUS = 13,
	TW_DHCP6_O_IA_PD = 25,
};

#define TW_DHCP6_OPTIONS_MAX 32

#define TW_DHCP6_HEAD	  4  /* header of a message, and of an option */
#define TW_DHCP6_IA_NA	  12 /* identifier and two times, before the nested options */
#define TW_DHCP6_IA_TA	  4
#define TW_DHCP6_ADDR_LEN 24 /* address, preferred and valid lifetime */

/* Notes an address with its lifetime. Addresses beyond TW_LEASES_MAX are left out. */
tw_inline int tw_dhcp6_addr(const struct tw_frame *f, struct tw_dhcp *d, __u32 off)
{
	__u32 n = TW_MEMORY(d->n_addrs);
	__u64 high, low, valid;

	if (tw_dhcp_word(f, d, off, &high) || tw_dhcp_word(f, d, off + 8, &low) ||
		tw_dhcp_word(f, d, off + 20, &valid))
		return -1;
	if (n >= TW_LEASES_MAX) {
		d->n_beyond = 1;
		return 0;
	}
	TW_OPAQUE(n);
	d->addr[n & (TW_LEASES_MAX - 1)].d[0] = tw_host64(high);
	d->addr[n & (TW_LEASES_MAX - 1)].d[1] = tw_host64(low);
	d->valid[n & (TW_LEASES_MAX - 1)] = (__u32)(valid >> 32);
	d->n_addrs = (__u8)(n + 1);
	return 0;
}

/* Enters an identity association and notes its id. 0, or -1: malformed. */
tw_inline int tw_dhcp6_enter(
	const struct tw_frame *f, struct tw_dhcp *d, __u32 code, __u32 at, __u32 len)
{
	__u32 head = code == TW_DHCP6_O_IA_TA ? TW_DHCP6_IA_TA : TW_DHCP6_IA_NA;
	__u32 n = TW_MEMORY(d->n_ias);
	__u64 word;

	if (len < head || n >= TW_DHCP6_IAS_MAX || tw_dhcp_word(f, d, at, &word))
		return -1;
	TW_OPAQUE(n);
	d->ia[n & (TW_DHCP6_IAS_MAX - 1)] = (__u64)code << 32 | word >> 32;
	d->n_ias = (__u8)(n + 1);
	/* A delegated prefix's association contains no addresses. */
	if (code == TW_DHCP6_O_IA_PD)
		return 0;
	TW_MEMORY(d->ia_end) = at + len;
	TW_MEMORY(d->off) = at + head;
	return 0;
}

/* Reads one option at d->off; enters an identity association. 0, or -1: malformed. */
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
	if (within)
		return code != TW_DHCP6_O_IA_ADDR ? 0
		       : len < TW_DHCP6_ADDR_LEN  ? -1
						  : tw_dhcp6_addr(f, d, at);
	switch (code) {
	case TW_DHCP6_O_CLIENT:
		if (!len || len > TW_DHCP6_DUID_MAX || d->id_off)
			return -1;
		d->id_off = at;
		d->id_len = (__u8)len;
		return 0;
	case TW_DHCP6_O_STATUS:
		d->failed |= (word & 0xffff0000) != 0;
		return 0;
	case TW_DHCP6_O_IA_NA:
	case TW_DHCP6_O_IA_TA:
	case TW_DHCP6_O_IA_PD:
		return tw_dhcp6_enter(f, d, code, at, len);
	default:
		return 0;
	}
}

static long tw_dhcp6_option(__u32 i, void *context)
{
	const struct tw_dhcp_walk *walk = context;
	const struct tw_frame f = {.target = walk->target};
	struct tw_dhcp *d = walk->d;

	if (TW_MEMORY(d->off) == d->end) {
		d->walked = 1;
		return 1;
	}
	return tw_dhcp6_step(&f, d) != 0;
}

/* Reads all options. 0, or -1: malformed. */
tw_inline int tw_dhcp6_options(const struct tw_frame *f, struct tw_dhcp *d)
{
	struct tw_dhcp_walk walk = {f->target, d};

	TW_MEMORY(d->walked) = 0;
	tw_repeat(TW_DHCP6_OPTIONS_MAX, tw_dhcp6_option, &walk);
	return TW_MEMORY(d->walked) ? 0 : -1;
}

struct tw_dhcp6_change {
	struct tw_leases *leases;
	struct tw_dhcp *d;
	__u64 now_ns;
	__u32 given; /* 1: a server gives the addresses; 0: the guest gives them back */
};

/* Begins or ends the lease on one address of a message; sets d->changed if a lease began or
 * ended. */
static long tw_dhcp6_address(__u32 i, void *context)
{
	const struct tw_dhcp6_change *change = context;
	struct tw_dhcp *d = change->d;
	__u64 now = change->now_ns;
	const struct tw_addr *addr;
	__u32 valid;

	if (i >= d->n_addrs)
		return 1;
	addr = &d->addr[i & (TW_LEASES_MAX - 1)];
	valid = d->valid[i & (TW_LEASES_MAX - 1)];
	if (tw_addr_is_v4(addr) || !tw_lease_is_sane(addr))
		return 0;
	if (change->given && valid)
		d->changed |= (__u8)tw_lease_learn(
			change->leases, 1, addr, tw_lease_until(valid, now), 0, now);
	else
		d->changed |= (__u8)tw_lease_end(change->leases, 1, addr, now);
	return 0;
}

/* Begins or ends the leases on the addresses of a message. */
tw_inline void tw_dhcp6_apply(
	const struct tw_frame *f, struct tw_leases *leases, struct tw_dhcp *d, int given)
{
	struct tw_dhcp6_change change = {leases, d, f->now_ns, (__u32)given};

	tw_repeat(TW_LEASES_MAX, tw_dhcp6_address, &change);
}

/* Reads a DHCPv6 message into scratch memory. d->broken: it is malformed. */
tw_inline void tw_dhcp6_parse(const struct tw_frame *f, const struct tw_house *s)
{
	__u32 off = s->scratch->packet.l4_off + (__u32)sizeof(struct tw_udp);
	struct tw_dhcp *d = &s->scratch->dhcp;
	__u64 word;

	TW_MEMORY(d->broken) = 1;
	if (tw_dhcp_word(f, d, off, &word))
		return;
	d->type = (__u8)(word >> 56);
	d->xid = tw_be32((__u32)(word >> 32) & 0xffffff);
	TW_MEMORY(d->off) = off + TW_DHCP6_HEAD;
	if (tw_dhcp6_options(f, d))
		return;
	if (d->id_off)
		d->digest = tw_dhcp_digest(f, s);
	TW_MEMORY(d->broken) = 0;
}

/* True if a message's identity associations are the guest's: no other guest of the network uses
 * that DUID with that number. */
tw_inline int tw_dhcp6_own(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_dhcp *d = &s->scratch->dhcp;
	__u32 i;

	for (i = 0; i < TW_DHCP6_IAS_MAX; i++)
		if (i < d->n_ias && !tw_dhcp_named(f, s, d->ia[i], d->digest))
			return 0;
	return 1;
}

/* True if the guest has all addresses that a message lists. */
tw_inline int tw_dhcp6_held(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_dhcp *d = &s->scratch->dhcp;
	__u32 i;

	for (i = 0; i < TW_LEASES_MAX; i++) {
		if (i >= d->n_addrs)
			continue;
		s->scratch->about = d->addr[i];
		if (!tw_own_given(f, s->port, s->epoch, &s->scratch->about) &&
			!tw_lease_find(f, s->port, s->scratch))
			return 0;
	}
	return !d->n_beyond;
}

/* True if clients send messages of this type. */
tw_inline int tw_dhcp6_is_client(__u32 type)
{
	return type == TW_DHCP6_SOLICIT || type == TW_DHCP6_INFORMATION ||
	       (type >= TW_DHCP6_REQUEST && type <= TW_DHCP6_DECLINE && type != TW_DHCP6_REPLY);
}

/* True if a message goes from the client's port to ff02::1:2, at its MAC. */
tw_inline int tw_dhcp6_aimed(const struct tw_packet *p)
{
	const struct tw_addr *dst = &p->tuple.dst;

	return p->tuple.sport == tw_be16(546) && dst->w[0] == tw_be32(0xff020000) && !dst->w[1] &&
	       !dst->w[2] && dst->w[3] == tw_be32(0x10002) &&
	       tw_mac_word(p->dst_mac) == 0x333300010002ull;
}

/* Judges a DHCPv6 message of a guest, as tw_dhcp_sent() judges a DHCP message. */
tw_inline enum tw_reason tw_dhcp6_sent(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_leases *leases;
	__u32 type = TW_MEMORY(d->type);
	int ends = type == TW_DHCP6_RELEASE || type == TW_DHCP6_DECLINE;

	if (d->broken || p->atomic || p->l4_off != p->l3_off + sizeof(struct tw_ipv6) ||
		!tw_dhcp6_is_client(type) || (!d->id_off && type != TW_DHCP6_INFORMATION))
		return TW_R_BAD_DHCP;
	if (!tw_dhcp6_own(f, s) || (ends && !tw_dhcp6_held(f, s)))
		return TW_R_SPOOFED_DHCP;
	if (!tw_dhcp6_aimed(p))
		return TW_R_NONE;
	leases = tw_dhcp_leases(f, s);
	if (!leases)
		return TW_R_BAD_DHCP;
	tw_lease_ask(leases, 1, d->xid, (__be32)d->digest, f);
	if (ends)
		tw_dhcp6_apply(f, leases, d, 0);
	return TW_R_DHCP_CLIENT;
}

/* Judges a DHCPv6 server's answer on its way to a guest. */
tw_inline enum tw_reason tw_dhcp6_met(const struct tw_frame *f, const struct tw_house *s)
{
	struct tw_leases *leases = tw_dhcp_leases(f, s);
	struct tw_dhcp *d = &s->scratch->dhcp;
	const struct tw_lease_query *query;

	if (!leases || d->broken || s->scratch->packet.multicast ||
		(d->type != TW_DHCP6_ADVERTISE && d->type != TW_DHCP6_REPLY))
		return TW_R_BAD_DHCP;
	query = tw_lease_asked(leases, 1, d->xid, f);
	if (!query || query->about != (__be32)d->digest)
		return TW_R_DHCP_UNASKED;
	if (d->type == TW_DHCP6_REPLY && !d->failed)
		tw_dhcp6_apply(f, leases, d, 1);
	return TW_R_DHCP_CLIENT;
}

/* ---- servers ---- */

/* True if the port may use every address that a message lists. */
tw_inline int tw_dhcp6_given(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_dhcp *d = &s->scratch->dhcp;
	__u32 i;

	for (i = 0; i < TW_LEASES_MAX; i++) {
		if (i >= d->n_addrs)
			continue;
		s->scratch->about = d->addr[i];
		if (!tw_own_given(f, s->port, s->epoch, &s->scratch->about))
			return 0;
	}
	return !d->n_beyond;
}

/* True if the message is on its way to a guest's server. */
tw_inline int tw_dhcp_is_asked(const struct tw_house *s)
{
	__be16 port = s->scratch->packet.tuple.dport;

	return s->dir == TW_DIR_IN && (port == tw_be16(67) || port == tw_be16(547));
}

/* True if a message to a guest's server comes from the server's link: it is broadcast, or its source is
 * link-local or an address that the server may assign. Rules judge all other messages. */
tw_inline int tw_dhcp_asked_near(const struct tw_frame *f, const struct tw_house *s, int v4)
{
	const struct tw_packet *p = &s->scratch->packet;

	if (p->dst_mac[0] & 1)
		return v4 ? p->tuple.dst.w[3] == ~0u : tw_addr_is_multicast(&p->tuple.dst);
	if (!v4)
		return tw_addr_is_link_local(&p->tuple.src) &&
		       tw_own_destination(f, s->port, s->epoch, &p->tuple.dst);
	return tw_own_given(f, s->port, s->epoch, &p->tuple.src) &&
	       tw_own_given(f, s->port, s->epoch, &p->tuple.dst);
}

/* True if an answer of a guest's server goes to a client on the server's link: it is broadcast, or goes
 * to a link-local address, or to the client's address, which the server may assign. Rules judge all
 * other answers, as a router would forward them. */
tw_inline int tw_dhcp_served_near(const struct tw_frame *f, const struct tw_house *s, int v4)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_dhcp *d = &s->scratch->dhcp;
	__be32 dst = p->tuple.dst.w[3];

	if (!v4)
		return tw_addr_is_link_local(&p->tuple.dst);
	if (dst == ~0u)
		return tw_mac_is_broadcast(p->dst_mac);
	return !(p->dst_mac[0] & 1) && (dst == d->yiaddr || dst == d->ciaddr) &&
	       tw_own_given(f, s->port, s->epoch, &p->tuple.dst);
}

/* Judges a message of a guest's DHCP server. The server may assign only addresses that its own port
 * may use, so no client gains rights that the server does not have. TW_R_NONE: rules judge it. */
tw_inline enum tw_reason tw_dhcp_served(const struct tw_frame *f, const struct tw_house *s, int v4)
{
	struct tw_dhcp *d = &s->scratch->dhcp;
	__u32 type;

	if (v4)
		tw_dhcp_parse(f, s);
	else
		tw_dhcp6_parse(f, s);
	type = TW_MEMORY(d->type);
	if (d->broken)
		return TW_R_BAD_DHCP;
	if (!v4) {
		if (type != TW_DHCP6_ADVERTISE && type != TW_DHCP6_REPLY &&
			type != TW_DHCP6_RECONFIGURE)
			return TW_R_BAD_DHCP;
		if (!tw_dhcp6_given(f, s))
			return TW_R_FOREIGN_LEASE;
		return tw_dhcp_served_near(f, s, v4) ? TW_R_GRANTED : TW_R_NONE;
	}
	if (type != TW_DHCP_OFFER && type != TW_DHCP_ACK && type != TW_DHCP_NAK)
		return TW_R_BAD_DHCP;
	tw_addr_map(&s->scratch->about, d->yiaddr);
	if (d->yiaddr && !tw_own_given(f, s->port, s->epoch, &s->scratch->about))
		return TW_R_FOREIGN_LEASE;
	return tw_dhcp_served_near(f, s, v4) ? TW_R_GRANTED : TW_R_NONE;
}

/* ---- both ---- */

/* True if a guest sends DHCP within its rate. */
tw_inline int tw_dhcp_in_rate(const struct tw_frame *f, const struct tw_house *s)
{
	__u32 id = s->port->id, rate = s->config->dhcp_rate;
	struct tw_limiter *limiter = rate ? tw_limiters_lookup(f, &id) : 0;

	return !rate ||
	       (limiter && tw_meter_take(&limiter->due_ns[TW_METER_DHCP], rate, f->now_ns, 1));
}

/* True if a guest may have arrived with an unknown lease: by a live migration, or because the host
 * was not filtered before. */
tw_inline int tw_dhcp_arriving(const struct tw_frame *f, const struct tw_house *s)
{
	return s->port->flags & TW_PORT_F_DHCP && tw_port_has_mac(s->port) &&
	       tw_addr_is_v4(&s->scratch->packet.tuple.src) && tw_lease_none(f, s->port);
}

/* Checks the sender and rate of a guest's datagram to a DHCP server's port. */
tw_inline enum tw_reason tw_dhcp_admit(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_addr *src = &p->tuple.src;

	if (!(tw_addr_is_v4(src) && tw_addr_is_unspecified(src)) &&
		!tw_own_held(f, s->port, s->epoch, src)) {
		if (!tw_dhcp_arriving(f, s))
			return tw_own_foreign(p, TW_R_SPOOFED_ADDRESS);
		s->scratch->dhcp.arriving = 1;
	}
	if (!tw_dhcp_in_rate(f, s))
		return TW_R_RATE_LIMIT;
	if (p->fragment || tw_l4_len(p) > TW_DHCP_BYTES_MAX + sizeof(struct tw_udp))
		return TW_R_BAD_DHCP;
	return TW_R_NONE;
}

/* Judges DHCP of either family. Each family runs in a subprogram of its own, because of the stack
 * limit. */
tw_inline enum tw_reason tw_dhcp_judge(const struct tw_frame *f, const struct tw_house *s, int v4)
{
	const struct tw_packet *p = &s->scratch->packet;
	enum tw_reason reason = TW_R_NONE;
	struct tw_dhcp *d = &s->scratch->dhcp;

	if (tw_dhcp_is_asked(s))
		return tw_dhcp_asked_near(f, s, v4) ? TW_R_GRANTED : TW_R_NONE;
	if (tw_dhcp_serves(s))
		reason = tw_own_held(f, s->port, s->epoch, &p->tuple.src) ? TW_R_NONE
									  : TW_R_SPOOFED_ADDRESS;
	else if (s->dir == TW_DIR_OUT)
		reason = tw_dhcp_admit(f, s);
	if (reason)
		return reason;
	d->end = p->l3_off + p->l3_len;
	if (f->gso_size || f->len != d->end || !tw_dhcp_whole(f, p))
		return TW_R_BAD_DHCP;
	if (tw_dhcp_serves(s))
		return tw_dhcp_served(f, s, v4);
	if (v4) {
		tw_dhcp_parse(f, s);
		return s->dir == TW_DIR_OUT ? tw_dhcp_sent(f, s) : tw_dhcp_met(f, s);
	}
	tw_dhcp6_parse(f, s);
	return s->dir == TW_DIR_OUT ? tw_dhcp6_sent(f, s) : tw_dhcp6_met(f, s);
}

/* Judges DHCP both ways. A port that may send from addresses of others may also relay: its other
 * messages are left to the policy. */
tw_inline enum tw_reason tw_dhcp(const struct tw_frame *f, const struct tw_house *s, int v4)
{
	enum tw_reason reason;

	__builtin_memset(&s->scratch->dhcp, 0, sizeof(s->scratch->dhcp));
	reason = tw_dhcp_judge(f, s, v4);
	if (reason != TW_R_DHCP_CLIENT && reason != TW_R_RATE_LIMIT && reason != TW_R_GRANTED &&
		!tw_dhcp_serves(s) && s->port->flags & TW_PORT_FOREIGN)
		return TW_R_NONE;
	return reason;
}
