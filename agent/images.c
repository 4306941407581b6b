/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/images.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* Forgets what was put and not flushed; the slots stay taken until they are collected. */
static void forget_put(struct tw_images *images)
{
	tw_vec_foreach (&images->put_fds, fd)
		close(*fd);
	tw_vec_done(&images->put_fds);
	tw_vec_done(&images->put_slots);
}

void tw_images_done(struct tw_images *images)
{
	forget_put(images);
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

static int put_new(
	struct tw_images *images, uint32_t slot, const struct tw_image *image, struct tw_err *err)
{
	tw_autofd int fd = -1;
	int ret = tw_kernel_make_image(image->lines, image->n_lines, &fd, err);

	if (!ret)
		ret = tw_vec_push(&images->put_slots, slot);
	if (!ret)
		ret = tw_vec_push(&images->put_fds, fd);
	if (ret < 0) {
		images->put_slots.n = images->put_fds.n;
		return ret == -ENOMEM ? tw_err_set(err, ret, "images", NULL, "out of memory") : ret;
	}
	fd = -1;
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
		ret = put_new(images, slot, image, err);
		if (ret < 0)
			return ret;
		images->slots[slot] = wanted;
	}
	images->slots[slot].marked = true;
	*ret_slot = slot;
	return 0;
}

int tw_images_flush(struct tw_images *images, struct tw_err *err)
{
	int ret = tw_kernel_put_images(
		images->kernel, images->put_slots.at, images->put_fds.at, images->put_slots.n, err);

	if (!ret)
		forget_put(images);
	return ret;
}

/* The map that the kernel holds in a slot, and how many lines it has; the caller closes it. */
static int open_slot(int images_fd, uint32_t slot, size_t *ret_lines)
{
	struct bpf_map_info info = {0};
	uint32_t id, len = sizeof(info);
	tw_autofd int fd = -1;

	if (bpf_map_lookup_elem(images_fd, &slot, &id) < 0)
		return -ENOENT;
	fd = bpf_map_get_fd_by_id(id);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.value_size != TW_IMAGE_LINE)
		return -EINVAL;
	*ret_lines = info.max_entries;
	return TW_TAKE_FD(fd);
}

int tw_images_adopt(struct tw_images *images, uint32_t slot)
{
	const struct tw_image_line *lines;
	struct tw_image_head head;
	size_t n = 0;
	tw_autofd int fd = -1;
	int ret = 0;

	if (!slot || slot >= TW_IMAGES_MAX)
		return -ENOENT;
	if (images->slots[slot].used)
		return 0;
	fd = open_slot(tw_kernel_map_fd(images->kernel, TW_MAP_images), slot, &n);
	if (fd < 0)
		return fd;
	lines = mmap(NULL, n * TW_IMAGE_LINE, PROT_READ, MAP_SHARED, fd, 0);
	if (lines == MAP_FAILED)
		return -errno;
	memcpy(&head, &lines[0], sizeof(head));
	if (head.magic == TW_IMAGE_MAGIC && head.n_lines >= 1 && head.n_lines <= n)
		fill_slot(&images->slots[slot], lines, head.n_lines);
	else
		ret = -EINVAL;
	munmap((void *)(uintptr_t)lines, n * TW_IMAGE_LINE);
	return ret;
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
	TW_VEC(uint32_t) gone = {0};

	/* Whatever was put for a plan that came to nothing is among those that nobody wants. */
	forget_put(images);
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++)
		if (images->slots[i].used && !images->slots[i].marked && !tw_vec_push(&gone, i))
			images->slots[i] = (struct tw_image_slot){0};
	if (gone.n)
		tw_kernel_drop_images(images->kernel, gone.at, gone.n);
	tw_vec_done(&gone);
}
