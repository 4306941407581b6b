/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BASES_WORDS_MAX ((size_t)32 * 1024 * 1024)

int tw_rows_init(struct tw_rows *rows)
{
	rows->n_blocks = (rows->n_words / TW_ROW_BLOCK + TW_ROW_BLOCK - 1) / TW_ROW_BLOCK *
			 TW_ROW_BLOCK;
	rows->n_spans = rows->n_blocks / TW_ROW_BLOCK;
	rows->spans = tw_alloc_array(rows->n_spans, sizeof(*rows->spans));
	rows->row = tw_alloc_array(rows->n_words, sizeof(*rows->row));
	rows->touched = tw_alloc_array(rows->n_blocks, sizeof(*rows->touched));
	rows->numbers = tw_alloc_array(rows->n_blocks, sizeof(*rows->numbers));
	return rows->row && rows->touched && rows->numbers && rows->spans ? 0 : -ENOMEM;
}

static void base_done(struct tw_row_base *base)
{
	free(base->words);
	free(base->blocks);
	free(base->spans);
}

void tw_rows_done(struct tw_rows *rows)
{
	free(rows->row);
	free(rows->touched);
	free(rows->numbers);
	free(rows->spans);
	tw_vec_foreach (&rows->bases, base)
		base_done(base);
	tw_vec_done(&rows->bases);
	tw_vec_done(&rows->touched_list);
	tw_vec_done(&rows->blocks);
	tw_vec_done(&rows->rows);
	tw_index_done(&rows->block_index);
	tw_index_done(&rows->row_index);
	tw_index_done(&rows->base_index);
}

void tw_rows_touch(struct tw_rows *rows, size_t block)
{
	rows->touched[block] = rows->turn;
	/* The list was allocated with room for every block of a row. */
	rows->touched_list.at[rows->touched_list.n++] = (uint32_t)block;
	memcpy(rows->row + block * TW_ROW_BLOCK, rows->basis + block * TW_ROW_BLOCK,
		TW_ROW_BLOCK * sizeof(*rows->row));
}

static bool same_block(const void *owner, uint32_t value, const void *key)
{
	const struct tw_rows *rows = owner;

	return !memcmp(rows->blocks.at + (size_t)value * TW_ROW_BLOCK, key,
		TW_ROW_BLOCK * sizeof(uint32_t));
}

static bool same_row(const void *owner, uint32_t value, const void *key)
{
	const struct tw_rows *rows = owner;

	return !memcmp(rows->rows.at + (size_t)value * rows->n_spans, key,
		rows->n_spans * sizeof(uint32_t));
}

static int append(struct tw_rows *rows, void *vec_at, size_t *vec_n, size_t *vec_max,
	const uint32_t *words, size_t n)
{
	uint32_t **at = vec_at;

	if (rows->blocks.n + rows->rows.n + n > rows->words_max)
		return -E2BIG;
	if (*vec_n + n > *vec_max &&
		tw_vec_reserve_((void **)at, vec_max, (*vec_n + n) * 3 / 2, sizeof(**at)) < 0)
		return -ENOMEM;
	memcpy(*at + *vec_n, words, n * sizeof(*words));
	*vec_n += n;
	return 0;
}

static int intern_block(struct tw_rows *rows, const uint32_t *block, uint32_t *ret)
{
	uint64_t hash = tw_table_hash(block, TW_ROW_BLOCK * sizeof(*block), 0);
	int err;

	*ret = tw_index_find(&rows->block_index, hash, same_block, rows, block);
	if (*ret != TW_INDEX_NONE)
		return 0;
	*ret = (uint32_t)(rows->blocks.n / TW_ROW_BLOCK);
	err = append(
		rows, &rows->blocks.at, &rows->blocks.n, &rows->blocks.max, block, TW_ROW_BLOCK);
	return err ? err : tw_index_add(&rows->block_index, hash, *ret);
}

/* Interns a block of words in the form that the image needs. */
static int intern_words(struct tw_rows *rows, const uint32_t *words, uint32_t *ret)
{
	uint32_t block[TW_ROW_BLOCK];

	memcpy(block, words, sizeof(block));
	if (rows->finish)
		rows->finish(rows, block);
	return intern_block(rows, block, ret);
}

static int intern_row(struct tw_rows *rows, uint32_t *ret)
{
	uint64_t hash;
	int err;

	if (rows->n_spans == 1) {
		*ret = rows->spans[0];
		return 0;
	}
	hash = tw_table_hash(rows->spans, rows->n_spans * sizeof(*rows->spans), 0);
	*ret = tw_index_find(&rows->row_index, hash, same_row, rows, rows->spans);
	if (*ret != TW_INDEX_NONE)
		return 0;
	*ret = (uint32_t)rows->n_rows;
	err = append(
		rows, &rows->rows.at, &rows->rows.n, &rows->rows.max, rows->spans, rows->n_spans);
	if (err)
		return err;
	rows->n_rows++;
	return tw_index_add(&rows->row_index, hash, *ret);
}

static bool same_base(const void *owner, uint32_t value, const void *key)
{
	const struct tw_rows *rows = owner;

	return !memcmp(rows->bases.at[value].hash, key, sizeof(rows->bases.at[value].hash));
}

