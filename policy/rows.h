/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rows.h: many rows of words that are much alike, with equal parts of them kept once.
 *
 * Blocks:     a row is cut into blocks of 16 words, and each content is kept once. A row's list of
 *             block numbers is cut into blocks in the same way, its spans; the list of these is the
 *             row, which is numbered too, or the one span itself where one is enough. Block 0 is all
 *             zero.
 * What:       a row for each class of a dimension, worked out from the class's members. Members with
 *             much to say make a base, which many classes share; the few words in which a class
 *             differs from its base are all that is worked out for it.
 * Callers:    cells.c (a row of decisions by service class), vectors.c (a row of bits by entry).
 */
#pragma once

#include "base/vec.h"
#include "policy/partition.h"
#include "policy/tree.h"

#define TW_ROW_BLOCK 16 /* words */

struct tw_row_base {
	uint64_t hash[2]; /* of its members */
	uint32_t *words;
	uint32_t *blocks;
	uint32_t *spans;
};

struct tw_rows {
	void *arg;
	/* Writes member m into a row: all its words, or with `touch` those that change, after
	 * tw_rows_touch() on each. */
	void (*write)(struct tw_rows *rows, uint32_t member, bool touch);
	/* The words as the image wants them, in place; NULL: as they are. */
	void (*finish)(const struct tw_rows *rows, uint32_t *block);
	uint32_t fill;	       /* a word that nobody wrote */
	const bool *is_base;   /* by member */
	size_t n_words;	       /* of a row, a multiple of TW_ROW_BLOCK */
	size_t n_blocks;       /* of a row, likewise */
	size_t n_spans;	       /* of a row */
	size_t words_max;      /* of all blocks and rows together */
	uint32_t *row;	       /* the one in the making */
	const uint32_t *basis; /* words of its base */
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

/* 0 or -ENOMEM; the fields above `row` are set by the caller before. */
int tw_rows_init(struct tw_rows *rows);
void tw_rows_done(struct tw_rows *rows);

/* The word of the row in the making, ready to be written to. */
static inline uint32_t *tw_rows_word(struct tw_rows *rows, size_t word, bool touch);

void tw_rows_touch(struct tw_rows *rows, size_t block);

static inline uint32_t *tw_rows_word(struct tw_rows *rows, size_t word, bool touch)
{
	if (touch && rows->touched[word / TW_ROW_BLOCK] != rows->turn)
		tw_rows_touch(rows, word / TW_ROW_BLOCK);
	return &rows->row[word];
}

/* The rows of all classes of a partition: ret_row[class] is the number of a row, or of its one span.
 * 0; -E2BIG; -ENOMEM. */
int tw_rows_make(struct tw_rows *rows, const struct tw_partition *partition, uint32_t *ret_row);
/* Adds them to an image. 0; -E2BIG; -ENOMEM. */
int tw_rows_add(const struct tw_rows *rows, struct tw_words *words, struct tw_image_rows *ret);
