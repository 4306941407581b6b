/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* parse.h: reads a frame's headers into a struct tw_packet, or returns why they cannot be read.
 *
 * Why:        every later stage trusts these fields. It reads no header again, except for protocol
 *             content (guard: ARP and ND; forward: the refused header).
 * Invariants: 1. Fails closed: anything unknown is denied (TW_R_* of stage parse).
 *             2. A later fragment has no ports; track fills them in from the first.
 *             3. Lengths are checked against each other and the frame before the bytes they cover
 *                are read. A GSO super-frame is one long packet.
 * Bounds:     3 tags, TW_EXTENSIONS_MAX extension headers, TW_IPV4_OPTIONS_MAX options, TW_HEAD_MAX
 *             bytes.
 * Source:     IEEE 802.1Q, RFC 791, 826, 768, 792, 4443, 8200, 9293; fragments RFC 1858, 3128,
 *             6946, 7112; routing header 0 RFC 5095, IPv4 source routes RFC 7126.
 */
#pragma once

#include "fastpath/path/packet.h"

#define TW_EXTENSIONS_MAX 6

tw_inline int tw_is_vlan(__be16 type)
{
	return type == tw_be16(TW_ETH_8021Q) || type == tw_be16(TW_ETH_8021AD);
}

/* Notes one tag's VLAN id; id 0 is a priority tag without a VLAN. */
tw_inline void tw_take_tag(struct tw_packet *p, __u16 tci)
{
	__u16 id = tci & 0xfff;

	if (!p->vlan)
		p->vlan = id;
	else
		p->inner_vlan = id;
}

/* Reads LLC/SNAP at the length field: an EtherType follows the OUIs 00-00-00 (RFC 1042) and
 * 00-00-f8 (802.1H). Frames of other LLC protocols (STP, …) are not IP. */
tw_inline enum tw_reason tw_parse_snap(const struct tw_frame *f, struct tw_packet *p, __u32 *off)
{
	const struct tw_snap *snap = tw_at(f, *off - 2, sizeof(*snap));
	__u32 length;

	if (!snap)
		return tw_at_reason(f, *off - 2, sizeof(*snap));
	if (snap->llc[0] != 0xaa || snap->llc[1] != 0xaa || snap->llc[2] != 0x03 || snap->oui[0] ||
		snap->oui[1] || (snap->oui[2] && snap->oui[2] != 0xf8))
		return TW_R_NOT_IP;
	length = tw_host16(snap->length);
	if (length < 8 || *off + length > f->len)
		return TW_R_BAD_LENGTH;
	p->ethertype = tw_host16(snap->type);
	p->l3_len = length - 8;
	p->snap = 1;
	*off += 8;
	return TW_R_NONE;
}

tw_inline enum tw_reason tw_parse_ethernet(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_ethernet *eth = tw_at(f, 0, sizeof(*eth));
	const struct tw_vlan_tag *tag;
	__u32 off = sizeof(*eth), tags = 0, i;
	__be16 type;

	if (!eth)
		return TW_R_TRUNCATED;
	__builtin_memcpy(p->dst_mac, eth->dst, 6);
	__builtin_memcpy(p->src_mac, eth->src, 6);
	p->multicast = eth->dst[0] & 1;
	type = eth->type;
	if (f->has_vlan) {
		tw_take_tag(p, f->vlan_tci);
		tags++;
	}
	for (i = 0; i < 3 && tw_is_vlan(type); i++) {
		if (++tags > 2)
			return TW_R_TOO_MANY_TAGS;
		tag = tw_at(f, off, sizeof(*tag));
		if (!tag)
			return tw_at_reason(f, off, sizeof(*tag));
		tw_take_tag(p, tw_host16(tag->tci));
		type = tag->type;
		off += sizeof(*tag);
	}
	p->ethertype = tw_host16(type);
	p->l3_len = f->len - off;
	if (p->ethertype < 0x0600) {
		enum tw_reason reason = tw_parse_snap(f, p, &off);

		if (reason)
			return reason;
	}
	TW_MEMORY(p->l3_off) = (__u16)off;
	return TW_R_NONE;
}

/* True for an allowed ARP operation: request or reply. RARP is handled as ARP from here on. Only
 * its request is allowed, by which a hypervisor announces a guest's MAC after a migration (RFC
 * 903). */
