/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conns.h: the connection table: finds, charges and ends records. open.h inserts them; spare.h
 * gives them up and sweeps.
 *
 * Why:        a table of our own costs 157 bytes a connection; a BPF hash costs 200. It is a plain
 *             array: it finds a record without a call, makes room without a daemon, and never
 *             displaces a live connection.
 * How:        the key's hash gives the first bucket of its probe sequence, and the step to the next
 *             one if that is full. A bucket is a cache line of tags, which tell which of its
 *             records may match. Most records are in the slot that their hash names, so tags and
 *             record can be loaded at once. Buckets and records are separate arrays: the buckets of
 *             a table of the usual size stay in the caches, and suffice to see that a connection is
 *             new. A bucket counts the records that overflowed past it (`overflowed`); at 0, the
 *             search ends.
 * Invariants: 1. A key is in the table at most once: a CPU that opens holds the lock of the key's
 *                first bucket.
 *             2. Tags change under their bucket's lock. Readers take no lock: a tag is set after
 *                its record is written, and cleared before the record is reused.
 *             3. The record of an expired connection is reused only TW_GRACE later, when no CPU
 *                holds it any more.
 *             4. A port's charge for a record is taken back when the record is removed.
 * Bounds:     TW_PROBE_BUCKETS buckets; a lookup reads two or three cache lines when the table is
 *             not full.
 * Callers:    track.h finds; path.h opens, in a subprogram; the sweep program ends records; the
 *             loader's program takes over the records of a table of another size.
 * Source:     hash: O. Kaser, D. Lemire, "Strongly universal string hashing is fast" (2014),
 *             multilinear, and the last mix of A. Appleby's MurmurHash3 (2008), a bijection;
 *             buckets with overflow counts: N. Bronson, X. Shi, F14 (2019); tag words: Warren,
 *             Hacker's Delight §6-1.
 */
#pragma once

#include "fastpath/path/conntrack/expiry.h"
#include "fastpath/path/packet.h"

#define TW_PROBE_BUCKETS 16
#define TW_LOCK_SPINS	 256 /* held for less than 1 us, unless its holder is interrupted */
#define TW_HOME_SPINS	 (512 * TW_LOCK_SPINS) /* a virtual CPU may be descheduled */
#define TW_CHARGE_TRIES	 4
#define TW_GRACE	 (2 * TW_TICKS_PER_SECOND)
#define TW_TAG_ONES	 0x0001000100010001ull
#define TW_TAG_HIGHS	 0x8000800080008000
#define TW_NO_SLOT	 TW_BUCKET_SLOTS

/* Silence of the agent after which CPUs that open connections sweep in its place. */
#define TW_AGENT_SILENT	    (10 * TW_TICKS_PER_SECOND)
#define TW_CATCH_UP_BUCKETS 64 /* buckets at a time */

/* ---- finding a key ---- */

/* Returns the hash of a key. The upper 32 bits of the sum are strongly universal: without the
 * secret, keys that collide more often than others cannot be found. Consecutive keys would still
 * form a lattice and share probe sequences; a bijective mix prevents that. */
tw_inline __u32 tw_key_hash(const struct tw_config *config, const struct tw_key *key)
{
	__u64 sum = config->hash_key[TW_KEY_WORDS];
	__u32 i, hash;

	for (i = 0; i < TW_KEY_WORDS; i++)
		sum += config->hash_key[i] * key->w[i];
	hash = (__u32)(sum >> 32);
	hash = (hash ^ hash >> 16) * 0x85ebca6b;
	hash = (hash ^ hash >> 13) * 0xc2b2ae35;
	return hash ^ hash >> 16;
}

tw_inline void tw_probe_make(const struct tw_frame *f, struct tw_probe *at,
	const struct tw_config *config, const struct tw_key *key)
{
	__u32 hash = tw_key_hash(config, key), tag = hash & 0xffff, buckets = tw_table_buckets(f);

	tag += !tag;
	at->hash = hash;
	at->tags = tag * TW_TAG_ONES;
	at->bucket = (__u32)((__u64)hash * buckets >> 32);
	at->step = 1 + (__u32)((__u64)tag * (buckets - 1) >> 16);
}

tw_inline __u32 tw_probe_next(const struct tw_frame *f, const struct tw_probe *at, __u32 bucket)
{
	bucket += at->step;
	return bucket >= tw_table_buckets(f) ? bucket - tw_table_buckets(f) : bucket;
}

