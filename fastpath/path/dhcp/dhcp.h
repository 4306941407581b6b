/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dhcp.h: DHCP and DHCPv6 of guests: passes their messages without a rule, and learns leases.
 *
 * Why:        a guest must get its address before any rule can name it. Yet it must neither act in
 *             another guest's name at the server, nor send data to other listeners on these ports.
 * In:         a guest's datagram to port 67 or 547, or a server's to 68 or 546. A guest is a server
 *             only with TW_MAY_DHCP_SERVER.
 * Out:        TW_R_DHCP_CLIENT: passes. TW_R_NONE: the policy judges it. Any other: denied.
 * Invariants: 1. From a guest only a client's message passes, whatever its source port and the
 *                rules. It has the guest's own MAC, and a client name (identifier; DUID and IAID)
 *                of no other guest. It releases or declines only addresses that the guest holds.
 *             2. Without a rule it passes only to all servers (255.255.255.255, ff02::1:2, each at
 *                its MAC), or to a server from which the guest has a lease. An arrived guest
 *                without a lease may renew one at any server. The message is rate-limited, at most
 *                TW_DHCP_BYTES_MAX bytes long, and only zeros follow the end of its options.
 *             3. An answer passes only if it matches a question of the last minute: its
 *                transaction, and the client's MAC or DUID.
 *             4. The contents of other options are not checked: within these bounds a message can
 *                carry data to all hosts of its broadcast domain.
 * Bounds:     TW_DHCP_OPTIONS_MAX or TW_DHCP6_OPTIONS_MAX options, one load each; loops over
 *             padding and names use tw_repeat(); runs in a subprogram.
 * Source:     RFC 2131 §2, §4.3.1, §4.4.1; RFC 2132 §9; RFC 4361; RFC 8415 §7, §8, §16, §18, §21.
 */
#pragma once

#include "fastpath/path/limit.h"
#include "fastpath/path/own.h"

#define TW_DHCP_OPTIONS_MAX 64
#define TW_DHCP_BYTES_MAX   576 /* size that every server must accept (RFC 2131 §2) */
#define TW_DHCP_NAME_WORDS  32	/* the longest client identifier: 255 bytes */
#define TW_DHCP6_DUID_MAX   130 /* RFC 8415 §11.1 */

/* Start of a DHCP message, up to the client's hardware address (RFC 2131 §2). */
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
	TW_DHCP_OFFER = 2,
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
	TW_DHCP_O_SERVER = 54,
	TW_DHCP_O_CLIENT = 61,
	TW_DHCP_O_RELAY = 82,
	TW_DHCP_O_END = 255,
};

/* Loads the eight bytes at `off`, the first one in the highest byte; bytes from `end` on are zeros.
 * 0, or -1: `off` is not below `end`. */
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

/* Returns the first `len` bytes of a word. */
tw_inline __u64 tw_dhcp_head(__u64 word, __u32 len)
{
	if (len >= sizeof(word))
		return word;
	return len ? word & ~0ull << (64 - 8 * len) : 0;
}

/* Notes one DHCP option. */
tw_inline void tw_dhcp_take(struct tw_dhcp *d, __u32 off, __u32 code, __u32 len, __u64 word)
{
	if (code == TW_DHCP_O_TYPE && len == 1) {
		d->type = (__u8)(word >> 40);
		d->n_types++;
	} else if (code == TW_DHCP_O_LEASE && len == 4) {
		d->seconds = (__u32)(word >> 16);
	} else if (code == TW_DHCP_O_REQUESTED && len == 4) {
		d->requested = tw_be32((__u32)(word >> 16));
	} else if (code == TW_DHCP_O_SERVER && len == 4) {
		d->server = tw_be32((__u32)(word >> 16));
	} else if (code == TW_DHCP_O_OVERLOAD) {
		d->overloaded = 1;
	} else if (code == TW_DHCP_O_RELAY) {
		d->relayed = 1;
	} else if (code == TW_DHCP_O_CLIENT) {
		d->id_off = off + 2;
		d->id_len = (__u8)len;
	}
}

