/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/set.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

tw_u128 tw_set_number(const struct tw_addr *addr)
{
	return (tw_u128)be64toh(addr->d[0]) << 64 | be64toh(addr->d[1]);
}

struct tw_addr tw_set_addr(tw_u128 number)
{
	return (struct tw_addr){
		.d = {htobe64((uint64_t)(number >> 64)), htobe64((uint64_t)number)}};
}

int tw_ranges_add(struct tw_ranges *ranges, tw_u128 lo, tw_u128 hi)
{
	struct tw_range range = {.lo = lo, .hi = hi};

	return tw_vec_push(ranges, range);
}

int tw_ranges_add_all(struct tw_ranges *ranges, const struct tw_ranges *more)
{
	for (size_t i = 0; i < more->n; i++) {
		int err = tw_vec_push(ranges, more->at[i]);

		if (err)
			return err;
	}
	return 0;
}

static int compare_lo(const void *a, const void *b)
{
	const struct tw_range *left = a, *right = b;

	return (left->lo > right->lo) - (left->lo < right->lo);
}

static bool is_normal(const struct tw_ranges *ranges)
{
	for (size_t i = 1; i < ranges->n; i++)
		if (ranges->at[i].lo <= ranges->at[i - 1].hi ||
			ranges->at[i].lo - ranges->at[i - 1].hi == 1)
			return false;
	return true;
}

void tw_ranges_sort(struct tw_ranges *ranges)
{
	struct tw_range *last;
	size_t n = 1;

	if (is_normal(ranges))
		return;
	qsort(ranges->at, ranges->n, sizeof(*ranges->at), compare_lo);
	last = ranges->at;
	for (size_t i = 1; i < ranges->n; i++) {
		const struct tw_range *next = &ranges->at[i];

		if (last->hi == TW_U128_MAX || next->lo <= last->hi + 1) {
			if (next->hi > last->hi)
				last->hi = next->hi;
		} else {
			*++last = *next;
			n++;
		}
	}
	ranges->n = n;
}

int tw_ranges_minus(const struct tw_ranges *a, const struct tw_ranges *b, struct tw_ranges *ret)
{
	size_t j = 0;
	int err = 0;

	ret->n = 0;
	for (size_t i = 0; i < a->n && !err; i++) {
		tw_u128 lo = a->at[i].lo;
		bool left = true;

		while (j < b->n && b->at[j].hi < lo)
			j++;
		for (size_t k = j; left && !err && k < b->n && b->at[k].lo <= a->at[i].hi; k++) {
			if (b->at[k].lo > lo)
				err = tw_ranges_add(ret, lo, b->at[k].lo - 1);
			left = b->at[k].hi < a->at[i].hi;
			lo = b->at[k].hi + 1;
		}
		if (left && !err)
			err = tw_ranges_add(ret, lo, a->at[i].hi);
	}
	return err;
}

int tw_ranges_and(const struct tw_ranges *a, const struct tw_ranges *b, struct tw_ranges *ret)
{
	ret->n = 0;
	for (size_t i = 0, j = 0; i < a->n && j < b->n;) {
		const struct tw_range *x = &a->at[i], *y = &b->at[j];
		tw_u128 lo = x->lo > y->lo ? x->lo : y->lo;
		tw_u128 hi = x->hi < y->hi ? x->hi : y->hi;

		if (lo <= hi && tw_ranges_add(ret, lo, hi) < 0)
			return -ENOMEM;
		if (x->hi < y->hi)
			i++;
		else
			j++;
	}
	return 0;
}

