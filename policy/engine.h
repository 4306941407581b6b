/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* engine.h: the two ways of making a view of an image from rules in their order.
 *
 * In:         entries in order of match: products of sets in each dimension.
 * Out:        tables appended to the words, and the view that points at them. With -E2BIG words may
 *             have been added; the caller cuts them off.
 */
#pragma once

#include "policy/ends.h"
#include "policy/model.h"
#include "policy/partition.h"
#include "policy/tree.h"

struct tw_entry {
	const struct tw_set *set[TW_DIM__MAX]; /* LOCAL: NULL where the view has one local class */
	const struct tw_end *remote; /* set[REMOTE] is its plain part; NULL: that is all there is */
	uint32_t decision;
};

struct tw_entries {
	struct tw_entry *at;
	size_t n;
	size_t max;
};

/* What a view came to, for those who ask how large it is. */
struct tw_view_facts {
	uint32_t classes[TW_DIM__MAX];
	uint32_t services; /* service classes; 0 with vectors */
	uint32_t rows;	   /* distinct ones */
	uint32_t groups;   /* that members are told of apart */
};

/* One dimension: which distinct set each entry has, and the classes they make. */
struct tw_dimension {
	TW_VEC(const struct tw_set *) sets; /* distinct */
	TW_VEC(uint32_t) of_entry;	    /* number among these */
	struct tw_partition partition;
};

#define TW_DIMENSION_BOUNDS_MAX	 ((size_t)4 * 1024 * 1024)
#define TW_DIMENSION_MEMBERS_MAX ((size_t)32 * 1024 * 1024)

/* Numbers below the first id of entries' sets are all used as such. 0; -E2BIG; -ENOMEM. */
int tw_dimension_make(struct tw_dimension *d, const struct tw_entries *entries,
	enum tw_image_dim dim, uint32_t family, size_t n_ids);
void tw_dimension_done(struct tw_dimension *d);
/* Adds the tree from numbers of the dimension to values by class. */
int tw_dimension_add_tree(struct tw_words *words, const struct tw_dimension *d,
	enum tw_image_dim dim, uint32_t family, const uint32_t *values, uint32_t *ret_branch);

/* What an engine is given. */
struct tw_engine_input {
	const struct tw_entries *entries;
	uint32_t family;
	uint32_t fallback; /* decision where none matches */
	size_t n_ids;	   /* above all ids of sets and of ends */
	size_t words_max;  /* for rows and blocks */
};

int tw_cells_build(struct tw_words *words, const struct tw_engine_input *in,
	struct tw_image_view *ret, struct tw_view_facts *facts);
int tw_vectors_build(struct tw_words *words, const struct tw_engine_input *in,
	struct tw_image_view *ret, struct tw_view_facts *facts);
