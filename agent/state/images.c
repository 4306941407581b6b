/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/images.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "fastpath/kernel/load.h"

int tw_images_init(struct tw_images *images, struct tw_kernel *kernel)
{
	*images = (struct tw_images){.kernel = kernel, .next = 1};
	images->slots = tw_alloc_array(TW_IMAGES_MAX, sizeof(*images->slots));
	return images->slots ? 0 : -ENOMEM;
}

/* Forgets the pending images. The slots of images that were not flushed stay taken until
 * tw_images_collect(). */
static void forget_put(struct tw_images *images)
{
	tw_kernel_put_finish(&images->put);
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

uint32_t tw_images_find(const struct tw_images *images, const struct tw_image_key *key)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++) {
		const struct tw_image_slot *slot = &images->slots[i];

		if (slot->used && slot->key.word[0] == key->word[0] &&
			slot->key.word[1] == key->word[1])
			return i;
	}
	return 0;
}

static uint32_t find_free(struct tw_images *images)
{
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++) {
		uint32_t slot = images->next;

		images->next = slot + 1 < TW_IMAGES_MAX ? slot + 1 : 1;
		if (!images->slots[slot].used && !images->slots[slot].saved)
			return slot;
	}
	return 0;
}

int tw_images_make(const struct tw_image *image, struct tw_image_made *ret, struct tw_err *err)
{
	struct tw_image_made made = {.fd = -1,
		.bytes = image->n_words * sizeof(*image->words),
		.n_entries = (uint32_t)(image->n_entries[TW_DIR_OUT] +
					image->n_entries[TW_DIR_IN])};
	int code = tw_kernel_make_image(image->words, image->n_words, &made.fd, err);

	*ret = made;
	return code;
}

void tw_images_unmake(struct tw_image_made *made)
{
	if (made->fd >= 0)
		close(made->fd);
	made->fd = -1;
}

/* Makes an image. Each pending image holds a descriptor. */
static int make_new(struct tw_images *images, const struct tw_image *image,
	struct tw_image_made *ret, struct tw_err *err)
{
	int code;

	/* A running flush still reads the lists. */
	if (images->put.running)
		forget_put(images);
	code = tw_images_make(image, ret, err);
	if (code == -EMFILE && images->put_fds.n) {
		code = tw_images_flush(images, err);
		forget_put(images);
		if (!code)
			code = tw_images_make(image, ret, err);
	}
	return code;
}

int tw_images_put(struct tw_images *images, const struct tw_image_key *key,
	const struct tw_image *image, uint32_t *ret_slot, struct tw_err *err)
{
	struct tw_image_made made;
	int code = make_new(images, image, &made, err);

	if (!code)
		code = tw_images_put_made(images, key, &made, ret_slot, err);
	tw_images_unmake(&made);
	return code;
}

/* Adds an image to those that the next flush writes. */
static int put_pending(
	struct tw_images *images, uint32_t slot, struct tw_image_made *made, struct tw_err *err)
{
	int code;

	if (images->put.running)
		forget_put(images);
	code = tw_vec_push(&images->put_slots, slot);
	if (!code)
		code = tw_vec_push(&images->put_fds, made->fd);
	if (code < 0) {
		images->put_slots.n = images->put_fds.n;
		return tw_err_set(err, code, "images", NULL, "out of memory");
	}
	made->fd = -1;
	return 0;
}

int tw_images_put_made(struct tw_images *images, const struct tw_image_key *key,
	struct tw_image_made *made, uint32_t *ret_slot, struct tw_err *err)
{
	uint32_t slot = find_free(images);
	int ret;

	if (!slot)
		return tw_err_set(err, -ENOSPC, "images", "split the host",
			"more than %d different images", TW_IMAGES_MAX - 1);
	ret = put_pending(images, slot, made, err);
	if (ret < 0)
		return ret;
	images->changed = true;
	images->slots[slot] = (struct tw_image_slot){.used = true,
		.marked = true,
		.key = *key,
		.bytes = made->bytes,
		.n_entries = made->n_entries};
	*ret_slot = slot;
	return 0;
}

void tw_images_set_resolved(struct tw_images *images, uint32_t slot)
{
	if (slot < TW_IMAGES_MAX)
		images->slots[slot].resolved = true;
}

int tw_images_flush(struct tw_images *images, struct tw_err *err)
{
	if (images->put.running)
		return 0;
	return tw_kernel_put_start(&images->put, images->kernel, images->put_slots.at,
		images->put_fds.at, images->put_slots.n, err);
}

void tw_images_settle(struct tw_images *images)
{
	forget_put(images);
}

int tw_images_adopt(struct tw_images *images, uint32_t slot, const struct tw_image_key *key)
{
	struct tw_image_slot *row;

	if (!slot || slot >= TW_IMAGES_MAX)
		return -ENOENT;
	row = &images->slots[slot];
	if (memcmp(&row->key, key, sizeof(*key)) != 0) {
		row->bytes = row->n_entries = 0;
		row->key = *key;
		images->changed = true;
	}
	row->used = row->marked = true;
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
	TW_VEC(uint32_t) gone = {0};

	/* Images of a failed plan are not marked, and are collected here. */
	forget_put(images);
	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++)
		if (images->slots[i].used && !images->slots[i].marked && !tw_vec_push(&gone, i))
			images->slots[i] = (struct tw_image_slot){0};
	if (gone.n)
		tw_kernel_drop_images(images->kernel, gone.at, gone.n);
	tw_vec_done(&gone);
}
