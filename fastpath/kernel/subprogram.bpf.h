/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* subprogram.bpf.h: tw_call_…() of path/port.h: calls the subprograms that tap.bpf.c declares.
 *
 * Callers:    tap.bpf.c, which includes it before path.h.
 */
#pragma once

/* What tw_house is to do (house.bpf.h). */
enum house { HOUSE_NEIGHBOUR, HOUSE_IGMP, HOUSE_DHCP, HOUSE_DHCP6, HOUSE_HOLDER };

tw_inline __u32 tw_call_classify(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, struct tw_home home)
{
	return (__u32)tw_sub_classify(f->target, slot, end,
		home.own | home.parity << 1 | home.observed << 2 | home.looks << 3, home.v4);
}

tw_inline int tw_call_ask(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 was, __u32 was_id)
{
	return tw_sub_ask(f->target, port_id, epoch, was, was_id);
}

tw_inline enum tw_reason tw_call_open(const struct tw_frame *f, __u32 payer_id, __u32 epoch)
{
	return (enum tw_reason)tw_sub_open_conn(f->target, payer_id, epoch);
}

tw_inline void tw_call_sweep(const struct tw_frame *f)
{
	tw_sub_sweep_bucket(f->target);
}

tw_inline int tw_call_find(const struct tw_frame *f)
{
	return tw_sub_find(f->target);
}

tw_inline __u32 tw_call_bucket_find(const struct tw_frame *f, __u32 n)
{
	return (__u32)tw_sub_bucket_find(f->target, n);
}

tw_inline enum tw_reason tw_call_again(const struct tw_frame *f)
{
	return (enum tw_reason)tw_sub_again(f->target);
}

tw_inline int tw_call_bucket_lock(const struct tw_frame *f, __u32 n, __u32 spins)
{
	return tw_sub_bucket_lock(f->target, n, spins);
}

tw_inline int tw_call_bucket_put(const struct tw_frame *f, __u32 n)
{
	return tw_sub_bucket_put(f->target, n);
}

tw_inline int tw_call_bucket_replace(const struct tw_frame *f, __u32 n)
{
	return tw_sub_bucket_replace(f->target, n);
}

tw_inline int tw_call_slot_due(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_sub_slot_due(f->target, n, slot);
}

tw_inline int tw_call_slot_clear(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_sub_slot_clear(f->target, n, slot);
}

tw_inline __u32 tw_call_bucket_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what)
{
	return (__u32)tw_sub_bucket_spare(f->target, n, payer_id, what);
}

tw_inline int tw_call_bucket_give_up(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return tw_sub_bucket_give_up(f->target, n, slot);
}

tw_inline int tw_call_retain(const struct tw_frame *f)
{
	return tw_sub_retain(f->target);
}

#include "fastpath/kernel/overflow.bpf.h"

tw_inline void tw_call_tell(const struct tw_frame *f, __u32 ifindex, __u32 port_id, __u32 kind)
{
	tw_sub_tell(f->target, ifindex, port_id, kind);
}

tw_inline enum tw_reason tw_call_fragment(const struct tw_frame *f, __u32 port_id)
{
	return (enum tw_reason)tw_sub_fragment(f->target, f->ifindex, port_id);
}

tw_inline void tw_call_capture(const struct tw_frame *f, __u32 ifindex, __u32 port_id)
{
	tw_sub_capture(f->target, ifindex, port_id);
}

tw_inline __u32 tw_call_owned(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind)
{
	return (__u32)tw_sub_owned(f->target, port_id, epoch, kind);
}

tw_inline int tw_call_claim(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind)
{
	return tw_sub_claim(f->target, port_id, epoch, kind);
}

tw_inline int tw_call_granted(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_grant what)
{
	return tw_sub_granted(f->target, port_id, epoch, what);
}

tw_inline enum tw_reason tw_call_form(const struct tw_frame *f, __u32 port_id, __u32 epoch)
{
	return (enum tw_reason)tw_sub_form(f->target, port_id, epoch);
}

tw_inline void tw_call_heard(const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 type)
{
	tw_sub_heard(f->target, port_id, epoch, type);
}

tw_inline enum tw_reason tw_call_beyond(const struct tw_frame *f, __u32 epoch)
{
	return (enum tw_reason)tw_sub_beyond(f->target, epoch);
}

tw_inline enum tw_reason tw_call_neighbour(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)tw_sub_house(f->target, HOUSE_NEIGHBOUR, dir, epoch);
}

tw_inline enum tw_reason tw_call_igmp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)tw_sub_house(f->target, HOUSE_IGMP, dir, epoch);
}

tw_inline void tw_call_holder(const struct tw_frame *f, __u32 epoch)
{
	tw_sub_house(f->target, HOUSE_HOLDER, 0, epoch);
}

tw_inline enum tw_reason tw_call_dhcp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)tw_sub_house(f->target, HOUSE_DHCP, dir, epoch);
}

tw_inline enum tw_reason tw_call_dhcp6(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)tw_sub_house(f->target, HOUSE_DHCP6, dir, epoch);
}

tw_inline enum tw_reason tw_call_limit(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, __u32 decision)
{
	return (enum tw_reason)tw_sub_limit(f->target, port_id, epoch, decision);
}

tw_inline __u32 tw_call_look(const struct tw_frame *f, __u32 payer_id, __u32 known, __u32 expected)
{
	return (__u32)tw_sub_look(f->target, payer_id, known, expected);
}

tw_inline void tw_call_refuse(struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	f->action = tw_sub_refuse(f->target, dir, epoch);
}

tw_inline enum tw_reason tw_call_checksum(const struct tw_frame *f)
{
	return (enum tw_reason)tw_sub_checksum(f->target);
}

tw_inline enum tw_reason tw_call_parse(const struct tw_frame *f)
{
	return (enum tw_reason)tw_sub_parse(f->target);
}

tw_inline enum tw_reason tw_call_ip_options(const struct tw_frame *f, __u32 off, __u32 end)
{
	return (enum tw_reason)tw_sub_ip_options(f->target, off, end);
}

tw_inline void tw_call_quoted(const struct tw_frame *f, __u32 off)
{
	tw_sub_quoted(f->target, off);
}

tw_inline void tw_call_options(const struct tw_frame *f)
{
	tw_sub_options(f->target);
}
