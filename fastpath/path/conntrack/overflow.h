/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* overflow.h: connections that pass without a record, as their port is over its half-open quota.
 *
 * Why:        a flood of SYNs must take no records, yet a legitimate connection among them must be
 *             established. So each port remembers such openings in entries of 24 bytes until they
 *             are answered.
 * How:        sets of eight entries, by port and class of originator; a full set loses its oldest
 *             entry. If that entry was young, the class gets as many more sets as it needs for
 *             entries to grow old: memory follows the rate. An entry holds a fingerprint of the
 *             whole key (with protocol, network and owner) and of the direction: two multilinear
 *             hashes of 32 bits under independent secrets.
 * Out:        a packet without a record that continues such a connection gets its way and state.
 *             The third packet of a TCP handshake gets a record; so does the first answer of other
 *             protocols.
 * Invariants: 1. An unsolicited packet matches an entry with a probability of at most entries *
 *                2^-64: below 2^-45 for the 393,216 entries of three classes
 *                (tests/unit/overflow.c).
 *             2. An entry admits only the next step: after a SYN, a SYN-ACK or RST that
 *                acknowledges it. After a SYN-ACK it admits an ACK with both ends' numbers, and
 *                after a datagram an answer of its protocol.
 *             3. Nothing is denied here: a packet that matches no entry is judged as if there were
 *                none.
 *             4. A port's connections displace only that port's entries of the same class.
 *             5. An entry that two CPUs write at once matches nothing (struct tw_overflow).
 * Bounds:     for a packet without a record, at a port that was over its quota within
 *             TW_OVERFLOW_TICKS: three classes, two lookups each (eight within a second after a
 *             class grew). Otherwise none. Loops run over levels and a set.
 * Callers:    track.h, in subprograms.
 * Source:     hash: as in conns.h. RFC 9293 §3.5 (handshake), §3.10.7.3 (RST in SYN-SENT). XOR of
 *             check and data: R. Hyatt, T. Mann, "A lockless transposition-table implementation"
 *             (2002).
 */
#pragma once

#include "fastpath/path/conntrack/conns.h"
#include "fastpath/path/conntrack/tcp.h"

#define TW_OVERFLOW_HI 0x5555555500000000ull /* the originator is the key's hi end */
/* Flags for tw_overflow_find() and tw_call_overflow_read(). */
#define TW_OVERFLOW_PAST 2 /* entries of any age count */
#define TW_OVERFLOW_FEW	 4 /* look in `overflow_few` */
/* Limit of how far the third packet's numbers may be ahead, because of data or TCP Fast Open. */
#define TW_OVERFLOW_REACH 65536

/* Returns the fingerprint of the flow's key and direction. flow.probe is set. */
tw_inline __u64 tw_overflow_print(
	const struct tw_config *config, const struct tw_flow *flow, __u32 hi)
{
	__u64 sum = config->print_key[TW_KEY_WORDS];
	__u32 i;

	for (i = 0; i < TW_KEY_WORDS; i++) {
		sum += config->print_key[i] * flow->key.w[i];
		/* Otherwise the compiler loads all words first, and keeps them on the stack. */
		TW_OPAQUE(sum);
	}
	return ((__u64)flow->probe.hash << 32 | sum >> 32) ^ (hi ? TW_OVERFLOW_HI : 0);
}

/* Returns 1 if a number is 0, without a branch: the verifier walks the code after it once. */
tw_inline __u32 tw_overflow_none(__u64 number)
{
	__u32 any = (__u32)(number >> 32) | (__u32)number;

	any = (any >> 16 | any) & 0xffff;
	TW_OPAQUE(any);
	return (any - 1) >> 31;
}

/* Copies the entry with this fingerprint out of a set. True if there is one that is not too old.
 * With `past`, its age does not matter. */