/* Returns the number of the lowest 16-bit lane whose highest bit is set; `lanes` is not 0. */
tw_inline __u32 tw_lane(__u64 lanes)
{
	if (lanes & 0x80008000)
		return lanes & 0x8000 ? 0 : 1;
	return lanes & 0x800000000000 ? 2 : 3;
}

/* Returns the highest bit of each zero lane. Bits above the lowest one may be false positives. */
tw_inline __u64 tw_lanes_zero(__u64 word)
{
	return (word - TW_TAG_ONES) & ~word & TW_TAG_HIGHS;
}

tw_inline int tw_conn_is(const struct tw_conn *c, const struct tw_key *key)
{
	return !((c->key[0] ^ key->d[0]) | (c->key[1] ^ key->d[1]) | (c->key[2] ^ key->d[2]) |
		 (c->key[3] ^ key->d[3]) | (c->key[4] ^ key->d[4]) |
		 (c->key_end ^ key->w[TW_KEY_WORDS - 1]));
}

tw_inline void tw_conn_key(const struct tw_conn *c, struct tw_key *ret)
{
	__builtin_memcpy(ret->d, c->key, sizeof(c->key));
	ret->w[TW_KEY_WORDS - 1] = c->key_end;
	ret->pad = 0;
}

/* Returns the record in a slot of bucket number `n`. */
tw_inline struct tw_conn *tw_record(const struct tw_frame *f, __u32 n, __u32 slot)
{
	__u32 at = tw_record_number(n, slot);

	return tw_conns_lookup(f, &at);
}

/* Returns the preferred slot of a key in each bucket. */
tw_inline __u32 tw_probe_slot(const struct tw_probe *at)
{
	return (__u32)at->tags & (TW_BUCKET_SLOTS - 1);
}

/* Returns the trace that a free slot's `retained` keeps of the key whose record was there last;
 * never 0. The slot mostly follows from the key's tag, so the trace leaves the tag's lowest bits
 * out. */
tw_inline __u8 tw_probe_trace(const struct tw_probe *at)
{
	return (__u8)(1 + ((__u32)at->tags >> 4 & 0xfff) % 255);
}

/* Sets the tag of a free slot. The atomic operation orders memory: no CPU sees the tag before the
 * record. */
tw_inline void tw_bucket_tag_set(struct tw_bucket *bucket, __u32 slot, __u64 tags)
{
	TW_OPAQUE(slot);
	__sync_fetch_and_or(&bucket->tags[slot >> 2 & 3], (tags & 0xffff) << (slot & 3) * 16);
}

/* Prefetches a bucket that is about to be locked, by a store to its padding, which does not
 * wait. */
tw_inline void tw_bucket_ahead(const struct tw_frame *f, __u32 n)
{
	struct tw_bucket *bucket = tw_buckets_lookup(f, &n);

	if (bucket)
		TW_MEMORY(bucket->ahead) = 0;
}

/* Prefetches both cache lines of a record. A record that will probably be opened arrives while the
 * gates are evaluated; one that will probably match arrives together with its bucket. */
tw_inline void tw_record_ahead(const struct tw_frame *f, __u32 n, __u32 slot)
{
	struct tw_conn *c = tw_record(f, n, slot);

	if (!c)
		return;
	(void)TW_MEMORY(c->key[0]);
	(void)TW_MEMORY(c->packets[0]);
}

/* Returns the slots of a bucket with this tag: bit 16 * (slot % 4) + slot / 4 for each. */
tw_inline __u64 tw_bucket_tagged(const struct tw_bucket *bucket, __u64 tags)
{
	__u64 found = 0, differs;
	__u32 i;

	for (i = 0; i < TW_BUCKET_SLOTS / 4; i++) {
		differs = TW_MEMORY(bucket->tags[i]) ^ tags;
		differs |= (differs & ~TW_TAG_HIGHS) + ~TW_TAG_HIGHS;
		found |= (~differs & TW_TAG_HIGHS) >> (15 - i);
	}
	return found;
}

/* Returns the slot of the lowest bit of `found`, a result of tw_bucket_tagged() other than 0. The
 * function has no branch, so the verifier walks the code after it once, not once per slot. */
tw_inline __u32 tw_tagged_slot(__u64 found)
{
	__u64 bit = found & -found, lane = bit | bit >> 1 | bit >> 2 | bit >> 3;
	__u32 word = (__u32)(bit | bit >> 16 | bit >> 32 | bit >> 48) & 15;

	return ((word >> 1) - (word >> 3)) * 4 +
	       (__u32)((lane >> 16 & 1) | (lane >> 31 & 2) | (lane >> 48 & 1) * 3);
}