tw_inline int tw_parse_arp_operation(__u32 ethertype, __be16 operation)
{
	if (ethertype == TW_ETH_RARP)
		return operation == tw_be16(TW_ARP_REVERSE);
	return operation == tw_be16(1) || operation == tw_be16(2);
}

tw_inline enum tw_reason tw_parse_arp(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_arp *arp = tw_at(f, p->l3_off, sizeof(*arp));

	if (!arp)
		return tw_at_reason(f, p->l3_off, sizeof(*arp));
	if (p->l3_len < sizeof(*arp))
		return TW_R_BAD_LENGTH;
	if (arp->hardware != tw_be16(1) || arp->protocol != tw_be16(TW_ETH_IPV4) ||
		arp->hardware_len != 6 || arp->protocol_len != 4 ||
		!tw_parse_arp_operation(p->ethertype, arp->operation))
		return TW_R_BAD_HEADER;
	p->ethertype = TW_ETH_ARP;
	return TW_R_NONE;
}

/* Checks for addresses that no frame may carry as source or destination (RFC 6890). */
tw_inline enum tw_reason tw_check_addresses(struct tw_packet *p)
{
	struct tw_tuple *t = &p->tuple;

	if (tw_addr_is_multicast(&t->src) || tw_addr_is_loopback(&t->src) ||
		tw_addr_is_loopback(&t->dst) || tw_addr_is_unspecified(&t->dst) ||
		tw_addr_equal(&t->src, &t->dst))
		return TW_R_BAD_ADDRESS;
	/* An IPv4-mapped address never appears on the wire, and would be taken for IPv4 here. */
	if (p->ethertype == TW_ETH_IPV6 && (tw_addr_is_v4(&t->src) || tw_addr_is_v4(&t->dst)))
		return TW_R_BAD_ADDRESS;
	p->multicast |= tw_addr_is_multicast(&t->dst);
	return TW_R_NONE;
}

/* Notes a fragment's position: `offset` in bytes, `more` to follow, `payload` bytes of its own. The
 * whole datagram's length, which includes `header` bytes, has 16 bits. */
tw_inline enum tw_reason tw_note_fragment(
	struct tw_ip *ip, __u32 offset, __u32 more, __u32 payload, __u32 header)
{
	if (!offset && !more)
		return TW_R_NONE;
	ip->fragment = offset ? TW_FRAG_LATER : TW_FRAG_FIRST;
	if (ip->quoted)
		return TW_R_NONE;
	if (!payload || (more && payload & 7) || offset + payload + header > 65535)
		return TW_R_BAD_LENGTH;
	ip->piece.from = (__u16)offset;
	ip->piece.to = (__u16)(offset + payload);
	ip->piece.more = more != 0;
	return TW_R_NONE;
}

#define TW_IPV4_OPTIONS_MAX 40 /* bytes */

/* State of the loop over IPv4 options. */
struct tw_ipv4_walk {
	const struct tw_frame *f;
	__u32 off, end;
	enum tw_reason reason;
};

/* Checks the option at walk->off. Returns 1 to end the loop. */
static long tw_ipv4_option(__u32 i, void *context)
{
	struct tw_ipv4_walk *walk = context;
	__u32 at = TW_MEMORY(walk->off), end = walk->end;
	const __u8 *option;

	if (at >= end)
		return 1;
	option = tw_at(walk->f, at, 1);
	if (!option) {
		walk->reason = tw_at_reason(walk->f, at, 1);
		return 1;
	}
	if (option[0] == 0) /* end of options */
		return 1;
	if (option[0] == 1) { /* no operation */
		TW_MEMORY(walk->off) = at + 1;
		return 0;
	}
	walk->reason = TW_R_BAD_HEADER;
	if (option[0] == 131 || option[0] == 137)
		return 1;
	option = tw_at(walk->f, at, 2);
	if (!option || option[1] < 2 || at + option[1] > end)
		return 1;
	walk->reason = TW_R_NONE;
	TW_MEMORY(walk->off) = at + option[1];
	return 0;
}

/* Checks IPv4 options from `off` to `end`. Loose and strict source routes are refused (RFC 7126
 * §4.3 and §4.4), as are malformed options. */
tw_inline enum tw_reason tw_walk_options(const struct tw_frame *f, __u32 off, __u32 end)
{
	struct tw_ipv4_walk walk = {.f = f, .off = off, .end = end};

	tw_repeat(TW_IPV4_OPTIONS_MAX, tw_ipv4_option, &walk);
	return TW_MEMORY(walk.reason);
}

