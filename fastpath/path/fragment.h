/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fragment.h: tracks the fragmented datagrams of each port, and judges further fragments.
 *
 * Why:        only the first fragment has ports, so the others are judged by what the first one
 *             opened. A receiver must never reassemble bytes that were not judged.
 * Out:        a later fragment gets the ports and protocol of its first one, or a reason to be
 *             denied.
 * Invariants: 1. A later fragment passes only after its first one has passed at this port.
 *             2. No byte of a datagram passes twice. If fragments overlap, or disagree on the
 *                datagram's end, no further one passes (RFC 5722 §4, RFC 8200 §4.5; for IPv4 RFC
 *                1858 and 3128 give the same reasons). A fragment whose bytes were all seen before
 *                is dropped harmlessly, as in Linux (RFC 8200 §4.5).
 *             3. A fragment whose connection a gate then refuses counts as seen.
 *             4. A later fragment that comes before its first is queued. A copy waits for as long
 *                as a receiver would, and is sent to be judged once the first has passed.
 *             5. Each port has its own share of memory. A new datagram displaces the oldest one of
 *                the sender that has most in the set. Datagrams between the same two addresses
 *                reach a quarter of the share (tests/unit/fragments.c).
 * Bounds:     one lookup in `frags`; one in `fragqs` for a queued fragment, TW_FRAGQS for a first
 *             one if its set recently queued one; TW_FRAG_WAYS and TW_FRAG_RANGES rounds under the
 *             set's lock.
 * Source:     RFC 791 §3.2, 8200 §4.5, 1858, 3128, 5722, 6946; docs/decisions/004-fragments.md.
 */
#pragma once

#include "fastpath/path/packet.h"

tw_inline __u64 tw_frag_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

/* Returns the set of a datagram: one of four for each pair of addresses, unpredictable to the
 * guest. Consecutive ids use the four in turn. */
tw_inline __u32 tw_frag_set_of(const struct tw_config *config, const struct tw_packet *p)
{
	const struct tw_tuple *t = &p->tuple;
	__u64 hash = tw_frag_mix(config->mark, t->src.d[0]);
	__u32 id = p->piece.id;

	hash = tw_frag_mix(hash, t->src.d[1]);
	hash = tw_frag_mix(hash, t->dst.d[0]);
	hash = tw_frag_mix(hash, t->dst.d[1]);
	id ^= id >> 16;
	id ^= id >> 8;
	return (__u32)((hash & ~3u) | (id & 3)) & (TW_FRAG_SETS - 1);
}

tw_inline void tw_frag_name_make(struct tw_frag_name *name, const struct tw_packet *p)
{
	__builtin_memset(name, 0, sizeof(*name));
	name->src = p->tuple.src;
	name->dst = p->tuple.dst;
	name->id = p->piece.id;
	name->vlan = p->piece.vlan;
	name->inner_vlan = p->inner_vlan;
	name->proto = p->ethertype == TW_ETH_IPV4 ? p->tuple.proto : 0;
	__builtin_memcpy(name->sender, p->src_mac, sizeof(name->sender));
}

tw_inline int tw_frag_name_equal(const struct tw_frag_name *a, const struct tw_frag_name *b)
{
	return !((a->src.d[0] ^ b->src.d[0]) | (a->src.d[1] ^ b->src.d[1]) |
		 (a->dst.d[0] ^ b->dst.d[0]) | (a->dst.d[1] ^ b->dst.d[1]) | (a->id ^ b->id) |
		 (__u32)(a->vlan ^ b->vlan) | (__u32)(a->inner_vlan ^ b->inner_vlan) |
		 (__u32)(a->proto ^ b->proto));
}

/* True if a receiver has given up on a datagram that it has waited for since `seen`. */
tw_inline int tw_frag_late(const struct tw_frag_name *name, __u32 seen, __u32 now)
{
	__u32 seconds = tw_addr_is_v4(&name->src) ? TW_FRAG_SECONDS_V4 : TW_FRAG_SECONDS_V6;

	return tw_tick_after(now, seen + seconds * TW_TICKS_PER_SECOND);
}

#define TW_FRAG_RANK_SAME 0xffffffffu
#define TW_FRAG_RANK_OVER 0xfffffffeu

#define TW_FRAG_AGE_BITS 24

