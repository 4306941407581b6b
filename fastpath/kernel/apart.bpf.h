/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apart.bpf.h: tw_apart_…() of path/port.h: calls of the subprograms that tap.bpf.c declares.
 *
 * Callers:    tap.bpf.c, which includes it before path.h.
 */
#pragma once

tw_inline __u32 tw_apart_classify(
	const struct tw_frame *f, __u32 slot, enum tw_dir end, struct tw_home home)
{
	return (__u32)classify(f->target, slot, end, home.own | home.parity << 1, home.v4);
}

tw_inline enum tw_reason tw_apart_open(const struct tw_frame *f, __u32 payer_id, __u32 epoch)
{
	return (enum tw_reason)open_conn(f->target, payer_id, epoch);
}

tw_inline void tw_apart_sweep(const struct tw_frame *f)
{
	sweep_row(f->target);
}

tw_inline int tw_apart_find(const struct tw_frame *f)
{
	return find(f->target);
}

tw_inline enum tw_reason tw_apart_again(const struct tw_frame *f)
{
	return (enum tw_reason)again(f->target);
}

tw_inline int tw_apart_row_lock(const struct tw_frame *f, __u32 n)
{
	return row_lock(f->target, n);
}

tw_inline int tw_apart_row_put(const struct tw_frame *f, __u32 n)
{
	return row_put(f->target, n);
}

tw_inline int tw_apart_row_replace(const struct tw_frame *f, __u32 n)
{
	return row_replace(f->target, n);
}

tw_inline void tw_apart_row_clear(const struct tw_frame *f, __u32 n)
{
	row_clear(f->target, n);
}

tw_inline __u32 tw_apart_row_spare(const struct tw_frame *f, __u32 n, __u32 payer_id, __u32 what)
{
	return (__u32)row_spare(f->target, n, payer_id, what);
}

tw_inline int tw_apart_row_give_up(const struct tw_frame *f, __u32 n, __u32 slot)
{
	return row_give_up(f->target, n, slot);
}

tw_inline int tw_apart_hold(const struct tw_frame *f)
{
	return hold(f->target);
}

#include "fastpath/kernel/overflow.bpf.h"

tw_inline void tw_apart_tell(const struct tw_frame *f, __u32 ifindex, __u32 port_id, __u32 kind)
{
	tell(f->target, ifindex, port_id, kind);
}

tw_inline enum tw_reason tw_apart_fragment(const struct tw_frame *f, __u32 port_id)
{
	return (enum tw_reason)fragment(f->target, f->ifindex, port_id);
}

tw_inline void tw_apart_capture(const struct tw_frame *f, __u32 ifindex, __u32 port_id)
{
	capture(f->target, ifindex, port_id);
}

tw_inline __u32 tw_apart_owned(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind)
{
	return (__u32)owned(f->target, port_id, epoch, kind);
}

tw_inline int tw_apart_claim(
	const struct tw_frame *f, __u32 port_id, __u32 epoch, enum tw_owned kind)
{
	return claim(f->target, port_id, epoch, kind);
}

tw_inline enum tw_reason tw_apart_beyond(const struct tw_frame *f, __u32 epoch)
{
	return (enum tw_reason)beyond(f->target, epoch);
}

tw_inline enum tw_reason tw_apart_neighbour(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)neighbour(f->target, dir, epoch);
}

tw_inline enum tw_reason tw_apart_dhcp(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)dhcp(f->target, dir, epoch);
}

tw_inline enum tw_reason tw_apart_dhcp6(const struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	return (enum tw_reason)dhcp6(f->target, dir, epoch);
}

tw_inline void tw_apart_refuse(struct tw_frame *f, enum tw_dir dir, __u32 epoch)
{
	f->action = refuse(f->target, dir, epoch);
}

tw_inline enum tw_reason tw_apart_checksum(const struct tw_frame *f)
{
	return (enum tw_reason)checksum(f->target);
}

tw_inline enum tw_reason tw_apart_ip_options(const struct tw_frame *f, __u32 off, __u32 end)
{
	return (enum tw_reason)ip_options(f->target, off, end);
}

tw_inline void tw_apart_options(const struct tw_frame *f)
{
	options(f->target);
}
