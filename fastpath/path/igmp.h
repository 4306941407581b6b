/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* igmp.h: judges IGMP, the counterpart of MLD for IPv4. It is housekeeping, which no rule judges.
 *
 * Why:        without a guest's reports, a snooping bridge does not forward the guest's groups to it.
 *             With forged queries, a guest could take the place of the link's querier.
 * Out:        as in neighbour.h. TW_R_NONE: a message of another type, such as DVMRP.
 * Invariants: 1. From a guest: its own source address, or 0.0.0.0 in reports and leaves; the
 *                destination is the group that the RFC names, at the group's MAC.
 *             2. Both ways: TTL 1, the router alert as the only option, not fragmented, the exact
 *                length, a correct checksum. Messages of IGMPv1 may have no router alert.
 *             3. A guest's padding is zeros.
 * Bounds:     TW_IGMP_RECORDS_MAX records, a load each; runs in a subprogram.
 * Source:     RFC 1112 appendix I (IGMPv1), 2236 (IGMPv2), 3376 (IGMPv3), 2113 (router alert), 4541
 *             (0.0.0.0 in the queries and reports of snooping switches).
 */
#pragma once

#include "fastpath/path/neighbour.h"

#define TW_IGMP_QUERY	0x11
#define TW_IGMP1_REPORT 0x12
#define TW_IGMP2_REPORT 0x16
#define TW_IGMP2_LEAVE	0x17
#define TW_IGMP3_REPORT 0x22

#define TW_IGMP_LEN	    8 /* messages of IGMPv1 and IGMPv2; the header of IGMPv3 reports */
#define TW_IGMP3_QUERY_LEN  12
#define TW_IGMP_RECORDS_MAX 183		/* as many as fit 1500 bytes */
#define TW_IGMP_ALL_HOSTS   0xe0000001u /* 224.0.0.1 */
#define TW_IGMP_ALL_ROUTERS 0xe0000002u /* 224.0.0.2 */
#define TW_IGMP_V3_ROUTERS  0xe0000016u /* 224.0.0.22 */

/* True for IGMP of any version, except later fragments, which have no header to read. */
tw_inline int tw_igmp_is(const struct tw_packet *p)
{
	return p->tuple.proto == TW_IPPROTO_IGMP && p->ethertype == TW_ETH_IPV4 &&
	       p->fragment != TW_FRAG_LATER;
}

/* True if a number is an IPv4 multicast address. */
tw_inline int tw_igmp_is_group(__u32 addr)
{
	return addr >> 28 == 0xe;
}

/* True if the TTL is 1, the packet is whole, and its only option is a router alert (RFC 2113). If the
 * alert is `optional`, there may be no option. */
tw_inline int tw_igmp_ip_valid(const struct tw_frame *f, const struct tw_packet *p, int optional)
{
	__u32 off = p->l3_off + (__u32)sizeof(struct tw_ipv4);
	const __be32 *option = tw_at(f, off, sizeof(*option));

	if (p->hop_limit != 1 || p->fragment || f->gso_size)
		return 0;
	if (p->l4_off == off)
		return optional;
	return option && p->l4_off == off + sizeof(*option) && *option == tw_be32(0x94040000);
}

/* Judges a query (RFC 3376 §4.1). It goes to all hosts, or to the group that it asks about. */
tw_inline enum tw_reason tw_igmp_query(
	const struct tw_frame *f, const struct tw_packet *p, __u32 group)
{
	const __be16 *sources = tw_at(f, p->l4_off + TW_IGMP_LEN + 2, sizeof(*sources));
	__u32 len = tw_l4_len(p), to = tw_host32(p->tuple.dst.w[3]);

	if (group ? !tw_igmp_is_group(group) || to != group : to != TW_IGMP_ALL_HOSTS)
		return TW_R_BAD_HEADER;
	if (len == TW_IGMP_LEN)
		return TW_R_NEIGHBOUR;
	if (len < TW_IGMP3_QUERY_LEN)
		return TW_R_BAD_LENGTH;
	if (!sources)
		return TW_R_TRUNCATED;
	return len == TW_IGMP3_QUERY_LEN + 4u * tw_host16(*sources) ? TW_R_NEIGHBOUR
								    : TW_R_BAD_LENGTH;
}

