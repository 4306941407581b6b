/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* views.h: cache of built views, to be copied if an equal one is needed again.
 *
 * Why:        ports share most of their views, and an edited rule is in only two of a port's views.
 * Known by:   a view's input: its entries, family and fallback. Its place in an image affects only
 *             offsets, which are adjusted when it is copied, so the image is the same word by word
 *             (tests/policy/unit/delta.c).
 * Bounds:     TW_VIEWS_BYTES_MAX in all; the least recently used views are dropped first. Views
 *             larger than TW_VIEW_BYTES_MAX are not kept.
 * Callers:    compile.c, in any thread: the compilers of two policies may use one cache at the same time.
 */
#pragma once

#include "policy/engine.h"

#define TW_VIEWS_BYTES_MAX ((size_t)64 << 20)
#define TW_VIEW_BYTES_MAX  ((size_t)16 << 20)
#define TW_VIEW_ALIGN	   32 /* alignment of a view in words */

struct tw_view_key {
	uint64_t entries[2]; /* struct tw_layout_view.key */
	uint32_t family;
	uint32_t fallback;
};

/* A built view. */
struct tw_view_built {
	struct tw_image_view view;
	struct tw_view_facts facts;
};

struct tw_views;

/* Returns 0 or -ENOMEM. Each reference is released by tw_views_free(). */
int tw_views_new(struct tw_views **ret);
struct tw_views *tw_views_ref(struct tw_views *views);
void tw_views_free(struct tw_views *views); /* NULL is fine */

/* Appends a cached view to an image. Returns 0; -ENOENT if there is none; -E2BIG; -ENOMEM. */
int tw_views_copy(struct tw_views *views, const struct tw_view_key *key, struct tw_words *words,
	struct tw_view_built *ret);
/* Caches the view at the end of an image, in the words from `first` on, if possible. */
void tw_views_keep(struct tw_views *views, const struct tw_view_key *key,
	const struct tw_words *words, size_t first, const struct tw_view_built *built);
