/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sheet.h: rows of cells that line up in columns.
 *
 *	static const struct tw_column columns[] = {{.title = "PORT"}, {.title = "PACKETS", .right = true}};
 *	tw_auto_sheet struct tw_sheet sheet = {.columns = columns, .n_columns = 2};
 *	tw_sheet_cell(&sheet, TW_STYLE_NAME, "%s", name);      one cell after another, row by row
 *	tw_sheet_cell(&sheet, TW_STYLE_PLAIN, "%d", packets);
 *	tw_sheet_print(&sheet, stdout);
 *
 * A column that is empty in every row is left out with its title. If the terminal is too narrow,
 * columns that can be spared are left out too. Control characters are shown as '?'. Memory: the
 * texts plus 8 bytes per cell.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/vec.h"
#include "cli/style.h"

struct tw_column {
	const char *title;
	bool right;	    /* align right, for numbers */
	unsigned int spare; /* on a narrow terminal, columns with the highest go first; 0: never */
};

struct tw_sheet_cell;

struct tw_sheet {
	const struct tw_column *columns;
	size_t n_columns;
	const char *indent; /* printed before each line; NULL: nothing */
	size_t width;	    /* columns of the terminal; 0: no limit */
	bool no_titles;
	const size_t *order; /* numbers of the rows to print; NULL: all, in order of arrival */
	size_t n_order;
	struct tw_buf texts;
	TW_VEC(struct tw_sheet_cell) cells;
	bool failed;
};

#define tw_auto_sheet __attribute__((cleanup(tw_sheet_done)))

void tw_sheet_done(struct tw_sheet *sheet);
void tw_sheet_cell(struct tw_sheet *sheet, enum tw_style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Prints titles and complete rows. Returns 0, or -ENOMEM if memory ran out while cells were
 * added; then prints nothing. */
int tw_sheet_print(const struct tw_sheet *sheet, FILE *out);
/* Prints to stdout, fitted to the terminal. If there are no rows, prints `nothing`. Prints
 * errors and returns an exit code. */
int tw_sheet_show(struct tw_sheet *sheet, const char *nothing);
