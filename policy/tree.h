/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tree.h: the words of an image in the making, and trees in them (fastpath/abi/image.h).
 *
 * How:        a node takes the bounds that fall to it together: eight or fewer become keys, more
 *             become a table from the first bound to the last, with two slots or more for each. So a
 *             node never spends bits on what all its numbers have in common, and its table takes at
 *             least eight bits: that bounds the depth.
 */
#pragma once

#include "base/vec.h"
#include "fastpath/abi/image.h"
#include "policy/set.h"

#define TW_WORDS_MAX ((size_t)TW_IMAGE_CHUNKS_MAX * TW_IMAGE_CHUNK_WORDS)

struct tw_words {
	TW_VEC(uint32_t) v;
	size_t max; /* how many there may be; at most TW_WORDS_MAX */
	TW_VEC(uint32_t)
	links; /* words of trees that are offsets, for those who move what they built */
};

/* Adds n zeroed words at a multiple of `align`, which divides a chunk. 0; -E2BIG; -ENOMEM. */
int tw_words_add(struct tw_words *words, size_t n, size_t align, uint32_t *ret_at);

/* A step function: from `key` on, up to the next key, it is `to`. */
struct tw_piece {
	uint64_t key;
	uint32_t to; /* a branch */
};

/* Adds the tree of a step function on numbers up to 64 bits; n >= 1, what lies before the second
 * piece's key goes to the first. `kind` is 0 or TW_NODE_LOW. */
int tw_tree_add(struct tw_words *words, const struct tw_piece *pieces, size_t n, uint32_t kind,
	uint32_t *ret_branch);

/* The same on addresses of one family: interval i is of value values[i], and its branch is that
 * value as a leaf. Equal neighbours are joined. */
int tw_tree_add_addrs(struct tw_words *words, const tw_u128 *keys, const uint32_t *values, size_t n,
	uint32_t family, uint32_t *ret_branch);
