/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* views.h: views of images that were built, to be copied where one like it is wanted again.
 *
 * Why:        most views of a port are those of addresses that others can be met at, too, and a rule that
 *             is edited is in two of a port's views and not in the other ones.
 * Known by:   what a view is made of: its entries, the family and the fallback. Where it stands in an
 *             image makes no difference but to offsets: those are moved when it is copied, and so an
 *             image comes out the same, word by word (tests/policy/unit/delta.c).
 * Bounds:     TW_VIEWS_BYTES_MAX in all, of which those go first that were not wanted for longest;
 *             views larger than TW_VIEW_BYTES_MAX are not kept.
 * Callers:    compile.c, one thread.
 */
#pragma once

#include "policy/engine.h"

#define TW_VIEWS_BYTES_MAX ((size_t)64 << 20)
#define TW_VIEW_BYTES_MAX  ((size_t)1 << 20)
#define TW_VIEW_ALIGN	   32 /* words; all that is in a view may rely on it */

struct tw_view_key {
	uint64_t entries[2]; /* struct tw_layout_view.key */
	uint32_t family;
	uint32_t fallback;
};

/* A view as it was built. */
struct tw_view_built {
	struct tw_image_view view;
	struct tw_view_facts facts;
};

struct tw_views;

/* 0 or -ENOMEM. Each reference is given back by tw_views_free(). */
int tw_views_new(struct tw_views **ret);
struct tw_views *tw_views_ref(struct tw_views *views);
void tw_views_free(struct tw_views *views); /* NULL is fine */

/* Adds a view that is kept to the end of an image. 0; -ENOENT: there is none; -E2BIG; -ENOMEM. */
int tw_views_copy(struct tw_views *views, const struct tw_view_key *key, struct tw_words *words,
	struct tw_view_built *ret);
/* Keeps what was built at the end of an image, in the words from `first` on, if it can. */
void tw_views_keep(struct tw_views *views, const struct tw_view_key *key,
	const struct tw_words *words, size_t first, const struct tw_view_built *built);
