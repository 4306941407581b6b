/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image.bpf.h: stores and reads images in the kernel.
 *
 * How:        an image is an array of chunks. If programs can read memory by address, a chunk needs
 *             no lookup. A lookup costs a call: arrays in an array of maps differ in size, so the
 *             kernel does not inline the index arithmetic.
 * Out:        tw_image_…() of port.h.
 */
#pragma once

#include "fastpath/kernel/memory.bpf.h"
#include "fastpath/path/port.h"

struct image_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, TW_IMAGE_CHUNK_BYTES);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, TW_IMAGES_MAX);
	__type(key, __u32);
	__array(values, struct image_map);
} tw_images SEC(".maps");

tw_inline void *tw_image_at(const struct tw_frame *f, __u32 slot)
{
	return bpf_map_lookup_elem(&tw_images, &slot);
}

tw_inline const struct tw_image_chunk *tw_image_chunk(
	const struct tw_frame *f, void *image, __u32 n)
{
	return bpf_map_lookup_elem(image, &n);
}

/* Set before load, so that the verifier sees only one branch. */
tw_inline int tw_image_flat(const struct tw_frame *f)
{
	return tw_memory.type != 0;
}

tw_inline __u64 tw_image_address(
	const struct tw_frame *f, void *image, const struct tw_image_chunk *first)
{
	return address_of(first);
}

_Static_assert(TW_IMAGE_RUN * 4 <= TW_MEMORY_WORDS * 8, "a run is read from one pointer");

tw_inline const __u32 *tw_image_words(
	const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at)
{
	return (const __u32 *)words_at(ref->address + 4ull * at);
}
