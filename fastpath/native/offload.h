/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* offload.h: the offload and checksum functions of port.h in user space: the frame itself has this
 * data.
 *
 * Callers:    native.c, which includes it.
 */
#pragma once

tw_inline const struct tw_offload *offload_of(const struct tw_frame *f)
{
	return &((struct run *)f->target)->frame->offload;
}

tw_inline __u32 tw_frame_summed(const struct tw_frame *f)
{
	return offload_of(f)->summed;
}

tw_inline __u32 tw_frame_csum_start(const struct tw_frame *f)
{
	return offload_of(f)->csum_start;
}

tw_inline __u32 tw_frame_csum_offset(const struct tw_frame *f)
{
	return offload_of(f)->csum_offset;
}

tw_inline int tw_frame_csum_fits(const struct tw_frame *f, __u32 start, __u32 offset)
{
	return offload_of(f)->csum_start == start && offload_of(f)->csum_offset == offset;
}

tw_inline __u32 tw_frame_gso_type(const struct tw_frame *f)
{
	return offload_of(f)->gso_type;
}

tw_inline __u32 tw_frame_inner(const struct tw_frame *f)
{
	return offload_of(f)->inner;
}

tw_inline int tw_frame_sum(const struct tw_frame *f, __u32 off, __u32 len)
{
	const struct tw_native_frame *frame = ((struct run *)f->target)->frame;
	uint64_t sum = 0;
	uint16_t word;

	if (off > frame->len || len > frame->len - off)
		return -1;
	for (__u32 i = 0; i < len; i += 2) {
		word = 0;
		memcpy(&word, frame->data + off + i, len - i < 2 ? 1 : 2);
		sum += word;
	}
	return tw_csum_fold(sum);
}
