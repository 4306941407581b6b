/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spare.h: gives up the records of ended connections for new ones; sweeps.
 *
 * Why:        TIME-WAIT keeps a record for two minutes after the connection's end, for late
 *             segments. A guest that opens 2,200 short connections a second would fill the table
 *             with such records, and every guest would be refused.
 * What:       a record in TIME-WAIT or CLOSED is spare after TW_SPARE_TICKS without a packet. A UDP
 *             exchange of few packets, such as a DNS query, is spare after the timeout of a closed
 *             connection. An expired record is always spare. A spare record is given up for a new
 *             one: the payer's own first, and of these the longest quiet one. The sweep gives up
 *             spare UDP exchanges of a port near its quota, as its openings rarely probe their
 *             buckets in a large table.
 * Invariants: 1. No packet retains a record that is given up. A packet that finds a record quiet
 *                for a quarter of its time writes `retained` in the bucket, then reads the tag
 *                again. A CPU that gives a record up clears the tag, then reads `retained` again.
 *                One of the two sees the other.
 *             2. A late packet of a connection whose record was given up meets no other record, as
 *                whole keys are compared.
 *             3. A connection that has not ended keeps its record (tests/unit/spare.c).
 * Bounds:     the records of a bucket, once for each bucket that must give one up.
 * Callers:    track.h retains; open.h makes room; the sweep program sweeps, as do CPUs that open
 *             connections while no agent does.
 */
#pragma once

#include "fastpath/path/conntrack/conns.h"

#define TW_SPARE_TICKS	 TW_TICKS_PER_SECOND
#define TW_SPARE_PACKETS 2 /* limit per direction: resolvers ask for A and AAAA from one port */
#define TW_OVER_SHARE	 8 /* a port's ended records may always fill 1/8 of the table */

#define TW_RETAIN_SHIFT 8   /* units of 268 ms */
#define TW_RETAIN_UNITS 255 /* 0: never */
#define TW_RETAIN_FRESH 3   /* units, at least 0.8 s: no CPU takes that long for a packet */

/* Records that a bucket may give up. */
enum tw_yield {
	TW_YIELD_NONE,
	TW_YIELD_OVER,	      /* the payer's ended TCP connections */
	TW_YIELD_ESTABLISHED, /* the payer's records charged as established */
	TW_YIELD_OWN,	      /* all records of the payer */
	TW_YIELD_ANY,	      /* records of every port, the payer's first */
};

/* Returns the ticks without a packet after which a record is spare; 0: its connection has not
 * ended. */
tw_inline __u32 tw_conn_spare_after(const struct tw_config *config, const struct tw_conn *c)
{
	if (tw_state_over(c->progress.state))
		return TW_SPARE_TICKS;
	if (c->progress.state == TW_S_UDP_REPLIED &&
		c->packets[TW_WAY_ORIGINAL] <= TW_SPARE_PACKETS &&
		c->packets[TW_WAY_REPLY] <= TW_SPARE_PACKETS)
		return config->timeout[TW_S_CLOSED];
	return 0;
}

/* True if a record is spare, or may become so while a packet is judged by it. */
tw_inline int tw_conn_lingers(const struct tw_config *config, const struct tw_conn *c, __u32 now)
{
	__u32 after = tw_conn_spare_after(config, c);

	return after && tw_tick_age(now, c->seen) >= after / 4 + TW_TICKS_AHEAD;
}

/* A cheaper test: true for every record that lingers, and for some others. */
tw_inline int tw_conn_may_linger(const struct tw_conn *c, __u32 now)
{
	const __u32 states = 1u << TW_S_TIME_WAIT | 1u << TW_S_CLOSED | 1u << TW_S_UDP_REPLIED;

	return states >> (c->progress.state & 15) & 1 && now - c->seen >= TW_SPARE_TICKS / 4;
}

/* ---- quotas ---- */

tw_inline __u32 tw_port_established_max(const struct tw_config *config, const struct tw_port *port)
{
	return port->established_max ? port->established_max : config->established_max;
}

/* Returns the kind of record that a port at its quota must give up before it opens another
 * connection. Ended records are limited, too, so that they cannot fill the table. If the quota is
 * small, that limit is TW_OVER_SHARE of the table, so that the port's openings probe their buckets
 * (tests/unit/spare.c). */
tw_inline enum tw_yield tw_conn_bound(
	const struct tw_config *config, const struct tw_port *payer, const struct tw_usage *usage)
{
	__u32 max = tw_port_established_max(config, payer),
	      share = config->conn_max / TW_OVER_SHARE;

	if (max && tw_usage_now(usage->established) >= max)
		return TW_YIELD_ESTABLISHED;
	return max && tw_usage_now(usage->over) >= (max > share ? max : share) ? TW_YIELD_OVER
									       : TW_YIELD_NONE;
}

