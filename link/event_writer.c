/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/event_writer.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BITS 64

void tw_event_writer_done(struct tw_event_writer *writer)
{
	tw_vec_done(&writer->defined);
	tw_vec_done(&writer->names);
	free(writer->messages);
	free(writer->list);
	writer->messages = NULL;
	writer->list = NULL;
}

/* ---- names ---- */

/* Marks a name that the stream has not defined yet, for this batch to define it. */
static void add_name(struct tw_event_writer *writer, uint32_t id)
{
	while (id / BITS >= writer->defined.n && !writer->failed)
		writer->failed = tw_vec_push(&writer->defined, 0) < 0;
	if (writer->failed || tw_vec_push(&writer->names, id) < 0) {
		writer->failed = true;
		return;
	}
	writer->defined.at[id / BITS] |= 1ull << id % BITS;
}

static inline void meet_name(struct tw_event_writer *writer, uint32_t id)
{
	if (!id || (id / BITS < writer->defined.n &&
			   writer->defined.at[id / BITS] & 1ull << id % BITS))
		return;
	add_name(writer, id);
}

static void meet_names(struct tw_event_writer *writer, const struct tw_event_row *row)
{
#define TW_COLUMN_8(field, rows)
#define TW_COLUMN_16(field, rows)
#define TW_COLUMN_32(field, rows)
#define TW_COLUMN_64(field, rows)
#define TW_COLUMN_NAME(field, rows) meet_name(writer, row->field);
#define TW_COLUMN_BYTES(field, rows, n)
#include "link/event_columns.def"
}

/* ---- rows ---- */

/* Writes every field to the place behind the last value of its column. If the column has no value for this row, the
 * next value overwrites it. */