/* Body of tw_call_bucket_find(): returns the slot of flow.key in bucket number `n`, or TW_NO_SLOT.
 * The caller has set flow.probe. */
tw_inline __u32 tw_bucket_find(const struct tw_frame *f, const struct tw_flow *flow, __u32 n)
{
	const struct tw_bucket *bucket = tw_buckets_lookup(f, &n);
	__u64 found = bucket ? tw_bucket_tagged(bucket, flow->probe.tags) : 0;
	const struct tw_conn *c;
	__u32 i, slot;

	for (i = 0; i < TW_BUCKET_SLOTS && found; i++) {
		slot = tw_tagged_slot(found);
		c = tw_record(f, n, slot);
		if (c && tw_conn_is(c, &flow->key))
			return slot;
		found &= found - 1;
	}
	return TW_NO_SLOT;
}

/* True if the first bucket alone shows that the key is not in the table: the usual case. */
tw_inline int tw_bucket_settles(const struct tw_bucket *bucket, __u64 tags)
{
	__u64 lanes = 0;
	__u32 i;

	for (i = 0; i < TW_BUCKET_SLOTS / 4; i++)
		lanes |= tw_lanes_zero(TW_MEMORY(bucket->tags[i]) ^ tags);
	return !lanes && !TW_MEMORY(bucket->overflowed);
}

/* Returns the record of a key if it is in its preferred slot of its first bucket, where most are.
 * Otherwise returns NULL, and sets *ret_sought if that bucket shows that the key has no record. */
tw_inline struct tw_conn *tw_conn_near(
	const struct tw_frame *f, const struct tw_flow *flow, int *ret_sought)
{
	const struct tw_probe *at = &flow->probe;
	__u32 n = at->bucket, slot = tw_probe_slot(at);
	const struct tw_bucket *bucket = tw_buckets_lookup(f, &n);
	struct tw_conn *c;

	*ret_sought = 0;
	if (!bucket)
		return 0;
	if (tw_bucket_tag(bucket, slot) == (__u16)at->tags) {
		c = tw_record(f, n, slot);
		if (c && tw_conn_is(c, &flow->key))
			return c;
	}
	*ret_sought = tw_bucket_settles(bucket, at->tags);
	if (*ret_sought)
		tw_record_ahead(f, n, slot);
	return 0;
}

/* Body of tw_call_find(): returns the record number of flow.key in any state, or -1. flow.probe is
 * set. */
tw_inline int tw_conn_find(const struct tw_frame *f, const struct tw_flow *flow)
{
	const struct tw_probe *at = &flow->probe;
	__u32 n = at->bucket, i, slot;
	const struct tw_bucket *bucket;

	for (i = 0; i < TW_PROBE_BUCKETS; i++) {
		bucket = tw_buckets_lookup(f, &n);
		if (!bucket)
			return -1;
		slot = tw_call_bucket_find(f, n);
		if (slot < TW_BUCKET_SLOTS)
			return (int)tw_record_number(n, slot);
		if (!TW_MEMORY(bucket->overflowed))
			return -1;
		n = tw_probe_next(f, at, n);
	}
	return -1;
}

/* Returns the record with a number from tw_call_find(), or NULL. */
tw_inline struct tw_conn *tw_conn_at(const struct tw_frame *f, int number)
{
	__u32 at = (__u32)number;

	return number < 0 ? 0 : tw_conns_lookup(f, &at);
}

/* Returns the record of flow.key in any state, or NULL. Sets flow.probe. */
tw_inline struct tw_conn *tw_conn_seek(
	const struct tw_frame *f, const struct tw_config *config, struct tw_flow *flow)
{
	struct tw_conn *c;
	int sought;

	tw_probe_make(f, &flow->probe, config, &flow->key);
	c = tw_conn_near(f, flow, &sought);
	return c || sought ? c : tw_conn_at(f, tw_call_find(f));
}

/* ---- charges ---- */

tw_inline int tw_state_half_open(__u8 state)
{
	return state == TW_S_SYN_SENT || state == TW_S_SYN_RECV || state == TW_S_UDP_UNREPLIED ||
	       state == TW_S_ICMP || state == TW_S_OTHER_UNREPLIED;
}

/* True if only late packets can come in this state. */
tw_inline int tw_state_over(__u8 state)
{
	return state == TW_S_TIME_WAIT || state == TW_S_CLOSED;
}

