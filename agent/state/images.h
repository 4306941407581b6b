/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* images.h: the image slots and their contents. Equal images share a slot.
 *
 * How:        an image is identified by a key that is computed from its rules. If an image with
 *             this key exists, for another port or from the previous policy, none is compiled.
 *             New images are in the kernel after tw_images_flush(). Each update of the kernel's
 *             table waits for the packets being processed, so all updates run together, and only
 *             tw_images_settle() waits for them.
 * Invariants: 1. A slot in use by the epoch in force is never written. A new image goes to a free
 *                slot that images.json does not describe any more.
 *             2. If an agent dies between writing an image and using it, the image stays until its
 *                slot is reused. To find such images, all slots would have to be read, and Linux
 *                6.1 waits for packets at each read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/put.h"
#include "policy/policy.h"

struct tw_image_slot {
	bool used;
	bool marked;   /* still in use, between tw_images_unmark() and tw_images_collect() */
	bool resolved; /* it depends on the members of groups */
	bool saved;    /* images.json has a row for it, so its contents must not change */
	uint32_t n_entries;
	uint64_t bytes;
	struct tw_image_key key;
};

struct tw_images {
	struct tw_kernel *kernel;
	struct tw_image_slot *slots; /* TW_IMAGES_MAX; number 0 is never used */
	uint32_t next;		     /* where the next search for a free one starts */
	bool changed;		     /* differs from images.json */
	TW_VEC(uint32_t) put_slots;  /* slots not flushed yet; their maps are in put_fds */
	TW_VEC(int) put_fds;
	struct tw_kernel_put put; /* the flush in progress, of these slots */
};

int tw_images_init(struct tw_images *images, struct tw_kernel *kernel);
void tw_images_done(struct tw_images *images);

/* Returns the slot with the image of this key, now or after the flush; 0: none. */
uint32_t tw_images_find(const struct tw_images *images, const struct tw_image_key *key);
/* Takes a free slot for an image whose key was not found. Returns 0 or a negative errno. */
int tw_images_put(struct tw_images *images, const struct tw_image_key *key,
	const struct tw_image *image, uint32_t *ret_slot, struct tw_err *err);

/* An image in a map of its own, which is in no slot. */
struct tw_image_made {
	int fd; /* -1: none */
	uint64_t bytes;
	uint32_t n_entries;
};

/* Copies an image to a map of its own. May be called in any thread. Returns 0 or a negative errno. */
int tw_images_make(const struct tw_image *image, struct tw_image_made *ret, struct tw_err *err);
void tw_images_unmake(struct tw_image_made *made);
/* Takes a free slot for such an image, as tw_images_put() does. `made` is taken over, and has no map then. */
int tw_images_put_made(struct tw_images *images, const struct tw_image_key *key,
	struct tw_image_made *made, uint32_t *ret_slot, struct tw_err *err);

void tw_images_set_resolved(struct tw_images *images, uint32_t slot);

/* Writes the pending images to the kernel, so that entries may refer to them. */
int tw_images_flush(struct tw_images *images, struct tw_err *err);
/* Waits for the end of a successful flush. Called after the work that must not be delayed by it. */
void tw_images_settle(struct tw_images *images);

/* Adopts an image in the kernel by the key in the entry of a port that uses it. If the row of
 * images.json has another key, it describes an earlier image of the slot, and its sizes are
 * dropped. Returns 0 or -ENOENT. */
int tw_images_adopt(struct tw_images *images, uint32_t slot, const struct tw_image_key *key);

void tw_images_unmark(struct tw_images *images);
void tw_images_mark(struct tw_images *images, uint32_t slot);
/* Drops every image that is not marked, in the table and in the kernel. */
void tw_images_collect(struct tw_images *images);
