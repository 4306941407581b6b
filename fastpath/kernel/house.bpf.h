/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* house.bpf.h: subprograms that judge housekeeping and the default rate of broadcast and multicast.
 *
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

/* Returns the reason for which ARP, ND or MLD passes or is denied; TW_R_NONE: not housekeeping. */
__noinline int tw_sub_neighbour(struct __sk_buff *skb, __u32 dir, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return TW_R_NO_IMAGE;
	frame_init(&f, c, skb);
	return tw_path_neighbour(&f, c, dir ? TW_DIR_IN : TW_DIR_OUT, epoch);
}

/* As tw_sub_neighbour(), for IGMP: a subprogram of its own for the stack of Linux 6.1. */
__noinline int tw_sub_igmp(struct __sk_buff *skb, __u32 dir, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return TW_R_NO_IMAGE;
	frame_init(&f, c, skb);
	return tw_path_igmp(&f, c, dir ? TW_DIR_IN : TW_DIR_OUT, epoch);
}

/* As tw_sub_neighbour(), for DHCP. */
__noinline int tw_sub_dhcp(struct __sk_buff *skb, __u32 dir, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return TW_R_NO_IMAGE;
	frame_init(&f, c, skb);
	return tw_path_dhcp(&f, c, dir ? TW_DIR_IN : TW_DIR_OUT, epoch, 1);
}

__noinline int tw_sub_dhcp6(struct __sk_buff *skb, __u32 dir, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return TW_R_NO_IMAGE;
	frame_init(&f, c, skb);
	return tw_path_dhcp(&f, c, dir ? TW_DIR_IN : TW_DIR_OUT, epoch, 0);
}

/* Checks the frame in scratch, which `decision` allows, against its port's default rate. */
__noinline int tw_sub_limit(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 decision)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.len = skb->len, .gso_size = skb->gso_size, .target = skb};

	if (!c)
		return TW_R_NO_IMAGE;
	f.now_ns = now(c);
	return (int)tw_path_limit(&f, port_id, epoch, decision);
}
