/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* checksum.h: keeps packets that their receiver will discard from changing a connection.
 *
 * Why:        a receiver drops a RST, FIN or answer with a wrong checksum. If the record believed
 *             it, its state would differ from the receiver's.
 * Out:        TW_R_BAD_CHECKSUM, or TW_R_NONE.
 * Invariants: 1. A checksum is verified unless a NIC has checked it, or it is still to be
 *                completed.
 *             2. For packets that do not change a record's state, only the IPv4 header is summed.
 * Bounds:     for packets that change a state, one call that reads the packet once.
 * Source:     RFC 1071, 791, 768, 9293 §3.1, 8200 §8.1; docs/decisions/009-offloads.md.
 */
#pragma once

#include "fastpath/path/offload.h"
#include "fastpath/path/reply.h"

/* True if a packet's transport checksum is right or absent (RFC 768). IGMP's covers no pseudo header
 * (RFC 3376 §4.1.2). */
tw_inline int tw_checksum_good(const struct tw_frame *f, const struct tw_packet *p)
{
	__u32 len = tw_l4_len(p), summed = tw_frame_summed(f);
	const struct tw_udp *udp;
	__u64 pseudo = 0;
	int sum;

	if (summed == TW_SUMMED_CHECKED || summed == TW_SUMMED_PARTIAL || f->gso_size)
		return 1;
	if (p->tuple.proto == TW_IPPROTO_UDP) {
		udp = tw_at(f, p->l4_off, sizeof(*udp));
		if (!udp || !udp->csum)
			return 1;
		len = tw_host16(udp->len);
	}
	if (p->tuple.proto != TW_IPPROTO_IGMP)
		pseudo = tw_pseudo_sum(&p->tuple, p->tuple.proto, len);
	sum = tw_frame_sum(f, p->l4_off, len);
	return sum < 0 || tw_csum_fold(pseudo + (__u32)sum) == 0xffff;
}

/* Returns 1 if a packet changes a record, or is the first answer. Fragments do not count, as a
 * checksum covers the whole datagram. The function has no branches, so that the verifier walks the
 * code after it once. */
tw_inline __u32 tw_checksum_matters(
	const struct tw_ctx *s, const struct tw_packet *p, const struct tw_flow *flow)
{
	const __u32 proto = TW_MEMORY(p->tuple.proto), answer = TW_MEMORY(flow->way);
	__u32 moves = TW_MEMORY(flow->progress.word) ^ TW_MEMORY(flow->found.word);
	__u32 first = answer & !(TW_MEMORY(flow->found.flags) & TW_CONN_F_REPLIED);
	__u32 summed = (proto == TW_IPPROTO_TCP) | (proto == TW_IPPROTO_UDP);
	__u32 known = s->conn != 0;

	return summed & !TW_MEMORY(p->fragment) & !TW_MEMORY(flow->seen) &
	       !TW_MEMORY(flow->related) & ((known & (moves != 0)) | first);
}

/* Verifies the checksum of a tracked packet if it matters. */
tw_inline enum tw_reason tw_checksum(const struct tw_frame *f, const struct tw_ctx *s,
	const struct tw_packet *p, const struct tw_flow *flow)
{
	__u32 matters = tw_checksum_matters(s, p, flow);

	TW_OPAQUE(matters);
	return matters ? tw_call_checksum(f) : TW_R_NONE;
}
