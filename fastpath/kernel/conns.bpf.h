/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conns.bpf.h: subprograms of the connection table: bodies are in path/conntrack/.
 *
 * Callers:    tap.bpf.c, which includes it after settings() and now().
 */
#pragma once

__noinline int tw_sub_find(struct __sk_buff *skb)
{
	struct tw_frame f = {.target = skb};
	const struct tw_scratch *work = tw_scratch_control(&f);

	return work ? tw_conn_find(&f, &work->flow) : -1;
}

__noinline int tw_sub_bucket_find(struct __sk_buff *skb, __u32 n)
{
	struct tw_frame f = {.target = skb};
	const struct tw_scratch *work = tw_scratch_control(&f);

	return work ? (int)tw_bucket_find(&f, &work->flow, n) : -1;
}

__noinline int tw_sub_bucket_lock(struct __sk_buff *skb, __u32 n, __u32 spins)
{
	struct tw_frame f = {.target = skb};

	return tw_bucket_lock(&f, n, spins);
}

__noinline int tw_sub_bucket_put(struct __sk_buff *skb, __u32 n)
{
	struct tw_frame f = {.target = skb};
	const struct tw_scratch *work = tw_scratch_control(&f);

	return work ? tw_bucket_put(&f, work, n) : 0;
}

__noinline int tw_sub_bucket_replace(struct __sk_buff *skb, __u32 n)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};
	const struct tw_scratch *work = tw_scratch_get(&f);

	if (!c || !work)
		return 0;
	f.now_ns = now(c);
	return tw_bucket_replace(&f, work, n);
}

__noinline int tw_sub_slot_due(struct __sk_buff *skb, __u32 n, __u32 slot)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_slot_due(&f, c, n, slot);
}

__noinline int tw_sub_slot_clear(struct __sk_buff *skb, __u32 n, __u32 slot)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_slot_clear(&f, c, n, slot);
}

__noinline int tw_sub_bucket_spare(struct __sk_buff *skb, __u32 n, __u32 payer_id, __u32 what)
{
	const struct tw_config *c = settings();
	/* Has no struct tw_frame: Linux 6.1 has no stack left here for its 72 bytes. */
	struct tw_spare s = {.config = c,
		.scratch = scratch_apart(skb),
		.n = n,
		.payer_id = payer_id,
		.what = what};

	if (!c)
		return TW_NO_SLOT;
	s.now = tw_tick(now(c));
	return (int)tw_bucket_spare(&s);
}

__noinline int tw_sub_bucket_give_up(struct __sk_buff *skb, __u32 n, __u32 slot)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_bucket_give_up(&f, c, n, slot);
}

__noinline int tw_sub_retain(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};
	const struct tw_scratch *work = tw_scratch_get(&f);

	if (!c || !work)
		return 0;
	f.now_ns = now(c);
	return tw_conn_retain(&f, c, &work->flow);
}

__noinline int tw_sub_sweep_bucket(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	tw_conns_sweep(&f);
	return 0;
}

/* Opens the connection in scratch. Returns an enum tw_reason. */
__noinline int tw_sub_open_conn(struct __sk_buff *skb, __u32 payer_id, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return TW_R_TABLE_FULL;
	f.now_ns = now(c);
	f.ifindex = skb->ifindex;
	return (int)tw_path_open(&f, c, payer_id, epoch);
}

/* Recomputes the packet in scratch against its record, which another CPU has opened or advanced
 * meanwhile. Returns an enum tw_reason. */
__noinline int tw_sub_again(struct __sk_buff *skb)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	f.len = skb->len;
	return (int)tw_path_again(&f);
}

__noinline int tw_sub_overflow_find(struct __sk_buff *skb, __u32 port_id, __u32 class, __u32 hi)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_path_overflow_find(&f, c, port_id, class, hi);
}

__noinline int tw_sub_overflow_read(struct __sk_buff *skb, __u32 key, __u32 flags)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};
	struct tw_scratch *work = tw_scratch_get(&f);

	if (!c || !work)
		return 0;
	f.now_ns = now(c);
	return tw_overflow_read_set(&f, key, flags, work);
}

__noinline int tw_sub_overflow_meet(struct __sk_buff *skb, __u32 port_id, __u32 dir)
{
	struct tw_frame f = {.target = skb};

	return tw_path_overflow_meet(&f, port_id, dir ? TW_DIR_IN : TW_DIR_OUT);
}

__noinline int tw_sub_overflow_put(struct __sk_buff *skb, __u32 port_id, __u32 class)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_path_overflow_put(&f, c, port_id, class);
}

/* Takes the set by its address. For the verifier it is memory of a known size, whichever map it is
 * in. Returns an enum tw_overflow_room. */
__noinline int tw_sub_overflow_write(
	struct __sk_buff *skb, struct tw_overflow_set *set, __u32 now_ticks)
{
	struct tw_frame f = {.target = skb};

	TW_OPAQUE(skb);
	return set ? (int)tw_path_overflow_write(&f, set, now_ticks) : TW_OVERFLOW_FRESH;
}

/* Returns why a TCP segment has no record: an enum tw_reason. */
__noinline int tw_sub_lost(struct __sk_buff *skb, __u32 port_id, __u32 dir)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return TW_R_TCP_MIDSTREAM;
	f.now_ns = now(c);
	return (int)tw_path_lost(&f, c, port_id, dir ? TW_DIR_IN : TW_DIR_OUT);
}

/* Returns TW_R_NONE if the TCP segment in scratch, which track refused, goes on to the rules;
 * otherwise the reason to deny it, an enum tw_reason. */
__noinline int tw_sub_liberal(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 dir)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return TW_R_TCP_STATE;
	f.now_ns = now(c);
	return (int)tw_path_liberal(&f, port_id, epoch, dir ? TW_DIR_IN : TW_DIR_OUT);
}

/* Lets the frame in scratch pass if the port is observed. True if it was refused and now passes. */
__noinline int tw_sub_spare(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 dir)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_path_spare(&f, port_id, epoch, dir ? TW_DIR_IN : TW_DIR_OUT);
}
