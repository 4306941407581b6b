/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/diag.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/vec.h"

#define EDIT_TEXT_MAX 64 /* no guesses for longer names */

void tw_diags_done(struct tw_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		free(diags->at[i].text);
		free(diags->at[i].hint);
		free(diags->at[i].file);
	}
	free(diags->at);
	*diags = (struct tw_diags){0};
}

static bool is_full(struct tw_diags *diags, enum tw_severity severity)
{
	size_t kept_errors;

	if (severity == TW_SEV_ERROR)
		return diags->n_errors++ >= TW_DIAGS_ERRORS_MAX;
	kept_errors = diags->n_errors < TW_DIAGS_ERRORS_MAX ? diags->n_errors : TW_DIAGS_ERRORS_MAX;
	return diags->n - kept_errors >= TW_DIAGS_WARNINGS_MAX;
}

int tw_diags_add(struct tw_diags *diags, enum tw_severity severity, unsigned int line,
	unsigned int column, const char *hint, const char *format, ...)
{
	struct tw_diag diag = {.severity = severity, .line = line, .column = column};
	tw_autofree char *text = NULL;
	tw_autofree char *own_hint = NULL;
	char scratch[768];
	va_list args;

	if (is_full(diags, severity))
		return 0;
	va_start(args, format);
	vsnprintf(scratch, sizeof(scratch), format, args);
	va_end(args);
	text = tw_strdup(scratch);
	own_hint = hint ? tw_strdup(hint) : NULL;
	if (!text || (hint && !own_hint))
		return -ENOMEM;
	diag.text = text;
	diag.hint = own_hint;
	if (tw_vec_push(diags, diag) < 0)
		return -ENOMEM;
	text = own_hint = NULL;
	return 0;
}

static int compare_places(const void *a, const void *b)
{
	const struct tw_diag *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return strcmp(x->text, y->text);
}

void tw_diags_sort(struct tw_diags *diags)
{
	if (diags->n)
		qsort(diags->at, diags->n, sizeof(*diags->at), compare_places);
}

struct tw_shown tw_diag_show(const char *text)
{
	struct tw_shown shown = {0};
	size_t room = sizeof(shown.text) - 4, at = 0;

	if (!*text)
		text = "an empty text";
	for (; *text && at < room; text++, at++)
		shown.text[at] = *text;
	if (*text) {
		/* Cuts before a multi-byte character, never inside it. */
		while (at && ((unsigned char)shown.text[at - 1] & 0xc0) == 0x80)
			at--;
		if (at && (unsigned char)shown.text[at - 1] >= 0xc0)
			at--;
		memcpy(shown.text + at, "...", 4);
	}
	tw_clean(shown.text, strlen(shown.text));
	return shown;
}

unsigned int tw_diag_distance(const char *a, const char *b, unsigned int limit)
{
	unsigned int rows[3][EDIT_TEXT_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);
	size_t gap = a_len > b_len ? a_len - b_len : b_len - a_len;

	if (a_len > EDIT_TEXT_MAX || b_len > EDIT_TEXT_MAX || gap > limit)
		return limit + 1;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int *now = rows[i % 3], *last = rows[(i + 2) % 3];
		unsigned int best;

		now[0] = (unsigned int)i;
		best = now[0];
		for (size_t j = 1; j <= b_len; j++) {
			unsigned int cost = last[j - 1] + (a[i - 1] != b[j - 1]);

			if (last[j] + 1 < cost)
				cost = last[j] + 1;
			if (now[j - 1] + 1 < cost)
				cost = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				rows[(i + 1) % 3][j - 2] + 1 < cost)
				cost = rows[(i + 1) % 3][j - 2] + 1;
			now[j] = cost;
			if (cost < best)
				best = cost;
		}
		if (best > limit)
			return limit + 1;
	}
	return rows[a_len % 3][b_len];
}