/* True if a header's checksum is right (RFC 791). `h` has no options, or their sum is in `sum`. */
tw_inline int tw_ipv4_sum_good(const struct tw_ipv4 *h, __u64 sum)
{
	const __u32 *words = (const void *)h;

	/* Loads the words for the sum alone. If shared with the fields read later, they would
	 * occupy registers until then (docs/decisions/009-offloads.md). */
	TW_OPAQUE(words);
	sum += (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
	/* A sum of zero in one's complement is a multiple of 0xffff. A header is never all
	 * zeros. */
	return sum % 0xffff == 0;
}

/* Returns the sum of the options after a header's fixed part. */
tw_inline __u64 tw_ipv4_sum_options(const struct tw_frame *f, __u32 off, __u32 end)
{
	const __u32 *word;
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < TW_IPV4_OPTIONS_MAX / 4 && off < end; i++, off += 4) {
		word = tw_at(f, off, 4);
		if (word)
			sum += *word;
	}
	return sum;
}

/* Checks the options from `off` to `end`, and the whole header's checksum. The kernel rewrites a
 * super-frame's checksum for each segment. */
tw_inline enum tw_reason tw_check_options(const struct tw_frame *f, __u32 off, __u32 end)
{
	const struct tw_ipv4 *h = tw_at(f, off - sizeof(*h), sizeof(*h));
	enum tw_reason reason = tw_walk_options(f, off, end);

	if (reason)
		return reason;
	if (!h)
		return TW_R_TRUNCATED;
	return f->gso_size || tw_ipv4_sum_good(h, tw_ipv4_sum_options(f, off, end))
		       ? TW_R_NONE
		       : TW_R_BAD_CHECKSUM;
}

/* Reads an IPv4 header (RFC 791), which may include options. */
tw_inline enum tw_reason tw_read_ip(const struct tw_frame *f, struct tw_ip *ip, struct tw_tuple *t)
{
	const struct tw_ipv4 *h = tw_at(f, ip->off, sizeof(*h));
	__u32 header, total, field, bad, room = ip->end - ip->off;

	if (!h)
		return tw_at_reason(f, ip->off, sizeof(*h));
	header = (h->version_ihl & 0xfu) * 4;
	if (h->version_ihl >> 4 != 4 || header < sizeof(*h))
		return TW_R_BAD_HEADER;
	total = tw_host16(h->total_len);
	/* The kernel rewrites a super-frame's length for each segment. Windows leaves zero; so does
	 * Linux if the field is too short. */
	if (!total && f->gso_size && !ip->quoted)
		total = room;
	if (total < header || (total > room && !ip->quoted))
		return TW_R_BAD_LENGTH;
	/* Has no branches, so that the verifier walks the code after it once. */
	bad = !tw_ipv4_sum_good(h, 0) & (header == sizeof(*h)) & !f->gso_size & !ip->quoted;
	TW_OPAQUE(bad);
	if (bad)
		return TW_R_BAD_CHECKSUM;
	ip->end = ip->off + total;
	ip->off += header;
	ip->next = h->proto;
	ip->hop_limit = h->ttl;
	ip->piece.id = h->id;
	tw_addr_map(&t->src, h->src);
	tw_addr_map(&t->dst, h->dst);
	field = tw_host16(h->fragment);
	if ((field & 0x1fff) == 1 && h->proto == TW_IPPROTO_TCP)
		return TW_R_TINY_FRAGMENT; /* would overwrite the TCP flags: RFC 3128 */
	return tw_note_fragment(ip, (field & 0x1fff) << 3, field & 0x2000, total - header, header);
}

tw_inline enum tw_reason tw_walk_fragment(const struct tw_frame *f, struct tw_ip *ip)
{
	__u32 off = TW_MEMORY(ip->off), field;
	const struct tw_ipv6_fragment *h = tw_at(f, off, sizeof(*h));
	enum tw_reason reason;

	if (!h)
		return tw_at_reason(f, off, sizeof(*h));
	if (ip->fragment | ip->atomic)
		return TW_R_BAD_HEADER; /* a fragment of a fragment */
	field = tw_host16(h->offset);
	ip->piece.id = h->id;
	ip->next = h->next;
	off += sizeof(*h);
	if (off > ip->end)
		return TW_R_BAD_LENGTH;
	TW_MEMORY(ip->off) = off;
	reason = tw_note_fragment(ip, field & 0xfff8, field & 1, ip->end - off, 0);
	ip->atomic = !ip->fragment;
	ip->done = ip->fragment == TW_FRAG_LATER;
	return reason;
}

