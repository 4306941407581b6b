/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* engine.h: the two engines that build a view of an image from ordered rules.
 *
 * In:         entries in order of match, each a product of one set per dimension.
 * Out:        tables appended to the words, and the view that points to them. After -E2BIG, words
 *             may have been added; the caller removes them.
 */
#pragma once

#include "policy/ends.h"
#include "policy/model.h"
#include "policy/partition.h"
#include "policy/tree.h"

struct tw_entry {
	const struct tw_set *set[TW_DIM__MAX]; /* LOCAL: NULL if the view has one local class */
	const struct tw_end
		*remote; /* set[REMOTE] is the plain part of this end; NULL: no groups */
	uint32_t decision;
};

struct tw_entries {
	struct tw_entry *at;
	size_t n;
	size_t max;
};

/* Size and engine of a view, for `check --stats`. */
struct tw_view_facts {
	uint32_t classes[TW_DIM__MAX];
	uint32_t services; /* number of service classes; 0 with vectors */
	uint32_t rows;	   /* number of distinct rows */
	uint32_t groups;   /* number of groups in the table of members */
};

/* One dimension: the distinct set of each entry, and the classes of these sets. */
struct tw_dimension {
	TW_VEC(const struct tw_set *) sets; /* distinct sets */
	TW_VEC(uint32_t) of_entry;	    /* index in `sets` */
	struct tw_partition partition;
};

#define TW_DIMENSION_BOUNDS_MAX	 ((size_t)4 * 1024 * 1024)
#define TW_DIMENSION_MEMBERS_MAX ((size_t)32 * 1024 * 1024)

/* `n_ids` is above all ids of the entries' sets. Returns 0, -E2BIG or -ENOMEM. */
int tw_dimension_make(struct tw_dimension *d, const struct tw_entries *entries,
	enum tw_image_dim dim, uint32_t family, size_t n_ids);
void tw_dimension_done(struct tw_dimension *d);
/* Adds the tree that maps numbers of the dimension to values by class. */
int tw_dimension_add_tree(struct tw_words *words, const struct tw_dimension *d,
	enum tw_image_dim dim, uint32_t family, const uint32_t *values, uint32_t *ret_branch);

/* Input of an engine. */
struct tw_engine_input {
	const struct tw_entries *entries;
	uint32_t family;
	uint32_t fallback; /* decision if no entry matches */
	size_t n_ids;	   /* number above all ids of sets and ends */
	size_t words_max;  /* limit of words for rows and blocks */
};

int tw_cells_build(struct tw_words *words, const struct tw_engine_input *in,
	struct tw_image_view *ret, struct tw_view_facts *facts);
int tw_vectors_build(struct tw_words *words, const struct tw_engine_input *in,
	struct tw_image_view *ret, struct tw_view_facts *facts);