tw_inline int tw_overflow_read(const struct tw_overflow_set *set, __u64 print, __u32 now,
	__u32 past, struct tw_overflow *ret)
{
	__u32 i, at = 0;
	__u64 word;

	for (i = 0; i < TW_OVERFLOW_WAYS; i++) {
		word = TW_MEMORY(set->way_of[i].check) ^ TW_MEMORY(set->way_of[i].numbers) ^
		       TW_MEMORY(set->way_of[i].rest);
		at |= i & (0u - tw_overflow_none(word ^ print));
	}
	at &= TW_OVERFLOW_WAYS - 1;
	ret->check = TW_MEMORY(set->way_of[at].check);
	ret->numbers = TW_MEMORY(set->way_of[at].numbers);
	ret->rest = TW_MEMORY(set->way_of[at].rest);
	return (ret->check ^ ret->numbers ^ ret->rest) == print && ret->stage &&
	       (past || !tw_tick_after(now, ret->seen + TW_OVERFLOW_TICKS));
}

/* Body of tw_call_overflow_read(): copies to scratch the entry for scratch->overflow_print in the set
 * `key`. True if there is one. */
tw_inline int tw_overflow_read_set(
	const struct tw_frame *f, __u32 key, __u32 flags, struct tw_scratch *scratch)
{
	const struct tw_overflow_set *set;

	/* As in tw_port_at(): two lookups that the kernel inlines. */
	if (flags & TW_OVERFLOW_FEW) {
		set = tw_overflow_few_lookup(f, &key);
		TW_OPAQUE(set);
	} else {
		set = tw_overflows_lookup(f, &key);
	}
	return set && tw_overflow_read(set, scratch->overflow_print, tw_tick(f->now_ns),
			      flags & TW_OVERFLOW_PAST, &scratch->overflow);
}

/* Returns the key of a fingerprint's set at a level. */
tw_inline __u32 tw_overflow_set_of(__u32 port_id, __u32 class, __u32 level, __u64 print)
{
	__u32 sets = TW_OVERFLOW_SETS_FIRST << (level & 15);

	return tw_overflow_key(port_id, class, (__u32)print & (sets - 1) & (TW_OVERFLOW_SETS - 1));
}

tw_inline __u32 tw_overflow_few_of(__u32 port_id, __u32 class, __u64 print)
{
	return tw_overflow_key(port_id, class, (__u32)print & (TW_OVERFLOW_SETS_FEW - 1));
}

/* ---- finding ---- */

/* Body of tw_call_overflow_find(): copies a port's entry for the flow in scratch to scratch. `hi`:
 * 1 if the key's hi end opened it, plus TW_OVERFLOW_PAST for entries of any age. True if there is
 * one. */
tw_inline int tw_overflow_find(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, __u32 class, __u32 hi, struct tw_scratch *scratch)
{
	__u64 print = tw_overflow_print(config, &scratch->flow, hi & 1);
	struct tw_usage *usage = tw_usage_lookup(f, &port_id);
	__u32 now = tw_tick(f->now_ns), past = hi & TW_OVERFLOW_PAST, level, key, i;

	if (!usage)
		return 0;
	scratch->overflow_print = print;
	level = usage->overflow_level[class & 3];
	for (i = 0; i <= TW_OVERFLOW_LEVELS && i <= level; i++) {
		key = tw_overflow_set_of(port_id, class, level - i, print);
		if (tw_call_overflow_read(f, key, past))
			return 1;
		/* The entry may be from before the class grew. */
		if (tw_tick_after(now, usage->overflow_grown + TW_TICKS_PER_SECOND))
			break;
	}
	key = tw_overflow_few_of(port_id, class, print);
	return tw_call_overflow_read(f, key, past | TW_OVERFLOW_FEW);
}

/* Finds the flow's entry in any class. `remote`: opened from the other side of the port. Returns
 * the class + 1, or 0. */
tw_inline __u8 tw_overflow_class_of(const struct tw_frame *f, __u32 port_id, int remote, __u32 hi)
{
	if (!remote)
		return tw_call_overflow_find(f, port_id, TW_OVERFLOW_OWN, hi) ? TW_OVERFLOW_OWN + 1
									      : 0;
	if (tw_call_overflow_find(f, port_id, TW_OVERFLOW_OUTSIDE, hi))
		return TW_OVERFLOW_OUTSIDE + 1;
	return tw_call_overflow_find(f, port_id, TW_OVERFLOW_LOCAL, hi) ? TW_OVERFLOW_LOCAL + 1 : 0;
}

