/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/event_reader.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void tw_event_reader_done(struct tw_event_reader *reader)
{
	tw_dictionary_clear(&reader->dictionary);
	free(reader->rows);
	*reader = (struct tw_event_reader){0};
}

static int define_names(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch)
{
	int ret = 0;

	if (batch->dictionary != reader->generation)
		tw_dictionary_clear(&reader->dictionary);
	reader->generation = batch->dictionary;
	for (size_t i = 0; !ret && i < batch->n_names; i++)
		ret = tw_dictionary_define(
			&reader->dictionary, batch->names[i]->id, batch->names[i]->text);
	return !ret || ret == -ENOMEM ? ret : -EBADMSG;
}

static int reserve_rows(struct tw_event_reader *reader, size_t n)
{
	struct tw_event_row *rows;

	if (n > reader->max) {
		rows = tw_alloc_array(n, sizeof(*rows));
		if (!rows)
			return -ENOMEM;
		free(reader->rows);
		reader->rows = rows;
		reader->max = n;
	} else if (n) {
		memset(reader->rows, 0, n * sizeof(*reader->rows));
	}
	return 0;
}

/* Numbers the rows, and reads their kinds. */
static int read_numbers(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch)
{
	size_t n = batch->rows;
	uint64_t least = batch->first;

	if ((batch->n_number && batch->n_number != n) || (batch->kind.len && batch->kind.len != n))
		return -EBADMSG;
	for (size_t i = 0; i < n; i++) {
		struct tw_event_row *row = &reader->rows[i];

		row->number = batch->first + (batch->n_number ? batch->number[i] : i);
		if (row->number < least || row->number == UINT64_MAX)
			return -EBADMSG;
		least = row->number + 1;
		row->kind = batch->kind.len ? batch->kind.data[i] : 0;
	}
	return batch->next < least ? -EBADMSG : 0;
}

/* ---- columns ---- */

/* Returns how many rows have a value in columns of `rows`. */
static size_t count_rows(const struct tw_event_reader *reader, size_t n, enum tw_event_rows_of rows)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += tw_event_rows_have(rows, reader->rows[i].kind);
	return count;
}

/* A column: `n` values of `size` bytes; `offset` of their field in a row. */
struct column {
	const void *values;
	size_t n;
	size_t size;
	size_t offset;
	enum tw_event_rows_of rows;
};

static void read_column(struct tw_event_reader *reader, size_t n, const struct column *column)
{
	const uint8_t *from = column->values;

	for (size_t i = 0; i < n; i++) {
		if (!tw_event_rows_have(column->rows, reader->rows[i].kind))
			continue;
		memcpy((uint8_t *)&reader->rows[i] + column->offset, from, column->size);
		from += column->size;
	}
}

static int read_columns(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch)
{
#define BYTES(field, rows, size)                                                                  \
	{batch->field.data,                                                                       \
		batch->field.len / (size) + (batch->field.len % (size) ? SIZE_MAX / 2 : 0), size, \
		offsetof(struct tw_event_row, field), TW_EVENT_ROWS_##rows},
#define NUMBERS(field, rows)                                    \
	{batch->field, batch->n_##field, sizeof(*batch->field), \
		offsetof(struct tw_event_row, field), TW_EVENT_ROWS_##rows},
#define TW_COLUMN_8(field, rows)	BYTES(field, rows, 1)
#define TW_COLUMN_16(field, rows)	BYTES(field, rows, 2)
#define TW_COLUMN_32(field, rows)	NUMBERS(field, rows)
#define TW_COLUMN_64(field, rows)	NUMBERS(field, rows)
#define TW_COLUMN_NAME(field, rows)	NUMBERS(field, rows)
#define TW_COLUMN_BYTES(field, rows, n) BYTES(field, rows, n)
	const struct column columns[] = {
#include "link/event_columns.def"
	};
#undef BYTES
#undef NUMBERS
	size_t n[TW_EVENT_ROWS__MAX];

	for (int rows = 0; rows < TW_EVENT_ROWS__MAX; rows++)
		n[rows] = count_rows(reader, batch->rows, rows);
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
		if (!columns[i].n)
			continue;
		if (columns[i].n != n[columns[i].rows])
			return -EBADMSG;
		read_column(reader, batch->rows, &columns[i]);
	}
	return 0;
}

/* Turns 16-bit numbers to the host's order, and checks that all names are defined. */
static bool check_row(const struct tw_dictionary *dictionary, struct tw_event_row *row)
{
	bool all = true;

#define TW_COLUMN_8(field, rows)
#define TW_COLUMN_16(field, rows) row->field = le16toh(row->field);
#define TW_COLUMN_32(field, rows)
#define TW_COLUMN_64(field, rows)
#define TW_COLUMN_NAME(field, rows) all &= tw_dictionary_has(dictionary, row->field);
#define TW_COLUMN_BYTES(field, rows, n)
#include "link/event_columns.def"
	return all;
}

/* ---- batches ---- */

static void take_lost(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch)
{
	reader->lost = batch->lost_before > UINT64_MAX - reader->lost
			       ? UINT64_MAX
			       : reader->lost + batch->lost_before;
	if (!batch->rows)
		return;
	reader->rows[0].lost_before = reader->lost;
	reader->lost = 0;
}

static int read_rows(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch)
{
	int ret = define_names(reader, batch);

	if (!ret)
		ret = reserve_rows(reader, batch->rows);
	if (!ret)
		ret = read_numbers(reader, batch);
	if (!ret)
		ret = read_columns(reader, batch);
	for (size_t i = 0; !ret && i < batch->rows; i++)
		if (!check_row(&reader->dictionary, &reader->rows[i]))
			ret = -EBADMSG;
	return ret;
}

int tw_event_reader_take(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch)
{
	int ret = batch->rows > TW_EVENT_READER_ROWS ? -EBADMSG : read_rows(reader, batch);

	reader->n = 0;
	if (ret < 0)
		return ret;
	reader->n = batch->rows;
	reader->journal = batch->journal;
	reader->next = batch->next;
	take_lost(reader, batch);
	return 0;
}