/* Judges a report or leave of IGMPv1 or IGMPv2 (RFC 2236 §3, §9). */
tw_inline enum tw_reason tw_igmp_group(const struct tw_packet *p, __u32 type, __u32 group)
{
	__u32 to = tw_host32(p->tuple.dst.w[3]);

	if (tw_l4_len(p) != TW_IGMP_LEN)
		return TW_R_BAD_LENGTH;
	if (!tw_igmp_is_group(group))
		return TW_R_BAD_HEADER;
	return to == (type == TW_IGMP2_LEAVE ? TW_IGMP_ALL_ROUTERS : group) ? TW_R_NEIGHBOUR
									    : TW_R_BAD_HEADER;
}

static long tw_igmp_record(__u32 i, void *context)
{
	return tw_member_record(context, i, 8, 4, 0xe0000000, 0xf0000000);
}

/* Judges an IGMPv3 report with `n` records (RFC 3376 §4.2). */
tw_inline enum tw_reason tw_igmp_report(
	const struct tw_frame *f, const struct tw_house *s, __u32 reserved, __u32 n)
{
	if (reserved || tw_host32(s->scratch->packet.tuple.dst.w[3]) != TW_IGMP_V3_ROUTERS)
		return TW_R_BAD_HEADER;
	return tw_member_records(f, s, n, TW_IGMP_RECORDS_MAX, tw_igmp_record);
}

/* Checks what only a guest's message must have: its source, the group's MAC. */
tw_inline enum tw_reason tw_igmp_sent(
	const struct tw_frame *f, const struct tw_house *s, __u32 type)
{
	const struct tw_packet *p = &s->scratch->packet;
	const struct tw_addr *src = &p->tuple.src;

	if (type == TW_IGMP_QUERY && !tw_grant_may(f, s->port, s->epoch, TW_MAY_ROUTER))
		return TW_R_MULTICAST_QUERY;
	if (!tw_mac_fits(p->dst_mac, &p->tuple.dst))
		return TW_R_BAD_HEADER;
	if (tw_addr_is_unspecified(src))
		return type == TW_IGMP_QUERY ? TW_R_BAD_HEADER : TW_R_NONE;
	return tw_own_source(f, s->port, s->epoch, src) ? TW_R_NONE
							: tw_own_foreign(p, TW_R_SPOOFED_ADDRESS);
}

/* Judges the message whose first TW_IGMP_LEN bytes are at `h`. */
tw_inline enum tw_reason tw_igmp_message(
	const struct tw_frame *f, const struct tw_house *s, const __u8 *h)
{
	const struct tw_packet *p = &s->scratch->packet;
	__u32 type = h[0], code = h[1], word = tw_host32(((const __be32 *)h)[1]);
	int first = type == TW_IGMP1_REPORT ||
		    (type == TW_IGMP_QUERY && !code && tw_l4_len(p) == TW_IGMP_LEN);
	enum tw_reason reason;

	if (!tw_igmp_ip_valid(f, p, first) || (code && type != TW_IGMP_QUERY))
		return TW_R_BAD_HEADER;
	reason = tw_house_padding(f, p, p->l3_off + p->l3_len, s->dir == TW_DIR_OUT);
	if (!reason && s->dir == TW_DIR_OUT)
		reason = tw_igmp_sent(f, s, type);
	if (reason)
		return reason;
	if (type == TW_IGMP_QUERY)
		reason = tw_igmp_query(f, p, word);
	else if (type == TW_IGMP3_REPORT)
		reason = tw_igmp_report(f, s, word >> 16, word & 0xffff);
	else
		reason = tw_igmp_group(p, type, word);
	if (reason == TW_R_NEIGHBOUR && tw_call_checksum(f))
		return TW_R_BAD_CHECKSUM;
	return reason;
}

/* Judges IGMP. */
tw_inline enum tw_reason tw_igmp(const struct tw_frame *f, const struct tw_house *s)
{
	const struct tw_packet *p = &s->scratch->packet;
	const __u8 *h = tw_at(f, p->l4_off, TW_IGMP_LEN);
	enum tw_reason reason;
	__u32 type;

	if (tw_l4_len(p) < TW_IGMP_LEN)
		return TW_R_BAD_LENGTH;
	if (!h)
		return TW_R_TRUNCATED;
	type = h[0];
	switch (type) {
	case TW_IGMP_QUERY:
	case TW_IGMP1_REPORT:
	case TW_IGMP2_REPORT:
	case TW_IGMP2_LEAVE:
	case TW_IGMP3_REPORT:
		break;
	default:
		return TW_R_NONE;
	}
	reason = tw_igmp_message(f, s, h);
	return reason == TW_R_NEIGHBOUR && s->dir == TW_DIR_OUT && type == TW_IGMP_QUERY
		       ? TW_R_GRANTED
		       : reason;
}
