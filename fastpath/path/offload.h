/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload.h: checks a frame's pending offloads against the headers that were judged.
 *
 * Why:        the kernel completes a checksum, and segments a super-frame, after the programs have
 *             seen it. Both write into the frame at offsets that its sender chooses: a guest by the
 *             virtio header, a process in a container by PACKET_VNET_HDR.
 * Out:        TW_R_NONE: the frame leaves with the headers that were judged.
 * Invariants: 1. A checksum is completed in the transport header's own field, or behind everything
 *                that the verdict depends on.
 *             2. Fragments have no offload. The segmentation type matches the headers, and these
 *                match the frame's length.
 *             3. A frame has at most TW_SEGMENTS_MAX segments.
 * Bounds:     no loop, no lookup.
 * Source:     virtio 1.3 §5.1.6.2; include/linux/skbuff.h; docs/decisions/009-offloads.md.
 */
#pragma once

#include "fastpath/path/transport.h"

/* GSO flags about how segments are made. They name no protocol. */
#define TW_GSO_MANNERS (1u << 1 | 1u << 2 | 1u << 3 | 1u << 12 | 1u << 18 | 1u << 19 | 3u << 30)
#define TW_GSO_IN_UDP  (TW_GSO_UDP_TUNNEL | TW_GSO_UDP_TUNNEL_SUM | TW_GSO_REMCSUM)
#define TW_GSO_IN_IP   (TW_GSO_GRE | TW_GSO_GRE_CSUM | TW_GSO_IPXIP4 | TW_GSO_IPXIP6 | TW_GSO_ESP)
#define TW_GSO_PLAIN   (TW_GSO_TCPV4 | TW_GSO_TCPV6 | TW_GSO_SCTP | TW_GSO_UDP_L4)

#define TW_IPPROTO_SCTP 132

/* 64 KiB in segments of 64 bytes. The smallest TCP segments of stacks are far longer (536 bytes by
 * RFC 9293 §3.7.1); a UDP super-frame has at most 128 segments (UDP_MAX_SEGMENTS). */
#define TW_SEGMENTS_MAX 1024

/* True if the guard stage reads the payload of a datagram with these ports, so that the verdict
 * depends on the payload. */
tw_inline int tw_offload_read_on(const struct tw_packet *p)
{
	const __be16 sport = p->tuple.sport, dport = p->tuple.dport;

	return sport == tw_be16(67) || sport == tw_be16(68) || dport == tw_be16(67) ||
	       dport == tw_be16(68) || sport == tw_be16(546) || sport == tw_be16(547) ||
	       dport == tw_be16(546) || dport == tw_be16(547);
}

/* True if a checksum completed at these places is the packet's own, or that of an encapsulated
 * packet, which no stage reads. */
tw_inline int tw_offload_sum_fits(
	const struct tw_frame *f, const struct tw_packet *p, __u32 start, __u32 offset)
{
	if (p->fragment || p->ethertype == TW_ETH_ARP)
		return 0;
	switch (p->tuple.proto) {
	case TW_IPPROTO_TCP:
		return start == p->l4_off && offset == __builtin_offsetof(struct tw_tcp, csum);
	case TW_IPPROTO_ICMP:
	case TW_IPPROTO_ICMPV6:
		return start == p->l4_off && offset == __builtin_offsetof(struct tw_icmp, csum);
	case TW_IPPROTO_UDP:
		if (start == p->l4_off)
			return offset == __builtin_offsetof(struct tw_udp, csum);
		return start >= p->l4_off + sizeof(struct tw_udp) && start < f->len &&
		       !tw_offload_read_on(p);
	case TW_IPPROTO_IGMP: /* every byte of it is judged */
		return 0;
	default:
		return start >= p->l4_off && start < f->len;
	}
}

/* True if a super-frame's type matches the packet, plain or in a tunnel. */
tw_inline int tw_offload_type_fits(const struct tw_frame *f, const struct tw_packet *p, __u32 type)
{
	const __u32 proto = p->tuple.proto;
	__u32 tunnel = type & (TW_GSO_IN_UDP | TW_GSO_IN_IP);

	if (type & ~(TW_GSO_MANNERS | TW_GSO_PLAIN | TW_GSO_IN_UDP | TW_GSO_IN_IP))
		return 0;
	if (tunnel & TW_GSO_IN_UDP)
		return proto == TW_IPPROTO_UDP && !tw_offload_read_on(p) &&
		       !(tunnel & TW_GSO_IN_IP) &&
		       tw_frame_inner(f) >= p->l4_off + sizeof(struct tw_udp);
	/* No guest can request these: only the host's own stack makes them. */
	if (tunnel)
		return !(type & TW_GSO_DODGY) && proto != TW_IPPROTO_TCP &&
		       proto != TW_IPPROTO_ICMP && proto != TW_IPPROTO_ICMPV6;
	switch (type & TW_GSO_PLAIN) {
	case 0: /* yields only the frame itself or an error */
		return proto == TW_IPPROTO_TCP || proto == TW_IPPROTO_UDP;
	case TW_GSO_TCPV4:
		return proto == TW_IPPROTO_TCP && p->ethertype == TW_ETH_IPV4;
	case TW_GSO_TCPV6:
		return proto == TW_IPPROTO_TCP && p->ethertype == TW_ETH_IPV6;
	case TW_GSO_UDP_L4:
		return proto == TW_IPPROTO_UDP;
	case TW_GSO_SCTP:
		return proto == TW_IPPROTO_SCTP && !(type & TW_GSO_DODGY);
	default:
		return 0;
	}
}

/* True if a super-frame has no more segments than allowed. */
tw_inline int tw_offload_few(const struct tw_frame *f)
{
	return f->len <= f->gso_size * TW_SEGMENTS_MAX;
}

/* Checks a super-frame against its headers. The kernel segments all bytes of the frame, whatever
 * length the headers state. */
tw_inline enum tw_reason tw_offload_segments(const struct tw_frame *f, const struct tw_packet *p)
{
	if (p->fragment || p->atomic || p->snap || p->ethertype == TW_ETH_ARP ||
		!tw_offload_type_fits(f, p, tw_frame_gso_type(f)))
		return TW_R_BAD_OFFLOAD;
	if (p->l3_off + p->l3_len != f->len)
		return TW_R_BAD_LENGTH;
	return tw_offload_few(f) ? TW_R_NONE : TW_R_TOO_MANY_SEGMENTS;
}

/* Checks the offloads of a parsed frame. */
tw_inline enum tw_reason tw_offload(const struct tw_frame *f, const struct tw_packet *p)
{
	if (tw_frame_summed(f) == TW_SUMMED_PARTIAL &&
		!tw_offload_sum_fits(f, p, tw_frame_csum_start(f), tw_frame_csum_offset(f)))
		return TW_R_BAD_OFFLOAD;
	return f->gso_size ? tw_offload_segments(f, p) : TW_R_NONE;
}
