/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* vectors.c: the vector engine: for each class of each dimension, a bit for each entry that
 * contains it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "policy/engine.h"
#include "policy/rows.h"

#define BASE_WRITES 64 /* a set of more entries becomes part of the rows' base */

struct vectors {
	const struct tw_engine_input *in;
	struct tw_dimension dim;
	uint32_t *first; /* entries of set s: entries[first[s] … first[s + 1]) */
	uint32_t *entries;
	bool *is_base;
	struct tw_rows rows;
	uint32_t *row_of; /* row of each class */
};

static void vectors_done(struct vectors *v)
{
	tw_dimension_done(&v->dim);
	tw_rows_done(&v->rows);
	free(v->first);
	free(v->entries);
	free(v->is_base);
	free(v->row_of);
}

static int list_entries(struct vectors *v)
{
	size_t n = v->in->entries->n, n_sets = v->dim.sets.n;

	v->first = tw_alloc_array(n_sets + 2, sizeof(*v->first));
	v->entries = tw_alloc_array(n, sizeof(*v->entries));
	v->is_base = tw_alloc_array(n_sets, sizeof(*v->is_base));
	v->row_of = tw_alloc_array(v->dim.partition.n_classes, sizeof(*v->row_of));
	if (!v->first || !v->entries || !v->is_base || !v->row_of)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		v->first[v->dim.of_entry.at[i] + 2]++;
	for (size_t s = 0; s < n_sets; s++) {
		v->is_base[s] = v->first[s + 2] > BASE_WRITES;
		v->first[s + 2] += v->first[s + 1];
	}
	for (size_t i = 0; i < n; i++)
		v->entries[v->first[v->dim.of_entry.at[i] + 1]++] = (uint32_t)i;
	return 0;
}

static void write_member(struct tw_rows *rows, uint32_t member, bool touch)
{
	const struct vectors *v = rows->arg;

	for (uint32_t i = v->first[member]; i < v->first[member + 1]; i++)
		*tw_rows_word(rows, v->entries[i] / 32, touch) |= 1u << v->entries[i] % 32;
}

static int add_dimension(struct tw_words *words, const struct tw_engine_input *in,
	enum tw_image_dim dim, struct tw_image_view *view, struct tw_view_facts *facts)
{
	size_t n_groups = (in->entries->n + TW_IMAGE_GROUP - 1) / TW_IMAGE_GROUP;
	struct vectors v = {.in = in};
	int err = tw_dimension_make(&v.dim, in->entries, dim, in->family, in->n_ids);

	if (!err)
		err = list_entries(&v);
	v.rows = (struct tw_rows){.arg = &v,
		.write = write_member,
		.is_base = v.is_base,
		.n_words = n_groups * TW_ROW_BLOCK,
		.words_max = in->words_max};
	if (!err)
		err = tw_rows_init(&v.rows);
	if (!err)
		err = tw_rows_make(&v.rows, &v.dim.partition, v.row_of);
	if (!err)
		err = tw_dimension_add_tree(
			words, &v.dim, dim, in->family, v.row_of, &view->branch[dim]);
	if (!err)
		err = tw_rows_add(&v.rows, words, &view->vectors.rows[dim]);
	facts->classes[dim] = (uint32_t)v.dim.partition.n_classes;
	facts->rows += (uint32_t)v.rows.n_rows;
	vectors_done(&v);
	return err;
}

int tw_vectors_build(struct tw_words *words, const struct tw_engine_input *in,
	struct tw_image_view *ret, struct tw_view_facts *facts)
{
	struct tw_image_view view = {
		.engine = TW_ENGINE_VECTORS, .n_entries = (uint32_t)in->entries->n};
	int err = in->entries->n > TW_IMAGE_ENTRIES_MAX ? -E2BIG : 0;

	*facts = (struct tw_view_facts){0};
	for (enum tw_image_dim dim = 0; dim < TW_DIM__MAX && !err; dim++)
		err = add_dimension(words, in, dim, &view, facts);
	if (!err)
		err = tw_words_add(words, in->entries->n, 1, &view.vectors.entries);
	for (size_t i = 0; i < in->entries->n && !err; i++)
		words->v.at[view.vectors.entries + i] = in->entries->at[i].decision;
	if (!err)
		*ret = view;
	return err;
}