/* Reads one extension header (RFC 8200 §4, RFC 4302 for AH). */
tw_inline enum tw_reason tw_walk_extension(const struct tw_frame *f, struct tw_ip *ip)
{
	__u32 off = TW_MEMORY(ip->off), len;
	__u8 next = TW_MEMORY(ip->next);
	const __u8 *h;

	switch (next) {
	case 0: /* hop-by-hop options */
		if (ip->inside)
			return TW_R_BAD_HEADER;
		break;
	case 43: /* routing */
	case 51: /* authentication */
	case 60: /* destination options */
		break;
	case 44:
		ip->inside = 1;
		return tw_walk_fragment(f, ip);
	default:
		ip->done = 1;
		return TW_R_NONE;
	}
	h = tw_at(f, off, 8);
	if (!h)
		return tw_at_reason(f, off, 8);
	if (next == 43 && h[2] == 0)
		return TW_R_BAD_HEADER; /* routing header 0: RFC 5095 */
	len = next == 51 ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
	ip->inside = 1;
	TW_MEMORY(ip->next) = h[0];
	TW_MEMORY(ip->off) = off + len;
	if (off + len <= ip->end)
		return TW_R_NONE;
	/* In a first fragment the chain continues in the next one: RFC 7112. */
	return ip->fragment == TW_FRAG_FIRST ? TW_R_TINY_FRAGMENT : TW_R_BAD_LENGTH;
}

/* Reads an IPv6 header (RFC 8200): a fixed header, then a chain of extension headers. */
tw_inline enum tw_reason tw_read_ip_chain(
	const struct tw_frame *f, struct tw_ip *ip, struct tw_tuple *t)
{
	const struct tw_ipv6 *h = tw_at(f, ip->off, sizeof(*h));
	__u32 payload, i, room = ip->end - ip->off;
	enum tw_reason reason;

	if (!h)
		return tw_at_reason(f, ip->off, sizeof(*h));
	if ((h->version_flow & tw_be32(0xf0000000)) != tw_be32(0x60000000))
		return TW_R_BAD_HEADER;
	payload = tw_host16(h->payload_len);
	if (!payload && f->gso_size && !ip->quoted)
		payload = room - sizeof(*h);
	if (payload + sizeof(*h) > room && !ip->quoted)
		return TW_R_BAD_LENGTH;
	ip->off += sizeof(*h);
	ip->end = ip->off + payload;
	ip->next = h->next;
	ip->hop_limit = h->hop_limit;
	tw_addr_copy(&t->src, h->src);
	tw_addr_copy(&t->dst, h->dst);
	for (i = 0; i <= TW_EXTENSIONS_MAX; i++) {
		reason = tw_walk_extension(f, ip);
		if (reason || ip->done)
			return reason;
	}
	return TW_R_HEADER_BUDGET;
}

tw_inline enum tw_reason tw_read_network(
	const struct tw_frame *f, __u16 ethertype, struct tw_ip *ip, struct tw_tuple *t)
{
	enum tw_reason reason;

	if (ethertype == TW_ETH_IPV4)
		reason = tw_read_ip(f, ip, t);
	else
		reason = tw_read_ip_chain(f, ip, t);
	t->proto = ip->next;
	return reason;
}

tw_inline enum tw_reason tw_parse_network(const struct tw_frame *f, struct tw_packet *p)
{
	struct tw_ip *ip = &p->ip;
	enum tw_reason reason;

	ip->off = p->l3_off;
	ip->end = p->l3_off + p->l3_len;
	reason = tw_read_network(f, p->ethertype, ip, &p->tuple);
	if (reason)
		return reason;
	if (p->ethertype == TW_ETH_IPV4 && ip->off - p->l3_off > sizeof(struct tw_ipv4)) {
		reason = tw_call_ip_options(f, p->l3_off + sizeof(struct tw_ipv4), ip->off);
		if (reason)
			return reason;
	}
	p->l3_len = ip->end - p->l3_off;
	TW_MEMORY(p->l4_off) = (__u16)ip->off;
	p->fragment = ip->fragment;
	p->atomic = ip->atomic;
	if (ip->fragment)
		p->piece = ip->piece;
	p->hop_limit = ip->hop_limit;
	return tw_check_addresses(p);
}