/* Makes a base from the words of the current row. */
static int fill_base(struct tw_rows *rows, struct tw_row_base *base)
{
	size_t n_filled = rows->n_words / TW_ROW_BLOCK;
	int err = 0;

	memcpy(base->words, rows->row, rows->n_words * sizeof(*base->words));
	for (size_t i = 0; i < n_filled && !err; i++)
		err = intern_words(rows, base->words + i * TW_ROW_BLOCK, &base->blocks[i]);
	for (size_t i = 0; i < rows->n_spans && !err; i++)
		err = intern_block(rows, base->blocks + i * TW_ROW_BLOCK, &base->spans[i]);
	return err;
}

/* Finds or makes the base of the class's members that write many words. */
static int find_base(struct tw_rows *rows, const uint32_t *members, size_t n, uint32_t *ret)
{
	struct tw_row_base base = {0};
	int err;

	for (size_t i = 0; i < n; i++)
		if (rows->is_base[members[i]]) {
			base.hash[0] += tw_table_hash(&members[i], sizeof(*members), 1);
			base.hash[1] += tw_table_hash(&members[i], sizeof(*members), 2);
		}
	*ret = tw_index_find(&rows->base_index, base.hash[0], same_base, rows, base.hash);
	if (*ret != TW_INDEX_NONE)
		return 0;
	if ((rows->bases.n + 1) * rows->n_words > BASES_WORDS_MAX)
		return -E2BIG;
	base.words = tw_alloc_array(rows->n_words, sizeof(*base.words));
	base.blocks = tw_alloc_array(rows->n_blocks, sizeof(*base.blocks));
	base.spans = tw_alloc_array(rows->n_spans, sizeof(*base.spans));
	*ret = (uint32_t)rows->bases.n;
	if (!base.words || !base.blocks || !base.spans || tw_vec_push(&rows->bases, base) < 0) {
		base_done(&base);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows->n_words; i++)
		rows->row[i] = rows->fill;
	for (size_t i = 0; i < n; i++)
		if (rows->is_base[members[i]])
			rows->write(rows, members[i], false);
	err = fill_base(rows, &base);
	return err ? err : tw_index_add(&rows->base_index, base.hash[0], *ret);
}

/* Interns the touched blocks, then their spans. */
static int intern_touched(struct tw_rows *rows)
{
	size_t n = rows->touched_list.n;
	uint32_t *list = rows->touched_list.at;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = intern_words(
			rows, rows->row + (size_t)list[i] * TW_ROW_BLOCK, &rows->numbers[list[i]]);
	for (size_t i = 0; i < n && !err; i++) {
		uint32_t span = list[i] / TW_ROW_BLOCK;

		err = intern_block(
			rows, rows->numbers + (size_t)span * TW_ROW_BLOCK, &rows->spans[span]);
	}
	return err;
}

static int make_row(struct tw_rows *rows, const uint32_t *members, size_t n, uint32_t *ret)
{
	const struct tw_row_base *base;
	uint32_t number;
	int err = find_base(rows, members, n, &number);

	if (err)
		return err;
	base = &rows->bases.at[number];
	rows->basis = base->words;
	rows->touched_list.n = 0;
	rows->turn++;
	for (size_t i = 0; i < n; i++)
		if (!rows->is_base[members[i]])
			rows->write(rows, members[i], true);
	memcpy(rows->numbers, base->blocks, rows->n_blocks * sizeof(*rows->numbers));
	memcpy(rows->spans, base->spans, rows->n_spans * sizeof(*rows->spans));
	err = intern_touched(rows);
	return err ? err : intern_row(rows, ret);
}

int tw_rows_make(struct tw_rows *rows, const struct tw_partition *partition, uint32_t *ret_row)
{
	static const uint32_t zero[TW_ROW_BLOCK];
	uint32_t number;
	int err = tw_vec_reserve_((void **)&rows->touched_list.at, &rows->touched_list.max,
		rows->n_blocks, sizeof(*rows->touched_list.at));

	if (!err)
		err = intern_block(rows, zero, &number);
	memset(rows->touched, 0, rows->n_blocks * sizeof(*rows->touched));
	rows->turn = 0;
	for (size_t c = 0; c < partition->n_classes && !err; c++) {
		uint32_t first = partition->first.at[c];

		err = make_row(rows, partition->members.at + first,
			partition->first.at[c + 1] - first, &ret_row[c]);
	}
	return err;
}

int tw_rows_add(const struct tw_rows *rows, struct tw_words *words, struct tw_image_rows *ret)
{
	struct tw_image_rows at = {.n_spans = (uint32_t)rows->n_spans};
	int err = tw_words_add(words, rows->blocks.n, TW_ROW_BLOCK, &at.blocks);

	if (!err)
		memcpy(words->v.at + at.blocks, rows->blocks.at,
			rows->blocks.n * sizeof(*rows->blocks.at));
	if (!err && rows->rows.n)
		err = tw_words_add(words, rows->rows.n, 1, &at.rows);
	if (!err && rows->rows.n)
		memcpy(words->v.at + at.rows, rows->rows.at, rows->rows.n * sizeof(*rows->rows.at));
	if (!err)
		*ret = at;
	return err;
}
