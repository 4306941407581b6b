/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* form.bpf.h: subprograms for addresses that guests form by SLAAC; see path/slaac.h. */
#pragma once

/* Lets the guest form the address in scratch->about. Returns why it may not, or TW_R_NONE. */
__noinline int tw_sub_form(struct __sk_buff *skb, __u32 port_id, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return TW_R_NO_IMAGE;
	f.now_ns = now(c);
	return (int)tw_path_form(&f, c, port_id, epoch);
}

/* Notes what a neighbour message on its way to a guest says about addresses. */
__noinline int tw_sub_heard(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 type)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	tw_path_heard(&f, c, port_id, epoch, type);
	return 0;
}
