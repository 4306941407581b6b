/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/near.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cleanup.h"

/* Port keys. */
struct keys {
	uint32_t lo, hi;
};

/* A range of addresses: its ends are numbers of lower bounds, so that two ranges meet if their
 * addresses do. */
struct extent {
	uint32_t lo, hi;
};

/* Bounds of a rule's sets, for a quick test. */
struct tw_near_hull {
	uint32_t number;
	struct keys keys;
	struct extent from, to;
};

/* Rules are listed by their blocks of keys, and in each by their blocks of addresses at one end: the
 * end that distinguishes more. A rule with too many blocks of addresses is listed by keys alone. A
 * rule with too many blocks of keys is in the list BROAD. Different blocks of keys may share lists. */
#define KEY_SHIFT	8
#define KEY_LISTS	4096
#define KEY_BLOCKS_MAX	16
#define ADDR_BLOCKS	64
#define ADDR_BLOCKS_MAX 8
#define N_LISTS		(KEY_LISTS * (ADDR_BLOCKS + 1) + 1)
#define BROAD		(N_LISTS - 1)

/* A range of blocks, or none if n is 0. */
struct blocks {
	uint32_t first, n;
};

static int compare_bounds(const void *a, const void *b)
{
	tw_u128 x = *(const tw_u128 *)a, y = *(const tw_u128 *)b;

	return (x > y) - (x < y);
}