/* Returns 1 if two datagrams come from the same MAC, without a branch. */
tw_inline __u32 tw_frag_same_sender(const struct tw_frag_name *a, const struct tw_frag_name *b)
{
	__u32 differs = (__u32)(a->sender[0] ^ b->sender[0]) |
			(__u32)(a->sender[1] ^ b->sender[1]) |
			(__u32)(a->sender[2] ^ b->sender[2]) |
			(__u32)(a->sender[3] ^ b->sender[3]) |
			(__u32)(a->sender[4] ^ b->sender[4]) | (__u32)(a->sender[5] ^ b->sender[5]);

	TW_OPAQUE(differs);
	return (differs - 1) >> 31;
}

/* Counts, for each datagram of a set, all that its sender has in the set. Runs before ranks are
 * compared, so that the verifier walks this loop once. */
tw_inline void tw_frag_count(struct tw_frag_set *set)
{
	__u32 i, j, n;

	for (i = 0; i < TW_FRAG_WAYS; i++) {
		n = 0;
		for (j = 0; j < TW_FRAG_WAYS; j++)
			n += tw_frag_same_sender(&set->way_of[i].name, &set->way_of[j].name);
		TW_MEMORY(set->way_of[i].n_same) = (__u8)n;
	}
}

/* Returns the rank of a place for a datagram: its own one first, then a free one, then the oldest
 * of the sender that has most. A guest can only send in its own name, so its flood displaces its
 * own datagrams. */
tw_inline __u32 tw_frag_rank(const struct tw_frag *d, const struct tw_frag_name *name, __u32 now)
{
	if (!d->state || tw_frag_late(&d->name, d->seen, now))
		return TW_FRAG_RANK_OVER;
	if (tw_frag_name_equal(&d->name, name))
		return TW_FRAG_RANK_SAME;
	return (TW_MEMORY(d->n_same) & 15u) << TW_FRAG_AGE_BITS |
	       ((now - d->seen) & ((1u << TW_FRAG_AGE_BITS) - 1));
}

/* Stores the best place and its rank in the set. */
tw_inline void tw_frag_find(struct tw_frag_set *set, const struct tw_frag_name *name, __u32 now)
{
	__u32 i;

	tw_frag_count(set);
	set->way = 0;
	set->rank = 0;
	for (i = 0; i < TW_FRAG_WAYS; i++) {
		TW_MEMORY(set->rank_now) = tw_frag_rank(&set->way_of[i], name, now);
		if (TW_MEMORY(set->rank_now) > TW_MEMORY(set->rank)) {
			TW_MEMORY(set->rank) = TW_MEMORY(set->rank_now);
			TW_MEMORY(set->way) = i;
		}
	}
}

tw_inline void tw_frag_begin(struct tw_frag *d, const struct tw_scratch *scratch, __u32 now)
{
	const struct tw_packet *p = &scratch->packet;

	__builtin_memset(d, 0, sizeof(*d));
	d->name = scratch->name;
	d->seen = now;
	d->sport = p->tuple.sport;
	d->dport = p->tuple.dport;
	d->transport = p->tuple.proto;
	d->state = TW_FRAG_OPEN;
}

#define TW_FRAG_OVERLAPS  1 /* shares bytes with the piece */
#define TW_FRAG_HAS_ALL	  2 /* contains the whole piece */
#define TW_FRAG_IS_BEYOND 4 /* ends after the piece */

tw_inline __u8 tw_frag_compare(const struct tw_frag_range *r, const struct tw_piece *piece)
{
	__u8 found = 0;

	if (piece->from < r->to && piece->to > r->from)
		found = TW_FRAG_OVERLAPS;
	if (piece->from >= r->from && piece->to <= r->to)
		found |= TW_FRAG_HAS_ALL;
	return r->to > piece->to ? found | TW_FRAG_IS_BEYOND : found;
}

/* Returns TW_R_NONE if a piece fits: it overlaps no piece seen before, and does not contradict the
 * datagram's end. */
tw_inline enum tw_reason tw_frag_fits(struct tw_frag *d, const struct tw_piece *piece)
{
	__u32 i;

	d->found = 0;
	for (i = 0; i < TW_FRAG_RANGES; i++)
		TW_MEMORY(d->found) |= tw_frag_compare(&d->range[i], piece);
	if (d->total && (piece->to > d->total || (!piece->more && piece->to != d->total)))
		return TW_R_FRAG_OVERLAP;
	if (!piece->more && TW_MEMORY(d->found) & TW_FRAG_IS_BEYOND)
		return TW_R_FRAG_OVERLAP;
	if (TW_MEMORY(d->found) & TW_FRAG_HAS_ALL)
		return TW_R_FRAG_DUPLICATE;
	return TW_MEMORY(d->found) & TW_FRAG_OVERLAPS ? TW_R_FRAG_OVERLAP : TW_R_NONE;
}