/* Returns how a record in this state is charged. */
tw_inline enum tw_charge tw_charge_of(__u8 state)
{
	if (tw_state_half_open(state))
		return TW_CHARGE_HALF_OPEN;
	return tw_state_over(state) ? TW_CHARGE_OVER : TW_CHARGE_ESTABLISHED;
}

tw_inline void tw_usage_count(struct tw_usage *usage, enum tw_charge charge, __s32 n)
{
	__u64 step = tw_usage_step(n);

	if (charge == TW_CHARGE_HALF_OPEN)
		__sync_fetch_and_add(&usage->half_open, step);
	else if (charge == TW_CHARGE_ESTABLISHED)
		__sync_fetch_and_add(&usage->established, step);
	else if (charge == TW_CHARGE_OVER)
		__sync_fetch_and_add(&usage->over, step);
}

/* Adds `n` records to the count of the port that pays for a record with these `ports`. */
tw_inline void tw_ports_count(const struct tw_frame *f, __u32 ports, __s32 n)
{
	__u32 id = tw_ports_payer(ports);
	struct tw_usage *usage = tw_usage_lookup(f, &id);

	if (usage)
		tw_usage_count(usage, tw_ports_charge(ports), n);
}

/* Changes a record's `ports` and charges accordingly. Returns 0, and does nothing, if another CPU
 * has changed them. */
tw_inline int tw_conn_set_ports(const struct tw_frame *f, struct tw_conn *c, __u32 old, __u32 now)
{
	if (__sync_val_compare_and_swap(&c->ports, old, now) != old)
		return 0;
	if (tw_ports_payer(old) != tw_ports_payer(now) ||
		tw_ports_charge(old) != tw_ports_charge(now)) {
		tw_ports_count(f, now, 1);
		tw_ports_count(f, old, -1);
	}
	return 1;
}

/* Notes that a connection's end is at another port now, as its workload moved within this host. If
 * another CPU changes `ports` at the same time, the connection's next packet tries again. */
tw_inline void tw_conn_set_port(
	const struct tw_frame *f, struct tw_conn *c, enum tw_dir end, __u32 port_id)
{
	__u32 old = TW_MEMORY(c->ports);

	if (tw_ports_at(old, end) != port_id)
		tw_conn_set_ports(f, c, old, tw_ports_with(old, end, port_id));
}

/* Charges a record by its state. A CPU that changes the state checks again after writing the
 * charge, so that the last one to do so finds both in agreement. */
tw_inline void tw_conn_recharge(const struct tw_frame *f, struct tw_conn *c)
{
	__u32 i, old, now;

	for (i = 0; i < TW_CHARGE_TRIES; i++) {
		old = TW_MEMORY(c->ports);
		now = tw_ports_charged(old, tw_charge_of(TW_MEMORY(c->progress.state)));
		if (old == now || !tw_ports_charge(old))
			return;
		tw_conn_set_ports(f, c, old, now);
	}
}

/* Takes back the charge for a record that is being removed. From here on, no CPU charges for it. */
tw_inline void tw_conn_uncharge(const struct tw_frame *f, struct tw_conn *c)
{
	tw_ports_count(f, __sync_fetch_and_and(&c->ports, ~TW_PORTS_CHARGE), -1);
}

/* Advances a record from `old`, as it was found, to `now`. Returns 0, and does nothing, if another
 * CPU has advanced it. */
tw_inline int tw_conn_advance(
	const struct tw_frame *f, struct tw_conn *c, struct tw_progress old, struct tw_progress now)
{
	if (old.word == now.word)
		return 1;
	if (__sync_val_compare_and_swap(&c->progress.word, old.word, now.word) != old.word)
		return 0;
	if (tw_charge_of(old.state) != tw_charge_of(now.state))
		tw_conn_recharge(f, c);
	return 1;
}

/* ---- ending ---- */

/* True if the bucket's lock was free and is the caller's now. */
tw_inline int tw_bucket_try(struct tw_bucket *bucket)
{
	return !__sync_val_compare_and_swap(&bucket->lock, 0, 1);
}

/* State of a wait for a bucket's lock. */
struct tw_lock_wait {
	struct tw_bucket *bucket;
	int locked;
};

static long tw_lock_spin(__u32 i, void *context)
{
	struct tw_lock_wait *wait = context;

	wait->locked = !TW_MEMORY(wait->bucket->lock) && tw_bucket_try(wait->bucket);
	return wait->locked;
}

