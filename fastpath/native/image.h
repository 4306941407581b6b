/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* image.h: stores and reads images in user space.
 *
 * Why:        separate from native.c, for a test of classification alone.
 * Out:        tw_image_…() of port.h, except tw_image_at() and tw_image_flat().
 */
#pragma once

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/path/port.h"

/* Whole chunks, followed by room for a run from the last word. */
struct image {
	__u32 *words;
	size_t n_chunks;
};

/* Replaces an image by a copy of these words. 0 or -ENOMEM. */
static inline int image_set(struct image *image, const __u32 *words, size_t n_words)
{
	size_t n_chunks = (n_words + TW_IMAGE_CHUNK_WORDS - 1) / TW_IMAGE_CHUNK_WORDS;
	__u32 *copy = tw_alloc_array(n_chunks * TW_IMAGE_CHUNK_WORDS + TW_IMAGE_RUN, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, words, n_words * sizeof(*words));
	free(image->words);
	*image = (struct image){copy, n_chunks};
	return 0;
}

tw_inline const struct tw_image_chunk *tw_image_chunk(
	const struct tw_frame *f, void *image, __u32 n)
{
	const struct image *from = image;

	return n < from->n_chunks ? (const void *)(from->words + (size_t)n * TW_IMAGE_CHUNK_WORDS)
				  : NULL;
}

tw_inline __u64 tw_image_address(
	const struct tw_frame *f, void *image, const struct tw_image_chunk *first)
{
	return (uintptr_t)image;
}

tw_inline const __u32 *tw_image_words(
	const struct tw_frame *f, const struct tw_image_ref *ref, __u32 at)
{
	static const __u32 none[TW_IMAGE_RUN];
	const struct image *image = (const void *)(uintptr_t)ref->address;

	return at < image->n_chunks * TW_IMAGE_CHUNK_WORDS ? image->words + at : none;
}
