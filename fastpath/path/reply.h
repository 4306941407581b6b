/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reply.h: turns a refused frame into the refusal that is sent back.
 *
 * What:       TCP gets a RST, everything else an ICMP or ICMPv6 "administratively prohibited".
 * Invariants: 1. No refusal is sent for a RST, an ICMP error, a later fragment, or a frame to or
 *                from a group (RFC 1122 §3.2.2, RFC 4443 §2.4).
 *             2. The reply reuses the frame: same tags, same offset of the IP header.
 * Bounds:     one lookup in `limiters`; the quoted packet is cut to TW_QUOTE_MAX bytes.
 * Source:     RFC 9293 §3.5.2 (RST), RFC 792, RFC 1812 §5.2.7.1 (code 13), RFC 4443 §3.1 (code 1).
 */
#pragma once

#include "fastpath/path/conntrack/track.h"

#define TW_REPLY_TTL 64

/* Returns the sum of the reply's first `len` bytes as 16-bit words. `len` is even and constant. */
tw_inline __u64 tw_reply_sum(const struct tw_reply *r, __u32 len)
{
	__u64 sum = 0;
	__u32 i;

	for (i = 0; i < len / 2; i++)
		sum += r->h[i];
	return sum;
}

/* Returns the sum of the bytes after the IP header, which is already written. The buffer is zero
 * after the reply, and an IPv4 header with its checksum adds nothing to a one's complement sum. */
tw_inline __u64 tw_reply_payload_sum(const struct tw_reply *r, int mapped)
{
	__u64 sum = tw_reply_sum(r, TW_REPLY_MAX);

	return mapped ? sum : sum - tw_reply_sum(r, sizeof(struct tw_ipv6));
}

tw_inline __u64 tw_addr_sum(const struct tw_addr *addr)
{
	return (__u64)addr->w[0] + addr->w[1] + addr->w[2] + addr->w[3];
}

/* Returns the sum of the pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1). The ffff of a mapped address
 * adds 0. */
tw_inline __u64 tw_pseudo_sum(const struct tw_tuple *t, __u8 proto, __u32 len)
{
	return tw_addr_sum(&t->src) + tw_addr_sum(&t->dst) + tw_be16(len) + tw_be16(proto);
}

/* Returns the length of a reply's IP header. IPv4 options are replaced by as many end-of-option
 * bytes, so that the transport header keeps its offset: a checksum to be completed has a fixed
 * place. */
tw_inline __u32 tw_reply_header(const struct tw_packet *p)
{
	if (tw_addr_is_v4(&p->tuple.src))
		return p->l4_off - p->l3_off;
	return sizeof(struct tw_ipv6);
}

/* Returns the reply's transport header. No IP header is longer than 60 bytes; every verifier
 * understands the mask. */
tw_inline void *tw_reply_transport(struct tw_reply *r, __u32 header)
{
	TW_OPAQUE(header);
	return r->b + (header & 63);
}

/* Writes the IP header of a reply to `t`'s sender. */
tw_inline void tw_reply_ip(
	struct tw_reply *r, const struct tw_tuple *t, __u32 header, __u8 proto, __u32 payload)
{
	struct tw_ipv4 *ip = (void *)r->b;
	struct tw_ipv6 *fixed = (void *)r->b;

	if (tw_addr_is_v4(&t->src)) {
		ip->version_ihl = (__u8)(0x40 | header / 4);
		ip->total_len = tw_be16(header + payload);
		ip->fragment = tw_be16(0x4000);
		ip->ttl = TW_REPLY_TTL;
		ip->proto = proto;
		ip->src = t->dst.w[3];
		ip->dst = t->src.w[3];
		ip->csum = (__be16)~tw_csum_fold(tw_reply_sum(r, sizeof(*ip)));
		return;
	}
	fixed->version_flow = tw_be32(0x60000000);
	fixed->payload_len = tw_be16(payload);
	fixed->next = proto;
	fixed->hop_limit = TW_REPLY_TTL;
	__builtin_memcpy(fixed->src, &t->dst, sizeof(fixed->src));
	__builtin_memcpy(fixed->dst, &t->src, sizeof(fixed->dst));
}

/* Writes a RST that the sender accepts (RFC 9293 §3.5.2). */
tw_inline void tw_reply_reset(struct tw_tcp *tcp, const struct tw_packet *p)
{
	__u32 payload = tw_l4_len(p);

	tcp->sport = p->tuple.dport;
	tcp->dport = p->tuple.sport;
	tcp->data_offset = sizeof(*tcp) / 4 << 4;
	if (p->tcp_flags & TW_TCP_ACK) {
		tcp->flags = TW_TCP_RST;
		tcp->seq = tw_be32(p->ack);
		return;
	}
	tcp->flags = TW_TCP_RST | TW_TCP_ACK;
	payload -= p->tcp_header_len;
	tcp->ack = tw_be32(
		p->seq + payload + !!(p->tcp_flags & TW_TCP_SYN) + !!(p->tcp_flags & TW_TCP_FIN));
}

/* True if a frame may be answered at all. */
tw_inline int tw_reply_may(const struct tw_packet *p)
{
	if (p->multicast || p->snap || p->fragment == TW_FRAG_LATER ||
		tw_addr_is_unspecified(&p->tuple.src))
		return 0;
	if (p->tuple.proto == TW_IPPROTO_TCP)
		return !(p->tcp_flags & TW_TCP_RST);
	return p->icmp_kind != TW_ICMP_ERROR;
}

/* True if the frame's checksum is still to be completed. Then the reply's checksum field must hold
 * the sum of the pseudo-header alone. */