/* True if the other end may answer with this SYN or RST segment. */
tw_inline int tw_overflow_answers(const struct tw_packet *p, const struct tw_overflow *e)
{
	__u32 span = e->stage == TW_OVERFLOW_ASKED ? e->last - e->first : 0;

	if (p->tcp_flags & TW_TCP_ACK)
		return !(p->tcp_flags & TW_TCP_FIN) && p->ack - e->first <= span;
	return e->stage == TW_OVERFLOW_ANSWERED && p->seq == e->last;
}

/* True if the originator may go on with this segment without SYN: the third packet of the
 * handshake, or a RST with exactly its next number. */
tw_inline int tw_overflow_goes_on(const struct tw_packet *p, const struct tw_overflow *e)
{
	int answered = e->stage == TW_OVERFLOW_ANSWERED;

	if (p->tcp_flags & TW_TCP_RST)
		return p->seq == (answered ? e->first : e->last);
	return answered && !(p->tcp_flags & TW_TCP_FIN) && p->seq - e->first < TW_OVERFLOW_REACH &&
	       p->ack - e->last < TW_OVERFLOW_REACH;
}

/* Fills the flow of the packet in scratch from its entry there. */
tw_inline void tw_overflow_resume(struct tw_scratch *scratch, enum tw_way way, __u32 origin_hi)
{
	const struct tw_overflow *e = &scratch->overflow;
	struct tw_packet *p = &scratch->packet;
	struct tw_flow *flow = &scratch->flow;

	flow->way = (__u8)way;
	flow->progress.flags = TW_CONN_F_REPLIED | (origin_hi ? TW_CONN_F_ORIGIN_HI : 0);
	switch (p->tuple.proto) {
	case TW_IPPROTO_TCP:
		flow->progress.scale[TW_WAY_ORIGINAL] = e->scale[TW_WAY_ORIGINAL];
		flow->progress.scale[TW_WAY_REPLY] = e->scale[TW_WAY_REPLY];
		flow->progress.state = TW_S_ESTABLISHED;
		if (p->tcp_flags & TW_TCP_RST) {
			flow->progress.state = TW_S_CLOSED;
			flow->untracked = 1;
		} else if (way == TW_WAY_REPLY) {
			flow->progress.state = TW_S_SYN_RECV;
			tw_tcp_begin(p, flow);
		}
		flow->note = TW_NOTE_BOTH;
		break;
	case TW_IPPROTO_UDP:
		flow->progress.state = TW_S_UDP_REPLIED;
		break;
	case TW_IPPROTO_ICMP:
	case TW_IPPROTO_ICMPV6:
		flow->progress.state = TW_S_ICMP;
		break;
	default:
		flow->progress.state = TW_S_OTHER_REPLIED;
	}
}

/* Body of tw_call_overflow_meet(): true if the packet in scratch, which has no record, continues a
 * connection that passed at this port without one. The flow then has that connection's way and
 * state. */
tw_inline int tw_overflow_meet(
	const struct tw_frame *f, __u32 port_id, enum tw_dir dir, struct tw_scratch *scratch)
{
	const struct tw_packet *p = &scratch->packet;
	int tcp = p->tuple.proto == TW_IPPROTO_TCP, out = dir == TW_DIR_OUT;
	__u32 hi = scratch->flow.progress.flags & TW_CONN_F_ORIGIN_HI;
	__u8 class;

	if (!tcp || p->tcp_flags & (TW_TCP_SYN | TW_TCP_RST)) {
		class = tw_overflow_class_of(f, port_id, out, !hi);
		if (class && (!tcp || tw_overflow_answers(p, &scratch->overflow))) {
			scratch->flow.resumed = class;
			tw_overflow_resume(scratch, TW_WAY_REPLY, !hi);
			return 1;
		}
	}
	if (!tcp || p->tcp_flags & TW_TCP_SYN)
		return 0;
	class = tw_overflow_class_of(f, port_id, !out, hi);
	if (!class || !tw_overflow_goes_on(p, &scratch->overflow))
		return 0;
	scratch->flow.resumed = class;
	tw_overflow_resume(scratch, TW_WAY_ORIGINAL, hi);
	return 1;
}

