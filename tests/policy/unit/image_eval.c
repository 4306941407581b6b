/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "image_eval.h"

#include <endian.h>
#include <string.h>

typedef unsigned __int128 u128;

static const struct tw_image_dir *dir_of(const struct tw_image *image, enum tw_dir dir)
{
	return (const struct tw_image_dir *)&image->lines[1 + dir];
}

static bool is_address(int dim)
{
	return dim == TW_DIM_REMOTE || dim == TW_DIM_LOCAL;
}

static u128 key_at(
	const struct tw_image *image, const struct tw_image_dim_ref *ref, int dim, uint32_t i)
{
	const struct tw_image_line *lines = image->lines + ref->keys;

	if (is_address(dim))
		return (u128)lines[i / 4].d[i % 4 * 2] << 64 | lines[i / 4].d[i % 4 * 2 + 1];
	return lines[i / 16].w[i % 16];
}

static uint32_t class_at(
	const struct tw_image *image, const struct tw_image_dim_ref *ref, int dim, uint32_t i)
{
	uint32_t per_line = is_address(dim) ? 4 : 16;
	const struct tw_image_line *lines = image->lines + ref->keys +
					    (ref->n_keys + per_line - 1) / per_line;

	return lines[i / 16].w[i % 16];
}

static const uint64_t *vector_of(
	const struct tw_image *image, const struct tw_image_dir *dir, int dim, u128 value)
{
	const struct tw_image_dim_ref *ref = &dir->dim[dim];
	uint32_t i = 0;

	while (i + 1 < ref->n_keys && key_at(image, ref, dim, i + 1) <= value)
		i++;
	return (const uint64_t *)image
		->lines[ref->vectors + class_at(image, ref, dim, i) * dir->vector_lines]
		.d;
}

static u128 number(const struct tw_addr *addr)
{
	return (u128)be64toh(addr->d[0]) << 64 | be64toh(addr->d[1]);
}

uint32_t image_eval(const struct tw_image *image, enum tw_dir dir, const struct image_question *q)
{
	const u128 values[TW_DIM__MAX] = {
		[TW_DIM_REMOTE] = number(&q->remote),
		[TW_DIM_LOCAL] = number(&q->local),
		[TW_DIM_PROTO] = q->key,
		[TW_DIM_SPORT] = q->sport,
	};
	const struct tw_image_dir *d = dir_of(image, dir);
	const uint64_t *vectors[TW_DIM__MAX];

	if (!d->n_entries)
		return d->fallback;
	for (int dim = 0; dim < TW_DIM__MAX; dim++)
		vectors[dim] = vector_of(image, d, dim, values[dim]);
	for (uint32_t word = 0; word < d->vector_lines * 8; word++) {
		uint64_t bits = ~0ull;

		for (int dim = 0; dim < TW_DIM__MAX; dim++)
			bits &= vectors[dim][word];
		if (bits) {
			uint32_t entry = word * 64 + (uint32_t)__builtin_ctzll(bits);

			return image->lines[d->entries + entry / 16].w[entry % 16];
		}
	}
	return d->fallback;
}

static const char *dimension_fault(
	const struct tw_image *image, const struct tw_image_dir *d, int dim)
{
	const struct tw_image_dim_ref *ref = &d->dim[dim];
	uint32_t n_classes = 0;

	if (!ref->n_keys || ref->n_keys > TW_IMAGE_KEYS_MAX)
		return "number of keys";
	if (key_at(image, ref, dim, 0) != 0)
		return "the first key is not 0";
	for (uint32_t i = 0; i < ref->n_keys; i++) {
		if (i && key_at(image, ref, dim, i) <= key_at(image, ref, dim, i - 1))
			return "keys do not ascend";
		if (i && class_at(image, ref, dim, i) == class_at(image, ref, dim, i - 1))
			return "an interval goes on with the class before";
		if (class_at(image, ref, dim, i) >= n_classes)
			n_classes = class_at(image, ref, dim, i) + 1;
	}
	if ((size_t)ref->vectors + (size_t)n_classes * d->vector_lines > image->n_lines)
		return "a vector lies beyond the end";
	return NULL;
}

const char *image_fault(const struct tw_image *image)
{
	const struct tw_image_head *head = (const struct tw_image_head *)&image->lines[0];
	const char *fault = NULL;

	if (head->magic != TW_IMAGE_MAGIC || head->n_lines != image->n_lines)
		return "head";
	for (enum tw_dir dir = 0; dir < TW_DIR__MAX && !fault; dir++) {
		const struct tw_image_dir *d = dir_of(image, dir);

		if (d->n_entries != image->n_entries[dir] || d->n_entries > TW_IMAGE_ENTRIES_MAX)
			return "number of entries";
		if (!d->n_entries)
			continue;
		if (d->vector_lines != (d->n_entries + 511) / 512)
			return "lines per vector";
		if ((size_t)d->entries + (d->n_entries + 15) / 16 > image->n_lines)
			return "entries lie beyond the end";
		for (int dim = 0; dim < TW_DIM__MAX && !fault; dim++)
			fault = dimension_fault(image, d, dim);
	}
	return fault;
}
