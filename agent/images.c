/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/images.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): every bit of a word reaches every other. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* 128 bits in two independent lanes: images come from the operator, so chance is the only enemy. */
static void hash_lines(const struct tw_image_line *lines, size_t n, uint64_t hash[2])
{
	hash[0] = mix(n + 1);
	hash[1] = mix(n + 0x9e3779b97f4a7c15u);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < TW_IMAGE_LINE / sizeof(lines->d[0]); j++) {
			hash[0] = mix(hash[0] ^ lines[i].d[j]);
			hash[1] = mix(hash[1] + 0x9e3779b97f4a7c15u + lines[i].d[j]);
		}
}

static uint32_t count_entries(const struct tw_image_line *lines, size_t n)
{
	uint32_t count = 0;

	for (size_t dir = 0; dir < TW_DIR__MAX && dir + 1 < n; dir++) {
		struct tw_image_dir head;

		memcpy(&head, &lines[1 + dir], sizeof(head));
		count += head.n_entries;
	}
	return count;
}

static void fill_slot(struct tw_image_slot *slot, const struct tw_image_line *lines, size_t n)
{
	*slot = (struct tw_image_slot){.used = true, .marked = true};
	slot->bytes = n * TW_IMAGE_LINE;
	slot->n_entries = count_entries(lines, n);
	hash_lines(lines, n, slot->hash);
}

int tw_images_init(struct tw_images *images, struct tw_kernel *kernel)
{
	*images = (struct tw_images){.kernel = kernel, .next = 1};
	images->slots = tw_alloc_array(TW_IMAGES_MAX, sizeof(*images->slots));
	return images->slots ? 0 : -ENOMEM;
}

void tw_images_done(struct tw_images *images)
{
	free(images->slots);
	images->slots = NULL;
}

static uint32_t find_equal(const struct tw_images *images, const struct tw_image_slot *wanted)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++) {
		const struct tw_image_slot *slot = &images->slots[i];

		if (slot->used && slot->bytes == wanted->bytes &&
			slot->hash[0] == wanted->hash[0] && slot->hash[1] == wanted->hash[1])
			return i;
	}
	return 0;
}

static uint32_t find_free(struct tw_images *images)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++) {
		uint32_t slot = images->next;

		images->next = slot + 1 < TW_IMAGES_MAX ? slot + 1 : 1;
		if (!images->slots[slot].used)
			return slot;
	}
	return 0;
}

int tw_images_put(struct tw_images *images, const struct tw_image *image, uint32_t *ret_slot,
	struct tw_err *err)
{
	struct tw_image_slot wanted;
	uint32_t slot;
	int ret;

	fill_slot(&wanted, image->lines, image->n_lines);
	slot = find_equal(images, &wanted);
	if (!slot) {
		slot = find_free(images);
		if (!slot)
			return tw_err_set(err, -ENOSPC, "images", "split the host",
				"more than %d different images", TW_IMAGES_MAX - 1);
		ret = tw_kernel_put_image(images->kernel, slot, image->lines, image->n_lines, err);
		if (ret < 0)
			return ret;
		images->slots[slot] = wanted;
	}
	images->slots[slot].marked = true;
	*ret_slot = slot;
	return 0;
}

/* Reads the lines that the kernel holds in a slot; the caller frees them. */
static int read_lines(int images_fd, uint32_t slot, struct tw_image_line **ret, size_t *ret_n)
{
	struct bpf_map_info info = {0};
	uint32_t id, len = sizeof(info), next, n;
	tw_autofree struct tw_image_line *lines = NULL;
	tw_autofree uint32_t *keys = NULL;
	tw_autofd int fd = -1;

	if (bpf_map_lookup_elem(images_fd, &slot, &id) < 0)
		return -ENOENT;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.value_size != sizeof(*lines) || !info.max_entries)
		return -EINVAL;
	n = info.max_entries;
	lines = tw_alloc_array(n, sizeof(*lines));
	keys = tw_alloc_array(n, sizeof(*keys));
	if (!lines || !keys)
		return -ENOMEM;
	if (bpf_map_lookup_batch(fd, NULL, &next, keys, lines, &n, NULL) < 0 && errno != ENOENT)
		return -errno;
	*ret = TW_TAKE_PTR(lines);
	*ret_n = n;
	return 0;
}

int tw_images_adopt(struct tw_images *images, uint32_t slot)
{
	tw_autofree struct tw_image_line *lines = NULL;
	struct tw_image_head head;
	size_t n = 0;
	int ret;

	if (!slot || slot >= TW_IMAGES_MAX)
		return -ENOENT;
	if (images->slots[slot].used)
		return 0;
	ret = read_lines(tw_kernel_map_fd(images->kernel, TW_MAP_images), slot, &lines, &n);
	if (ret < 0)
		return ret;
	memcpy(&head, &lines[0], sizeof(head));
	if (head.magic != TW_IMAGE_MAGIC || head.n_lines > n || head.n_lines < 1)
		return -EINVAL;
	fill_slot(&images->slots[slot], lines, head.n_lines);
	return 0;
}

void tw_images_unmark(struct tw_images *images)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++)
		images->slots[i].marked = false;
}

void tw_images_mark(struct tw_images *images, uint32_t slot)
{
	if (slot < TW_IMAGES_MAX)
		images->slots[slot].marked = true;
}

void tw_images_collect(struct tw_images *images)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++)
		if (images->slots[i].used && !images->slots[i].marked) {
			tw_kernel_drop_image(images->kernel, i);
			images->slots[i] = (struct tw_image_slot){0};
		}
}

void tw_images_purge(struct tw_images *images)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++)
		if (!images->slots[i].used)
			tw_kernel_drop_image(images->kernel, i);
}
