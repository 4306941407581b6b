/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table.h: rows of cells that line up in columns.
 *
 *	static const struct tw_column columns[] = {{.title = "PORT"}, {.title = "PACKETS", .right = true}};
 *	tw_auto_table struct tw_table table = {.columns = columns, .n_columns = 2};
 *	tw_table_cell(&table, TW_STYLE_NAME, "%s", name);      one cell after another, row by row
 *	tw_table_cell(&table, TW_STYLE_PLAIN, "%d", packets);
 *	tw_table_print(&table, stdout);
 *
 * A column that is empty in every row is left out, title and all. What a terminal would obey is
 * shown as '?'. Memory: the texts plus 8 bytes a cell.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/vec.h"
#include "cli/style.h"

struct tw_column {
	const char *title;
	bool right; /* numbers line up at their last digit */
};

struct tw_table_cell;

struct tw_table {
	const struct tw_column *columns;
	size_t n_columns;
	const char *indent; /* before each line; NULL: nothing */
	bool no_titles;
	const size_t *order; /* numbers of the rows to print; NULL: all, as they came */
	size_t n_order;
	struct tw_buf texts;
	TW_VEC(struct tw_table_cell) cells;
	bool failed;
};

#define tw_auto_table __attribute__((cleanup(tw_table_done)))

void tw_table_done(struct tw_table *table);
void tw_table_cell(struct tw_table *table, enum tw_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints titles and whole rows. 0, or -ENOMEM when some cell found no memory (nothing printed). */
int tw_table_print(const struct tw_table *table, FILE *out);
/* Prints to stdout; `nothing` when there are no rows. Returns an exit code, with everything told. */
int tw_table_show(const struct tw_table *table, const char *nothing);