/* ---- remembering ---- */

/* Returns the set for an entry, created if there is room; otherwise the set `key_few` of
 * `overflow_few`. */
tw_inline struct tw_overflow_set *tw_overflow_set_get(
	const struct tw_frame *f, const struct tw_scratch *scratch, __u32 key, __u32 key_few)
{
	struct tw_overflow_set *set = tw_overflows_lookup(f, &key);

	if (set)
		return set;
	tw_overflows_update(f, &key, (const void *)scratch->none, TW_MAP_NOEXIST);
	set = tw_overflows_lookup(f, &key);
	if (set)
		return set;
	set = tw_overflow_few_lookup(f, &key_few);
	if (set)
		return set;
	tw_overflow_few_update(f, &key_few, (const void *)scratch->none, TW_MAP_NOEXIST);
	return tw_overflow_few_lookup(f, &key_few);
}

/* Fills the entry in scratch from the packet there. */
tw_inline void tw_overflow_fill(struct tw_scratch *scratch, __u32 now)
{
	const struct tw_packet *p = &scratch->packet;
	const struct tw_flow *flow = &scratch->flow;
	struct tw_overflow *e = &scratch->overflow;
	int tcp = p->tuple.proto == TW_IPPROTO_TCP;

	e->numbers = e->rest = 0;
	e->seen = now;
	e->stage = TW_OVERFLOW_ASKED;
	if (!tcp)
		return;
	e->scale[TW_WAY_ORIGINAL] = flow->progress.scale[TW_WAY_ORIGINAL];
	e->scale[TW_WAY_REPLY] = flow->progress.scale[TW_WAY_REPLY];
	if (flow->way == TW_WAY_REPLY) {
		e->stage = TW_OVERFLOW_ANSWERED;
		e->first = p->ack;
		e->last = p->seq + 1;
	} else {
		e->first = p->seq + 1;
		e->last = p->seq_end;
	}
}

/* Returns the number of levels to go up, so that an entry displaced at this age would have grown
 * old. The first flood of a port displaces entries a few ms old. If a class went up one level at a
 * time, most of the displaced entries would be young. */
tw_inline __u32 tw_overflow_steps(__u32 age)
{
	__u32 i, steps = 1;

	for (i = 1; i < TW_OVERFLOW_LEVELS; i++)
		steps += age << i < TW_OVERFLOW_YOUNG;
	return steps;
}

/* Rank of a place for an entry: its predecessor's first, then a free one, then the oldest. */
#define TW_OVERFLOW_RANK_SAME 0xffffffffu
#define TW_OVERFLOW_RANK_FREE 0x80000000u

tw_inline __u32 tw_overflow_rank(const struct tw_overflow *at, __u64 print, __u32 now)
{
	struct tw_overflow old = {.numbers = TW_MEMORY(at->numbers), .rest = TW_MEMORY(at->rest)};
	__u32 age = (now - old.seen) & (TW_OVERFLOW_RANK_FREE - 1);

	age |= tw_overflow_none(old.stage) << 31;
	return age | (0u - tw_overflow_none(TW_MEMORY(at->check) ^ old.numbers ^ old.rest ^ print));
}

/* Keeps both ends' numbers when a SYN is repeated while its SYN-ACK is on its way. */
tw_inline void tw_overflow_keep(struct tw_overflow *e, struct tw_overflow old)
{
	if (old.stage != TW_OVERFLOW_ANSWERED || e->stage != TW_OVERFLOW_ASKED ||
		old.first - e->first > e->last - e->first)
		return;
	old.seen = e->seen;
	old.level = e->level;
	e->numbers = old.numbers;
	e->rest = old.rest;
}

/* Body of tw_call_overflow_write(): puts the entry `e`, with this fingerprint, into a set: in place of
 * its predecessor, or else of a free or the oldest entry. */
