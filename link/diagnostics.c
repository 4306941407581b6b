/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/diagnostics.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

/* Strings of messages are not const in generated code, and are only read. */
#define TEXT(text) ((char *)(uintptr_t)(text))

struct tw_diagnostics {
	Tapwall__V1__Diagnostic **list;
	Tapwall__V1__Diagnostic rows[];
};

void tw_diagnostics_free(struct tw_diagnostics *rows)
{
	if (rows)
		free(rows->list);
	free(rows);
}

static void fill_row(const struct tw_diag *diag, Tapwall__V1__Diagnostic *row)
{
	tapwall__v1__diagnostic__init(row);
	row->severity = diag->severity == TW_SEV_ERROR ? TAPWALL__V1__DIAGNOSTIC__SEVERITY__ERROR
						       : TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING;
	row->line = diag->line;
	row->column = diag->column;
	row->text = diag->text;
	row->hint = TEXT(diag->hint ? diag->hint : "");
	row->file = TEXT(diag->file ? diag->file : "");
	row->file_line = diag->file_line;
}

int tw_diagnostics_fill(
	const struct tw_diags *diags, Tapwall__V1__Response *response, struct tw_diagnostics **ret)
{
	size_t n = diags->n < TW_DIAGNOSTICS_MAX ? diags->n : TW_DIAGNOSTICS_MAX;
	tw_auto(tw_diagnostics) struct tw_diagnostics *rows = tw_alloc(
		sizeof(*rows) + n * sizeof(rows->rows[0]));

	if (!rows)
		return -ENOMEM;
	rows->list = tw_alloc_array(n, sizeof(*rows->list));
	if (!rows->list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		fill_row(&diags->at[i], &rows->rows[i]);
		rows->list[i] = &rows->rows[i];
	}
	response->diagnostics = rows->list;
	response->n_diagnostics = n;
	*ret = TW_TAKE_PTR(rows);
	return 0;
}
