/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BASES_WORDS_MAX ((size_t)32 * 1024 * 1024)

int tw_rows_init(struct tw_rows *rows)
{
	rows->n_blocks = rows->n_words / TW_ROW_BLOCK;
	rows->row = tw_alloc_array(rows->n_words, sizeof(*rows->row));
	rows->touched = tw_alloc_array(rows->n_blocks, sizeof(*rows->touched));
	rows->numbers = tw_alloc_array(rows->n_blocks, sizeof(*rows->numbers));
	return rows->row && rows->touched && rows->numbers ? 0 : -ENOMEM;
}

void tw_rows_done(struct tw_rows *rows)
{
	free(rows->row);
	free(rows->touched);
	free(rows->numbers);
	tw_vec_foreach (&rows->bases, base) {
		free(base->words);
		free(base->blocks);
	}
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
	/* There is room: the list was made as long as a row. */
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

	return !memcmp(rows->rows.at + (size_t)value * rows->n_blocks, key,
		rows->n_blocks * sizeof(uint32_t));
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

static int intern_block(struct tw_rows *rows, const uint32_t *words, uint32_t *ret)
{
	uint32_t block[TW_ROW_BLOCK];
	uint64_t hash;
	int err;

	memcpy(block, words, sizeof(block));
	if (rows->finish)
		rows->finish(rows, block);
	hash = tw_hash(block, sizeof(block), 0);
	*ret = tw_index_find(&rows->block_index, hash, same_block, rows, block);
	if (*ret != TW_INDEX_NONE)
		return 0;
	*ret = (uint32_t)(rows->blocks.n / TW_ROW_BLOCK);
	err = append(
		rows, &rows->blocks.at, &rows->blocks.n, &rows->blocks.max, block, TW_ROW_BLOCK);
	return err ? err : tw_index_add(&rows->block_index, hash, *ret);
}

static int intern_row(struct tw_rows *rows, const uint32_t *blocks, uint32_t *ret)
{
	uint64_t hash = tw_hash(blocks, rows->n_blocks * sizeof(*blocks), 0);
	int err;

	*ret = tw_index_find(&rows->row_index, hash, same_row, rows, blocks);
	if (*ret != TW_INDEX_NONE)
		return 0;
	*ret = (uint32_t)rows->n_rows;
	err = append(rows, &rows->rows.at, &rows->rows.n, &rows->rows.max, blocks, rows->n_blocks);
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

/* The base that the class's wordy members make. */
static int find_base(struct tw_rows *rows, const uint32_t *members, size_t n, uint32_t *ret)
{
	struct tw_row_base base = {0};
	int err = 0;

	for (size_t i = 0; i < n; i++)
		if (rows->is_base[members[i]]) {
			base.hash[0] += tw_hash(&members[i], sizeof(*members), 1);
			base.hash[1] += tw_hash(&members[i], sizeof(*members), 2);
		}
	*ret = tw_index_find(&rows->base_index, base.hash[0], same_base, rows, base.hash);
	if (*ret != TW_INDEX_NONE)
		return 0;
	if ((rows->bases.n + 1) * rows->n_words > BASES_WORDS_MAX)
		return -E2BIG;
	base.words = tw_alloc_array(rows->n_words, sizeof(*base.words));
	base.blocks = tw_alloc_array(rows->n_blocks, sizeof(*base.blocks));
	*ret = (uint32_t)rows->bases.n;
	if (!base.words || !base.blocks || tw_vec_push(&rows->bases, base) < 0) {
		free(base.words);
		free(base.blocks);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rows->n_words; i++)
		rows->row[i] = rows->fill;
	for (size_t i = 0; i < n; i++)
		if (rows->is_base[members[i]])
			rows->write(rows, members[i], false);
	memcpy(base.words, rows->row, rows->n_words * sizeof(*base.words));
	for (size_t i = 0; i < rows->n_blocks && !err; i++)
		err = intern_block(rows, base.words + i * TW_ROW_BLOCK, &base.blocks[i]);
	return err ? err : tw_index_add(&rows->base_index, base.hash[0], *ret);
}

static int make_row(struct tw_rows *rows, const uint32_t *members, size_t n, uint32_t *ret)
{
	uint32_t base;
	int err = find_base(rows, members, n, &base);

	if (err)
		return err;
	rows->basis = rows->bases.at[base].words;
	rows->touched_list.n = 0;
	rows->turn++;
	for (size_t i = 0; i < n; i++)
		if (!rows->is_base[members[i]])
			rows->write(rows, members[i], true);
	memcpy(rows->numbers, rows->bases.at[base].blocks, rows->n_blocks * sizeof(*rows->numbers));
	for (size_t i = 0; i < rows->touched_list.n && !err; i++) {
		uint32_t block = rows->touched_list.at[i];

		err = intern_block(
			rows, rows->row + (size_t)block * TW_ROW_BLOCK, &rows->numbers[block]);
	}
	return err ? err : intern_row(rows, rows->numbers, ret);
}

int tw_rows_make(struct tw_rows *rows, const struct tw_partition *partition, uint32_t *ret_row)
{
	int err = tw_vec_reserve_((void **)&rows->touched_list.at, &rows->touched_list.max,
		rows->n_blocks, sizeof(*rows->touched_list.at));

	memset(rows->touched, 0, rows->n_blocks * sizeof(*rows->touched));
	rows->turn = 0;
	for (size_t c = 0; c < partition->n_classes && !err; c++) {
		uint32_t first = partition->first.at[c];

		err = make_row(rows, partition->members.at + first,
			partition->first.at[c + 1] - first, &ret_row[c]);
	}
	return err;
}
