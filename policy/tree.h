/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tree.h: the words of an image under construction, and trees in them (fastpath/abi/image.h).
 *
 * How:        a node handles all bounds in its range. Eight or fewer become keys. More become a
 *             table from the first bound to the last, with at least two slots for each. So a
 *             node spends no bits on a common prefix, and a table consumes at least eight bits,
 *             which bounds the depth.
 */
#pragma once

#include "base/vec.h"
#include "fastpath/abi/image.h"
#include "policy/set.h"

#define TW_WORDS_MAX ((size_t)TW_IMAGE_CHUNKS_MAX * TW_IMAGE_CHUNK_WORDS)

struct tw_words {
	TW_VEC(uint32_t) v;
	size_t max; /* limit of the number of words; at most TW_WORDS_MAX */
	TW_VEC(uint32_t)
	links; /* words of trees that are offsets, to be adjusted if the words move */
};

/* Adds n zeroed words at a multiple of `align`, which divides a chunk. Returns 0, -E2BIG or
 * -ENOMEM. */
int tw_words_add(struct tw_words *words, size_t n, size_t align, uint32_t *ret_at);

/* One piece of a step function: `to` is its value from `key` up to the next key. */
struct tw_tree_piece {
	uint64_t key;
	uint32_t to; /* a branch */
};

/* Adds the tree of a step function on numbers up to 64 bits; n >= 1. Numbers below the second
 * piece's key map to the first piece. `kind` is 0 or TW_NODE_LOW. */
int tw_tree_add(struct tw_words *words, const struct tw_tree_piece *pieces, size_t n, uint32_t kind,
	uint32_t *ret_branch);

/* Adds the tree of a step function on addresses of one family. Interval i has values[i], which
 * becomes a leaf. Equal neighbours are merged. */
int tw_tree_add_addrs(struct tw_words *words, const tw_u128 *keys, const uint32_t *values, size_t n,
	uint32_t family, uint32_t *ret_branch);