tw_inline __u32 tw_port_half_open_max(const struct tw_config *config, const struct tw_port *port)
{
	return port->half_open_max ? port->half_open_max : config->half_open_max;
}

/* True if a port may open no further half-open connection. `max` is its quota; 0: none. The quota
 * is passed as a number, as on Linux 6.1 no stack is left to keep config and port until here. */
tw_inline int tw_usage_half_open_full(const struct tw_usage *usage, __u32 max)
{
	return max && tw_usage_now(usage->half_open) >= max;
}

/* ---- retaining ---- */

tw_inline __u8 tw_retain_unit(__u32 now)
{
	return (__u8)(1 + (now >> TW_RETAIN_SHIFT) % TW_RETAIN_UNITS);
}

tw_inline int tw_bucket_retained(const struct tw_bucket *bucket, __u32 slot, __u32 now)
{
	__u32 retained = TW_MEMORY(bucket->retained[slot & (TW_BUCKET_SLOTS - 1)]);

	return retained && (tw_retain_unit(now) + TW_RETAIN_UNITS - retained) % TW_RETAIN_UNITS <=
				   TW_RETAIN_FRESH;
}

/* Body of tw_call_retain(): keeps the record of flow.key, which may linger, from being given up
 * while its packet is judged. True if it is still there. */
tw_inline int tw_conn_retain(
	const struct tw_frame *f, const struct tw_config *config, const struct tw_flow *flow)
{
	int number = tw_call_find(f);
	__u32 n = (__u32)number / TW_BUCKET_SLOTS, slot = (__u32)number % TW_BUCKET_SLOTS, lock;
	struct tw_bucket *bucket = number < 0 ? 0 : tw_buckets_lookup(f, &n);
	const struct tw_conn *c = tw_conn_at(f, number);
	__u32 now = tw_tick(f->now_ns);

	if (!bucket || !c)
		return 0;
	if (!tw_conn_lingers(config, c, now))
		return 1;
	TW_MEMORY(bucket->retained[slot]) = tw_retain_unit(now);
	/* A barrier: `retained` is written before the tag is read. */
	lock = __sync_fetch_and_or(&bucket->lock, 0);
	TW_OPAQUE(lock);
	c = tw_bucket_tag(bucket, slot) == (__u16)flow->probe.tags ? tw_record(f, n, slot) : 0;
	return c && tw_conn_is(c, &flow->key);
}

/* ---- giving up ---- */

/* Returns the rank of a record for being given up. 0: it must stay; of two, the higher one goes. */
tw_inline __u32 tw_conn_spare_rank(const struct tw_config *config, const struct tw_conn *c,
	__u32 now, __u32 payer_id, enum tw_yield what)
{
	const __u32 own = 1u << 30, gone = 1u << 31;
	__u32 age = now - c->seen, ports = c->ports, rank = (age & (own / 2 - 1)) + 1;
	__u32 after = tw_conn_spare_after(config, c);

	if (tw_ports_payer(ports) == payer_id) {
		rank |= own;
		if (what == TW_YIELD_OVER && tw_ports_charge(ports) != TW_CHARGE_OVER)
			return 0;
		if (what == TW_YIELD_ESTABLISHED && tw_ports_charge(ports) != TW_CHARGE_ESTABLISHED)
			return 0;
	} else if (what != TW_YIELD_ANY) {
		return 0;
	}
	if (tw_conn_expired(config, c, now, TW_GRACE))
		return rank | gone;
	return after && tw_tick_age(now, c->seen) >= after + TW_TICKS_AHEAD ? rank : 0;
}

/* Context of the search for a spare record in a bucket. */
struct tw_spare {
	const struct tw_frame *f;
	const struct tw_config *config;
	const struct tw_bucket *bucket;
	struct tw_scratch *scratch;
	__u32 now;
	__u32 n; /* the bucket's number */
	__u32 payer_id;
	__u32 what; /* enum tw_yield */
};

/* Notes a slot's record in scratch if it ranks above those noted so far. */
tw_inline long tw_bucket_spare_step(__u32 slot, void *context)
{
	const struct tw_spare *s = context;
	const struct tw_conn *c;
	__u32 rank;

	c = tw_bucket_tag(s->bucket, slot & (TW_BUCKET_SLOTS - 1)) ? tw_record(s->f, s->n, slot)
								   : 0;
	if (!c || tw_bucket_retained(s->bucket, slot, s->now))
		return 0;
	rank = tw_conn_spare_rank(s->config, c, s->now, s->payer_id, (enum tw_yield)s->what);
	if (rank <= TW_MEMORY(s->scratch->spare_rank))
		return 0;
	TW_MEMORY(s->scratch->spare_rank) = rank;
	TW_MEMORY(s->scratch->spare_slot) = slot;
	return 0;
}

