/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.bpf.h: sends questions to the agent, in eBPF.
 *
 * Out:        tw_frame_ask() of port.h.
 * Callers:    tap.bpf.c, which includes it after bounded().
 */
#pragma once

/* Copies a frame into a record of constant size, as the verifier requires. The reader is woken if it has read
 * everything else. */
tw_inline long ask_into(struct __sk_buff *skb, const struct tw_asked *question, const __u32 room)
{
	struct tw_asked *record = bpf_ringbuf_reserve(&tw_asks, sizeof(*question) + room, 0);
	__u32 len = question->cap_len;

	if (!record)
		return -1;
	*record = *question;
	if (bounded(&len, room) && bpf_skb_load_bytes(skb, 0, record + 1, len)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return -1;
	}
	bpf_ringbuf_submit(record, 0);
	return 0;
}

tw_inline long tw_frame_ask(const struct tw_frame *f, struct tw_asked *question)
{
	struct __sk_buff *skb = f->target;

	if (skb->vlan_present) {
		question->vlan_tci = (__u16)skb->vlan_tci;
		question->vlan_type = (__be16)skb->vlan_proto;
	}
	if (question->cap_len <= 160)
		return ask_into(skb, question, 160);
	if (question->cap_len <= 1536)
		return ask_into(skb, question, 1536);
	return ask_into(skb, question, TW_ASK_FRAME_MAX);
}
