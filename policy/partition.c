/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/partition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* The number at which a set begins, or the one after its end. */
struct bound {
	tw_u128 key;
	uint32_t set;
};

struct cutter {
	struct tw_partition *partition;
	const struct tw_partition_limits *limits;
	TW_VEC(struct bound) bounds;
	TW_VEC(uint32_t) active; /* sets that contain the current number */
	uint32_t *place;	 /* index of a set in `active` plus 1; 0: not in it */
	uint64_t (*mark)[2];	 /* a random number for each set */
	uint64_t hash[2];	 /* sum of the marks of `active` */
	TW_VEC(uint64_t) known;	 /* second half of the hash of each class */
	struct tw_index index;	 /* index of classes by the first half */
};

static int compare_bounds(const void *a, const void *b)
{
	const struct bound *x = a, *y = b;

	return (x->key > y->key) - (x->key < y->key);
}

#define RADIX_MIN 64 /* number of bounds from which a radix sort is faster */

static size_t digit(const struct bound *bound, unsigned int place)
{
	uint64_t half = (uint64_t)(place < 8 ? bound->key : bound->key >> 64);

	return half >> 8 * (place % 8) & 255;
}

/* One pass of a stable radix sort, by the byte at `place`. */
static void sort_by_digit(const struct bound *from, size_t n, unsigned int place, struct bound *ret)
{
	size_t next[256] = {0}, sum = 0;

	for (size_t i = 0; i < n; i++)
		next[digit(&from[i], place)]++;
	for (size_t d = 0; d < 256; d++) {
		size_t count = next[d];

		next[d] = sum;
		sum += count;
	}
	for (size_t i = 0; i < n; i++)
		ret[next[digit(&from[i], place)]++] = from[i];
}

/* Sorts bounds by their keys, most of whose bytes are usually equal. */
static int sort_bounds(struct cutter *s)
{
	size_t n = s->bounds.n;
	struct bound differ = {0}, *spare;

	if (n < RADIX_MIN) {
		if (n)
			qsort(s->bounds.at, n, sizeof(*s->bounds.at), compare_bounds);
		return 0;
	}
	spare = tw_alloc_array(n, sizeof(*spare));
	if (!spare)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++)
		differ.key |= s->bounds.at[i].key ^ s->bounds.at[0].key;
	for (unsigned int place = 0; place < sizeof(tw_u128); place++) {
		struct bound *sorted = spare;

		if (!digit(&differ, place))
			continue;
		sort_by_digit(s->bounds.at, n, place, sorted);
		spare = s->bounds.at;
		s->bounds.at = sorted;
		s->bounds.max = n;
	}
	free(spare);
	return 0;
}

static int add_bounds(
	struct cutter *s, const struct tw_set *set, uint32_t number, tw_u128 lo, tw_u128 hi)
{
	int err = 0;

	for (size_t i = 0; i < set->r.n && !err; i++) {
		const struct tw_range *range = &set->r.at[i];
		struct bound bound = {.key = range->lo < lo ? lo : range->lo, .set = number};

		if (range->hi < lo || range->lo > hi)
			continue;
		err = tw_vec_push(&s->bounds, bound);
		bound.key = range->hi + 1;
		if (!err && range->hi < hi)
			err = tw_vec_push(&s->bounds, bound);
		if (s->bounds.n > s->limits->bounds)
			return -E2BIG;
	}
	return err;
}

/* Allocates the bounds of all sets, up to the limit. */
static int reserve_bounds(struct cutter *s, const struct tw_set *const *sets, size_t n)
{
	size_t sum = 0;

	for (size_t i = 0; i < n && sum < s->limits->bounds; i++)
		sum += 2 * sets[i]->r.n;
	if (sum > s->limits->bounds)
		sum = s->limits->bounds;
	return tw_vec_reserve_(
		(void **)&s->bounds.at, &s->bounds.max, sum + 2, sizeof(*s->bounds.at));
}

