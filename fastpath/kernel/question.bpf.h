/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* question.bpf.h: the subprogram that asks, and the program that sends a held frame again (path/ask.h).
 *
 * Callers:    tap.bpf.c, which includes it after settings() and frame_init().
 */
#pragma once

/* Replaces the decision in scratch, which asks. True if the packet ends here: see tw_ask(). */
__noinline int tw_sub_ask(
	struct __sk_buff *skb, __u32 port_id, __u32 epoch, __u32 was, __u32 was_id)
{
	const struct tw_config *c = settings();
	struct tw_frame f = {0};

	if (!c)
		return 0;
	frame_init(&f, c, skb);
	return tw_path_question(&f, c, port_id, epoch, was_id == port_id ? was : 0);
}

/* Sends a held frame again, to be judged as if it came now; run by the agent. cb: the interface, and
 * BPF_F_INGRESS if it enters the host there. */
SEC("tc")
int tw_reinject(struct __sk_buff *skb)
{
	__u32 ifindex = skb->cb[0], flags = skb->cb[1];

	skb->cb[0] = 0;
	skb->cb[1] = 0;
	return (int)bpf_clone_redirect(skb, ifindex, flags & BPF_F_INGRESS);
}