/* Context of loops over a message. The kernel calls their steps, so the verifier walks only one. */
struct tw_dhcp_walk {
	void *target; /* `target` of the frame */
	struct tw_dhcp *d;
};

/* Reads one DHCP option at d->off. Ends the loop at malformed options, or at their end, with d->off
 * there and d->walked set. */
static long tw_dhcp_option(__u32 i, void *context)
{
	const struct tw_dhcp_walk *walk = context;
	const struct tw_frame f = {.target = walk->target};
	struct tw_dhcp *d = walk->d;
	__u32 off = TW_MEMORY(d->off), code, len;
	__u64 word;

	if (tw_dhcp_word(&f, d, off, &word))
		return 1;
	code = (__u32)(word >> 56);
	if (code == TW_DHCP_O_END) {
		d->walked = 1;
		return 1;
	}
	if (code == TW_DHCP_O_PAD) {
		TW_MEMORY(d->off) = off + (word ? 1 : 8);
		return 0;
	}
	len = (__u32)(word >> 48) & 0xff;
	if (off + 2 + len >= d->end)
		return 1;
	tw_dhcp_take(d, off, code, len, word);
	TW_MEMORY(d->off) = off + 2 + len;
	return 0;
}

/* Reads the options from d->off to their end. Returns 0, or -1 if they are malformed or have no
 * end. */
tw_inline int tw_dhcp_options(const struct tw_frame *f, struct tw_dhcp *d)
{
	struct tw_dhcp_walk walk = {f->target, d};

	TW_MEMORY(d->walked) = 0;
	tw_repeat(TW_DHCP_OPTIONS_MAX, tw_dhcp_option, &walk);
	return TW_MEMORY(d->walked) ? 0 : -1;
}

/* Checks eight bytes of padding. Ends the loop at a byte that is not zero, or at the message's end,
 * with d->walked set. */
static long tw_dhcp_zeros(__u32 i, void *context)
{
	const struct tw_dhcp_walk *walk = context;
	const struct tw_frame f = {.target = walk->target};
	struct tw_dhcp *d = walk->d;
	__u32 off = TW_MEMORY(d->off);
	__u64 word;

	if (off >= d->end) {
		d->walked = 1;
		return 1;
	}
	if (tw_dhcp_word(&f, d, off, &word) || word)
		return 1;
	TW_MEMORY(d->off) = off + 8;
	return 0;
}

/* True if only zeros follow from `off`. */
tw_inline int tw_dhcp_padded(const struct tw_frame *f, struct tw_dhcp *d, __u32 off)
{
	struct tw_dhcp_walk walk = {f->target, d};

	TW_MEMORY(d->off) = off;
	TW_MEMORY(d->walked) = 0;
	tw_repeat(TW_DHCP_BYTES_MAX / 8, tw_dhcp_zeros, &walk);
	return TW_MEMORY(d->walked);
}

/* ---- names ---- */

struct tw_dhcp_name {
	struct tw_dhcp_walk walk;
	struct tw_sip *sip;
};

/* Adds eight bytes of the client's name to its hash. */
static long tw_dhcp_hash(__u32 i, void *context)
{
	const struct tw_dhcp_name *name = context;
	const struct tw_frame f = {.target = name->walk.target};
	struct tw_dhcp *d = name->walk.d;
	__u32 off = TW_MEMORY(d->off), left = d->id_off + d->id_len - off;
	__u64 word;

	if ((__s32)left <= 0 || tw_dhcp_word(&f, d, off, &word))
		return 1;
	tw_sip_add(name->sip, tw_dhcp_head(word, left));
	TW_MEMORY(d->off) = off + 8;
	return 0;
}