static void put_fields(struct tw_event_writer *writer, const struct tw_event_row *row)
{
	struct tw_event_columns *columns = &writer->columns;
	struct tw_event_row *any = &writer->any;
	const size_t *n = writer->n;

#define PUT(field, rows, value)                            \
	columns->field[n[TW_EVENT_ROWS_##rows]] = (value); \
	any->field |= row->field;
#define TW_COLUMN_8(field, rows)    PUT(field, rows, row->field)
#define TW_COLUMN_16(field, rows)   PUT(field, rows, htole16(row->field))
#define TW_COLUMN_32(field, rows)   PUT(field, rows, row->field)
#define TW_COLUMN_64(field, rows)   PUT(field, rows, row->field)
#define TW_COLUMN_NAME(field, rows) PUT(field, rows, row->field)
#define TW_COLUMN_BYTES(field, rows, len) \
	memcpy(columns->field[n[TW_EVENT_ROWS_##rows]], row->field, len);
#include "link/event_columns.def"
#undef PUT
}

void tw_event_writer_begin(struct tw_event_writer *writer, uint32_t generation)
{
	if (writer->generation != generation)
		writer->defined.n = 0;
	writer->generation = generation;
}

bool tw_event_writer_add(struct tw_event_writer *writer, const struct tw_event_row *row)
{
	size_t n = writer->n[TW_EVENT_ROWS_ALL];

	if (n && (n == TW_EVENT_WRITER_ROWS || row->lost_before || writer->lost_behind ||
			 row->number - writer->first > UINT32_MAX))
		return false;
	if (!n) {
		writer->first = row->number;
		writer->lost = writer->lost_behind + row->lost_before;
		writer->lost_behind = 0;
	}
	writer->columns.number[n] = (uint32_t)(row->number - writer->first);
	writer->scattered |= row->number - writer->first != n;
	put_fields(writer, row);
	meet_names(writer, row);
	for (int rows = 0; rows < TW_EVENT_ROWS__MAX; rows++)
		writer->n[rows] += tw_event_rows_have(rows, row->kind);
	return true;
}

void tw_event_writer_lose(struct tw_event_writer *writer, uint64_t n)
{
	writer->lost_behind += n;
}

/* ---- batches ---- */

static int fill_names(struct tw_event_writer *writer, const struct tw_dictionary *dictionary,
	Tapwall__V1__EventBatch *batch)
{
	size_t n = writer->names.n;

	free(writer->messages);
	free(writer->list);
	writer->messages = n ? tw_alloc_array(n, sizeof(*writer->messages)) : NULL;
	writer->list = n ? tw_alloc_array(n, sizeof(Tapwall__V1__EventName *)) : NULL;
	if (n && (!writer->messages || !writer->list))
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		uint32_t id = writer->names.at[i];

		tapwall__v1__event_name__init(&writer->messages[i]);
		writer->messages[i].id = id;
		writer->messages[i].text = (char *)(uintptr_t)tw_dictionary_text(dictionary, id);
		writer->list[i] = &writer->messages[i];
	}
	batch->names = writer->list;
	batch->n_names = n;
	writer->names.n = 0;
	return 0;
}

/* Marks the names of a column of a batch. */
static void meet_column(struct tw_event_writer *writer, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		meet_name(writer, ids[i]);
}

static void fill_columns(struct tw_event_writer *writer, Tapwall__V1__EventBatch *batch)
{
	struct tw_event_columns *columns = &writer->columns;
	const struct tw_event_row *any = &writer->any;
	const size_t *n = writer->n;

#define OF(rows) n[TW_EVENT_ROWS_##rows]
#define FILL_BYTES(field, count)                       \
	batch->field.data = (uint8_t *)columns->field; \
	batch->field.len = (count) * sizeof(columns->field[0]);
#define FILL_NUMBERS(field, count)     \
	batch->field = columns->field; \
	batch->n_##field = (count);
#define TW_COLUMN_8(field, rows)	FILL_BYTES(field, any->field ? OF(rows) : 0)
#define TW_COLUMN_16(field, rows)	FILL_BYTES(field, any->field ? OF(rows) : 0)
#define TW_COLUMN_32(field, rows)	FILL_NUMBERS(field, any->field ? OF(rows) : 0)
#define TW_COLUMN_64(field, rows)	FILL_NUMBERS(field, any->field ? OF(rows) : 0)
#define TW_COLUMN_NAME(field, rows)	FILL_NUMBERS(field, any->field ? OF(rows) : 0)
#define TW_COLUMN_BYTES(field, rows, n) FILL_BYTES(field, OF(rows))
#include "link/event_columns.def"
	FILL_NUMBERS(number, writer->scattered ? OF(ALL) : 0)
#undef FILL_BYTES
#undef FILL_NUMBERS
#undef OF
}

int tw_event_writer_take(struct tw_event_writer *writer, const struct tw_dictionary *dictionary,
	uint64_t next, Tapwall__V1__EventBatch *batch)
{
	bool empty = !writer->n[TW_EVENT_ROWS_ALL];

	if (writer->failed || fill_names(writer, dictionary, batch) < 0)
		return -ENOMEM;
	batch->first = empty ? next : writer->first;
	batch->next = next;
	batch->lost_before = empty ? writer->lost_behind : writer->lost;
	batch->rows = (uint32_t)writer->n[TW_EVENT_ROWS_ALL];
	batch->dictionary = writer->generation;
	fill_columns(writer, batch);
	memset(writer->n, 0, sizeof(writer->n));
	writer->any = (struct tw_event_row){0};
	writer->scattered = false;
	if (empty)
		writer->lost_behind = 0;
	return 0;
}

int tw_event_writer_redefine(struct tw_event_writer *writer, const struct tw_dictionary *dictionary,
	uint32_t generation, Tapwall__V1__EventBatch *batch)
{
	tw_event_writer_begin(writer, generation);
#define TW_COLUMN_8(field, rows)
#define TW_COLUMN_16(field, rows)
#define TW_COLUMN_32(field, rows)
#define TW_COLUMN_64(field, rows)
#define TW_COLUMN_NAME(field, rows) meet_column(writer, batch->field, batch->n_##field);
#define TW_COLUMN_BYTES(field, rows, n)
#include "link/event_columns.def"
	if (writer->failed || fill_names(writer, dictionary, batch) < 0)
		return -ENOMEM;
	batch->dictionary = generation;
	return 0;
}
