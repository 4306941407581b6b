/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload.bpf.h: reads from a frame's metadata what the kernel will do to it after the programs.
 *
 * Out:        the offload functions of port.h, such as tw_frame_summed(); tw_frame_sum().
 * Bounds:     tw_frame_sum(): TW_SUM_BYTES at a time, up to 64 KiB. Others: one word read for a
 *             frame without offload, four more for a checksum to be completed, three more for a
 *             super-frame; no loop; a lookup only in programs loaded for tests.
 * Callers:    tap.bpf.c, which includes it.
 */
#pragma once

#include "fastpath/kernel/memory.bpf.h"
#include "fastpath/kernel/offload.h"

/* Set before load: see offload.h. */
const volatile struct tw_offload_view tw_offload_view = {0};

/* Returns the sk_buff of a frame, whose members are read by plain loads. Only for kernels with the
 * functions of memory.h (tw_memory.type). */
tw_inline const __u8 *skb_of(const struct tw_frame *f)
{
	return kernel_context(f->target);
}

/* Returns the address of a frame's metadata: the true one with the functions of memory.h, else the
 * one that the copying helper takes. */
tw_inline __u64 metadata_of(const struct tw_frame *f)
{
	return tw_memory.type ? (__u64)kernel_context(f->target) : (__u64)f->target;
}

/* Returns the metadata that programs loaded for tests use. */
tw_inline struct tw_offload test_offload(void)
{
	const struct tw_offload none = {0};
	const struct tw_config *c;
	__u32 zero = 0;

	c = bpf_map_lookup_elem(&tw_config, &zero);
	return c ? c->offload : none;
}

tw_inline __u32 tw_frame_summed(const struct tw_frame *f)
{
	const __u32 bit = tw_offload_view.summed;

	if (tw_test_mode)
		return test_offload().summed;
	if (tw_memory.type)
		return skb_of(f)[bit / 8] >> bit % 8 & 3;
	return word_at((__u64)f->target, bit / 8) >> bit % 8 & 3;
}

/* Converts an offset in the packet buffer, as in the metadata, to a frame offset. Places before the
 * frame become huge numbers. */
tw_inline __u32 frame_place(const struct tw_frame *f, __u32 place)
{
	__u64 skb = metadata_of(f);
	__u64 headroom = read_word(skb + tw_offload_view.data);

	headroom -= read_word(skb + tw_offload_view.head);
	return (__u16)word_at(skb, place) - (__u32)headroom;
}

tw_inline __u32 tw_frame_csum_start(const struct tw_frame *f)
{
	return tw_test_mode ? test_offload().csum_start
			    : frame_place(f, tw_offload_view.csum_start);
}

tw_inline __u32 tw_frame_csum_offset(const struct tw_frame *f)
{
	if (tw_test_mode)
		return test_offload().csum_offset;
	return (__u16)word_at(metadata_of(f), tw_offload_view.csum_offset);
}

tw_inline int tw_frame_csum_fits(const struct tw_frame *f, __u32 start, __u32 offset)
{
	__u32 headroom, both;
	const __u8 *skb;

	if (tw_test_mode || !tw_memory.type)
		return tw_frame_csum_start(f) == start && tw_frame_csum_offset(f) == offset;
	skb = skb_of(f);
	headroom = (__u32)(*(const __u64 *)(skb + tw_offload_view.data) -
			   *(const __u64 *)(skb + tw_offload_view.head));
	both = *(const __u32 *)(skb + tw_offload_view.csum_start);
	return (both & 0xffff) == start + headroom && both >> 16 == offset;
}

tw_inline __u32 tw_frame_gso_type(const struct tw_frame *f)
{
	__u64 skb, shared;

	if (tw_test_mode)
		return test_offload().gso_type;
	skb = metadata_of(f);
	shared = read_word(skb + tw_offload_view.head) + (__u32)word_at(skb, tw_offload_view.end);
	return (__u32)word_at(shared, tw_offload_view.gso_type);
}

tw_inline __u32 tw_frame_inner(const struct tw_frame *f)
{
	__u32 mac, network;

	if (tw_test_mode)
		return test_offload().inner;
	mac = frame_place(f, tw_offload_view.inner_mac);
	network = frame_place(f, tw_offload_view.inner_network);
	return mac > network || network >= f->len ? 0 : mac;
}

#define SUM_PARTS (65536 / TW_SUM_BYTES + 1)

struct summing {
	void *skb;
	__u32 off;
	__u32 left; /* bytes */
	__u32 sum;
};

/* Sums one part. 0: continue. */
static long sum_part(__u32 i, void *context)
{
	struct summing *s = context;
	struct tw_scratch *own = tw_scratch_get(0);
	__u32 n = s->left < TW_SUM_BYTES ? s->left : TW_SUM_BYTES;
	const __u32 zero = 0;

	/* Written so that the verifier of Linux 6.1 knows that n is at least 1. */
	n--;
	TW_OPAQUE(n);
	if (!own || n >= TW_SUM_BYTES)
		return 1;
	n++;
	if (bpf_skb_load_bytes(s->skb, s->off, own->summed, n))
		return 1;
	__builtin_memcpy(own->summed + n, &zero, sizeof(zero));
	s->sum = (__u32)bpf_csum_diff(0, 0, (void *)own->summed, (n + 3) & ~3u, s->sum);
	s->off += n;
	s->left -= n;
	return !s->left;
}

tw_inline int tw_frame_sum(const struct tw_frame *f, __u32 off, __u32 len)
{
	struct summing s = {f->target, off, len, 0};

	tw_repeat(SUM_PARTS, sum_part, &s);
	return s.left ? -1 : tw_csum_fold(s.sum);
}
