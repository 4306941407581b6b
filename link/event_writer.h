/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* event_writer.h: puts rows into the columns of an EventBatch (link.proto).
 *
 * How:        each field of a row goes to the end of its column. The batch points to the columns, which protobuf-c
 *             copies as a whole: an event costs no allocation, no text and no size of a message.
 * Invariants: names are ids of one dictionary. A batch defines those that the stream has not defined yet.
 *             After a change of the dictionary's generation it defines all that it uses.
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
	uint64_t lost;		      /* lost before it */
	uint64_t lost_behind;	      /* lost behind the batch's rows */
	bool scattered;		      /* the rows' numbers have gaps */
	bool failed;		      /* memory ran out */
	uint32_t generation;	      /* of the dictionary */
	TW_VEC(uint64_t) defined;     /* a bit for each name that the stream has defined */
	TW_VEC(uint32_t) names;	      /* names that the batch has to define */
	Tapwall__V1__EventName *messages;
	Tapwall__V1__EventName **list;
};

void tw_event_writer_done(struct tw_event_writer *writer);

/* Begins a batch of the dictionary's present generation. The writer is empty. */
void tw_event_writer_begin(struct tw_event_writer *writer, uint32_t generation);

/* Adds a row. False if it has to go into the next batch, as this one is full, or as events were lost between its
 * rows and this one. An empty writer takes any row. */
bool tw_event_writer_add(struct tw_event_writer *writer, const struct tw_event_row *row);

/* Counts events that were lost behind the rows of the batch. The next row begins another batch, which tells of them;
 * a batch without rows tells of them itself. */
void tw_event_writer_lose(struct tw_event_writer *writer, uint64_t n);

/* True if there is nothing to tell. */
static inline bool tw_event_writer_is_empty(const struct tw_event_writer *writer)
{
	return !writer->n[TW_EVENT_ROWS_ALL] && !writer->lost_behind;
}

/* Fills a batch with the rows and names so far, and empties the writer. `batch` points into the writer and into the
 * dictionary; it is valid until the next row is added. `next` is the number that a reader goes on with. Returns 0
 * or -ENOMEM, upon which the stream is of no more use. */
int tw_event_writer_take(struct tw_event_writer *writer, const struct tw_dictionary *dictionary,
	uint64_t next, Tapwall__V1__EventBatch *batch);
