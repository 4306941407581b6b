/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/engine.h"

static int number_sets(struct tw_dimension *d, const struct tw_entries *entries,
	enum tw_image_dim dim, size_t n_ids)
{
	tw_autofree uint32_t *number = tw_alloc_array(
		n_ids, sizeof(*number)); /* set number plus 1; 0: none */
	int err = number ? 0 : -ENOMEM;

	for (size_t i = 0; i < entries->n && !err; i++) {
		const struct tw_entry *entry = &entries->at[i];
		const struct tw_set *set = entry->set[dim];
		uint32_t id = dim == TW_DIM_REMOTE && entry->remote ? entry->remote->id : set->id;

		if (!number[id]) {
			err = tw_vec_push(&d->sets, set);
			number[id] = (uint32_t)d->sets.n;
		}
		if (!err)
			err = tw_vec_push(&d->of_entry, number[id] - 1);
	}
	return err;
}

int tw_dimension_make(struct tw_dimension *d, const struct tw_entries *entries,
	enum tw_image_dim dim, uint32_t family, size_t n_ids)
{
	const struct tw_partition_limits limits = {
		.bounds = TW_DIMENSION_BOUNDS_MAX, .members = TW_DIMENSION_MEMBERS_MAX};
	bool address = dim == TW_DIM_REMOTE || dim == TW_DIM_LOCAL;
	tw_u128 lo = address && family == TW_FAMILY_V4 ? TW_V4_FIRST : 0;
	tw_u128 hi = !address ? UINT32_MAX : family == TW_FAMILY_V4 ? TW_V4_LAST : TW_U128_MAX;
	int err = number_sets(d, entries, dim, n_ids);

	return err ? err : tw_partition_make(&d->partition, d->sets.at, d->sets.n, lo, hi, &limits);
}

void tw_dimension_done(struct tw_dimension *d)
{
	tw_vec_done(&d->sets);
	tw_vec_done(&d->of_entry);
	tw_partition_done(&d->partition);
}

int tw_dimension_add_tree(struct tw_words *words, const struct tw_dimension *d,
	enum tw_image_dim dim, uint32_t family, const uint32_t *values, uint32_t *ret_branch)
{
	const struct tw_partition *partition = &d->partition;
	tw_autofree uint32_t *by_interval = tw_alloc_array(partition->keys.n, sizeof(*by_interval));
	tw_autofree struct tw_tree_piece *pieces = NULL;
	size_t n = 0;

	if (!by_interval)
		return -ENOMEM;
	for (size_t i = 0; i < partition->keys.n; i++)
		by_interval[i] = values[partition->classes.at[i]];
	if (dim == TW_DIM_REMOTE || dim == TW_DIM_LOCAL)
		return tw_tree_add_addrs(words, partition->keys.at, by_interval, partition->keys.n,
			family, ret_branch);
	pieces = tw_alloc_array(partition->keys.n, sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	for (size_t i = 0; i < partition->keys.n; i++) {
		uint32_t to = TW_IMAGE_LEAF | by_interval[i];

		if (!n || pieces[n - 1].to != to)
			pieces[n++] = (struct tw_tree_piece){(uint64_t)partition->keys.at[i], to};
	}
	return tw_tree_add(words, pieces, n, 0, ret_branch);
}
