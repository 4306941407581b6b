/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lost.h: tells how the connection of a TCP segment without a record ended.
 *
 * Why:        an operator must be able to tell a connection that expired from one that was reset or
 *             never answered.
 * How:        a removed record stays in memory until its slot is used again, and the slot's
 *             `retained` keeps a trace of its key. So the table's free slots are the memory:
 *             closing costs nothing, and a table that is not full remembers for minutes. A record
 *             that is given up is overwritten at once; the first bucket of its probe sequence keeps
 *             the hash of the last such key. Entries of connections beyond the half-open quota stay
 *             in their sets (overflow.h) in the same way.
 * Invariants: 1. It lets nothing pass: it runs once a segment is refused, and only selects the
 *                reason.
 *             2. It takes no memory of its own. Any guest's new connections may use the slot; then
 *                the segment is tcp-midstream, as if its connection had never been seen.
 *             3. A connection is known by its whole key, or by a keyed fingerprint: 64 bits, or 32
 *                for a record that was given up.
 * Bounds:     one bucket, which is in the cache, and one record for each matching trace of 8 bits;
 *             three overflow entries at a port that exceeded its half-open quota since the agent's
 *             start.
 * Callers:    track.h, in a subprogram.
 */
#pragma once

#include "fastpath/path/conntrack/overflow.h"

/* Returns the reason for a segment whose connection has this ended record. */
tw_inline enum tw_reason tw_lost_why(const struct tw_conn *c)
{
	__u8 state = c->progress.state;

	if (tw_conn_refused(c))
		return TW_R_TCP_REVOKED;
	if (state == TW_S_SYN_SENT || state == TW_S_SYN_RECV)
		return TW_R_TCP_UNANSWERED;
	if (state == TW_S_TIME_WAIT)
		return TW_R_TCP_CLOSED;
	if (state == TW_S_CLOSED)
		return tw_tcp_one_sided(&c->progress) ? TW_R_TCP_REFUSED : TW_R_TCP_RESET;
	return TW_R_TCP_EXPIRED;
}

/* Returns the reason that the flow's first bucket gives for its key, or TW_R_NONE. */
tw_inline enum tw_reason tw_lost_in_bucket(const struct tw_frame *f, const struct tw_flow *flow)
{
	__u8 trace = tw_probe_trace(&flow->probe);
	__u32 n = flow->probe.bucket, slot;
	const struct tw_bucket *bucket = tw_buckets_lookup(f, &n);
	const struct tw_conn *c;

	if (!bucket)
		return TW_R_NONE;
	for (slot = 0; slot < TW_BUCKET_SLOTS; slot++) {
		if (TW_MEMORY(bucket->retained[slot]) != trace || tw_bucket_tag(bucket, slot))
			continue;
		c = tw_record(f, n, slot);
		if (c && tw_conn_is(c, &flow->key))
			return tw_lost_why(c);
	}
	/* Checked last: a connection that was given up may have opened and ended again since
	 * then, and left a newer trace. */
	return TW_MEMORY(bucket->given_up) == flow->probe.hash ? TW_R_TCP_GIVEN_UP : TW_R_NONE;
}

/* True if the flow passed without a record at a port, opened from either end. */
tw_inline int tw_lost_overflowed(
	const struct tw_frame *f, __u32 port_id, enum tw_dir dir, const struct tw_flow *flow)
{
	const struct tw_usage *usage = tw_usage_lookup(f, &port_id);
	__u32 hi = flow->progress.flags & TW_CONN_F_ORIGIN_HI;
	int out = dir == TW_DIR_OUT;

	return usage && usage->overflow_until &&
	       (tw_overflow_class_of(f, port_id, !out, hi | TW_OVERFLOW_PAST) ||
		       tw_overflow_class_of(f, port_id, out, (hi ^ 1) | TW_OVERFLOW_PAST));
}

/* Body of tw_call_lost(): returns why the TCP segment in scratch meets no record. */
tw_inline enum tw_reason tw_lost(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, enum tw_dir dir, struct tw_scratch *scratch)
{
	const struct tw_flow *flow = &scratch->flow;
	/* A record that has ended and is not swept yet. */
	const struct tw_conn *c = flow->stale ? tw_conn_at(f, tw_call_find(f)) : 0;
	enum tw_reason reason;

	if (c && tw_conn_expired(config, c, tw_tick(f->now_ns), 0))
		return tw_lost_why(c);
	reason = tw_lost_in_bucket(f, flow);
	if (reason)
		return reason;
	return tw_lost_overflowed(f, port_id, dir, flow) ? TW_R_HALF_OPEN_OVERFLOW
							 : TW_R_TCP_MIDSTREAM;
}