/* Body of tw_call_bucket_lock(): locks bucket number `n`, after at most `spins` looks. Returns 0 if
 * it stays locked. */
tw_inline int tw_bucket_lock(const struct tw_frame *f, __u32 n, __u32 spins)
{
	struct tw_lock_wait wait = {.bucket = tw_buckets_lookup(f, &n)};

	if (!wait.bucket)
		return 0;
	if (tw_bucket_try(wait.bucket))
		return 1;
	tw_repeat(spins, tw_lock_spin, &wait);
	return wait.locked;
}

tw_inline void tw_bucket_unlock(struct tw_bucket *bucket)
{
	__sync_lock_test_and_set(&bucket->lock, 0);
}

/* Adds `n` to the overflow counts of the buckets before `stop` in a probe sequence. */
tw_inline void tw_probe_count_past(
	const struct tw_frame *f, const struct tw_probe *at, __u32 stop, __s32 n)
{
	struct tw_bucket *bucket;
	__u32 at_bucket = at->bucket, i;

	for (i = 0; i < TW_PROBE_BUCKETS && at_bucket != stop; i++) {
		bucket = tw_buckets_lookup(f, &at_bucket);
		if (!bucket)
			return;
		__sync_fetch_and_add(&bucket->overflowed, n);
		at_bucket = tw_probe_next(f, at, at_bucket);
	}
}

/* Reports the end of a connection. True if it was reported, or need not be; false if there was no
 * room. */
tw_inline int tw_conn_tell_end(const struct tw_frame *f, const struct tw_conn *c, __u32 now)
{
	__u32 ports = c->ports;
	enum tw_dir end = tw_ports_at(ports, TW_DIR_IN) ? TW_DIR_IN : TW_DIR_OUT;
	struct tw_event *e;

	if (tw_conn_refused(c))
		return 1;
	e = tw_event_reserve(f);
	if (!e)
		return 0;
	__builtin_memset(e, 0, sizeof(*e));
	e->time_ns = f->now_ns;
	e->ports = ports;
	e->port_id = (__u16)tw_ports_at(ports, end);
	e->kind = TW_EVENT_CLOSE;
	tw_conn_key(c, &e->key);
	__builtin_memcpy(e->sums.packets, c->packets, sizeof(c->packets));
	__builtin_memcpy(e->sums.bytes, c->bytes, sizeof(c->bytes));
	e->sums.age = now - c->created;
	e->sums.idle = now - c->seen;
	e->conn_flags = c->progress.flags;
	e->vlan = (__u16)e->key.vlan;
	if (e->key.proto == TW_IPPROTO_ICMP || e->key.proto == TW_IPPROTO_ICMPV6)
		e->icmp_type = c->progress.icmp_type;
	e->outcome.gate[TW_DIR_OUT] = c->gate[TW_DIR_OUT];
	e->outcome.gate[TW_DIR_IN] = c->gate[TW_DIR_IN];
	e->outcome.dir = (__u8)end;
	e->outcome.decision = tw_gate_decision(c->gate[end]);
	e->outcome.verdict = TW_V_ALLOW;
	e->outcome.reason = TW_R_ESTABLISHED;
	e->outcome.state = c->progress.state;
	e->outcome.tracked = 1;
	tw_event_submit(f, e);
	return 1;
}

/* Counts an ended connection that could not be reported. */
tw_inline void tw_gc_lose_close(const struct tw_frame *f)
{
	__u32 zero = 0;
	struct tw_gc *gc = tw_gc_lookup(f, &zero);

	if (gc)
		__sync_fetch_and_add(&gc->closes_lost, 1);
}

/* Removes a record from bucket number `n`, whose lock is held. */
tw_inline void tw_bucket_remove(const struct tw_frame *f, const struct tw_config *config,
	struct tw_bucket *bucket, __u32 n, __u32 slot)
{
	struct tw_conn *c = tw_record(f, n, slot);
	struct tw_scratch *scratch = tw_scratch_control(f);
	struct tw_probe *at;

	if (!c || !scratch)
		return;
	TW_OPAQUE(slot);
	__sync_fetch_and_and(&bucket->tags[slot >> 2 & 3], ~(0xffffull << (slot & 3) * 16));
	tw_conn_uncharge(f, c);
	tw_conn_key(c, &scratch->key);
	at = &scratch->probe;
	tw_probe_make(f, at, config, &scratch->key);
	bucket->retained[slot & (TW_BUCKET_SLOTS - 1)] = tw_probe_trace(at);
	tw_probe_count_past(f, at, n, -1);
}
