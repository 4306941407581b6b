/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* qdisc.bpf.h: tw_to_vm as a filter of a root qdisc, on kernels without tcx (tc.h).
 *
 * Why:        the program runs there under the qdisc's lock. A frame sent to the same interface
 *             would wait for that lock, so no fragment is queued (fragq.h). TC_ACT_REDIRECT has no
 *             effect there, so a refusal is sent as a clone.
 * Callers:    tap.bpf.c, which includes it after its maps and before fragq.h.
 */
#pragma once

/* Set before load, without tcx. */
const volatile __u8 tw_in_qdisc = 0;

/* Called before a frame is judged. Negative: it cannot be judged. */
tw_inline int qdisc_enter(struct __sk_buff *skb)
{
	const struct tw_frame f = {.target = skb};
	struct tw_scratch *own = tw_in_qdisc ? tw_scratch_get(&f) : 0;

	if (own)
		own->in_qdisc = 1;
	return tw_in_qdisc && !own ? -1 : 0;
}

/* Returns the tc action to use instead of the one that the judgement gave. */
tw_inline int qdisc_leave(struct __sk_buff *skb, int action)
{
	const struct tw_frame f = {.target = skb};
	struct tw_scratch *own = tw_in_qdisc ? tw_scratch_get(&f) : 0;

	if (own)
		own->in_qdisc = 0;
	if (!tw_in_qdisc || action != TC_ACT_REDIRECT)
		return action;
	bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS);
	return TC_ACT_SHOT;
}