/* Adds a fitting piece and merges it with its neighbours. TW_R_FRAG_OVERLAP: no room. */
tw_inline enum tw_reason tw_frag_add(struct tw_frag *d, const struct tw_piece *piece)
{
	struct tw_frag_range *r = d->range;
	__u16 from = piece->from, to = piece->to;
	__u32 i;

	if (!piece->more)
		d->total = to;
	for (i = 0; i < TW_FRAG_RANGES; i++) {
		if (!r[i].to || (r[i].to != piece->from && r[i].from != piece->to))
			continue;
		from = r[i].from < from ? r[i].from : from;
		to = r[i].to > to ? r[i].to : to;
		r[i].from = r[i].to = 0;
	}
	/* The datagram is complete: its id may be used again. */
	if (!from && to == d->total) {
		d->state = TW_FRAG_FREE;
		return TW_R_NONE;
	}
	for (i = 0; i < TW_FRAG_RANGES; i++) {
		if (r[i].to)
			continue;
		r[i].from = from;
		r[i].to = to;
		return TW_R_NONE;
	}
	return TW_R_FRAG_OVERLAP;
}

/* Judges the packet in scratch, under its set's lock. */
tw_inline enum tw_reason tw_frag_take(
	struct tw_frag_set *set, struct tw_scratch *scratch, __u32 now)
{
	struct tw_packet *p = &scratch->packet;
	enum tw_reason reason;
	struct tw_frag *d;

	tw_frag_find(set, &scratch->name, now);
	d = &set->way_of[TW_MEMORY(set->way) & (TW_FRAG_WAYS - 1)];
	if (TW_MEMORY(set->rank) != TW_FRAG_RANK_SAME) {
		if (p->fragment == TW_FRAG_LATER)
			return TW_R_FRAG_ORPHAN;
		tw_frag_begin(d, scratch, now);
	}
	if (d->state == TW_FRAG_DEAD)
		return TW_R_FRAG_OVERLAP;
	reason = tw_frag_fits(d, &p->piece);
	if (!reason)
		reason = tw_frag_add(d, &p->piece);
	if (reason == TW_R_FRAG_OVERLAP)
		d->state = TW_FRAG_DEAD;
	if (!reason && p->fragment == TW_FRAG_LATER) {
		p->tuple.sport = d->sport;
		p->tuple.dport = d->dport;
		p->tuple.proto = d->transport;
	}
	return reason;
}

/* Drops the datagrams of another interface, which had this port id before. */
tw_inline void tw_frag_claim(struct tw_frag_set *set, __u32 ifindex)
{
	__u32 i;

	if (set->ifindex == ifindex)
		return;
	set->ifindex = ifindex;
	for (i = 0; i < TW_FRAG_WAYS; i++)
		set->way_of[i].state = TW_FRAG_FREE;
}

tw_inline struct tw_frag_set *tw_frag_set_get(
	const struct tw_frame *f, const struct tw_scratch *scratch, __u32 key)
{
	struct tw_frag_set *set = tw_frags_lookup(f, &key);

	if (set)
		return set;
	tw_frags_update(f, &key, (const void *)scratch->none, TW_MAP_NOEXIST);
	return tw_frags_lookup(f, &key);
}

tw_inline struct tw_fragq *tw_fragq_get(
	const struct tw_frame *f, const struct tw_scratch *scratch, __u32 port_id, __u32 n)
{
	__u32 key = tw_fragq_key(port_id, n & (TW_FRAGQS - 1));
	struct tw_fragq *queued = tw_fragqs_lookup(f, &key);

	if (queued)
		return queued;
	tw_fragqs_update(f, &key, (const void *)scratch->none, TW_MAP_NOEXIST);
	return tw_fragqs_lookup(f, &key);
}

/* Queues a copy of a frame in place of the port's oldest one. True on success. */
tw_inline int tw_fragq_put(const struct tw_frame *f, struct tw_scratch *scratch, __u32 port_id)
{
	struct tw_fragq *queued = tw_fragq_get(f, scratch, port_id, 0);

	if (!queued)
		return 0;
	scratch->queued = __sync_fetch_and_add(&queued->n_queued, 1) & (TW_FRAGQS - 1);
	queued = tw_fragq_get(f, scratch, port_id, scratch->queued);
	if (!queued)
		return 0;
	queued->state = TW_FRAGQ_FREE;
	if (f->gso_size || tw_frame_keep(f, queued))
		return 0;
	queued->name = scratch->name;
	queued->seen = tw_tick(f->now_ns);
	queued->ifindex = f->ifindex;
	TW_MEMORY(queued->state) = TW_FRAGQ_KEPT;
	return 1;
}