static int toggle(struct cutter *s, uint32_t set)
{
	uint32_t last;

	s->hash[0] ^= s->mark[set][0];
	s->hash[1] ^= s->mark[set][1];
	if (!s->place[set]) {
		s->place[set] = (uint32_t)s->active.n + 1;
		return tw_vec_push(&s->active, set);
	}
	last = s->active.at[--s->active.n];
	s->active.at[s->place[set] - 1] = last;
	s->place[last] = s->place[set];
	s->place[set] = 0;
	return 0;
}

static bool same_class(const void *owner, uint32_t value, const void *key)
{
	return ((const struct cutter *)owner)->known.at[value] == *(const uint64_t *)key;
}

static int new_class(struct cutter *s, tw_u128 key, uint32_t *ret)
{
	struct tw_partition *w = s->partition;
	int err = tw_vec_push(&s->known, s->hash[1]);

	if (!err)
		err = tw_vec_push(&w->sample, key);
	if (s->limits->members) {
		if (w->members.n + s->active.n > s->limits->members)
			return -E2BIG;
		for (size_t i = 0; i < s->active.n && !err; i++)
			err = tw_vec_push(&w->members, s->active.at[i]);
		if (!err)
			err = tw_vec_push(&w->first, (uint32_t)w->members.n);
	}
	*ret = (uint32_t)w->n_classes++;
	return err ? err : tw_index_add(&s->index, s->hash[0], *ret);
}

static int interval(struct cutter *s, tw_u128 key)
{
	struct tw_partition *w = s->partition;
	uint32_t class = tw_index_find(&s->index, s->hash[0], same_class, s, &s->hash[1]);
	int err = 0;

	if (class == TW_INDEX_NONE)
		err = new_class(s, key, &class);
	if (err || (w->keys.n && w->classes.at[w->classes.n - 1] == class))
		return err;
	err = tw_vec_push(&w->keys, key);
	return err ? err : tw_vec_push(&w->classes, class);
}

int tw_partition_make(struct tw_partition *partition, const struct tw_set *const *sets, size_t n,
	tw_u128 lo, tw_u128 hi, const struct tw_partition_limits *limits)
{
	struct cutter s = {.partition = partition, .limits = limits};
	int err = tw_vec_push(&partition->first, 0);
	size_t at = 0;

	s.place = tw_alloc_array(n, sizeof(*s.place));
	s.mark = tw_alloc_array(n, sizeof(*s.mark));
	if (!s.place || !s.mark)
		err = -ENOMEM;
	for (uint32_t i = 0; i < n && !err; i++)
		for (uint64_t half = 0; half < 2; half++)
			s.mark[i][half] = tw_table_hash(&i, sizeof(i), half + 1);
	if (!err)
		err = reserve_bounds(&s, sets, n);
	for (size_t i = 0; i < n && !err; i++)
		err = add_bounds(&s, sets[i], (uint32_t)i, lo, hi);
	if (!err)
		err = sort_bounds(&s);
	/* The first interval begins at `lo`, even if no set does. */
	for (tw_u128 key = lo; !err; key = s.bounds.at[at].key) {
		for (; at < s.bounds.n && s.bounds.at[at].key == key && !err; at++)
			err = toggle(&s, s.bounds.at[at].set);
		if (!err)
			err = interval(&s, key);
		if (at == s.bounds.n)
			break;
	}
	free(s.place);
	free(s.mark);
	tw_vec_done(&s.bounds);
	tw_vec_done(&s.active);
	tw_vec_done(&s.known);
	tw_index_done(&s.index);
	return err;
}

void tw_partition_done(struct tw_partition *partition)
{
	tw_vec_done(&partition->keys);
	tw_vec_done(&partition->classes);
	tw_vec_done(&partition->sample);
	tw_vec_done(&partition->first);
	tw_vec_done(&partition->members);
}

size_t tw_partition_find(const struct tw_partition *partition, tw_u128 number)
{
	size_t low = 0, high = partition->keys.n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (partition->keys.at[middle] <= number)
			low = middle;
		else
			high = middle;
	}
	return low;
}
