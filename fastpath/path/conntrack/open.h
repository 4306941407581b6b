/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* open.h: inserts connections into the table: opened by a packet, or taken over from another table.
 * Connections beyond their port's quota pass without a record.
 *
 * In:         the new record (conn) in scratch memory, with the key and probe of its flow.
 * Invariants: those of conns.h; 1 and 4 are enforced here.
 * Bounds:     TW_PROBE_BUCKETS buckets, twice if a record must be given up. Openings that a quota
 *             refuses search them at most once in TW_VAIN_TICKS.
 * Callers:    path.h, in a subprogram, for packets that the policy allows; the loader's program,
 *             for a table of another size.
 */
#pragma once

#include "fastpath/path/conntrack/spare.h"

#define TW_VAIN_TICKS 4 /* ticks between a port's failed searches for a record to give up */
#define TW_VAIN_BURST 3 /* further searches without delay, because one may fail by chance */

/* ---- room for a record ---- */

/* Returns a free slot, the preferred one if it is free, or TW_NO_SLOT. */
tw_inline __u32 tw_bucket_free(const struct tw_bucket *bucket, __u32 own)
{
	__u32 i;
	__u64 lanes;

	if (!tw_bucket_tag(bucket, own))
		return own;
	for (i = 0; i < TW_BUCKET_SLOTS / 4; i++) {
		lanes = tw_lanes_zero(bucket->tags[i]);
		if (lanes)
			return i * 4 + tw_lane(lanes);
	}
	return TW_NO_SLOT;
}

/* Puts the record in scratch into bucket number `n`, whose lock is held. True if there was room. */
tw_inline int tw_bucket_take(const struct tw_frame *f, const struct tw_scratch *scratch,
	struct tw_bucket *bucket, __u32 n)
{
	__u32 own = tw_probe_slot(&scratch->flow.probe), slot;
	struct tw_conn *c;

	slot = tw_bucket_free(bucket, own < tw_table_slots(f) ? own : 0);
	c = slot < tw_table_slots(f) ? tw_record(f, n, slot) : 0;
	if (!c)
		return 0;
	*c = scratch->conn;
	bucket->retained[slot & (TW_BUCKET_SLOTS - 1)] = 0;
	tw_bucket_tag_set(bucket, slot, scratch->flow.probe.tags);
	return 1;
}

/* Body of tw_call_bucket_put(): tw_bucket_take() for a bucket given by its number. */
tw_inline int tw_bucket_put(const struct tw_frame *f, const struct tw_scratch *scratch, __u32 n)
{
	struct tw_bucket *bucket = tw_buckets_lookup(f, &n);

	return bucket && tw_bucket_take(f, scratch, bucket, n);
}

/* Puts the record in scratch into the first bucket of its probe sequence that has room or gives up
 * a record. The sequence's first bucket is locked. */
tw_inline int tw_probe_put(const struct tw_frame *f, const struct tw_scratch *scratch,
	__u32 payer_id, enum tw_yield what)
{
	const struct tw_probe *at = &scratch->flow.probe;
	__u32 n = at->bucket, i, done = 0;
	struct tw_bucket *bucket;

	for (i = 0; i < TW_PROBE_BUCKETS && !done; i++) {
		if (n == at->bucket || tw_call_bucket_lock(f, n, TW_LOCK_SPINS)) {
			if (what != TW_YIELD_NONE)
				tw_bucket_yield(f, n, payer_id, what);
			done = (__u32)tw_call_bucket_put(f, n);
			bucket = tw_buckets_lookup(f, &n);
			if (bucket && n != at->bucket)
				tw_bucket_unlock(bucket);
		}
		if (!done)
			n = tw_probe_next(f, at, n);
	}
	if (done)
		tw_probe_count_past(f, at, n, 1);
	return (int)done;
}

/* True if a port's searches for a record to give up have failed as often as they may. `vain_due` is
 * at most (TW_VAIN_BURST + 1) * TW_VAIN_TICKS ahead; a greater value is from long ago and has
 * wrapped. */
tw_inline int tw_usage_looks_no_more(const struct tw_usage *usage, __u32 now)
{
	__u32 ahead = TW_MEMORY(usage->vain_due) - now;

	return ahead > TW_VAIN_BURST * TW_VAIN_TICKS &&
	       ahead <= (TW_VAIN_BURST + 1) * TW_VAIN_TICKS;
}

