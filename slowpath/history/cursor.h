/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* cursor.h: reads the parts of one block after the other.
 *
 * Each part is read only once, when it is first needed.
 * Callers:    write.c (the tail, at start) and read.c, each with a cursor and connection of its own.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "slowpath/history/block.h"

struct tw_history_cursor {
	sqlite3 *db;
	sqlite3_blob *blob; /* NULL: none open */
	uint64_t part;	    /* current part */
	uint64_t block;
	uint32_t n_rows;
	unsigned int column;	      /* part that failed, for messages */
	uint32_t keys_read, ids_read; /* bits by column */
	struct tw_history_ids ids[TW_HISTORY_IDS];
	struct tw_history_values *values;
};

/* Returns 0 or -ENOMEM. */
int tw_history_cursor_init(struct tw_history_cursor *cursor, sqlite3 *db);
void tw_history_cursor_done(struct tw_history_cursor *cursor);

/* Releases the database between queries, so that its log can be written back. */
void tw_history_cursor_rest(struct tw_history_cursor *cursor);

/* Goes to a block. Nothing is read yet. */
void tw_history_cursor_go(struct tw_history_cursor *cursor, uint64_t block, uint32_t n_rows);

/* Read a dictionary, or a dictionary and the rows' numbers. Return 0; -EBADMSG if the part is damaged
 * or missing; or another negative errno. */
int tw_history_cursor_keys(struct tw_history_cursor *cursor, enum tw_history_column column);
int tw_history_cursor_ids(struct tw_history_cursor *cursor, enum tw_history_column column);

/* Reads a group of values; as tw_history_read_group(). */
const uint64_t *tw_history_cursor_group(struct tw_history_cursor *cursor,
	enum tw_history_column column, uint32_t group, int *ret_err);

#define TW_HISTORY_ALL_COLUMNS ((1u << TW_HISTORY_COLUMN__MAX) - 1)

/* Reads the `n` rows with these ascending indexes. Fills the fields of `columns`, a set of 1 << column; other
 * fields are 0. Returns as above. */
int tw_history_cursor_rows(struct tw_history_cursor *cursor, uint32_t columns,
	const uint32_t *index, size_t n, struct tw_history_row *rows);
