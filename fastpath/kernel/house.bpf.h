/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* house.bpf.h: subprograms that judge housekeeping and the default rate of broadcast and multicast.
 *
 * How:        those for housekeeping are a part of the program tw_house. The full path calls it through
 *             tw_sub_house(), which it replaces: what it returns is what the subprogram returns.
 * Why:        the kernel checks them once, not in the programs of both directions, and the time that it
 *             takes to load a program grows faster than its length.
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

/* Calls tw_house. Returns its reason; a reason to deny if it is not there. */
__noinline int tw_sub_house(struct __sk_buff *skb, __u32 what, __u32 dir, __u32 epoch)
{
	struct tw_scratch *scratch = tw_scratch_get(0);
	int none = TW_R_NO_IMAGE;

	if (!scratch)
		return TW_R_NO_IMAGE;
	scratch->args[0] = what;
	scratch->args[1] = dir;
	scratch->args[2] = epoch;
	bpf_tail_call(skb, &tw_full, TW_FULL_HOUSE);
	/* Otherwise the compiler would take this for what the call returns. */
	TW_OPAQUE(none);
	return none;
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
