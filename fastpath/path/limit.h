/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* limit.h: enforces the rates of a port, so that no guest takes more than its share.
 *
 * How:        a meter is one word: the time when the next frame is due at an even rate. Each frame
 *             advances it by 1/rate s; a frame that would advance it further ahead than the burst
 *             is over the rate. This is the generic cell rate algorithm, a token bucket without
 *             refills.
 * In:         frames that leave a guest. Frame rates apply to all of them, before a header is read;
 *             the connection rate to those that open a connection, once the policy allows them. A
 *             default broadcast rate, which the policy does not set, applies later: to housekeeping
 *             and granted protocols as they are judged, to others once they are allowed. It spares
 *             multicast that the deciding rule names.
 * Invariants: 1. CPUs that read a meter at the same time may each pass one frame over its rate,
 *                never more: passed frames are added atomically.
 *             2. A flood over the rate is reported once a second for each port; all of it is
 *                counted.
 *             3. A super-frame passes if one frame would, and counts as its segments.
 *             4. Housekeeping is metered before it is judged: a message over the rate claims no
 *                address.
 * Bounds:     one lookup in `limiters`, only for ports with a rate. A default rate is checked in a
 *             subprogram, only for frames to a group or broadcast.
 * Source:     ITU-T I.371 annex A (GCRA).
 */
#pragma once

#include "fastpath/path/offload.h"

#define TW_SECOND_NS	1000000000ull
#define TW_BURST_FRAMES 32

/* Returns the burst in ns: a tenth of a second or TW_BURST_FRAMES frames, whichever is more, but at
 * most a second. */
tw_inline __u64 tw_meter_burst(__u64 step)
{
	__u64 burst = TW_BURST_FRAMES * step;

	if (burst < TW_SECOND_NS / 10)
		return TW_SECOND_NS / 10;
	return burst < TW_SECOND_NS ? burst : TW_SECOND_NS;
}

/* True if one more frame fits `rate`, which is not 0. If so, charges `n` frames, as the segments of
 * a super-frame pass together. */
tw_inline int tw_meter_take(__u64 *due, __u32 rate, __u64 now, __u32 n)
{
	__u64 step = TW_SECOND_NS / rate, at = TW_MEMORY(*due);

	if (at < now) {
		__sync_val_compare_and_swap(due, at, now);
		at = now;
	}
	if (at + step > now + tw_meter_burst(step))
		return 0;
	__sync_fetch_and_add(due, step * n);
	return 1;
}

/* Ends a frame over its rate; decides whether it is reported. */
tw_inline enum tw_reason tw_limit_over(
	const struct tw_frame *f, struct tw_ctx *s, struct tw_limiter *limiter)
{
	__u32 now = tw_tick(f->now_ns);

	s->quiet = now - limiter->told_seen < TW_TICKS_PER_SECOND;
	if (!s->quiet)
		limiter->told_seen = now;
	return TW_R_RATE_LIMIT;
}

/* Returns the number of segments of a frame. The unparsed headers of a super-frame may add one too
 * many. A frame with too many segments pays for the maximum, and is denied later. */
tw_inline __u32 tw_limit_segments(const struct tw_frame *f)
{
	__u32 n = f->gso_size ? (f->len + f->gso_size - 1) / f->gso_size : 1;

	return n < TW_SEGMENTS_MAX ? n : TW_SEGMENTS_MAX;
}

/* Checks an unparsed frame of the guest against the frame rates. */
tw_inline enum tw_reason tw_limit_frames(const struct tw_frame *f, struct tw_ctx *s)
{
	const struct tw_port *port = s->port;
	__u32 id = port->id, group_rate;
	struct tw_limiter *limiter;
	const __u8 *dst;

	if (s->dir != TW_DIR_OUT)
		return TW_R_NONE;
	dst = tw_at(f, 0, 1);
	group_rate = dst && *dst & 1 && !(port->flags & TW_PORT_F_SPARES) ? port->broadcast_rate
									  : 0;
	if (!port->packet_rate && !group_rate)
		return TW_R_NONE;
	limiter = tw_limiters_lookup(f, &id);
	if (!limiter)
		return TW_R_RATE_LIMIT;
	if (port->packet_rate && !tw_meter_take(&limiter->due_ns[TW_METER_PACKETS],
					 port->packet_rate, f->now_ns, tw_limit_segments(f)))
		return tw_limit_over(f, s, limiter);
	if (group_rate && !tw_meter_take(&limiter->due_ns[TW_METER_BROADCAST], group_rate,
				  f->now_ns, tw_limit_segments(f)))
		return tw_limit_over(f, s, limiter);
	return TW_R_NONE;
}

/* True for a packet to a routed multicast group, at the group's MAC. Other groups are 224.0.0.0/24, and
 * those of IPv6 whose scope is the link: every bridge floods these (RFC 4541 §2.1.2). */
tw_inline int tw_limit_routed_group(const struct tw_packet *p)
{
	const struct tw_addr *dst = &p->tuple.dst;

	if (tw_addr_is_v4(dst))
		return (dst->w[3] & tw_be32(0xf0000000)) == tw_be32(0xe0000000) &&
		       (dst->w[3] & tw_be32(0xffffff00)) != tw_be32(0xe0000000) &&
		       tw_mac_fits(p->dst_mac, dst);
	return dst->b[0] == 0xff && (dst->b[1] & 0xf) > 2 && tw_mac_fits(p->dst_mac, dst);
}

/* True if a default rate applies to a frame that the guest sends. */
tw_inline int tw_limit_by_default(const struct tw_port *port, const struct tw_packet *p)
{
	return p->dst_mac[0] & 1 && port->flags & TW_PORT_F_SPARES && !TW_MEMORY(p->metered);
}

/* Checks a frame to which a default rate applies. */
tw_inline enum tw_reason tw_limit_default(
	const struct tw_frame *f, const struct tw_port *port, struct tw_packet *p)
{
	struct tw_ctx s = {.port = port};
	__u32 id = port->id;
	struct tw_limiter *limiter = tw_limiters_lookup(f, &id);
	enum tw_reason reason;

	if (!limiter)
		return TW_R_RATE_LIMIT;
	p->metered = 1;
	if (tw_meter_take(&limiter->due_ns[TW_METER_BROADCAST], port->broadcast_rate, f->now_ns,
		    tw_limit_segments(f)))
		return TW_R_NONE;
	reason = tw_limit_over(f, &s, limiter);
	p->quiet = s.quiet;
	return reason;
}

/* Checks an allowed packet that opens a connection against the connection rate. Adopted connections
 * were opened before; at a liberal port that is not certain. */
tw_inline enum tw_reason tw_limit_opens(
	const struct tw_frame *f, struct tw_ctx *s, const struct tw_flow *flow)
{
	__u32 id = s->port->id, rate = s->port->open_rate;
	struct tw_limiter *limiter;

	if (!rate || s->dir != TW_DIR_OUT || s->conn || flow->resumed ||
		(flow->progress.flags & TW_CONN_F_ADOPTED && !flow->liberal))
		return TW_R_NONE;
	limiter = tw_limiters_lookup(f, &id);
	if (!limiter)
		return TW_R_RATE_LIMIT;
	if (!tw_meter_take(&limiter->due_ns[TW_METER_OPENS], rate, f->now_ns, 1))
		return tw_limit_over(f, s, limiter);
	return TW_R_NONE;
}