/* Body of tw_call_bucket_spare(): returns the slot of the first record to give up in a bucket whose
 * lock is held, or TW_NO_SLOT. Fills in s->bucket. s->scratch is the caller's tw_scratch_control(),
 * as a packet may interrupt it (tests/load/scratch.c). */
tw_inline __u32 tw_bucket_spare(struct tw_spare *s)
{
	s->bucket = tw_buckets_lookup(s->f, &s->n);
	if (!s->bucket || !s->scratch)
		return TW_NO_SLOT;
	TW_MEMORY(s->scratch->spare_rank) = 0;
	tw_repeat(TW_BUCKET_SLOTS, tw_bucket_spare_step, s);
	return TW_MEMORY(s->scratch->spare_rank)
		       ? TW_MEMORY(s->scratch->spare_slot) & (TW_BUCKET_SLOTS - 1)
		       : TW_NO_SLOT;
}

/* Ends the record in a slot of bucket number `n`, whose lock is held. Returns 1 if it is gone, 0 if
 * it stays because a packet may retain it, and -1 if it is `expired` but stays because its end could
 * not be reported to the agent. An `expired` record cannot be retained. */
tw_inline int tw_bucket_withdraw(const struct tw_frame *f, const struct tw_config *config,
	struct tw_bucket *bucket, __u32 n, __u32 slot, int expired)
{
	__u32 now = tw_tick(f->now_ns);
	struct tw_conn *c = tw_record(f, n, slot);
	__u64 tags = tw_bucket_tag(bucket, slot);
	int told;

	if (!c)
		return 0;
	/* Because its result is used, the operation is also a barrier: the tag is cleared before
	 * `retained` is read. */
	if (!__sync_fetch_and_and(&bucket->tags[slot >> 2 & 3], ~(0xffffull << (slot & 3) * 16)))
		return 0;
	if (!expired && tw_bucket_retained(bucket, slot, now)) {
		tw_bucket_tag_set(bucket, slot, tags);
		return 0;
	}
	told = tw_conn_tell_end(f, c, now);
	if (!told && expired) {
		tw_bucket_tag_set(bucket, slot, tags);
		return -1;
	}
	if (!told)
		tw_gc_lose_close(f);
	tw_bucket_remove(f, config, bucket, n, slot);
	return 1;
}

/* Notes that a TCP connection's record was given up, as a new record overwrites it at once. The
 * note is in the first bucket of the old record's probe sequence, which is scratch->probe. */
tw_inline void tw_bucket_given_up(const struct tw_frame *f, const struct tw_conn *c)
{
	const struct tw_scratch *scratch = tw_scratch_control(f);
	struct tw_bucket *bucket;
	__u32 n;

	if (!c || !scratch || scratch->key.proto != TW_IPPROTO_TCP || tw_conn_refused(c))
		return;
	n = scratch->probe.bucket;
	bucket = tw_buckets_lookup(f, &n);
	if (bucket)
		TW_MEMORY(bucket->given_up) = scratch->probe.hash;
}

/* Body of tw_call_bucket_give_up(): gives up the record in a slot of bucket number `n`, whose
 * lock is held. True if it is gone. */
tw_inline int tw_bucket_give_up(
	const struct tw_frame *f, const struct tw_config *config, __u32 n, __u32 slot)
{
	struct tw_bucket *bucket = tw_buckets_lookup(f, &n);

	slot &= TW_BUCKET_SLOTS - 1;
	if (!bucket || tw_bucket_withdraw(f, config, bucket, n, slot, 0) <= 0)
		return 0;
	tw_bucket_given_up(f, tw_record(f, n, slot));
	return 1;
}

/* Gives up a record of bucket number `n`, whose lock is held. True if there was one. */
tw_inline int tw_bucket_yield(const struct tw_frame *f, __u32 n, __u32 payer_id, enum tw_yield what)
{
	__u32 slot = tw_call_bucket_spare(f, n, payer_id, what);

	return slot < TW_BUCKET_SLOTS && tw_call_bucket_give_up(f, n, slot);
}

/* ---- sweeping ---- */

/* True if a record is spare and its port is near its quota. The records of a port with a small
 * quota are too sparse for its openings to probe their buckets. */
