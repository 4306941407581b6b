/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* grant.bpf.h: subprograms for the rights of ports: `grants` and shared addresses.
 *
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

/* Returns tw_path_granted() for the packet in scratch. */
__noinline int tw_sub_granted(struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 what)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {.len = skb->len, .gso_size = skb->gso_size, .target = skb};

	if (!c)
		return 0;
	f.now_ns = now(c);
	return tw_path_granted(&f, port_id, epoch, what);
}

__noinline int tw_sub_holder(struct __sk_buff *skb, __u32 epoch)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	tw_path_holder(&f, epoch);
	return 0;
}