tw_inline void tw_usage_note_vain(struct tw_usage *usage, __u32 now)
{
	__u32 due = TW_MEMORY(usage->vain_due);

	TW_MEMORY(usage->vain_due) = (due - now <= TW_VAIN_BURST * TW_VAIN_TICKS ? due : now) +
				     TW_VAIN_TICKS;
}

/* Gives up a record of the payer in the first bucket of the probe sequence that has one; the
 * sequence's first bucket is locked. Failed searches are limited: a guest over its quota would
 * otherwise spend the host's time with every opening. */
tw_inline int tw_probe_yield(const struct tw_frame *f, const struct tw_scratch *scratch,
	struct tw_usage *usage, __u32 payer_id, enum tw_yield what)
{
	const struct tw_probe *at = &scratch->flow.probe;
	__u32 n = at->bucket, i, done = 0, now = tw_tick(f->now_ns);
	struct tw_bucket *bucket;

	if (tw_usage_looks_no_more(usage, now))
		return 0;
	for (i = 0; i < TW_PROBE_BUCKETS && !done; i++) {
		if (n == at->bucket || tw_call_bucket_lock(f, n, TW_LOCK_SPINS)) {
			done = (__u32)tw_bucket_yield(f, n, payer_id, what);
			bucket = tw_buckets_lookup(f, &n);
			if (bucket && n != at->bucket)
				tw_bucket_unlock(bucket);
		}
		n = tw_probe_next(f, at, n);
	}
	if (!done)
		tw_usage_note_vain(usage, now);
	return (int)done;
}

/* ---- opening ---- */

/* Charges the port that pays for the record in scratch. TW_R_NONE with flow.untracked: the packet
 * passes without a record. */
tw_inline enum tw_reason tw_conn_charge(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *payer, struct tw_scratch *scratch, int replaces)
{
	__u32 half_max = tw_port_half_open_max(config, payer);
	__u8 state = scratch->conn.progress.state;
	__u32 id = payer->id;
	struct tw_usage *usage = tw_usage_lookup(f, &id);
	enum tw_yield bound;

	if (!usage)
		return TW_R_TABLE_FULL;
	bound = tw_conn_bound(config, payer, usage);
	/* A record that replaces its predecessor does not raise the count of ended records. */
	if (bound == TW_YIELD_OVER && replaces)
		bound = TW_YIELD_NONE;
	if (bound != TW_YIELD_NONE && !tw_probe_yield(f, scratch, usage, id, bound)) {
		__sync_fetch_and_add(&usage->refused, 1);
		return TW_R_QUOTA;
	}
	/* A replacement takes no memory. Without a record, its packets would find its
	 * predecessor's. */
	if (tw_usage_half_open_full(usage, half_max) && tw_state_half_open(state) && !replaces) {
		scratch->flow.untracked = 1;
		return TW_R_NONE;
	}
	tw_usage_count(usage, tw_charge_of(state), 1);
	return TW_R_NONE;
}

/* Body of tw_call_bucket_replace(): puts the record in scratch in place of an ended one with the
 * same key, in bucket number `n`, whose lock is held, and reports the end of the old connection. True
 * if there was one. */
tw_inline int tw_bucket_replace(const struct tw_frame *f, const struct tw_scratch *scratch, __u32 n)
{
	__u32 slot = tw_bucket_find(f, &scratch->flow, n);
	struct tw_conn *c = slot == TW_NO_SLOT ? 0 : tw_record(f, n, slot);

	if (!c)
		return 0;
	if (!tw_conn_tell_end(f, c, tw_tick(f->now_ns)))
		tw_gc_lose_close(f);
	tw_conn_uncharge(f, c);
	*c = scratch->conn;
	return 1;
}

/* Replaces the record in bucket number `n` of the probe sequence whose first bucket is locked.
 * TW_R_TABLE_FULL: the record is no longer there. */
