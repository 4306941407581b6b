/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fragment.h: what a port has seen of each fragmented datagram, and whether another piece fits it.
 *
 * Why:        only the first fragment has ports, so the others are judged as parts of what the first
 *             one opened; and a receiver must never put together what was not judged.
 * Out:        a later fragment gets its first one's ports and protocol, or a reason to be denied.
 * Invariants: 1. A later fragment passes only after its first one did, here.
 *             2. No byte of a datagram passes twice. Fragments that overlap, or disagree on where the
 *                datagram ends, end it: no further piece passes (RFC 5722 §4, RFC 8200 §4.5; for IPv4
 *                RFC 1858 and 3128 give the same reasons). One whose bytes were all there before is
 *                dropped and does no harm, as in Linux (RFC 8200 §4.5).
 *             3. A piece of which a gate then refuses the connection counts as seen.
 *             4. Each port has its own share of memory. Within it, datagrams between the same two
 *                addresses displace each other, the eldest first, and reach a quarter of the share.
 * Bounds:     one lookup in `frags`, for a new set two and one update; TW_FRAG_WAYS and
 *             TW_FRAG_RANGES turns under the set's lock.
 * Source:     RFC 791 §3.2, 8200 §4.5, 1858, 3128, 5722, 6946; docs/decisions/004-fragments.md.
 */
#pragma once

#include "fastpath/path/packet.h"

tw_inline __u64 tw_frag_mix(__u64 hash, __u64 word)
{
	hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 32;
}

/* The set of a datagram: four for each pair of addresses, which a guest cannot choose at will. */
tw_inline __u32 tw_frag_set_of(const struct tw_config *config, const struct tw_packet *p)
{
	const struct tw_tuple *t = &p->tuple;
	__u64 hash = tw_frag_mix(config->mark, t->src.d[0]);

	hash = tw_frag_mix(hash, t->src.d[1]);
	hash = tw_frag_mix(hash, t->dst.d[0]);
	hash = tw_frag_mix(hash, t->dst.d[1]);
	return (__u32)((hash & ~3u) | (tw_frag_mix(0, p->piece.id) & 3)) & (TW_FRAG_SETS - 1);
}

tw_inline __u8 tw_frag_proto(const struct tw_packet *p)
{
	return p->ethertype == TW_ETH_IPV4 ? p->tuple.proto : 0;
}

tw_inline int tw_frag_over(const struct tw_frag *d, __u32 now)
{
	__u32 seconds = tw_addr_is_v4(&d->src) ? TW_FRAG_SECONDS_V4 : TW_FRAG_SECONDS_V6;

	return !d->state || tw_tick_after(now, d->seen + seconds * TW_TICKS_PER_SECOND);
}

tw_inline int tw_frag_same(const struct tw_frag *d, const struct tw_packet *p)
{
	const struct tw_tuple *t = &p->tuple;

	return !((d->src.d[0] ^ t->src.d[0]) | (d->src.d[1] ^ t->src.d[1]) |
		 (d->dst.d[0] ^ t->dst.d[0]) | (d->dst.d[1] ^ t->dst.d[1]) | (d->id ^ p->piece.id) |
		 (__u32)(d->vlan ^ p->piece.vlan) | (__u32)(d->inner_vlan ^ p->inner_vlan) |
		 (__u32)(d->proto ^ tw_frag_proto(p)));
}

#define TW_FRAG_RANK_SAME 0xffffffffu
#define TW_FRAG_RANK_OVER 0xfffffffeu

/* How well a place suits the packet: its own datagram's best, then a free one, then the eldest. */
tw_inline __u32 tw_frag_rank(const struct tw_frag *d, const struct tw_packet *p, __u32 now)
{
	if (tw_frag_over(d, now))
		return TW_FRAG_RANK_OVER;
	return tw_frag_same(d, p) ? TW_FRAG_RANK_SAME : (now - d->seen) & 0x7fffffff;
}

