/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fragq.h: the kernel side of fragment.h: a set's lock, and frames that are queued and sent again.
 *
 * Callers:    tap.bpf.c, which includes it after its maps and bounded().
 */
#pragma once

tw_inline void tw_frag_lock(struct tw_frag_set *set)
{
	bpf_spin_lock(&set->lock);
}

tw_inline void tw_frag_unlock(struct tw_frag_set *set)
{
	bpf_spin_unlock(&set->lock);
}

tw_inline long tw_frame_keep(const struct tw_frame *f, struct tw_fragq *queued)
{
	const struct tw_scratch *scratch = tw_in_qdisc ? tw_scratch_get(f) : 0;
	__u32 len = f->len;

	if ((tw_in_qdisc && (!scratch || scratch->in_qdisc)) || !bounded(&len, TW_FRAGQ_BYTES))
		return -1;
	queued->len = len;
	queued->mark = f->mark;
	queued->vlan_tci = f->vlan_tci;
	queued->has_vlan = (__u8)f->has_vlan;
	return bpf_skb_load_bytes(f->target, 0, queued->bytes, len);
}

tw_inline long tw_frame_become(struct tw_frame *f, const struct tw_fragq *queued)
{
	__u32 len = queued->len;

	if (!bounded(&len, TW_FRAGQ_BYTES) || bpf_skb_change_tail(f->target, len, 0))
		return -1;
	tw_frame_mark(f, queued->mark);
	return bpf_skb_store_bytes(f->target, 0, queued->bytes, len, BPF_F_RECOMPUTE_CSUM);
}

tw_inline void tw_frame_again(const struct tw_frame *f, enum tw_dir dir)
{
	if (!tw_test_mode)
		bpf_clone_redirect(f->target, f->ifindex, dir == TW_DIR_OUT ? BPF_F_INGRESS : 0);
}