/* Returns the number of bounds that are at most `key`. */
static uint32_t count_bounds(const tw_u128 *bounds, size_t n, tw_u128 key)
{
	size_t lo = 0, hi = n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (bounds[mid] <= key)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

static const struct tw_ranges *end_of(const struct tw_rule *rule, bool to)
{
	return &tw_rule_reach(rule, to ? TW_DIR_IN : TW_DIR_OUT)->r;
}

/* Sets one end's extent in every hull, empty if the rule has no address there. Adds the widths of all
 * extents to *ret_width, and sets *ret_n to the number of bounds. */
static int measure(struct tw_near *near, bool to, uint64_t *ret_width, uint32_t *ret_n)
{
	const struct tw_rule *rules = near->policy->rules.at;
	size_t n_rules = near->policy->rules.n, n = 0;
	tw_autofree tw_u128 *bounds = tw_alloc_array(n_rules, sizeof(*bounds));

	if (!bounds)
		return -ENOMEM;
	for (size_t i = 0; i < n_rules; i++)
		if (end_of(&rules[i], to)->n)
			bounds[n++] = end_of(&rules[i], to)->at[0].lo;
	if (n)
		qsort(bounds, n, sizeof(*bounds), compare_bounds);
	for (size_t i = 0; i < n_rules; i++) {
		const struct tw_ranges *r = end_of(&rules[i], to);
		struct extent extent = {.lo = UINT32_MAX};

		if (r->n) {
			extent.lo = count_bounds(bounds, n, r->at[0].lo);
			extent.hi = count_bounds(bounds, n, r->at[r->n - 1].hi);
		}
		*(to ? &near->hulls[i].to : &near->hulls[i].from) = extent;
		*ret_width += extent.hi > extent.lo ? extent.hi - extent.lo : 0;
	}
	*ret_n = (uint32_t)n;
	return 0;
}

static struct keys keys_of(const struct tw_rule *rule)
{
	struct keys bounds = {.lo = UINT32_MAX};

	for (size_t i = 0; i < rule->cells->n; i++) {
		const struct tw_ranges *keys = &rule->cells->at[i].keys->r;
		tw_u128 hi = keys->at[keys->n - 1].hi;

		if ((uint32_t)keys->at[0].lo < bounds.lo)
			bounds.lo = (uint32_t)keys->at[0].lo;
		if (hi > bounds.hi)
			bounds.hi = hi > UINT32_MAX ? UINT32_MAX : (uint32_t)hi;
	}
	return bounds;
}

static void make_hulls(struct tw_near *near)
{
	for (size_t i = 0; i < near->policy->rules.n; i++) {
		const struct tw_rule *rule = &near->policy->rules.at[i];

		near->hulls[i] = (struct tw_near_hull){
			.number = (uint32_t)i,
			.keys = keys_of(rule),
		};
	}
}

static int measure_ends(struct tw_near *near)
{
	uint64_t from = 0, to = 0;
	uint32_t n_from = 0, n_to = 0;
	int err = measure(near, false, &from, &n_from);

	if (!err)
		err = measure(near, true, &to, &n_to);
	near->by_to = to < from;
	near->n_bounds = near->by_to ? n_to : n_from;
	return err;
}

static bool hulls_meet(const struct tw_near_hull *a, const struct tw_near_hull *b)
{
	return a->keys.lo <= b->keys.hi && b->keys.lo <= a->keys.hi && a->from.lo <= b->from.hi &&
	       b->from.lo <= a->from.hi && a->to.lo <= b->to.hi && b->to.lo <= a->to.hi;
}

static struct blocks key_blocks(const struct tw_near_hull *hull)
{
	if (hull->keys.lo > hull->keys.hi)
		return (struct blocks){0};
	return (struct blocks){.first = hull->keys.lo >> KEY_SHIFT,
		.n = (hull->keys.hi >> KEY_SHIFT) - (hull->keys.lo >> KEY_SHIFT) + 1};
}

static bool is_broad(const struct tw_near_hull *hull)
{
	return key_blocks(hull).n > KEY_BLOCKS_MAX;
}

static uint32_t addr_block(const struct tw_near *near, uint32_t bound)
{
	return (uint32_t)((uint64_t)bound * ADDR_BLOCKS / (near->n_bounds + 1));
}

/* Returns the blocks of addresses of a hull. If they are too many, it is the extra block after them. */
static struct blocks addr_blocks(const struct tw_near *near, const struct tw_near_hull *hull)
{
	const struct extent *extent = near->by_to ? &hull->to : &hull->from;
	struct blocks blocks = {0};

	if (extent->lo > extent->hi)
		return blocks;
	blocks.first = addr_block(near, extent->lo);
	blocks.n = addr_block(near, extent->hi) - blocks.first + 1;
	if (blocks.n > ADDR_BLOCKS_MAX)
		blocks = (struct blocks){.first = ADDR_BLOCKS, .n = 1};
	return blocks;
}

static uint32_t list_of(uint32_t key_block, uint32_t addr_block)
{
	return key_block % KEY_LISTS * (ADDR_BLOCKS + 1) + addr_block;
}

/* Calls `each` for every list that a hull belongs to. */
static void each_list(struct tw_near *near, const struct tw_near_hull *hull,
	void (*each)(struct tw_near *near, const struct tw_near_hull *hull, uint32_t list))
{
	struct blocks keys = key_blocks(hull), addrs = addr_blocks(near, hull);

	if (is_broad(hull)) {
		each(near, hull, BROAD);
		return;
	}
	for (uint32_t k = 0; k < keys.n; k++)
		for (uint32_t a = 0; a < addrs.n; a++)
			each(near, hull, list_of(keys.first + k, addrs.first + a));
}

/* Counts a list's hulls two places above it. After summing up, the place above a list has its start.
 * Filling the list moves that to its end, which is the start of the next list. */
static void count_hull(struct tw_near *near, const struct tw_near_hull *hull, uint32_t list)
{
	(void)hull;
	near->first[list + 2]++;
}

static void put_hull(struct tw_near *near, const struct tw_near_hull *hull, uint32_t list)
{
	near->listed[near->first[list + 1]++] = *hull;
}

static int list_hulls(struct tw_near *near)
{
	size_t n = near->policy->rules.n;

	near->first = tw_alloc_array(N_LISTS + 2, sizeof(*near->first));
	if (!near->first)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		each_list(near, &near->hulls[i], count_hull);
	for (size_t i = 2; i < N_LISTS + 2; i++)
		near->first[i] += near->first[i - 1];
	near->listed = tw_alloc_array(near->first[N_LISTS + 1], sizeof(*near->listed));
	if (!near->listed)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		each_list(near, &near->hulls[i], put_hull);
	return 0;
}

int tw_near_init(struct tw_near *near, const struct tw_policy *policy)
{
	int err;

	near->policy = policy;
	near->hulls = tw_alloc_array(policy->rules.n, sizeof(*near->hulls));
	if (!near->hulls)
		return -ENOMEM;
	make_hulls(near);
	err = measure_ends(near);
	return err ? err : list_hulls(near);
}

void tw_near_done(struct tw_near *near)
{
	tw_vec_done(&near->found);
	free(near->hulls);
	free(near->listed);
	free(near->first);
}

static int note_rule(
	struct tw_near *near, const struct tw_near_hull *earlier, const struct tw_near_hull *mine)
{
	near->pairs++;
	return hulls_meet(earlier, mine) ? tw_vec_push(&near->found, earlier->number) : 0;
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Sorts the near rules, and removes duplicates, which have keys in several blocks. */
static void sort_found(struct tw_near *near)
{
	size_t n = 0;

	if (!near->found.n)
		return;
	qsort(near->found.at, near->found.n, sizeof(*near->found.at), compare_numbers);
	for (size_t i = 0; i < near->found.n; i++)
		if (!n || near->found.at[n - 1] != near->found.at[i])
			near->found.at[n++] = near->found.at[i];
	near->found.n = n;
}

static int find_in(struct tw_near *near, uint32_t list, const struct tw_near_hull *mine)
{
	int err = 0;

	for (uint32_t i = near->first[list]; i < near->first[list + 1] && !err; i++) {
		if (near->listed[i].number >= mine->number)
			break;
		err = note_rule(near, &near->listed[i], mine);
	}
	return err;
}

/* Looks at the lists of one block of keys. */
static int find_by_key(struct tw_near *near, uint32_t key_block, const struct tw_near_hull *mine)
{
	struct blocks addrs = addr_blocks(near, mine);
	int err = 0;

	if (addrs.n && addrs.first == ADDR_BLOCKS)
		addrs = (struct blocks){.n = ADDR_BLOCKS};
	for (uint32_t a = 0; a < addrs.n && !err; a++)
		err = find_in(near, list_of(key_block, addrs.first + a), mine);
	return err ? err : find_in(near, list_of(key_block, ADDR_BLOCKS), mine);
}

int tw_near_find(struct tw_near *near, uint32_t number)
{
	const struct tw_near_hull *mine = &near->hulls[number];
	struct blocks keys = key_blocks(mine);
	int err = 0;

	near->found.n = 0;
	if (is_broad(mine)) {
		for (uint32_t i = 0; i < number && !err; i++)
			err = note_rule(near, &near->hulls[i], mine);
		return err;
	}
	for (uint32_t k = 0; k < keys.n && !err; k++)
		err = find_by_key(near, keys.first + k, mine);
	if (!err)
		err = find_in(near, BROAD, mine);
	sort_found(near);
	return err;
}
