/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* subprogram.h: tw_call_…() of path/port.h, which are plain calls in user space.
 *
 * Callers:    native.c, which includes it after path.h.
 */
#pragma once

tw_inline __u32 tw_call_classify(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, struct tw_home home)
{
	return tw_path_decide(f, slot, end, home);
}

tw_inline int tw_call_ask(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 was, __u32 was_id)
{
	return tw_path_question(
		f, native_of(f)->settings, port_id, epoch, was_id == port_id ? was : 0);
}

tw_inline enum tw_reason tw_call_open(const struct tw_frame *f, __u32 payer_id, __u32 epoch)
{
	return tw_path_open(f, native_of(f)->settings, payer_id, epoch);
}

tw_inline void tw_call_sweep(const struct tw_frame *f)
{
	tw_conns_sweep(f);
}

tw_inline int tw_call_find(const struct tw_frame *f)
{
	return tw_conn_find(f, &native_of(f)->scratch.flow);
}

tw_inline __u32 tw_call_bucket_find(const struct tw_frame *f, __u32 n)
{
	return tw_bucket_find(f, &native_of(f)->scratch.flow, n);
}

tw_inline enum tw_reason tw_call_again(const struct tw_frame *f)
{
	return tw_path_again(f);
}

tw_inline int tw_call_bucket_lock(const struct tw_frame *f, __u32 n, __u32 spins)
{
	return tw_bucket_lock(f, n, spins);
}

tw_inline int tw_call_bucket_put(const struct tw_frame *f, __u32 n)
{
	return tw_bucket_put(f, &native_of(f)->scratch, n);
}

tw_inline int tw_call_bucket_replace(const struct tw_frame *f, __u32 n)
{
	return tw_bucket_replace(f, &native_of(f)->scratch, n);
}

tw_inline int tw_call_slot_due(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_slot_due(f, native_of(f)->settings, n, slot);
}

tw_inline int tw_call_slot_clear(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_slot_clear(f, native_of(f)->settings, n, slot);
}

tw_inline __u32 tw_call_bucket_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what)
{
	struct tw_spare s = {.f = f,
		.config = native_of(f)->settings,
		.scratch = tw_scratch_get(f),
		.now = tw_tick(f->now_ns),
		.n = n,
		.payer_id = payer_id,
		.what = what};

	return tw_bucket_spare(&s);
}

tw_inline int tw_call_bucket_give_up(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_bucket_give_up(f, native_of(f)->settings, n, slot);
}

tw_inline int tw_call_retain(const struct tw_frame *f)
{
	return tw_conn_retain(f, native_of(f)->settings, &native_of(f)->scratch.flow);
}

tw_inline int tw_call_overflow_find(const struct tw_frame *f, __u32 port_id, __u32 class, __u32 hi)
{
	return tw_path_overflow_find(f, native_of(f)->settings, port_id, class, hi);
}

tw_inline int tw_call_overflow_read(const struct tw_frame *f, __u32 key, __u32 flags)
{
	return tw_overflow_read_set(f, key, flags, &native_of(f)->scratch);
}

tw_inline int tw_call_overflow_meet(const struct tw_frame *f, __u32 port_id, enum tw_dir dir)
{
	return tw_path_overflow_meet(f, port_id, dir);
}

tw_inline int tw_call_overflow_put(const struct tw_frame *f, __u32 port_id, __u32 class)
{
	return tw_path_overflow_put(f, native_of(f)->settings, port_id, class);
}

tw_inline enum tw_overflow_room tw_call_overflow_write(
	const struct tw_frame *f, struct tw_overflow_set *set, __u32 now)
{
	return tw_path_overflow_write(f, set, now);
}

tw_inline int tw_call_spare(const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir)
{
	return tw_path_spare(f, port_id, epoch, dir);
}

tw_inline enum tw_reason tw_call_liberal(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_dir dir)
{
	return tw_path_liberal(f, port_id, epoch, dir);
}

tw_inline enum tw_reason tw_call_lost(const struct tw_frame *f, __u32 port_id, enum tw_dir dir)
{
	return tw_path_lost(f, native_of(f)->settings, port_id, dir);
}

tw_inline void tw_call_tell(const struct tw_frame *f, __u32 ifindex, __u32 port_id, __u32 kind)
{
	struct tw_frame there = *f;

	there.ifindex = ifindex;
	tw_path_tell(&there, native_of(f)->settings, port_id, kind);
}

tw_inline enum tw_reason tw_call_fragment(const struct tw_frame *f, __u32 port_id)
{
	return tw_path_fragment(f, native_of(f)->settings, port_id);
}

tw_inline void tw_call_capture(const struct tw_frame *f, __u32 ifindex, __u32 port_id)
{
	struct tw_frame there = *f;

	there.ifindex = ifindex;
	tw_path_capture(&there, port_id);
}

tw_inline __u32 tw_call_owned(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind)
{
	return tw_path_owned(f, port_id, epoch, kind);
}

tw_inline int tw_call_claim(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind)
{
	return tw_path_claim(f, native_of(f)->settings, port_id, epoch, kind);
}

tw_inline int tw_call_granted(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_grant what)
{
	return tw_path_granted(f, port_id, epoch, what);
}

tw_inline enum tw_reason tw_call_form(const struct tw_frame *f, __u32 port_id, __u32 epoch)
{
	return tw_path_form(f, native_of(f)->settings, port_id, epoch);
}

tw_inline void tw_call_heard(const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 type)
{
	tw_path_heard(f, native_of(f)->settings, port_id, epoch, type);
}

tw_inline enum tw_reason tw_call_beyond(const struct tw_frame *f, __u32 epoch)
{
	return tw_path_beyond(f, epoch);
}

tw_inline enum tw_reason tw_call_neighbour(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return tw_path_neighbour(f, native_of(f)->settings, dir, epoch);
}

tw_inline enum tw_reason tw_call_igmp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return tw_path_igmp(f, native_of(f)->settings, dir, epoch);
}

tw_inline void tw_call_holder(const struct tw_frame *f, __u32 epoch)
{
	tw_path_holder(f, epoch);
}

tw_inline enum tw_reason tw_call_dhcp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return tw_path_dhcp(f, native_of(f)->settings, dir, epoch, 1);
}

tw_inline enum tw_reason tw_call_dhcp6(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return tw_path_dhcp(f, native_of(f)->settings, dir, epoch, 0);
}

tw_inline enum tw_reason tw_call_limit(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 decision)
{
	return tw_path_limit(f, port_id, epoch, decision);
}

tw_inline __u32 tw_call_look(const struct tw_frame *f, __u32 payer_id, __u32 known, __u32 expected)
{
	return tw_look_packet(f, payer_id, known, expected, &native_of(f)->scratch);
}

tw_inline void tw_call_refuse(struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	tw_path_refuse(f, native_of(f)->settings, dir, epoch);
}

tw_inline enum tw_reason tw_call_parse(const struct tw_frame *f)
{
	return tw_path_parse(f);
}

tw_inline enum tw_reason tw_call_ip_options(const struct tw_frame *f, __u32 off, __u32 end)
{
	return tw_check_options(f, off, end);
}

tw_inline void tw_call_quoted(const struct tw_frame *f, __u32 off)
{
	tw_path_quoted(f, off);
}

tw_inline void tw_call_options(const struct tw_frame *f)
{
	tw_path_options(f);
}
