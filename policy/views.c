/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/views.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BUCKETS 4096

/* One view: its words as in the image where it was built, and which of them are offsets. */
struct kept {
	struct tw_view_key key;
	struct tw_view_built built;
	size_t first; /* index in that image of this view's word 0 */
	uint32_t *words;
	size_t n_words;
	uint32_t *links;
	size_t n_links;
	struct kept *next; /* next view in the same bucket */
	struct kept *newer;
	struct kept *older; /* list in order of last use */
};

struct tw_views {
	_Atomic unsigned int refs;
	pthread_mutex_t lock; /* guards all below */
	size_t bytes;
	struct kept *newest;
	struct kept *oldest;
	struct kept *buckets[BUCKETS];
};

int tw_views_new(struct tw_views **ret)
{
	struct tw_views *views = tw_alloc(sizeof(*views));

	if (!views)
		return -ENOMEM;
	views->refs = 1;
	pthread_mutex_init(&views->lock, NULL);
	*ret = views;
	return 0;
}

struct tw_views *tw_views_ref(struct tw_views *views)
{
	views->refs++;
	return views;
}

static size_t bytes_of(const struct kept *kept)
{
	return sizeof(*kept) + (kept->n_words + kept->n_links) * sizeof(uint32_t);
}

static void free_kept(struct kept *kept)
{
	if (!kept)
		return;
	free(kept->words);
	free(kept->links);
	free(kept);
}

void tw_views_free(struct tw_views *views)
{
	if (!views || --views->refs)
		return;
	for (struct kept *at = views->newest, *older; at; at = older) {
		older = at->older;
		free_kept(at);
	}
	pthread_mutex_destroy(&views->lock);
	free(views);
}

/* ---- by key ---- */

static struct kept **bucket_of(struct tw_views *views, const struct tw_view_key *key)
{
	return &views->buckets[key->entries[0] % BUCKETS];
}

static bool same_key(const struct tw_view_key *a, const struct tw_view_key *b)
{
	return a->entries[0] == b->entries[0] && a->entries[1] == b->entries[1] &&
	       a->family == b->family && a->fallback == b->fallback;
}

/* Returns the pointer to a view or to NULL. */
static struct kept **find(struct tw_views *views, const struct tw_view_key *key)
{
	struct kept **at = bucket_of(views, key);

	while (*at && !same_key(&(*at)->key, key))
		at = &(*at)->next;
	return at;
}

/* ---- by age ---- */

static void take_out(struct tw_views *views, struct kept *kept)
{
	*(kept->newer ? &kept->newer->older : &views->newest) = kept->older;
	*(kept->older ? &kept->older->newer : &views->oldest) = kept->newer;
}

static void put_first(struct tw_views *views, struct kept *kept)
{
	kept->newer = NULL;
	kept->older = views->newest;
	*(views->newest ? &views->newest->newer : &views->oldest) = kept;
	views->newest = kept;
}

static void drop(struct tw_views *views, struct kept *kept)
{
	take_out(views, kept);
	*find(views, &kept->key) = kept->next;
	views->bytes -= bytes_of(kept);
	free_kept(kept);
}

/* ---- copies ---- */

static void move(uint32_t *offset, uint32_t by)
{
	if (*offset && !(*offset & TW_IMAGE_LEAF))
		*offset += by;
}

/* Moves the offsets in the view itself; 0 means no offset. */
static void move_view(struct tw_image_view *view, uint32_t by)
{
	for (size_t dim = 0; dim < TW_DIM__MAX; dim++)
		move(&view->branch[dim], by);
	move(&view->cells.services, by);
	move(&view->cells.rows.blocks, by);
	move(&view->cells.rows.rows, by);
	move(&view->cells.ranks, by);
	move(&view->cells.groups, by);
}

static int copy_view(struct tw_views *views, const struct tw_view_key *key, struct tw_words *words,
	struct tw_view_built *ret)
{
	struct kept *kept = *find(views, key);
	uint32_t at, by;
	int err;

	if (!kept)
		return -ENOENT;
	take_out(views, kept);
	put_first(views, kept);
	err = tw_words_add(words, kept->n_words, TW_VIEW_ALIGN, &at);
	if (err)
		return err;
	by = at - (uint32_t)kept->first;
	memcpy(words->v.at + at, kept->words, kept->n_words * sizeof(*kept->words));
	for (size_t i = 0; i < kept->n_links; i++)
		words->v.at[at + kept->links[i]] += by;
	*ret = kept->built;
	move_view(&ret->view, by);
	return 0;
}

int tw_views_copy(struct tw_views *views, const struct tw_view_key *key, struct tw_words *words,
	struct tw_view_built *ret)
{
	int err;

	pthread_mutex_lock(&views->lock);
	err = copy_view(views, key, words, ret);
	pthread_mutex_unlock(&views->lock);
	return err;
}

/* Copies the words of a view and records which of them are offsets. False if out of memory. */
static bool fill(struct kept *kept, const struct tw_words *words, size_t first)
{
	kept->first = first;
	kept->n_words = words->v.n - first;
	kept->n_links = words->links.n;
	kept->words = tw_alloc_array(kept->n_words + 1, sizeof(*kept->words));
	kept->links = tw_alloc_array(kept->n_links + 1, sizeof(*kept->links));
	if (!kept->words || !kept->links)
		return false;
	memcpy(kept->words, words->v.at + first, kept->n_words * sizeof(*kept->words));
	for (size_t i = 0; i < kept->n_links; i++)
		kept->links[i] = words->links.at[i] - (uint32_t)first;
	return true;
}

static void put_view(struct tw_views *views, struct kept *kept)
{
	struct kept **at = find(views, &kept->key);

	/* Another thread has built the same view meanwhile. */
	if (*at) {
		free_kept(kept);
		return;
	}
	*at = kept;
	put_first(views, kept);
	views->bytes += bytes_of(kept);
	while (views->oldest && views->bytes > TW_VIEWS_BYTES_MAX)
		drop(views, views->oldest);
}

void tw_views_keep(struct tw_views *views, const struct tw_view_key *key,
	const struct tw_words *words, size_t first, const struct tw_view_built *built)
{
	struct kept *kept;

	if ((words->v.n - first) * sizeof(uint32_t) > TW_VIEW_BYTES_MAX)
		return;
	kept = tw_alloc(sizeof(*kept));
	if (!kept || !fill(kept, words, first)) {
		free_kept(kept);
		return;
	}
	kept->key = *key;
	kept->built = *built;
	pthread_mutex_lock(&views->lock);
	put_view(views, kept);
	pthread_mutex_unlock(&views->lock);
}
