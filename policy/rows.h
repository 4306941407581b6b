/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rows.h: rows of words that are similar, with equal parts stored once.
 *
 * Blocks:     a row is cut into blocks of 16 words, and each content is kept once. A row's list of
 *             block numbers is cut in the same way; these blocks are its spans. The row is the list
 *             of its span numbers, and has a number of its own. If one span is enough, its number
 *             names the row. Block 0 is all zeros.
 * What:       a row for each class of a dimension, made from the class's members. Members that
 *             write many words form a base, which many classes share. For each class only the few
 *             words that differ from its base are computed.
 * Callers:    cells.c (a row of decisions by service class), vectors.c (a row of bits by entry).
 */
#pragma once

#include "base/vec.h"
#include "policy/partition.h"
#include "policy/tree.h"

#define TW_ROW_BLOCK 16 /* words */

struct tw_row_base {
	uint64_t hash[2]; /* hash of its members */
	uint32_t *words;
	uint32_t *blocks;
	uint32_t *spans;
};

struct tw_rows {
	void *arg;
	/* Writes a member into the current row. With `touch`, calls tw_rows_touch() for a block
	 * before it writes a word there. */
	void (*write)(struct tw_rows *rows, uint32_t member, bool touch);
	/* Converts the words in place to the form that the image needs; NULL: no change. */
	void (*finish)(const struct tw_rows *rows, uint32_t *block);
	uint32_t fill;	       /* value of the words that no member has written */
	const bool *is_base;   /* by member */
	size_t n_words;	       /* words of a row, a multiple of TW_ROW_BLOCK */
	size_t n_blocks;       /* blocks of a row, likewise */
	size_t n_spans;	       /* spans of a row */
	size_t words_max;      /* limit of words, for all blocks and rows together */
	uint32_t *row;	       /* the current row */
	const uint32_t *basis; /* words of its base row */
	uint32_t *touched;     /* by block: number of the row it was touched for */
	uint32_t turn;
	TW_VEC(uint32_t) touched_list;
	uint32_t *numbers;	 /* blocks of the row */
	uint32_t *spans;	 /* spans of the row */
	TW_VEC(uint32_t) blocks; /* TW_ROW_BLOCK words each */
	struct tw_index block_index;
	TW_VEC(uint32_t) rows; /* n_spans block numbers each; empty when that is 1 */
	struct tw_index row_index;
	size_t n_rows;
	TW_VEC(struct tw_row_base) bases;
	struct tw_index base_index;
};

/* Returns 0 or -ENOMEM. The caller sets the fields above `row` first. */
int tw_rows_init(struct tw_rows *rows);
void tw_rows_done(struct tw_rows *rows);

/* Returns a word of the current row, ready to be written. */
static inline uint32_t *tw_rows_word(struct tw_rows *rows, size_t word, bool touch);

void tw_rows_touch(struct tw_rows *rows, size_t block);

static inline uint32_t *tw_rows_word(struct tw_rows *rows, size_t word, bool touch)
{
	if (touch && rows->touched[word / TW_ROW_BLOCK] != rows->turn)
		tw_rows_touch(rows, word / TW_ROW_BLOCK);
	return &rows->row[word];
}

/* Makes the rows of all classes of a partition. ret_row[class] is the number of its row, or of
 * its only span. Returns 0, -E2BIG or -ENOMEM. */
int tw_rows_make(struct tw_rows *rows, const struct tw_partition *partition, uint32_t *ret_row);
/* Adds the rows to an image. Returns 0, -E2BIG or -ENOMEM. */
int tw_rows_add(const struct tw_rows *rows, struct tw_words *words, struct tw_image_rows *ret);