size_t tw_ranges_seek(const struct tw_ranges *ranges, tw_u128 number)
{
	size_t lo = 0, hi = ranges->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (ranges->at[mid].hi < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool tw_ranges_contain(const struct tw_ranges *a, const struct tw_ranges *b)
{
	for (size_t j = 0; j < b->n; j++) {
		size_t i = tw_ranges_seek(a, b->at[j].lo);

		if (i == a->n || a->at[i].lo > b->at[j].lo || a->at[i].hi < b->at[j].hi)
			return false;
	}
	return true;
}

bool tw_ranges_overlap(const struct tw_ranges *a, const struct tw_ranges *b)
{
	const struct tw_ranges *few = a->n < b->n ? a : b, *many = a->n < b->n ? b : a;

	for (size_t j = 0; j < few->n; j++) {
		size_t i = tw_ranges_seek(many, few->at[j].lo);

		if (i < many->n && many->at[i].lo <= few->at[j].hi)
			return true;
	}
	return false;
}

bool tw_ranges_has(const struct tw_ranges *ranges, tw_u128 number)
{
	size_t i = tw_ranges_seek(ranges, number);

	return i < ranges->n && ranges->at[i].lo <= number;
}

int tw_sets_init(struct tw_sets *sets, uint64_t seed, uint32_t first_id)
{
	struct tw_range whole = {.lo = 0, .hi = TW_U128_MAX};
	struct tw_ranges ranges = {.at = &whole, .n = 1};

	*sets = (struct tw_sets){.seed = seed, .first_id = first_id};
	sets->everything = tw_sets_intern(sets, &ranges);
	ranges.n = 0;
	sets->empty = sets->everything ? tw_sets_intern(sets, &ranges) : NULL;
	return sets->empty ? 0 : -ENOMEM;
}

void tw_sets_done(struct tw_sets *sets)
{
	tw_arena_done(&sets->arena);
	tw_vec_done(&sets->all);
	tw_index_done(&sets->index);
}

static bool same_set(const void *owner, uint32_t value, const void *key)
{
	const struct tw_sets *sets = owner;
	const struct tw_ranges *have = &sets->all.at[value]->r, *want = key;

	return have->n == want->n &&
	       (!want->n || !memcmp(have->at, want->at, want->n * sizeof(*want->at)));
}

static uint32_t family_of(const struct tw_ranges *ranges)
{
	struct tw_range v4 = {.lo = TW_V4_FIRST, .hi = TW_V4_LAST};
	struct tw_range v6[] = {
		{.lo = 0, .hi = TW_V4_FIRST - 1}, {.lo = TW_V4_LAST + 1, .hi = TW_U128_MAX}};
	struct tw_ranges only_v4 = {.at = &v4, .n = 1}, only_v6 = {.at = v6, .n = 2};

	return (tw_ranges_overlap(ranges, &only_v4) ? TW_FAMILY_V4 : 0) |
	       (tw_ranges_overlap(ranges, &only_v6) ? TW_FAMILY_V6 : 0);
}

const struct tw_set *tw_sets_intern(struct tw_sets *sets, const struct tw_ranges *ranges)
{
	size_t len = ranges->n * sizeof(*ranges->at);
	uint64_t hash = tw_table_hash(ranges->at, len, sets->seed);
	uint32_t found = tw_index_find(&sets->index, hash, same_set, sets, ranges);
	uint32_t place = (uint32_t)sets->all.n;
	struct tw_set *set;

	if (found != TW_INDEX_NONE)
		return sets->all.at[found];
	set = tw_arena_alloc(&sets->arena, 1, sizeof(*set));
	if (!set)
		return NULL;
	set->r.at = tw_arena_copy(&sets->arena, ranges->at, ranges->n, sizeof(*ranges->at));
	set->r.n = set->r.max = ranges->n;
	set->id = sets->first_id + place;
	set->family = family_of(ranges);
	set->digest[0] = tw_table_hash(ranges->at, len, 1);
	set->digest[1] = tw_table_hash(ranges->at, len, 2);
	if (!set->r.at || tw_vec_push(&sets->all, set) < 0)
		return NULL;
	if (tw_index_add(&sets->index, hash, place) < 0) {
		sets->all.n--;
		return NULL;
	}
	sets->n_ranges += ranges->n;
	return set;
}