/* Drops the copy of a fragment that passes after all. */
tw_inline void tw_fragq_drop(
	const struct tw_frame *f, const struct tw_scratch *scratch, __u32 port_id)
{
	__u32 key = tw_fragq_key(port_id, scratch->queued);
	struct tw_fragq *queued = tw_fragqs_lookup(f, &key);

	if (queued && tw_frag_name_equal(&queued->name, &scratch->name))
		queued->state = TW_FRAGQ_FREE;
}

/* Body of tw_call_fragment(). It runs twice for a queued fragment: if two CPUs judge fragments of
 * one datagram, the second one to lock the set finds what the first one has left. */
tw_inline enum tw_reason tw_fragment_judge(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, struct tw_scratch *scratch)
{
	struct tw_packet *p = &scratch->packet;
	__u32 now = tw_tick(f->now_ns), key = tw_frag_key(port_id, tw_frag_set_of(config, p));
	struct tw_frag_set *set = tw_frag_set_get(f, scratch, key);
	enum tw_reason reason;

	if (!set)
		return TW_R_TABLE_FULL;
	tw_frag_name_make(&scratch->name, p);
	tw_frag_lock(set);
	tw_frag_claim(set, f->ifindex);
	reason = tw_frag_take(set, scratch, now);
	if (reason == TW_R_FRAG_ORPHAN) {
		set->queued = now | 1;
	} else if (!reason && p->fragment == TW_FRAG_FIRST && set->queued) {
		if (tw_frag_late(&scratch->name, set->queued, now))
			set->queued = 0;
		else
			scratch->outcome.release = (__u16)port_id;
	}
	tw_frag_unlock(set);
	if (scratch->outcome.queued && reason != TW_R_FRAG_ORPHAN) {
		scratch->outcome.queued = 0;
		tw_fragq_drop(f, scratch, port_id);
	} else if (reason == TW_R_FRAG_ORPHAN && !scratch->outcome.queued) {
		scratch->outcome.queued = (__u8)tw_fragq_put(f, scratch, port_id);
	}
	return reason;
}

/* Judges a later fragment before track, or a first one once it has passed everything else. */
tw_inline enum tw_reason tw_fragment(
	const struct tw_frame *f, const struct tw_ctx *s, struct tw_packet *p)
{
	enum tw_reason reason;

	p->piece.vlan = p->vlan ? p->vlan : s->port->pvid;
	reason = tw_call_fragment(f, s->port->id);
	/* While this one was queued, another CPU may have passed the first one and searched the
	 * queue. */
	if (reason == TW_R_FRAG_ORPHAN && p->fragment == TW_FRAG_LATER)
		reason = tw_call_fragment(f, s->port->id);
	return reason;
}

/* True if a queued frame waits for this first fragment at this port. */
tw_inline int tw_fragq_waits(
	const struct tw_frame *f, const struct tw_fragq *queued, const struct tw_frag_name *name)
{
	return queued->state == TW_FRAGQ_KEPT && queued->ifindex == f->ifindex &&
	       queued->has_vlan == f->has_vlan &&
	       (queued->vlan_tci & 0xfff) == (f->vlan_tci & 0xfff) &&
	       tw_frag_name_equal(&queued->name, name) &&
	       !tw_frag_late(name, queued->seen, tw_tick(f->now_ns));
}

/* Sends the fragments that wait for this frame, each to be judged as if it came now. The frame
 * becomes each of them, then itself again. Returns 0, or a negative number if it is damaged and
 * must be dropped. Judging them may overwrite scratch memory. */
tw_inline long tw_release(
	struct tw_frame *f, enum tw_dir dir, __u32 port_id, struct tw_scratch *scratch)
{
	struct tw_frag_name name = scratch->name;
	__u32 key = tw_fragq_key(port_id, 0), next, i;
	struct tw_fragq *queued = tw_fragqs_lookup(f, &key);
	long failed;

	if (!queued || scratch->releasing || tw_frame_keep(f, &scratch->first))
		return 0;
	next = queued->n_queued; /* index of the oldest */
	scratch->releasing = 1;
	for (i = 0; i < TW_FRAGQS; i++) {
		key = tw_fragq_key(port_id, (next + i) & (TW_FRAGQS - 1));
		queued = tw_fragqs_lookup(f, &key);
		if (!queued || !tw_fragq_waits(f, queued, &name))
			continue;
		queued->state = TW_FRAGQ_SENT;
		if (!tw_frame_become(f, queued))
			tw_frame_again(f, dir);
	}
	failed = tw_frame_become(f, &scratch->first);
	scratch->releasing = 0;
	return failed;
}