tw_inline enum tw_overflow_room tw_overflow_write(
	struct tw_overflow_set *set, __u64 print, struct tw_overflow *e, __u32 now)
{
	__u32 i, rank, best = 0, at = 0, better, level;
	struct tw_overflow old;
	int over;

	for (i = 0; i < TW_OVERFLOW_WAYS; i++) {
		rank = tw_overflow_rank(&set->way_of[i], print, now);
		/* Also without a branch: the borrow compares the ranks. */
		better = (__u32)(((__u64)best - rank) >> 63);
		TW_OPAQUE(better);
		best += (rank - best) * better;
		at += (i - at) * better;
	}
	at &= TW_OVERFLOW_WAYS - 1;
	old.numbers = TW_MEMORY(set->way_of[at].numbers);
	old.rest = TW_MEMORY(set->way_of[at].rest);
	over = tw_tick_after(now, old.seen + TW_OVERFLOW_TICKS);
	if (best == TW_OVERFLOW_RANK_SAME && !over)
		tw_overflow_keep(e, old);
	TW_MEMORY(set->way_of[at].numbers) = e->numbers;
	TW_MEMORY(set->way_of[at].rest) = e->rest;
	TW_MEMORY(set->way_of[at].check) = print ^ e->numbers ^ e->rest;
	if (best == TW_OVERFLOW_RANK_SAME)
		return over ? TW_OVERFLOW_FRESH : TW_OVERFLOW_AGAIN;
	if (best >= TW_OVERFLOW_YOUNG || old.level != e->level || e->level >= TW_OVERFLOW_LEVELS)
		return TW_OVERFLOW_FRESH;
	level = e->level + tw_overflow_steps(best);
	e->level = (__u8)(level < TW_OVERFLOW_LEVELS ? level : TW_OVERFLOW_LEVELS);
	return TW_OVERFLOW_TIGHT;
}

/* Body of tw_call_overflow_put(): remembers the connection in scratch at a port. True if the port
 * did not know it. */
tw_inline int tw_overflow_put(const struct tw_frame *f, const struct tw_config *config,
	__u32 port_id, __u32 class, struct tw_scratch *scratch)
{
	__u64 print = tw_overflow_print(
		config, &scratch->flow, scratch->flow.progress.flags & TW_CONN_F_ORIGIN_HI);
	struct tw_usage *usage = tw_usage_lookup(f, &port_id);
	__u32 now = tw_tick(f->now_ns), level;
	struct tw_overflow_set *set;
	enum tw_overflow_room room;

	if (!usage)
		return 0;
	/* The port has been quiet for so long that no entry is valid. */
	if (tw_tick_after(now, usage->overflow_until))
		usage->overflow_level[class & 3] = 0;
	level = usage->overflow_level[class & 3];
	set = tw_overflow_set_get(f, scratch, tw_overflow_set_of(port_id, class, level, print),
		tw_overflow_few_of(port_id, class, print));
	if (!set)
		return 0;
	tw_overflow_fill(scratch, now);
	scratch->overflow.level = (__u8)level;
	scratch->overflow_print = print;
	room = tw_call_overflow_write(f, set, now);
	if (class == TW_OVERFLOW_GROUP)
		return room != TW_OVERFLOW_AGAIN;
	if (room == TW_OVERFLOW_TIGHT) {
		usage->overflow_level[class & 3] = scratch->overflow.level;
		usage->overflow_grown = now;
	}
	usage->overflow_until = (now + TW_OVERFLOW_TICKS) | 1;
	if (room != TW_OVERFLOW_AGAIN && class != TW_OVERFLOW_LOCAL &&
		scratch->flow.way == TW_WAY_ORIGINAL)
		__sync_fetch_and_add(&usage->overflowed, 1);
	return room != TW_OVERFLOW_AGAIN;
}

/* True if a port may remember connections without a record. */
tw_inline int tw_overflow_may_know(const struct tw_frame *f, __u32 port_id)
{
	const struct tw_usage *usage = tw_usage_lookup(f, &port_id);

	return usage && usage->overflow_until &&
	       !tw_tick_after(tw_tick(f->now_ns), usage->overflow_until);
}
