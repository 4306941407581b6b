/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table.h: finds items by content: a hash index of numbers, and a table of names built on it.
 *
 * Invariants: 1. The seed depends on the whole policy text, so that an attacker cannot prepare
 *                colliding names.
 *             2. Lookups write nothing: any number of threads may look up in a finished table.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/vec.h"

#define TW_INDEX_NONE UINT32_MAX

uint64_t tw_table_hash(const void *data, size_t len, uint64_t seed);

struct tw_index_slot {
	uint64_t hash;
	uint32_t value; /* TW_INDEX_NONE: free */
};

struct tw_index {
	struct tw_index_slot *slots;
	size_t n_slots; /* 0 or a power of two */
	size_t n;
};

/* True if item number `value` of `owner` is the one that `key` describes. */
typedef bool tw_index_same_fn(const void *owner, uint32_t value, const void *key);

void tw_index_done(struct tw_index *index);
int tw_index_add(struct tw_index *index, uint64_t hash, uint32_t value); /* returns 0 or -ENOMEM */
uint32_t tw_index_find(const struct tw_index *index, uint64_t hash, tw_index_same_fn *same,
	const void *owner, const void *key);

struct tw_name {
	const char *text; /* not owned; must outlive the table */
	unsigned int line;
	uint32_t kind;	/* chosen by the table's user */
	uint32_t index; /* chosen by the table's user */
};

struct tw_names {
	TW_VEC(struct tw_name) all; /* in order of insertion */
	struct tw_index index;
	uint64_t seed;
};

void tw_names_done(struct tw_names *names);
int tw_names_add(struct tw_names *names, struct tw_name name); /* returns 0 or -ENOMEM */
const struct tw_name *tw_names_find(const struct tw_names *names, const char *text);