tw_inline int tw_conn_crowds(const struct tw_frame *f, const struct tw_config *config,
	const struct tw_conn *c, __u32 now)
{
	__u32 after = tw_conn_spare_after(config, c), id = tw_ports_payer(c->ports), max;
	const struct tw_port *payer;
	const struct tw_usage *usage;

	if (!after || tw_tick_age(now, c->seen) < after + TW_TICKS_AHEAD ||
		tw_ports_charge(c->ports) != TW_CHARGE_ESTABLISHED)
		return 0;
	payer = tw_port_numbered(f, id, config->epoch);
	usage = tw_usage_lookup(f, &id);
	max = payer ? tw_port_established_max(config, payer) : 0;
	return max && usage && tw_usage_now(usage->established) >= max - max / 8;
}

/* Body of tw_call_slot_due(): true if the sweep ends the record in a slot of bucket number `n`. */
tw_inline int tw_slot_due(
	const struct tw_frame *f, const struct tw_config *config, __u32 n, __u32 slot)
{
	const struct tw_conn *c = tw_record(f, n, slot);
	__u32 now = tw_tick(f->now_ns);

	return c &&
	       (tw_conn_expired(config, c, now, TW_GRACE) || tw_conn_crowds(f, config, c, now));
}

/* Body of tw_call_slot_clear(): ends the record in a slot of bucket number `n`, whose lock is held,
 * if it is due. Negative: its end cannot be reported, and it stays for the next sweep. */
tw_inline int tw_slot_clear(
	const struct tw_frame *f, const struct tw_config *config, __u32 n, __u32 slot)
{
	struct tw_bucket *bucket = tw_buckets_lookup(f, &n);
	struct tw_conn *c = tw_record(f, n, slot);
	__u32 now = tw_tick(f->now_ns);
	int expired;

	if (!bucket || !c)
		return 0;
	expired = tw_conn_expired(config, c, now, TW_GRACE);
	if (!expired && !tw_conn_crowds(f, config, c, now))
		return 0;
	return tw_bucket_withdraw(f, config, bucket, n, slot, expired);
}

/* True if bucket number `n` has a record for the sweep to end.
 *
 * Read without the lock. Before Linux 6.10, BPF_PROG_TEST_RUN does not disable softirqs: a packet
 * that interrupts the sweep cannot wait for a lock its own CPU holds (tests/vm/swept). The sweep
 * therefore locks a bucket only to end records. */
tw_inline int tw_bucket_due(const struct tw_frame *f, const struct tw_bucket *bucket, __u32 n)
{
	__u32 slot;

	for (slot = 0; slot < TW_BUCKET_SLOTS; slot++)
		if (tw_bucket_tag(bucket, slot) && tw_call_slot_due(f, n, slot))
			return 1;
	return 0;
}

/* Ends the records of bucket number `n` that are due, up to the first whose end cannot be
 * reported. The bucket's lock is held. */
tw_inline void tw_bucket_clear(const struct tw_frame *f, const struct tw_bucket *bucket, __u32 n)
{
	__u32 slot;

	for (slot = 0; slot < TW_BUCKET_SLOTS; slot++)
		if (tw_bucket_tag(bucket, slot) && tw_call_slot_clear(f, n, slot) < 0)
			return;
}

/* Body of tw_call_sweep(): sweeps the next bucket. */
tw_inline void tw_conns_sweep(const struct tw_frame *f)
{
	__u32 zero = 0, n;
	struct tw_gc *gc = tw_gc_lookup(f, &zero);
	struct tw_bucket *bucket;

	if (!gc)
		return;
	n = __sync_fetch_and_add(&gc->bucket, 1);
	if (n >= tw_table_buckets(f)) {
		gc->bucket = 1;
		n = 0;
	}
	bucket = tw_buckets_lookup(f, &n);
	if (!bucket || !(bucket->tags[0] | bucket->tags[1] | bucket->tags[2] | bucket->tags[3]) ||
		!tw_bucket_due(f, bucket, n) || !tw_call_bucket_lock(f, n, TW_LOCK_SPINS))
		return;
	tw_bucket_clear(f, bucket, n);
	tw_bucket_unlock(bucket);
}

/* Sweeps in the agent's place if it has been silent: one bucket for each tick since the last
 * time. */
tw_inline void tw_conns_catch_up(const struct tw_frame *f, const struct tw_config *config)
{
	__u32 now = tw_tick(f->now_ns), zero = 0, due, i;
	struct tw_gc *gc;

	if (!tw_tick_after(now, config->agent_seen + TW_AGENT_SILENT))
		return;
	gc = tw_gc_lookup(f, &zero);
	if (!gc)
		return;
	due = now - gc->swept;
	gc->swept = now;
	for (i = 0; i < TW_CATCH_UP_BUCKETS && i < due; i++)
		tw_call_sweep(f);
}
