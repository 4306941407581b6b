/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* transport.h: second half of parse: TCP, UDP, ICMP, and the packet that an ICMP error quotes.
 *
 * Invariants: 1. Runs for unfragmented packets and first fragments only.
 *             2. A first fragment without its whole transport header is denied (RFC 1858, 7112).
 *             3. Packets of protocols other than TCP, UDP and ICMP have ports 0.
 *             4. A super-frame is one segment of its whole payload. A fragmented segment may be as
 *                long as a datagram can be, as only its first fragment's length is known.
 * Source:     RFC 768, 792, 4443, 9293; nf_conntrack's list of TCP flags that stacks send.
 */
#pragma once

#include "fastpath/path/parse.h"

#define TW_DATAGRAM_MAX 65535

/* Returns the length of the transport header and payload. */
tw_inline __u32 tw_l4_len(const struct tw_packet *p)
{
	return p->l3_off + p->l3_len - p->l4_off;
}

tw_inline enum tw_reason tw_short_transport(const struct tw_packet *p)
{
	return p->fragment == TW_FRAG_FIRST ? TW_R_TINY_FRAGMENT : TW_R_BAD_LENGTH;
}

/* True for flags that occur in legitimate traffic; PSH and the ECN bits do not matter. */
tw_inline int tw_tcp_flags_valid(__u8 flags)
{
	switch (flags & (TW_TCP_FIN | TW_TCP_SYN | TW_TCP_RST | TW_TCP_ACK | TW_TCP_URG)) {
	case TW_TCP_SYN:
	case TW_TCP_SYN | TW_TCP_URG:
	case TW_TCP_SYN | TW_TCP_ACK:
	case TW_TCP_RST:
	case TW_TCP_RST | TW_TCP_ACK:
	case TW_TCP_FIN | TW_TCP_ACK:
	case TW_TCP_FIN | TW_TCP_ACK | TW_TCP_URG:
	case TW_TCP_ACK:
	case TW_TCP_ACK | TW_TCP_URG:
		return 1;
	default:
		return 0;
	}
}

/* Returns the sequence space that a segment takes. */
tw_inline __u32 tw_tcp_len(const struct tw_packet *p, __u32 header)
{
	__u32 len = p->fragment ? TW_DATAGRAM_MAX : tw_l4_len(p) - header;

	return len + !!(p->tcp_flags & TW_TCP_SYN) + (p->tcp_flags & TW_TCP_FIN);
}

tw_inline enum tw_reason tw_parse_tcp(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_tcp *tcp = tw_at(f, p->l4_off, sizeof(*tcp));
	__u32 header;

	if (tw_l4_len(p) < sizeof(*tcp))
		return tw_short_transport(p);
	if (!tcp)
		return tw_at_reason(f, p->l4_off, sizeof(*tcp));
	header = (tcp->data_offset >> 4) * 4u;
	if (header < sizeof(*tcp))
		return TW_R_BAD_HEADER;
	if (header > tw_l4_len(p))
		return tw_short_transport(p);
	p->tcp_flags = tcp->flags;
	p->tcp_header_len = (__u8)header;
	if (!tw_tcp_flags_valid(tcp->flags))
		return TW_R_TCP_FLAGS;
	p->tuple.sport = tcp->sport;
	p->tuple.dport = tcp->dport;
	p->seq = tw_host32(tcp->seq);
	p->seq_end = p->seq + tw_tcp_len(p, header);
	p->ack = tw_host32(tcp->ack);
	p->window = tw_host16(tcp->window);
	return TW_R_NONE;
}

tw_inline enum tw_reason tw_parse_udp(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_udp *udp = tw_at(f, p->l4_off, sizeof(*udp));
	__u32 len;

	if (tw_l4_len(p) < sizeof(*udp))
		return tw_short_transport(p);
	if (!udp)
		return tw_at_reason(f, p->l4_off, sizeof(*udp));
	len = tw_host16(udp->len);
	/* Windows leaves zero in a super-frame, as in its IP header. */
	if (!len && f->gso_size)
		len = tw_l4_len(p);
	if (len < sizeof(*udp) || (len > tw_l4_len(p) && p->fragment != TW_FRAG_FIRST))
		return TW_R_BAD_LENGTH;
	/* The kernel segments all bytes that are there. */
	if (f->gso_size && len != tw_l4_len(p))
		return TW_R_BAD_LENGTH;
	p->tuple.sport = udp->sport;
	p->tuple.dport = udp->dport;
	return TW_R_NONE;
}

tw_inline enum tw_icmp_kind tw_icmp_kind(__u8 proto, __u8 type)
{
	if (proto == TW_IPPROTO_ICMP) {
		switch (type) {
		case 8:	 /* echo */
		case 13: /* timestamp */
		case 17: /* address mask */
			return TW_ICMP_QUERY;
		case 0:
		case 14:
		case 18:
			return TW_ICMP_ANSWER;
		case 3:	 /* unreachable */
		case 4:	 /* source quench */
		case 11: /* time exceeded */
		case 12: /* parameter problem */
			return TW_ICMP_ERROR;
		default:
			return TW_ICMP_OTHER;
		}
	}
	switch (type) {
	case 128:
		return TW_ICMP_QUERY;
	case 129:
		return TW_ICMP_ANSWER;
	case 1: /* unreachable */
	case 2: /* packet too big */
	case 3: /* time exceeded */
	case 4: /* parameter problem */
		return TW_ICMP_ERROR;
	default:
		return TW_ICMP_OTHER;
	}
}