/* Returns the keyed hash of the client's name. */
tw_inline __u64 tw_dhcp_digest(const struct tw_frame *f, const struct tw_house *s)
{
	struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_sip *sip = &s->scratch->sip;
	struct tw_dhcp_name name = {{f->target, d}, sip};

	tw_sip_begin(sip, s->config);
	tw_sip_add(sip, d->id_len);
	TW_MEMORY(d->off) = d->id_off;
	tw_repeat(TW_DHCP_NAME_WORDS, tw_dhcp_hash, &name);
	return tw_sip_end(sip);
}

/* True if a client's name is the port's, by an old or a new claim. `which`: the kind of name, with
 * the number of a DHCPv6 identity association. */
tw_inline int tw_dhcp_named(
	const struct tw_frame *f, const struct tw_house *s, __u64 which, __u64 digest)
{
	s->scratch->about.d[0] = which;
	s->scratch->about.d[1] = digest;
	return tw_own_asked(f, s->port, s->epoch, TW_OWNED_NAME) != TW_LEASE_NONE;
}

/* True if a DHCP client identifier (RFC 2132 §9.14) is the guest's: its own MAC, or a name that no
 * other guest in the network uses. */
tw_inline int tw_dhcp_client_own(const struct tw_frame *f, const struct tw_house *s)
{
	struct tw_dhcp *d = &s->scratch->dhcp;
	__u64 word, digest;

	if (!d->id_off)
		return 1;
	if (!d->id_len || tw_dhcp_word(f, d, d->id_off, &word))
		return 0;
	if (d->id_len == 7 && word >> 56 == 1)
		return (word >> 8 & 0xffffffffffffull) == tw_mac_word(s->scratch->packet.src_mac);
	digest = tw_dhcp_digest(f, s);
	return tw_dhcp_named(f, s, TW_DHCP_O_CLIENT, digest);
}

/* True if the datagram fills its packet. */
tw_inline int tw_dhcp_whole(const struct tw_frame *f, const struct tw_packet *p)
{
	const struct tw_udp *udp = tw_at(f, p->l4_off, sizeof(*udp));

	return udp && p->l4_off + tw_host16(udp->len) == p->l3_off + p->l3_len;
}

/* ---- DHCP ---- */

/* Returns the leases of a port. Drops them first if its guest has another MAC now. */
tw_inline struct tw_leases *tw_dhcp_leases(const struct tw_frame *f, const struct tw_house *s)
{
	const __u8 *mac = s->port->mac;
	struct tw_leases *leases;
	__u32 id = s->port->id;

	leases = tw_leases_lookup(f, &id);
	if (!leases)
		return 0;
	if (!tw_port_has_mac(s->port))
		mac = s->dir == TW_DIR_OUT ? s->scratch->packet.src_mac : leases->mac;
	if (!tw_mac_equal(leases->mac, mac))
		tw_leases_reset(leases, mac);
	return leases;
}

/* True if a host may lease the address: it is neither special nor link-local. */
tw_inline int tw_lease_is_sane(const struct tw_addr *addr)
{
	return !tw_addr_is_unspecified(addr) && !tw_addr_is_multicast(addr) &&
	       !tw_addr_is_loopback(addr) && !tw_addr_is_link_local(addr) &&
	       !(tw_addr_is_v4(addr) && !(addr->w[3] & tw_be32(0xff000000)));
}

/* True if the guest has an IPv4 address, by the policy or by lease, at any kind of port. */
tw_inline int tw_dhcp_held(const struct tw_frame *f, const struct tw_house *s, __be32 wire)
{
	struct tw_addr *addr = &s->scratch->about;

	tw_addr_map(addr, wire);
	return tw_own_given(f, s->port, s->epoch, addr) || tw_lease_find(f, s->port, s->scratch);
}

/* Reads a DHCP message up to the end of its options. 0, or -1: malformed. */
tw_inline int tw_dhcp_read(const struct tw_frame *f, struct tw_dhcp *d, __u32 off)
{
	__u64 word;

	if (tw_dhcp_word(f, d, off + TW_BOOTP_COOKIE_OFF, &word) || word >> 32 != TW_BOOTP_COOKIE)
		return -1;
	TW_MEMORY(d->off) = off + TW_BOOTP_OPTIONS_OFF;
	return tw_dhcp_options(f, d) || d->n_types != 1 ? -1 : 0;
}

