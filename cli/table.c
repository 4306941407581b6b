/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/table.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/report.h"

#define COLUMNS_MAX 16
#define CELL_MAX    1024
#define GAP	    2 /* spaces between columns */

struct tw_table_cell {
	uint32_t start; /* in texts */
	uint16_t len;
	uint16_t style;
};

void tw_table_done(struct tw_table *table)
{
	tw_buf_done(&table->texts);
	tw_vec_done(&table->cells);
}

void tw_table_cell(struct tw_table *table, enum tw_style style, const char *format, ...)
{
	struct tw_table_cell cell = {.style = (uint16_t)style};
	char text[CELL_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0 || table->texts.len + CELL_MAX > UINT32_MAX) {
		table->failed = true;
		return;
	}
	cell.len = (uint16_t)(len < CELL_MAX ? len : CELL_MAX - 1);
	cell.start = (uint32_t)table->texts.len;
	tw_style_clean(text, cell.len);
	tw_buf_add(&table->texts, text, cell.len);
	if (table->texts.failed || tw_vec_push(&table->cells, cell) < 0)
		table->failed = true;
}

static const struct tw_table_cell *cell_at(const struct tw_table *table, size_t row, size_t column)
{
	if (table->order)
		row = table->order[row];
	return &table->cells.at[row * table->n_columns + column];
}

static void measure(const struct tw_table *table, size_t n_rows, size_t *widths)
{
	for (size_t c = 0; c < table->n_columns; c++) {
		size_t width = 0;

		for (size_t r = 0; r < n_rows; r++) {
			const struct tw_table_cell *cell = cell_at(table, r, c);
			size_t w = tw_style_width(table->texts.data + cell->start, cell->len);

			width = w > width ? w : width;
		}
		if (width && !table->no_titles && strlen(table->columns[c].title) > width)
			width = strlen(table->columns[c].title);
		widths[c] = width;
	}
}

static void put_spaces(FILE *out, size_t n)
{
	fprintf(out, "%*s", (int)n, "");
}

/* One cell, padded to its column. Spaces wait in *ret_owed until something follows them, so that
 * no line ends in blanks. */
static void put_cell(FILE *out, enum tw_style style, bool right, const char *text, size_t len,
	size_t width, size_t *ret_owed)
{
	size_t pad = width - tw_style_width(text, len);

	if (len) {
		put_spaces(out, *ret_owed + (right ? pad : 0));
		fprintf(out, "%s%.*s%s", style ? tw_style_on(style) : "", (int)len, text,
			style ? tw_style_off() : "");
		*ret_owed = 0;
	}
	*ret_owed += (right && len ? 0 : pad) + GAP;
}

int tw_table_print(const struct tw_table *table, FILE *out)
{
	size_t n_rows = table->order ? table->n_order : table->cells.n / table->n_columns;
	size_t widths[COLUMNS_MAX];

	if (table->failed || table->n_columns > COLUMNS_MAX)
		return -ENOMEM;
	measure(table, n_rows, widths);
	for (size_t r = 0; r < n_rows + !table->no_titles; r++) {
		bool title = !table->no_titles && r == 0;
		size_t row = r - !table->no_titles;
		size_t owed = 0;

		fputs(table->indent ? table->indent : "", out);
		for (size_t c = 0; c < table->n_columns; c++) {
			const struct tw_column *column = &table->columns[c];
			const struct tw_table_cell *cell;

			if (!widths[c])
				continue;
			if (title) {
				put_cell(out, TW_STYLE_STRONG, column->right, column->title,
					strlen(column->title), widths[c], &owed);
				continue;
			}
			cell = cell_at(table, row, c);
			put_cell(out, (enum tw_style)cell->style, column->right,
				table->texts.data + cell->start, cell->len, widths[c], &owed);
		}
		fputc('\n', out);
	}
	return 0;
}

int tw_table_show(const struct tw_table *table, const char *nothing)
{
	if (!table->failed && !table->cells.n) {
		printf("%s%s%s\n", tw_style_on(TW_STYLE_DIM), nothing, tw_style_off());
		return TW_EXIT_OK;
	}
	return tw_table_print(table, stdout) < 0 ? tw_report_memory() : TW_EXIT_OK;
}