/* Sets the ports that represent an ICMP message in its connection's key, see struct tw_key. The
 * answering end's port includes the kind of query, so that permission for one kind does not extend
 * to another. No two kinds add up to 65536, so x = y + k and y = x + l hold for no identifiers x
 * and y: queries of the two ends never have the same ports. */
tw_inline void tw_icmp_ports(struct tw_tuple *t, enum tw_icmp_kind kind, __be16 id, __u16 icmp)
{
	__u8 type = icmp >> 8;
	/* 8 and 0 are echo; 13 and 14, 17 and 18, 128 and 129 are query and answer. */
	__u16 number = type < 13 ? 1 : type - (kind == TW_ICMP_ANSWER ? 14 : 13) + 2;
	__be16 service = tw_be16((__u16)(tw_host16(id) + number));

	t->sport = kind == TW_ICMP_QUERY ? id : kind == TW_ICMP_ANSWER ? service : 0;
	t->dport = kind == TW_ICMP_QUERY    ? service
		   : kind == TW_ICMP_ANSWER ? id
		   : kind == TW_ICMP_OTHER  ? tw_be16(icmp)
					    : 0;
}

/* Reads the transport header of the packet that an ICMP error quotes. Without its first 8 bytes
 * (RFC 792), the tuple's protocol is cleared, and it matches no connection. */
tw_inline void tw_parse_quoted(const struct tw_frame *f, struct tw_packet *p, __u32 off)
{
	const struct tw_icmp *h = tw_at(f, off, sizeof(*h));
	const struct tw_udp *ports = (const void *)h;
	const __be32 *words = (const void *)h;
	struct tw_tuple *t = &p->inner;

	if (!h) {
		t->proto = 0;
		return;
	}
	if (t->proto == TW_IPPROTO_TCP || t->proto == TW_IPPROTO_UDP) {
		t->sport = ports->sport;
		t->dport = ports->dport;
		p->inner_seq = tw_host32(words[1]);
	} else if (t->proto == TW_IPPROTO_ICMP || t->proto == TW_IPPROTO_ICMPV6) {
		tw_icmp_ports(
			t, tw_icmp_kind(t->proto, h->type), h->id, (__u16)(h->type << 8 | h->code));
	}
}

/* Body of tw_call_quoted(): reads the packet at `off` that an ICMP error quotes. */
tw_inline void tw_parse_inner(const struct tw_frame *f, struct tw_packet *p, __u32 off)
{
	struct tw_ip *ip = &p->ip;

	__builtin_memset(ip, 0, sizeof(*ip));
	ip->off = off;
	ip->end = f->len;
	ip->quoted = 1;
	if (tw_read_network(f, p->ethertype, ip, &p->inner) || ip->fragment == TW_FRAG_LATER)
		p->inner.proto = 0;
	else
		tw_parse_quoted(f, p, TW_MEMORY(ip->off));
}

tw_inline enum tw_reason tw_parse_icmp(const struct tw_frame *f, struct tw_packet *p)
{
	const struct tw_icmp *icmp = tw_at(f, p->l4_off, sizeof(*icmp));
	__u32 inner = p->l4_off + sizeof(*icmp);

	if (tw_l4_len(p) < sizeof(*icmp))
		return tw_short_transport(p);
	if (!icmp)
		return tw_at_reason(f, p->l4_off, sizeof(*icmp));
	/* ICMP belongs to IPv4, and ICMPv6 to IPv6; no stack reads the other combinations. */
	if ((p->tuple.proto == TW_IPPROTO_ICMP) != (p->ethertype == TW_ETH_IPV4))
		return TW_R_BAD_HEADER;
	p->icmp = (__u16)(icmp->type << 8 | icmp->code);
	p->icmp_kind = tw_icmp_kind(p->tuple.proto, icmp->type);
	tw_icmp_ports(&p->tuple, p->icmp_kind, icmp->id, p->icmp);
	if (p->icmp_kind != TW_ICMP_ERROR)
		return TW_R_NONE;
	tw_call_quoted(f, inner);
	return TW_R_NONE;
}

tw_inline enum tw_reason tw_parse_transport(const struct tw_frame *f, struct tw_packet *p)
{
	if (p->fragment == TW_FRAG_LATER)
		return TW_R_NONE;
	switch (p->tuple.proto) {
	case TW_IPPROTO_TCP:
		return tw_parse_tcp(f, p);
	case TW_IPPROTO_UDP:
		return tw_parse_udp(f, p);
	case TW_IPPROTO_ICMP:
	case TW_IPPROTO_ICMPV6:
		return tw_parse_icmp(f, p);
	default:
		return TW_R_NONE;
	}
}

/* The parse stage. The caller has zeroed `p`. */
tw_inline enum tw_reason tw_parse(const struct tw_frame *f, struct tw_packet *p)
{
	enum tw_reason reason = tw_parse_ethernet(f, p);

	if (reason)
		return reason;
	switch (p->ethertype) {
	case TW_ETH_ARP:
	case TW_ETH_RARP:
		return tw_parse_arp(f, p);
	case TW_ETH_IPV4:
	case TW_ETH_IPV6:
		reason = tw_parse_network(f, p);
		break;
	default:
		return TW_R_NOT_IP;
	}
	return reason ? reason : tw_parse_transport(f, p);
}