tw_inline enum tw_reason tw_probe_replace(
	const struct tw_frame *f, const struct tw_scratch *scratch, __u32 n)
{
	struct tw_bucket *bucket = tw_buckets_lookup(f, &n);
	int done;

	if (n == scratch->flow.probe.bucket)
		return tw_call_bucket_replace(f, n) ? TW_R_NONE : TW_R_TABLE_FULL;
	/* Does not wait longer, as the CPU that holds this lock may be waiting for the first
	 * bucket's. */
	if (!bucket || !tw_call_bucket_lock(f, n, TW_LOCK_SPINS))
		return TW_R_TABLE_BUSY;
	done = tw_call_bucket_replace(f, n);
	tw_bucket_unlock(bucket);
	return done ? TW_R_NONE : TW_R_TABLE_FULL;
}

/* Puts the record in scratch into its first bucket, which is locked, if there is a free slot or a
 * spare record of the payer. */
tw_inline int tw_conn_settle(const struct tw_frame *f, __u32 payer_id,
	const struct tw_scratch *scratch, struct tw_bucket *home)
{
	__u32 n = scratch->flow.probe.bucket;

	if (tw_bucket_take(f, scratch, home, n))
		return 1;
	return tw_bucket_yield(f, n, payer_id, TW_YIELD_OWN) && tw_call_bucket_put(f, n);
}

/* Puts the record in scratch in place of record number `place`, or, if that is negative, where
 * there is room. While the old record may still be there, no second one with its key is added. */
tw_inline enum tw_reason tw_conn_put(const struct tw_frame *f, __u32 payer_id,
	const struct tw_scratch *scratch, struct tw_bucket *home, int place)
{
	enum tw_reason reason = TW_R_TABLE_FULL;

	if (place < 0 && tw_conn_settle(f, payer_id, scratch, home))
		return TW_R_NONE;
	if (place >= 0)
		reason = tw_probe_replace(f, scratch, (__u32)place / TW_BUCKET_SLOTS);
	if (reason != TW_R_TABLE_FULL)
		return reason;
	return tw_probe_put(f, scratch, payer_id, TW_YIELD_NONE) ||
			       tw_probe_put(f, scratch, payer_id, TW_YIELD_ANY)
		       ? TW_R_NONE
		       : TW_R_TABLE_FULL;
}

/* Does the part of tw_conn_open() under the lock of the key's first bucket. */
tw_inline enum tw_reason tw_conn_open_locked(const struct tw_frame *f,
	const struct tw_config *config, const struct tw_port *payer, struct tw_scratch *scratch,
	struct tw_bucket *home)
{
	enum tw_reason reason;
	int place = -1;

	if (!tw_bucket_settles(home, scratch->flow.probe.tags))
		place = tw_call_find(f);
	/* Another CPU has opened it a moment ago; use that record. */
	scratch->flow.met = place >= 0 && !scratch->flow.stale;
	if (scratch->flow.met)
		return TW_R_NONE;
	reason = tw_conn_charge(f, config, payer, scratch, place >= 0);
	if (reason || scratch->flow.untracked)
		return reason;
	reason = tw_conn_put(f, payer->id, scratch, home, place);
	if (reason)
		tw_ports_count(f, scratch->conn.ports, -1);
	return reason;
}

/* Locks the first bucket of a probe sequence, waiting longer than for other buckets. */
tw_inline int tw_home_lock(const struct tw_frame *f, struct tw_bucket *home, __u32 n)
{
	return tw_bucket_try(home) || tw_call_bucket_lock(f, n, TW_HOME_SPINS);
}

/* Opens the connection whose record is in scratch, charged to `payer`. */
tw_inline enum tw_reason tw_conn_open(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_port *payer, struct tw_scratch *scratch)
{
	__u32 n = scratch->flow.probe.bucket;
	struct tw_bucket *home = tw_buckets_lookup(f, &n);
	enum tw_reason reason;

	tw_conns_catch_up(f, config);
	if (!home)
		return TW_R_TABLE_FULL;
	if (!tw_home_lock(f, home, n)) {
		/* The CPU that holds the lock may have opened this very connection. */
		scratch->flow.met = !scratch->flow.stale && tw_call_find(f) >= 0;
		return scratch->flow.met ? TW_R_NONE : TW_R_TABLE_BUSY;
	}
	reason = tw_conn_open_locked(f, config, payer, scratch, home);
	tw_bucket_unlock(home);
	return reason;
}

/* ---- taking over from a table of another size ---- */