tw_inline int tw_reply_pending(const struct tw_frame *f)
{
	return tw_frame_summed(f) == TW_SUMMED_PARTIAL;
}

tw_inline long tw_reply_macs(struct tw_frame *f, const struct tw_packet *p)
{
	__u8 macs[12];

	__builtin_memcpy(macs, p->src_mac, 6);
	__builtin_memcpy(macs + 6, p->dst_mac, 6);
	return tw_frame_store(f, 0, macs, sizeof(macs));
}

tw_inline long tw_reply_tcp(struct tw_frame *f, const struct tw_packet *p, struct tw_reply *r)
{
	__u32 header = tw_reply_header(p), len = header + sizeof(struct tw_tcp), l3 = p->l3_off;
	struct tw_tcp *tcp = tw_reply_transport(r, header);
	__u64 pseudo = tw_pseudo_sum(&p->tuple, TW_IPPROTO_TCP, sizeof(*tcp));
	int mapped = tw_addr_is_v4(&p->tuple.src), pending;

	pending = tw_reply_pending(f);
	if (pending && p->l4_off != l3 + header)
		return -1;
	tw_reply_ip(r, &p->tuple, header, TW_IPPROTO_TCP, sizeof(*tcp));
	tw_reply_reset(tcp, p);
	tcp->csum = (__be16)tw_csum_fold(pseudo + (pending ? 0 : tw_reply_payload_sum(r, mapped)));
	if (!pending)
		tcp->csum = (__be16)~tcp->csum;
	if (tw_frame_resize(f, l3 + len) || tw_reply_macs(f, p))
		return -1;
	return tw_frame_store(f, l3, r->b, len);
}

/* Writes ICMP code 13 or ICMPv6 code 1, "communication administratively prohibited", with up to
 * TW_QUOTE_MAX bytes of the refused packet. A pending UDP checksum still comes out right if the
 * ICMP header takes the UDP header's place. The ICMP message sums to 0, so the kernel writes 0xffff
 * into its unused field, which adds nothing. */
tw_inline long tw_reply_unreachable(
	struct tw_frame *f, const struct tw_packet *p, struct tw_reply *r)
{
	int mapped = tw_addr_is_v4(&p->tuple.src);
	__u8 proto = mapped ? TW_IPPROTO_ICMP : TW_IPPROTO_ICMPV6;
	__u32 quote = p->l3_len < TW_QUOTE_MAX ? p->l3_len : TW_QUOTE_MAX, l3 = p->l3_off;
	__u32 header = tw_reply_header(p), len;
	struct tw_icmp *icmp = tw_reply_transport(r, header);
	__u64 sum;

	quote &= ~1u;
	if (quote < 28 || tw_frame_load(f, l3, icmp + 1, quote))
		return -1;
	if (tw_reply_pending(f) && (p->l4_off != l3 + header || p->tuple.proto != TW_IPPROTO_UDP ||
					   tw_frame_csum_start(f) != p->l4_off))
		return -1;
	tw_reply_ip(r, &p->tuple, header, proto, sizeof(*icmp) + quote);
	icmp->type = mapped ? 3 : 1;
	icmp->code = mapped ? 13 : 1;
	len = header + sizeof(*icmp) + quote;
	sum = tw_reply_payload_sum(r, mapped);
	if (!mapped)
		sum += tw_pseudo_sum(&p->tuple, proto, sizeof(*icmp) + quote);
	icmp->csum = (__be16)~tw_csum_fold(sum);
	if (tw_frame_resize(f, l3 + len) || tw_reply_macs(f, p))
		return -1;
	return tw_frame_store(f, l3, r->b, len);
}

#define TW_TOKEN 1024 /* one token in limiter units */

/* Refills a port's limiter. A race may lose or gain a token or two, which is harmless. */
tw_inline void tw_limiter_fill(__u32 *tokens, __u32 *seen, __u32 rate, __u32 burst, __u32 now)
{
	__u32 elapsed = now - *seen, max = burst * TW_TOKEN, have = *tokens;
	__u64 refill;

	if (!elapsed)
		return;
	refill = (__u64)elapsed * rate * TW_TOKEN / TW_TICKS_PER_SECOND;
	*tokens = refill > max - (have < max ? have : max) ? max : have + (__u32)refill;
	*seen = now;
}

/* Takes a token from a port's limiter. True if there was one. Rate 0 has no limit. */
tw_inline int tw_limiter_take(__u32 *tokens, __u32 *seen, __u32 rate, __u32 burst, __u32 now)
{
	__u32 have;

	if (!rate)
		return 1;
	tw_limiter_fill(tokens, seen, rate, burst, now);
	have = *tokens;
	if (have < TW_TOKEN)
		return 0;
	*tokens = have - TW_TOKEN;
	return 1;
}

/* Writes the refusal of the packet in scratch over its frame and sends it back. */
tw_inline void tw_refuse(struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *port, enum tw_dir dir, struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	struct tw_reply *r = &scratch->reply;
	struct tw_limiter *limiter;
	__u32 id = port->id;
	long failed;

	limiter = tw_limiters_lookup(f, &id);
	if (!limiter || !tw_reply_may(p))
		return;
	if (!tw_limiter_take(&limiter->reply_tokens, &limiter->reply_seen, config->reply_rate,
		    config->reply_burst, tw_tick(f->now_ns)))
		return;
	__builtin_memset(r, 0, sizeof(*r));
	if (p->tuple.proto == TW_IPPROTO_TCP)
		failed = tw_reply_tcp(f, p, r);
	else
		failed = tw_reply_unreachable(f, p, r);
	if (failed)
		return;
	tw_frame_mark(f, tw_mark_reply(config));
	tw_frame_bounce(f, dir);
}
