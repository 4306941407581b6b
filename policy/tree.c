/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/tree.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define TABLE_BITS_MIN 8
#define TABLE_BITS_MAX 16

int tw_words_add(struct tw_words *words, size_t n, size_t align, uint32_t *ret_at)
{
	size_t at = (words->v.n + align - 1) / align * align;

	if (at + n > words->max)
		return -E2BIG;
	if (at + n > words->v.max) {
		size_t want = at + n + words->v.max / 2;
		int err = tw_vec_reserve_(
			(void **)&words->v.at, &words->v.max, want, sizeof(*words->v.at));

		if (err)
			return err;
	}
	memset(words->v.at + words->v.n, 0, (at + n - words->v.n) * sizeof(*words->v.at));
	words->v.n = at + n;
	*ret_at = (uint32_t)at;
	return 0;
}

/* Records a word if it is an offset. */
static int note(struct tw_words *words, size_t at)
{
	return words->v.at[at] & TW_IMAGE_LEAF ? 0 : tw_vec_push(&words->links, (uint32_t)at);
}

static int note_node(struct tw_words *words, size_t at)
{
	int err = note(words, at + offsetof(struct tw_image_node, below) / 4);

	return err ? err : note(words, at + offsetof(struct tw_image_node, beyond) / 4);
}

static int add_search(struct tw_words *words, const struct tw_tree_piece *pieces, size_t n,
	uint32_t kind, uint32_t *ret_branch)
{
	struct tw_image_search search = {.node = {.kind = kind | TW_NODE_SEARCH,
						 .n = (uint32_t)(n - 1),
						 .below = pieces[0].to,
						 .beyond = pieces[n - 1].to,
						 .base = pieces[1].key}};
	int err = tw_words_add(words, sizeof(search) / 4, sizeof(search) / 4, ret_branch);

	for (size_t i = 0; i < TW_NODE_KEYS; i++) {
		const struct tw_tree_piece *piece = &pieces[i + 1 < n ? i + 1 : n - 1];

		search.key[i] = piece->key;
		search.to[i] = piece->to;
	}
	if (err)
		return err;
	memcpy(words->v.at + *ret_branch, &search, sizeof(search));
	err = note_node(words, *ret_branch);
	for (size_t i = 0; i < TW_NODE_KEYS && !err; i++)
		err = note(words, *ret_branch + offsetof(struct tw_image_search, to) / 4 + i);
	return err;
}

/* Returns the shift with which a table of two or more slots per bound covers `span`. */
static uint32_t shift_for(uint64_t span, size_t n_bounds)
{
	uint64_t slots = (uint64_t)1 << TABLE_BITS_MIN;
	uint32_t shift = 0;

	while (slots < 2 * n_bounds && slots < (uint64_t)1 << TABLE_BITS_MAX)
		slots <<= 1;
	while (span >> shift >= slots)
		shift++;
	return shift;
}

static int add_table(struct tw_words *words, const struct tw_tree_piece *pieces, size_t n,
	uint32_t kind, uint32_t *ret_branch)
{
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a table has at least two pieces */
	uint64_t base = pieces[1].key, span = pieces[n - 1].key - base;
	uint32_t shift = shift_for(span, n - 1), table, branch;
	size_t slots = (size_t)(span >> shift) + 1, at = 1;
	struct tw_image_node node = {.kind = kind | shift,
		.n = (uint32_t)slots,
		.below = pieces[0].to,
		.beyond = pieces[n - 1].to,
		.base = base};
	int err = tw_words_add(words, sizeof(node) / 4, sizeof(node) / 4, ret_branch);

	if (!err)
		err = tw_words_add(words, slots, 1, &table);
	if (err)
		return err;
	node.table = table;
	memcpy(words->v.at + *ret_branch, &node, sizeof(node));
	err = note_node(words, *ret_branch);
	if (!err)
		err = note(words, *ret_branch + offsetof(struct tw_image_node, table) / 4);
	for (size_t slot = 0; slot < slots && !err; slot++) {
		size_t first = at;

		/* `at`: the last piece that begins at or before the slot. */
		while (first + 1 < n && (pieces[first + 1].key - base) >> shift < slot)
			first++;
		if (first + 1 < n && pieces[first + 1].key - base == (uint64_t)slot << shift)
			first++;
		at = first;
		while (at + 1 < n && (pieces[at + 1].key - base) >> shift == slot)
			at++;
		err = tw_tree_add(words, pieces + first, at - first + 1, kind, &branch);
		if (!err)
			words->v.at[table + slot] = branch;
		if (!err)
			err = note(words, table + slot);
	}
	return err;
}

int tw_tree_add(struct tw_words *words, const struct tw_tree_piece *pieces, size_t n, uint32_t kind,
	uint32_t *ret_branch)
{
	if (n == 1) {
		*ret_branch = pieces[0].to;
		return 0;
	}
	if (n - 1 <= TW_NODE_KEYS)
		return add_search(words, pieces, n, kind, ret_branch);
	return add_table(words, pieces, n, kind, ret_branch);
}

struct pieces {
	struct tw_tree_piece *at;
	size_t n;
	size_t max;
};

/* Appends a piece, which replaces the last one if both begin at the same place. */
static int push(struct pieces *pieces, uint64_t key, uint32_t to)
{
	struct tw_tree_piece piece = {.key = key, .to = to};

	if (pieces->n && pieces->at[pieces->n - 1].key == key)
		pieces->n--;
	if (pieces->n && pieces->at[pieces->n - 1].to == to)
		return 0;
	return tw_vec_push(pieces, piece);
}

/* Adds the branch of all IPv6 addresses with one high half: the intervals [*i …) that begin in
 * it. The half begins with the value of the interval before. */
static int add_low(struct tw_words *words, const tw_u128 *keys, const uint32_t *values, size_t n,
	size_t *i, uint32_t before, uint32_t *ret_branch)
{
	uint64_t high = (uint64_t)(keys[*i] >> 64);
	struct pieces pieces = {0};
	int err = push(&pieces, 0, before);

	for (; *i < n && (uint64_t)(keys[*i] >> 64) == high && !err; ++*i)
		err = push(&pieces, (uint64_t)keys[*i], TW_IMAGE_LEAF | values[*i]);
	if (!err)
		err = tw_tree_add(words, pieces.at, pieces.n, TW_NODE_LOW, ret_branch);
	tw_vec_done(&pieces);
	return err;
}

int tw_tree_add_addrs(struct tw_words *words, const tw_u128 *keys, const uint32_t *values, size_t n,
	uint32_t family, uint32_t *ret_branch)
{
	struct pieces pieces = {0};
	int err = 0;

	for (size_t i = 0; i < n && !err;) {
		uint64_t high = (uint64_t)(keys[i] >> 64);
		uint32_t before = TW_IMAGE_LEAF | values[i ? i - 1 : 0], branch;

		if (family == TW_FAMILY_V4) {
			err = push(&pieces, (uint64_t)(keys[i] - TW_V4_FIRST),
				TW_IMAGE_LEAF | values[i]);
			i++;
			continue;
		}
		err = add_low(words, keys, values, n, &i, before, &branch);
		if (!err)
			err = push(&pieces, high, branch);
		if (!err && high != UINT64_MAX)
			err = push(&pieces, high + 1, TW_IMAGE_LEAF | values[i - 1]);
	}
	if (!err)
		err = tw_tree_add(words, pieces.at, pieces.n, 0, ret_branch);
	tw_vec_done(&pieces);
	return err;
}
