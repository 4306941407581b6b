/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/sheet.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/clean.h"
#include "cli/report.h"

#define COLUMNS_MAX 24
#define CELL_MAX    1024
#define GAP	    2 /* spaces between columns */

struct tw_sheet_cell {
	uint32_t start; /* offset in `texts` */
	uint16_t len;
	uint16_t style;
};

void tw_sheet_done(struct tw_sheet *sheet)
{
	tw_buf_done(&sheet->texts);
	tw_vec_done(&sheet->cells);
}

void tw_sheet_cell(struct tw_sheet *sheet, enum tw_style style, const char *format, ...)
{
	struct tw_sheet_cell cell = {.style = (uint16_t)style};
	char text[CELL_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (len < 0 || sheet->texts.len + CELL_MAX > UINT32_MAX) {
		sheet->failed = true;
		return;
	}
	cell.len = (uint16_t)(len < CELL_MAX ? len : CELL_MAX - 1);
	cell.start = (uint32_t)sheet->texts.len;
	tw_clean(text, cell.len);
	tw_buf_add(&sheet->texts, text, cell.len);
	if (sheet->texts.failed || tw_vec_push(&sheet->cells, cell) < 0)
		sheet->failed = true;
}

static const struct tw_sheet_cell *cell_at(const struct tw_sheet *sheet, size_t row, size_t column)
{
	if (sheet->order)
		row = sheet->order[row];
	return &sheet->cells.at[row * sheet->n_columns + column];
}

static void measure(const struct tw_sheet *sheet, size_t n_rows, size_t *widths)
{
	for (size_t c = 0; c < sheet->n_columns; c++) {
		size_t width = 0;

		for (size_t r = 0; r < n_rows; r++) {
			const struct tw_sheet_cell *cell = cell_at(sheet, r, c);
			size_t w = tw_style_width(sheet->texts.data + cell->start, cell->len);

			width = w > width ? w : width;
		}
		if (width && !sheet->no_titles && strlen(sheet->columns[c].title) > width)
			width = strlen(sheet->columns[c].title);
		widths[c] = width;
	}
}

static size_t total_width(const struct tw_sheet *sheet, const size_t *widths)
{
	size_t total = sheet->indent ? strlen(sheet->indent) : 0;

	for (size_t c = 0; c < sheet->n_columns; c++)
		total += widths[c] ? widths[c] + GAP : 0;
	return total > GAP ? total - GAP : total;
}

/* Leaves out columns until the rest fits, or no more can be spared. */
static void spare(const struct tw_sheet *sheet, size_t *widths)
{
	while (sheet->width && total_width(sheet, widths) > sheet->width) {
		size_t victim = sheet->n_columns;
		unsigned int most = 0;

		for (size_t c = 0; c < sheet->n_columns; c++)
			if (widths[c] && sheet->columns[c].spare > most) {
				most = sheet->columns[c].spare;
				victim = c;
			}
		if (!most)
			return;
		widths[victim] = 0;
	}
}

static void put_spaces(FILE *out, size_t n)
{
	fprintf(out, "%*s", (int)n, "");
}

/* Prints one cell, padded to its column. Trailing spaces are kept in *ret_owed until another
 * cell follows, so that no line ends in blanks. */
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

int tw_sheet_print(const struct tw_sheet *sheet, FILE *out)
{
	size_t n_rows = sheet->order ? sheet->n_order : sheet->cells.n / sheet->n_columns;
	size_t widths[COLUMNS_MAX];

	if (sheet->failed || sheet->n_columns > COLUMNS_MAX)
		return -ENOMEM;
	measure(sheet, n_rows, widths);
	spare(sheet, widths);
	for (size_t r = 0; r < n_rows + !sheet->no_titles; r++) {
		bool title = !sheet->no_titles && r == 0;
		size_t row = r - !sheet->no_titles;
		size_t owed = 0;

		fputs(sheet->indent ? sheet->indent : "", out);
		for (size_t c = 0; c < sheet->n_columns; c++) {
			const struct tw_column *column = &sheet->columns[c];
			const struct tw_sheet_cell *cell;

			if (!widths[c])
				continue;
			if (title) {
				put_cell(out, TW_STYLE_STRONG, column->right, column->title,
					strlen(column->title), widths[c], &owed);
				continue;
			}
			cell = cell_at(sheet, row, c);
			put_cell(out, (enum tw_style)cell->style, column->right,
				sheet->texts.data + cell->start, cell->len, widths[c], &owed);
		}
		fputc('\n', out);
	}
	return 0;
}

int tw_sheet_show(struct tw_sheet *sheet, const char *nothing)
{
	sheet->width = tw_style_columns(STDOUT_FILENO);
	if (!sheet->failed && !sheet->cells.n) {
		printf("%s%s%s\n", tw_style_on(TW_STYLE_DIM), nothing, tw_style_off());
		return TW_EXIT_OK;
	}
	return tw_sheet_print(sheet, stdout) < 0 ? tw_report_memory() : TW_EXIT_OK;
}
