/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* event_writer.h: writes rows to the columns of an EventBatch (link.proto).
 *
 * How:        each field of a row is appended to its column. The batch points to the columns, which
 *             protobuf-c copies as a whole. So an event needs no allocation, no text and no
 *             message.
 * Invariants: names are ids of one dictionary. A batch defines the ids that the stream has not
 *             defined yet; after a change of the dictionary's generation, all that it uses.
 * Bounds:     TW_EVENT_WRITER_ROWS rows in a batch; a bit for each name.
 * Callers:    one thread. An all-zero writer is empty; tw_event_writer_done() frees it.
 */
#pragma once

#include "base/vec.h"
#include "link/event_row.h"

#define TW_EVENT_WRITER_ROWS 400

struct tw_event_columns {
#define TW_COLUMN_8(field, rows)	uint8_t field[TW_EVENT_WRITER_ROWS];
#define TW_COLUMN_16(field, rows)	uint16_t field[TW_EVENT_WRITER_ROWS]; /* little-endian */
#define TW_COLUMN_32(field, rows)	uint32_t field[TW_EVENT_WRITER_ROWS];
#define TW_COLUMN_64(field, rows)	uint64_t field[TW_EVENT_WRITER_ROWS];
#define TW_COLUMN_NAME(field, rows)	uint32_t field[TW_EVENT_WRITER_ROWS];
#define TW_COLUMN_BYTES(field, rows, n) uint8_t field[TW_EVENT_WRITER_ROWS][n];
#include "link/event_columns.def"
	uint32_t number[TW_EVENT_WRITER_ROWS];
};

struct tw_event_writer {
	struct tw_event_columns columns;
	struct tw_event_row any;      /* all rows of the batch, or-ed */
	size_t n[TW_EVENT_ROWS__MAX]; /* values in columns of these rows */
	uint64_t first;		      /* number of the batch's first row */
	uint64_t lost;		      /* events lost before the first row */
	uint64_t lost_behind;	      /* events lost after the last row */
	bool scattered;		      /* the rows' numbers have gaps */
	bool failed;		      /* memory ran out */
	uint32_t generation;	      /* generation of the dictionary */
	TW_VEC(uint64_t) defined;     /* bit per name that the stream has defined */
	TW_VEC(uint32_t) names;	      /* names that the batch must define */
	Tapwall__V1__EventName *messages;
	Tapwall__V1__EventName **list;
};

void tw_event_writer_done(struct tw_event_writer *writer);

/* Begins a batch with the current generation of the dictionary. The writer must be empty. */
void tw_event_writer_begin(struct tw_event_writer *writer, uint32_t generation);

/* Adds a row. False if it belongs in the next batch, because this one is full or events were lost
 * before the row. An empty writer accepts any row. */
bool tw_event_writer_add(struct tw_event_writer *writer, const struct tw_event_row *row);

/* Counts events that were lost after the rows of the batch. The next batch reports them, or this
 * one if it has no rows. */
void tw_event_writer_lose(struct tw_event_writer *writer, uint64_t n);

/* True if there are neither rows nor losses to send. */
static inline bool tw_event_writer_is_empty(const struct tw_event_writer *writer)
{
	return !writer->n[TW_EVENT_ROWS_ALL] && !writer->lost_behind;
}

/* Fills a batch with the rows and names so far, and empties the writer. `batch` points into the
 * writer and into the dictionary, and is valid until the next row is added. `next` is the number
 * from which a reader continues. Returns 0, or -ENOMEM, after which the stream cannot be used any
 * more. */
int tw_event_writer_take(struct tw_event_writer *writer, const struct tw_dictionary *dictionary,
	uint64_t next, Tapwall__V1__EventBatch *batch);
/* Begins another generation of the dictionary with a batch that tw_event_writer_take() has just filled, so that
 * the batch defines all names that it uses. Returns 0 or -ENOMEM. After -ENOMEM, the writer must not be used. */
int tw_event_writer_redefine(struct tw_event_writer *writer, const struct tw_dictionary *dictionary,
	uint32_t generation, Tapwall__V1__EventBatch *batch);