/* Returns TW_R_NONE if a message is a client's, in the guest's own name, about its own addresses
 * only. */
tw_inline enum tw_reason tw_dhcp_own(const struct tw_frame *f, const struct tw_house *s)
{
	struct tw_dhcp *d = &s->scratch->dhcp;
	__be32 ciaddr = TW_MEMORY(d->ciaddr);

	switch (TW_MEMORY(d->type)) {
	case TW_DHCP_DISCOVER:
	case TW_DHCP_REQUEST:
		break;
	case TW_DHCP_RELEASE:
		if (!tw_dhcp_held(f, s, ciaddr))
			return TW_R_SPOOFED_DHCP;
		break;
	case TW_DHCP_INFORM:
		if (ciaddr && !tw_dhcp_held(f, s, ciaddr))
			return TW_R_SPOOFED_DHCP;
		break;
	case TW_DHCP_DECLINE:
		if (!tw_dhcp_held(f, s, d->requested))
			return TW_R_SPOOFED_DHCP;
		break;
	default:
		return TW_R_BAD_DHCP;
	}
	return tw_dhcp_client_own(f, s) ? TW_R_NONE : TW_R_SPOOFED_DHCP;
}

/* Notes what a client's message means for its port's leases. */
tw_inline void tw_dhcp_note(const struct tw_frame *f, struct tw_dhcp *d, struct tw_leases *leases)
{
	__u32 type = TW_MEMORY(d->type);
	__be32 about = d->ciaddr ? d->ciaddr : d->requested;
	struct tw_addr addr;

	if (type == TW_DHCP_RELEASE || type == TW_DHCP_DECLINE) {
		tw_addr_map(&addr, about);
		d->changed = (__u8)tw_lease_end(leases, 0, &addr, f->now_ns);
		return;
	}
	tw_lease_ask(leases, 0, d->xid, about, f);
}

/* True if a message renews a lease: its sender already has the address (RFC 2131 §4.3.2: RENEWING
 * and REBINDING set ciaddr, and include neither the requested address nor the server). */
tw_inline int tw_dhcp_prolongs(const struct tw_packet *p, const struct tw_dhcp *d)
{
	return TW_MEMORY(d->type) == TW_DHCP_REQUEST && d->ciaddr && !d->requested && !d->server &&
	       p->tuple.src.w[3] == d->ciaddr;
}

/* True if a message goes from the client's port to all servers, or to a server from which the guest
 * has a lease. */
tw_inline int tw_dhcp_aimed(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_dhcp *d = &s->scratch->dhcp;
	__be32 dst = p->tuple.dst.w[3];

	if (p->tuple.sport != tw_be16(68))
		return 0;
	if (dst == ~0u)
		return tw_mac_is_broadcast(p->dst_mac);
	return !(p->dst_mac[0] & 1) && (d->arriving || tw_lease_from(f, s->port, dst));
}

/* Reads a message's fixed part. 0, or -1: truncated, of the other direction, or not for Ethernet
 * (RFC 1700). */
tw_inline int tw_dhcp_fixed(const struct tw_frame *f, struct tw_dhcp *d, __u32 off, __u32 op)
{
	const struct tw_bootp *bootp = tw_at(f, off, sizeof(*bootp));

	if (!bootp || bootp->op != op || bootp->htype != 1 || bootp->hlen != 6)
		return -1;
	d->xid = bootp->xid;
	d->ciaddr = bootp->ciaddr;
	d->yiaddr = bootp->yiaddr;
	d->relayed = bootp->hops || bootp->giaddr;
	__builtin_memcpy(d->mac, bootp->chaddr, sizeof(d->mac));
	return 0;
}