/* Leaves the best place and its rank in the set. */
tw_inline void tw_frag_find(struct tw_frag_set *set, const struct tw_packet *p, __u32 now)
{
	__u32 i;

	set->way = 0;
	set->rank = 0;
	for (i = 0; i < TW_FRAG_WAYS; i++) {
		TW_MEMORY(set->rank_now) = tw_frag_rank(&set->way_of[i], p, now);
		if (TW_MEMORY(set->rank_now) > TW_MEMORY(set->rank)) {
			TW_MEMORY(set->rank) = TW_MEMORY(set->rank_now);
			TW_MEMORY(set->way) = i;
		}
	}
}

tw_inline void tw_frag_begin(struct tw_frag *d, const struct tw_packet *p, __u32 now)
{
	__builtin_memset(d, 0, sizeof(*d));
	d->src = p->tuple.src;
	d->dst = p->tuple.dst;
	d->id = p->piece.id;
	d->seen = now;
	d->vlan = p->piece.vlan;
	d->inner_vlan = p->inner_vlan;
	d->sport = p->tuple.sport;
	d->dport = p->tuple.dport;
	d->proto = tw_frag_proto(p);
	d->transport = p->tuple.proto;
	d->state = TW_FRAG_OPEN;
}

#define TW_FRAG_OVERLAPS  1 /* has bytes in common with the piece */
#define TW_FRAG_HAS_ALL	  2 /* … all of them */
#define TW_FRAG_IS_BEYOND 4 /* ends behind it */

tw_inline __u8 tw_frag_compare(const struct tw_frag_range *r, const struct tw_piece *piece)
{
	__u8 found = 0;

	if (piece->from < r->to && piece->to > r->from)
		found = TW_FRAG_OVERLAPS;
	if (piece->from >= r->from && piece->to <= r->to)
		found |= TW_FRAG_HAS_ALL;
	return r->to > piece->to ? found | TW_FRAG_IS_BEYOND : found;
}

/* Whether a piece fits those that were seen, and the datagram's end if that is known. */
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

/* Adds a piece that fits, joined with its neighbours; TW_R_FRAG_OVERLAP when there is no room. */
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
	/* Whole: its number may be used again. */
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

/* Judges the packet under its set's lock. */
tw_inline enum tw_reason tw_frag_take(struct tw_frag_set *set, struct tw_packet *p, __u32 now)
{
	enum tw_reason reason;
	struct tw_frag *d;

	tw_frag_find(set, p, now);
	d = &set->way_of[TW_MEMORY(set->way) & (TW_FRAG_WAYS - 1)];
	if (TW_MEMORY(set->rank) != TW_FRAG_RANK_SAME) {
		if (p->fragment == TW_FRAG_LATER)
			return TW_R_FRAG_ORPHAN;
		tw_frag_begin(d, p, now);
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

/* Datagrams that were seen at another interface, whose number the port has now, are none. */
tw_inline void tw_frag_claim(struct tw_frag_set *set, __u32 ifindex)
{
	__u32 i;

	if (set->ifindex == ifindex)
		return;
	set->ifindex = ifindex;
	for (i = 0; i < TW_FRAG_WAYS; i++)
		set->way_of[i].state = TW_FRAG_FREE;
}

/* What targets run apart, on the sheet's packet. */
tw_inline enum tw_reason tw_fragment_judge(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, struct tw_sheet *sheet)
{
	struct tw_packet *p = &sheet->packet;
	__u32 key = tw_frag_key(port_id, tw_frag_set_of(config, p)), now = tw_tick(f->now_ns);
	struct tw_frag_set *set = tw_frags_lookup(f, &key);
	enum tw_reason reason;

	if (!set) {
		if (p->fragment == TW_FRAG_LATER)
			return TW_R_FRAG_ORPHAN;
		tw_frags_update(f, &key, (const void *)sheet->none, TW_MAP_NOEXIST);
		set = tw_frags_lookup(f, &key);
		if (!set)
			return TW_R_TABLE_FULL;
	}
	tw_frag_lock(set);
	tw_frag_claim(set, f->ifindex);
	reason = tw_frag_take(set, p, now);
	tw_frag_unlock(set);
	return reason;
}

/* A later fragment before its connection is looked for; a first one when it passes all else. */
tw_inline enum tw_reason tw_fragment(
	const struct tw_frame *f, const struct tw_scope *s, struct tw_packet *p)
{
	p->piece.vlan = p->vlan ? p->vlan : s->port->pvid;
	return tw_apart_fragment(f, s->port->id);
}
