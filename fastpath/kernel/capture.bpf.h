/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture.bpf.h: copies frames to captures, in eBPF.
 *
 * Out:        tw_frame_capture() of port.h.
 * Callers:    tap.bpf.c, which includes it after bounded().
 */
#pragma once

/* Copies a frame into a record of constant size, as the verifier requires: the smallest of a few
 * that it fits in. As for events, the reader polls; it is woken when a quarter of the buffer is in
 * use. */
tw_inline long capture_into(
	void *ring, struct __sk_buff *skb, const struct tw_captured *head, const __u32 room)
{
	__u64 ahead = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) -
		      bpf_ringbuf_query(ring, BPF_RB_RING_SIZE) / 4;
	struct tw_captured *record = bpf_ringbuf_reserve(ring, sizeof(*head) + room, 0);
	__u32 len = head->cap_len;

	if (!record)
		return -1;
	*record = *head;
	TW_OPAQUE(len);
	if (len > room)
		len = room;
	if (!bounded(&len, room) || bpf_skb_load_bytes(skb, 0, record + 1, len)) {
		bpf_ringbuf_discard(record, BPF_RB_NO_WAKEUP);
		return -1;
	}
	bpf_ringbuf_submit(
		record, ahead < 2 * TW_CAPTURE_SNAP_MAX ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return 0;
}

tw_inline long tw_frame_capture(const struct tw_frame *f, struct tw_captured *head)
{
	void *ring = bpf_map_lookup_elem(&tw_captured, &head->ifindex);
	struct __sk_buff *skb = f->target;

	if (!ring)
		return -1;
	if (skb->vlan_present) {
		head->vlan_tci = (__u16)skb->vlan_tci;
		head->vlan_type = (__be16)skb->vlan_proto;
	}
	if (head->cap_len <= 160)
		return capture_into(ring, skb, head, 160);
	if (head->cap_len <= 1536)
		return capture_into(ring, skb, head, 1536);
	if (head->cap_len <= 9216)
		return capture_into(ring, skb, head, 9216);
	if (head->cap_len <= 32768)
		return capture_into(ring, skb, head, 32768);
	return capture_into(ring, skb, head, TW_CAPTURE_SNAP_MAX);
}
