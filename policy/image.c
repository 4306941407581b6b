/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/image.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "fastpath/abi/image.h"

#define BOUNDS_MAX ((size_t)2 * 1024 * 1024) /* of all sets of a dimension together */

/* Where a set begins, or where it has just ended. */
struct bound {
	tw_u128 key;
	uint32_t set; /* local number */
};

struct sweep {
	struct tw_dimension *dimension;
	size_t n_sets;
	size_t set_words;
	size_t entry_words;
	size_t max_words;
	uint64_t *now;		/* bits of the sets that hold the current interval */
	uint64_t hash;		/* of `now`: the sum of its sets' random numbers */
	struct tw_index index;	/* of classes, by hash */
	TW_VEC(uint64_t) known; /* `now` of each class */
	uint32_t *first_entry; /* entries of set s: members[first_entry[s] … first_entry[s + 1]) */
	uint32_t *members;
	TW_VEC(struct bound) bounds;
};

/* A number for each set so that sums of them tell sets of sets apart (Zobrist hashing); equality
 * is checked all the same. */
static uint64_t random_of(uint32_t set)
{
	return tw_hash(&set, sizeof(set), 0);
}

static int compare_bounds(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

static void toggle(struct sweep *s, uint32_t set)
{
	s->now[set / 64] ^= (uint64_t)1 << (set % 64);
	s->hash ^= random_of(set);
}

static bool same_class(const void *owner, uint32_t value, const void *key)
{
	const struct sweep *s = owner;

	return !memcmp(
		s->known.at + (size_t)value * s->set_words, key, s->set_words * sizeof(uint64_t));
}

/* Appends `n` zero words to a vector. */
static uint64_t *add_words(uint64_t **at, size_t *n_at, size_t *max, size_t n)
{
	uint64_t *start;

	if (tw_vec_reserve_((void **)at, max, *n_at + n, sizeof(**at)) < 0)
		return NULL;
	start = *at + *n_at;
	memset(start, 0, n * sizeof(*start));
	*n_at += n;
	return start;
}

static int new_class(struct sweep *s, uint32_t *ret)
{
	struct tw_dimension *d = s->dimension;
	uint32_t number = (uint32_t)d->n_classes;
	uint64_t *known, *vector;

	if (d->vectors.n + s->entry_words > s->max_words)
		return -E2BIG;
	known = add_words(&s->known.at, &s->known.n, &s->known.max, s->set_words);
	vector = add_words(&d->vectors.at, &d->vectors.n, &d->vectors.max, s->entry_words);
	if (!known || !vector)
		return -ENOMEM;
	memcpy(known, s->now, s->set_words * sizeof(*known));
	for (size_t word = 0; word < s->set_words; word++) {
		for (uint64_t bits = s->now[word]; bits; bits &= bits - 1) {
			size_t set = word * 64 + (size_t)__builtin_ctzll(bits);

			for (uint32_t m = s->first_entry[set]; m < s->first_entry[set + 1]; m++)
				vector[s->members[m] / 64] |= (uint64_t)1 << (s->members[m] % 64);
		}
	}
	d->n_classes++;
	*ret = number;
	return tw_index_add(&s->index, s->hash, number);
}

/* An interval with the sets in `now` begins at `key`. */
static int interval(struct sweep *s, tw_u128 key)
{
	struct tw_dimension *d = s->dimension;
	uint32_t class = tw_index_find(&s->index, s->hash, same_class, s, s->now);
	int err;

	if (class == TW_INDEX_NONE) {
		err = new_class(s, &class);
		if (err)
			return err;
	}
	if (d->keys.n && d->classes.at[d->classes.n - 1] == class)
		return 0;
	if (d->keys.n == TW_IMAGE_KEYS_MAX)
		return -E2BIG;
	err = tw_vec_push(&d->keys, key);
	return err ? err : tw_vec_push(&d->classes, class);
}

/* Numbers the distinct sets, lists the entries of each, and the bounds of all. */
static int prepare(struct sweep *s, const struct tw_set *const *sets, size_t n, size_t n_ids)
{
	tw_autofree uint32_t *local = tw_alloc_array(n_ids, sizeof(*local)); /* 0: none, else + 1 */
	tw_autofree uint32_t *cursor = NULL;
	int err = local ? 0 : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++) {
		const struct tw_set *set = sets[i];

		if (local[set->id])
			continue;
		local[set->id] = (uint32_t)++s->n_sets;
		if (s->bounds.n + 2 * set->r.n > BOUNDS_MAX)
			return -E2BIG;
		for (size_t k = 0; k < set->r.n && !err; k++) {
			struct bound bound = {
				.key = set->r.at[k].lo, .set = (uint32_t)s->n_sets - 1};

			err = tw_vec_push(&s->bounds, bound);
			bound.key = set->r.at[k].hi + 1;
			if (!err && set->r.at[k].hi != TW_U128_MAX)
				err = tw_vec_push(&s->bounds, bound);
		}
	}
	s->set_words = (s->n_sets + 63) / 64;
	s->now = tw_alloc_array(s->set_words, sizeof(*s->now));
	s->first_entry = tw_alloc_array(s->n_sets + 1, sizeof(*s->first_entry));
	s->members = tw_alloc_array(n, sizeof(*s->members));
	cursor = tw_alloc_array(s->n_sets + 1, sizeof(*cursor));
	if (err || !s->now || !s->first_entry || !s->members || !cursor)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		s->first_entry[local[sets[i]->id]]++;
	for (size_t set = 1; set <= s->n_sets; set++)
		s->first_entry[set] += s->first_entry[set - 1];
	memcpy(cursor, s->first_entry, s->n_sets * sizeof(*cursor));
	for (size_t i = 0; i < n; i++)
		s->members[cursor[local[sets[i]->id] - 1]++] = (uint32_t)i;
	if (s->bounds.n)
		qsort(s->bounds.at, s->bounds.n, sizeof(*s->bounds.at), compare_bounds);
	return 0;
}

int tw_dimension_build(struct tw_dimension *dimension, const struct tw_set *const *sets, size_t n,
	size_t n_ids, size_t n_words, size_t max_words)
{
	struct sweep s = {.dimension = dimension, .entry_words = n_words, .max_words = max_words};
	int err = prepare(&s, sets, n, n_ids);
	size_t at = 0;

	/* The first interval begins at 0 whether a set does or not. */
	for (tw_u128 key = 0; !err; key = s.bounds.at[at].key) {
		for (; at < s.bounds.n && s.bounds.at[at].key == key; at++)
			toggle(&s, s.bounds.at[at].set);
		err = interval(&s, key);
		if (at == s.bounds.n)
			break;
	}
	free(s.now);
	free(s.first_entry);
	free(s.members);
	tw_index_done(&s.index);
	tw_vec_done(&s.known);
	tw_vec_done(&s.bounds);
	return err;
}

void tw_dimension_done(struct tw_dimension *dimension)
{
	tw_vec_done(&dimension->keys);
	tw_vec_done(&dimension->classes);
	tw_vec_done(&dimension->vectors);
}