/* Merges both tables' counts and numbers of one way. Each table may know more of one end than of
 * the other. Windows never go back: otherwise an acknowledgement of data that a record does not
 * know of would be refused again and again. */
tw_inline void tw_conn_catch_up_way(struct tw_conn *c, const struct tw_conn *old, __u32 way)
{
	if (c->packets[way] < old->packets[way]) {
		c->packets[way] = old->packets[way];
		c->bytes[way] = old->bytes[way];
	}
	if ((__s32)(old->window[way].end - c->window[way].end) > 0)
		c->window[way].end = old->window[way].end;
	if ((__s32)(old->window[way].acked - c->window[way].acked) > 0) {
		c->window[way].acked = old->window[way].acked;
		c->peer_window[way] = old->peer_window[way];
	}
}

/* Merges a record that both tables have; `old` is from the table that the old programs still used.
 * The record with the later packet has the current state. If both packets came in the same tick,
 * the record that is beyond its opening has it. Charges follow the state. */
tw_inline void tw_conn_catch_up(
	const struct tw_frame *f, struct tw_conn *c, const struct tw_conn *old)
{
	struct tw_progress found = c->progress, now = old->progress;
	__u32 tick = tw_tick(f->now_ns), way, dir;

	/* A new connection with the same key: it opened after the last packet of the old one. */
	if ((found.flags ^ now.flags) & TW_CONN_F_ORIGIN_HI ||
		tw_tick_age(tick, c->created) < tw_tick_age(tick, old->seen))
		return;
	for (way = 0; way < TW_WAY__MAX; way++)
		tw_conn_catch_up_way(c, old, way);
	for (dir = 0; dir < TW_DIR__MAX; dir++) {
		if (!c->gate[dir])
			c->gate[dir] = old->gate[dir];
		if (!tw_ports_at(c->ports, dir))
			tw_conn_set_port(
				f, c, dir ? TW_DIR_IN : TW_DIR_OUT, tw_ports_at(old->ports, dir));
	}
	if (tw_tick_after(c->seen, old->seen) ||
		(c->seen == old->seen && !tw_state_half_open(found.state)))
		return;
	c->seen = old->seen;
	tw_conn_advance(f, c, found, now);
}

/* Does the part of tw_conn_take() under the lock of the key's first bucket. */
tw_inline enum tw_taken tw_conn_take_locked(const struct tw_frame *f, struct tw_scratch *scratch)
{
	struct tw_conn *old = &scratch->conn;
	struct tw_conn *c = tw_conn_at(f, tw_call_find(f));
	int over = tw_state_over(old->progress.state);

	if (c) {
		tw_conn_catch_up(f, c, old);
		return TW_TAKEN_MET;
	}
	/* A CPU may have written the record while it was read. */
	old->ports = tw_ports_charged(old->ports, tw_charge_of(old->progress.state));
	tw_ports_count(f, old->ports, 1);
	if (tw_probe_put(f, scratch, 0, TW_YIELD_NONE) ||
		(!over && tw_probe_put(f, scratch, 0, TW_YIELD_ANY)))
		return TW_TAKEN_NEW;
	tw_ports_count(f, old->ports, -1);
	return over ? TW_TAKEN_ENDED : TW_TAKEN_FULL;
}

/* Takes the record in scratch over from a table of another size, and charges the port that pays in
 * this table's `usage`. It is idempotent. */
tw_inline enum tw_taken tw_conn_take(
	const struct tw_frame *f, const struct tw_config *config, struct tw_scratch *scratch)
{
	struct tw_probe *at = &scratch->flow.probe;
	enum tw_taken taken;
	struct tw_bucket *home;
	__u32 n;

	if (tw_conn_expired(config, &scratch->conn, tw_tick(f->now_ns), 0))
		return TW_TAKEN_ENDED;
	tw_conn_key(&scratch->conn, &scratch->flow.key);
	tw_probe_make(f, at, config, &scratch->flow.key);
	n = at->bucket;
	home = tw_buckets_lookup(f, &n);
	if (!home || !tw_call_bucket_lock(f, n, TW_LOCK_SPINS))
		return TW_TAKEN_BUSY;
	taken = tw_conn_take_locked(f, scratch);
	tw_bucket_unlock(home);
	return taken;
}
