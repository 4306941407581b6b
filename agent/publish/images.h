/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* images.h: which image slots are taken, and by what content, so that equal images are one.
 *
 * An image is known by its key, which is that of the rules it is made of: one that is there already,
 * for another port or from the policy before, is not even compiled.
 *
 * A slot in use by the epoch in force is never written; new content goes to a free slot, and not to
 * one of which images.json still tells what it was. What was
 * put is in the kernel after tw_images_flush(): an update of the kernel's table waits for packets
 * under way, many together wait once, and nobody waits for that before tw_images_settle(). An image that an agent wrote and died before using stays
 * in its slot until that is taken again: to look through all slots would make Linux 6.1 wait for
 * packets once for each.
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
	bool marked;   /* still wanted, between tw_images_unmark() and tw_images_collect() */
	bool resolved; /* it depends on who is in which group */
	bool saved;    /* images.json has a row for it, which must not come to lie */
	uint32_t n_entries;
	uint64_t bytes;
	struct tw_image_key key;
};

struct tw_images {
	struct tw_kernel *kernel;
	struct tw_image_slot *slots; /* TW_IMAGES_MAX; number 0 is never used */
	uint32_t next;		     /* where the search for a free one goes on */
	bool changed;		     /* against images.json */
	TW_VEC(uint32_t) put_slots;  /* not flushed yet, and the maps that go there */
	TW_VEC(int) put_fds;
	struct tw_kernel_put put; /* the flush of these, under way */
};

int tw_images_init(struct tw_images *images, struct tw_kernel *kernel);
void tw_images_done(struct tw_images *images);

/* The slot that holds the image of this key, or will after the flush; 0: none does. */
uint32_t tw_images_find(const struct tw_images *images, const struct tw_image_key *key);
/* Takes a free slot for an image whose key was not found; 0 or a negative errno. */
int tw_images_put(struct tw_images *images, const struct tw_image_key *key,
	const struct tw_image *image, uint32_t *ret_slot, struct tw_err *err);

void tw_images_set_resolved(struct tw_images *images, uint32_t slot);

/* Puts in the kernel what was put here; from then on a packet can be sent to it. */
int tw_images_flush(struct tw_images *images, struct tw_err *err);
/* After a flush that went well, and what was to follow it at once: waits for its end. */
void tw_images_settle(struct tw_images *images);

/* Takes over an image that the kernel holds already, by the key in the entry of a port that uses it. A
 * row of images.json with another key speaks of an image that was in the slot before: its sizes are
 * dropped. 0 or -ENOENT. */
int tw_images_adopt(struct tw_images *images, uint32_t slot, const struct tw_image_key *key);

void tw_images_unmark(struct tw_images *images);
void tw_images_mark(struct tw_images *images, uint32_t slot);
/* Drops every image that is not marked, in the table and in the kernel. */
void tw_images_collect(struct tw_images *images);