/* True if the guest sends the message as a server. */
tw_inline int tw_dhcp_serves(const struct tw_house *s)
{
	__be16 port = s->scratch->packet.tuple.dport;

	return s->dir == TW_DIR_OUT && (port == tw_be16(68) || port == tw_be16(546));
}

/* Reads a DHCP message into scratch memory. d->broken: it is malformed. */
tw_inline void tw_dhcp_parse(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	__u32 off = p->l4_off + (__u32)sizeof(struct tw_udp);
	struct tw_dhcp *d = &s->scratch->dhcp;

	TW_MEMORY(d->broken) = tw_dhcp_fixed(f, d, off,
				       s->dir == TW_DIR_OUT && !tw_dhcp_serves(s) ? 1 : 2) ||
			       tw_dhcp_read(f, d, off);
}

/* Judges a DHCP message of a guest. The guest's own, well-formed message is left to the policy if
 * it comes from another port or goes to another server. */
tw_inline enum tw_reason tw_dhcp_sent(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_leases *leases;
	enum tw_reason reason;

	if (d->broken || p->l4_off != p->l3_off + sizeof(struct tw_ipv4) || d->relayed ||
		d->overloaded || !tw_dhcp_padded(f, d, TW_MEMORY(d->off) + 1))
		return TW_R_BAD_DHCP;
	if (!tw_mac_equal(d->mac, p->src_mac))
		return TW_R_SPOOFED_DHCP;
	reason = tw_dhcp_own(f, s);
	if (reason)
		return reason;
	if (d->arriving && !tw_dhcp_prolongs(p, d))
		return TW_R_SPOOFED_ADDRESS;
	if (!tw_dhcp_aimed(f, s))
		return TW_R_NONE;
	leases = tw_dhcp_leases(f, s);
	if (!leases)
		return TW_R_BAD_DHCP;
	tw_dhcp_note(f, d, leases);
	return TW_R_DHCP_CLIENT;
}

/* Applies a server's answer to the port's leases. True if a lease began or ended. */
tw_inline int tw_dhcp_learn(
	const struct tw_frame *f, const struct tw_house *s, __be32 about, struct tw_leases *leases)
{
	const struct tw_dhcp *d = &s->scratch->dhcp;
	struct tw_addr addr;

	if (d->type == TW_DHCP_NAK) {
		tw_addr_map(&addr, about);
		return tw_lease_end(leases, 0, &addr, f->now_ns);
	}
	tw_addr_map(&addr, d->yiaddr);
	if (d->type != TW_DHCP_ACK || d->overloaded || !tw_lease_is_sane(&addr) || !d->seconds)
		return 0;
	return tw_lease_learn(leases, 0, &addr, tw_lease_until(d->seconds, f->now_ns),
		d->server ? d->server : s->scratch->packet.tuple.src.w[3], f->now_ns);
}

/* Judges a server's answer on its way to a guest. */
tw_inline enum tw_reason tw_dhcp_met(const struct tw_frame *f, const struct tw_house *s)
{
	struct tw_leases *leases = tw_dhcp_leases(f, s);
	struct tw_dhcp *d = &s->scratch->dhcp;
	const struct tw_lease_query *query;

	if (!leases)
		return TW_R_BAD_DHCP;
	/* A broadcast answer to another client, which every port of the bridge sees. */
	if (s->scratch->packet.multicast && !tw_mac_equal(d->mac, leases->mac))
		return TW_R_NOT_FOR_PORT;
	if (d->broken ||
		(d->type != TW_DHCP_OFFER && d->type != TW_DHCP_ACK && d->type != TW_DHCP_NAK))
		return TW_R_BAD_DHCP;
	query = tw_lease_asked(leases, 0, d->xid, f);
	if (!query || !tw_mac_equal(d->mac, leases->mac))
		return TW_R_DHCP_UNASKED;
	d->changed = (__u8)tw_dhcp_learn(f, s, query->about, leases);
	return TW_R_DHCP_CLIENT;
}
