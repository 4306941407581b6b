/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* overflow.bpf.h: calls of the subprograms for connections without a record
 * (path/conntrack/overflow.h).
 *
 * Callers:    tap.bpf.c, which includes it. The subprograms are in conns.bpf.h.
 */
#pragma once

__noinline int tw_sub_overflow_find(struct __sk_buff *skb, __u32 port_id, __u32 class, __u32 hi);
__noinline int tw_sub_overflow_read(struct __sk_buff *skb, __u32 key, __u32 flags);
__noinline int tw_sub_overflow_meet(struct __sk_buff *skb, __u32 port_id, __u32 dir);
__noinline int tw_sub_overflow_put(struct __sk_buff *skb, __u32 port_id, __u32 class);
__noinline int tw_sub_overflow_write(struct __sk_buff *skb, struct tw_overflow_set *set, __u32 now);
__noinline int tw_sub_lost(struct __sk_buff *skb, __u32 port_id, __u32 dir);
__noinline int tw_sub_liberal(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 dir);
__noinline int tw_sub_spare(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 dir);

tw_inline int tw_call_overflow_find(const struct tw_frame *f, __u32 port_id, __u32 class, __u32 hi)
{
	return tw_sub_overflow_find(f->target, port_id, class, hi);
}

tw_inline int tw_call_overflow_read(const struct tw_frame *f, __u32 key, __u32 flags)
{
	return tw_sub_overflow_read(f->target, key, flags);
}

tw_inline int tw_call_overflow_meet(const struct tw_frame *f, __u32 port_id, enum tw_dir dir)
{
	return tw_sub_overflow_meet(f->target, port_id, dir);
}

tw_inline int tw_call_overflow_put(const struct tw_frame *f, __u32 port_id, __u32 class)
{
	return tw_sub_overflow_put(f->target, port_id, class);
}

tw_inline enum tw_overflow_room tw_call_overflow_write(
	const struct tw_frame *f, struct tw_overflow_set *set, __u32 now)
{
	return (enum tw_overflow_room)tw_sub_overflow_write(f->target, set, now);
}

tw_inline int tw_call_spare(const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir)
{
	return tw_sub_spare(f->target, port_id, epoch, dir);
}

tw_inline enum tw_reason tw_call_liberal(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir)
{
	return (enum tw_reason)tw_sub_liberal(f->target, port_id, epoch, dir);
}

tw_inline enum tw_reason tw_call_lost(const struct tw_frame *f, __u32 port_id, enum tw_dir dir)
{
	return (enum tw_reason)tw_sub_lost(f->target, port_id, dir);
}
