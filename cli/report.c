/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/folder.h"
#include "cli/excerpt.h"
#include "cli/style.h"
#include "link/json.h"
#include "policy/files.h"

#define PROGRAM "tapwall"

/* Number of warnings of one kind that are printed. */
#define ALIKE_MAX 3

int tw_report_err(const struct tw_err *err)
{
	fflush(stdout);
	tw_err_print(stderr, PROGRAM, err);
	return tw_exit_code(err->code);
}

int tw_report_error(int exit_code, const char *place, const char *hint, const char *format, ...)
{
	char text[TW_ERR_TEXT_MAX];
	struct tw_err err = {0};
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	tw_err_set(&err, -EINVAL, place, hint, "%s", text);
	tw_report_err(&err);
	return exit_code;
}

int tw_report_memory(void)
{
	return tw_report_error(TW_EXIT_INTERNAL, NULL, NULL, "out of memory");
}

void tw_report_diag(const struct tw_report_source *source, const struct tw_diag *diag)
{
	unsigned int line = diag->line;
	struct tw_err err = {0};
	size_t columns;

	tw_err_set(&err, -EINVAL, source->file, diag->hint, "%s%s",
		diag->severity == TW_SEV_WARNING ? "warning: " : "", diag->text);
	if (diag->file)
		snprintf(err.place, sizeof(err.place), "%.100s%s%.127s:%u:%u", source->file,
			tw_folder_slash(source->file), diag->file, diag->file_line, diag->column);
	else if (line)
		snprintf(err.place, sizeof(err.place), "%.200s:%u:%u", source->file, line,
			diag->column);
	tw_report_err(&err);
	if (!source->text || !isatty(STDERR_FILENO))
		return;
	columns = tw_style_columns(STDERR_FILENO);
	tw_excerpt_print(stderr, source->text, source->len, line, diag->column,
		(columns > 2 * TW_EXCERPT_MARGIN ? columns : 80) - TW_EXCERPT_MARGIN);
}

/* Warnings are of one kind if they have the same hint. */
static bool is_alike(const struct tw_diag *a, const struct tw_diag *b)
{
	return a->severity == TW_SEV_WARNING && b->severity == TW_SEV_WARNING && a->hint &&
	       b->hint && !strcmp(a->hint, b->hint);
}

/* Returns the number of diagnostics in a range that are of the kind of diagnostic `i`. */
static size_t count_alike(const struct tw_diags *diags, size_t i, size_t from, size_t to)
{
	size_t n = 0;

	for (size_t k = from; k < to; k++)
		n += is_alike(&diags->at[i], &diags->at[k]);
	return n;
}

static void report_rest(
	const struct tw_report_source *source, const struct tw_diag *first, size_t n)
{
	struct tw_err err = {0};

	tw_err_set(&err, -EINVAL, source->file, "tapwall check --all prints them",
		"warning: %zu more with the advice '%s'", n, first->hint);
	tw_report_err(&err);
}

void tw_report_all_diags(const struct tw_report_source *source, struct tw_diags *diags)
{
	tw_files_place(source->text, source->len, diags);
	for (size_t i = 0; i < diags->n; i++) {
		const struct tw_diag *d = &diags->at[i];

		tw_report_diag(source, d);
	}
}

void tw_report_diags(const struct tw_report_source *source, struct tw_diags *diags)
{
	tw_files_place(source->text, source->len, diags);
	for (size_t i = 0; i < diags->n; i++) {
		const struct tw_diag *d = &diags->at[i];

		if (count_alike(diags, i, 0, i) < ALIKE_MAX)
			tw_report_diag(source, d);
	}
	for (size_t i = 0; i < diags->n; i++) {
		size_t n = count_alike(diags, i, i, diags->n);

		if (n > ALIKE_MAX && !count_alike(diags, i, 0, i))
			report_rest(source, &diags->at[i], n - ALIKE_MAX);
	}
}

int tw_report_policy(const char *path, bool warnings, struct tw_policy **ret)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	int code;

	if (tw_folder_read(path, &text, &err) < 0)
		return tw_report_err(&err);
	code = tw_policy_read_unchecked(text.data, text.len, NULL, 0, ret, &diags);
	if (!code)
		tw_policy_expire(*ret, time(NULL));
	if (!code && warnings && tw_policy_check(*ret, &diags) < 0) {
		tw_policy_free(*ret);
		*ret = NULL;
		code = -ENOMEM;
	}
	if (code < 0 || warnings) {
		struct tw_report_source source = {tw_file_label(path), text.data, text.len};

		tw_report_diags(&source, &diags);
	}
	tw_diags_done(&diags);
	if (code == -ENOMEM)
		return tw_report_memory();
	return code < 0 ? TW_EXIT_NO : TW_EXIT_OK;
}

int tw_report_judge(
	struct tw_judge *judge, const struct tw_policy *policy, size_t max_conns, const char *file)
{
	struct tw_diags diags = {0};
	int code = tw_judge_init(judge, policy, max_conns, &diags);

	if (code < 0 && code != -ENOMEM)
		tw_report_diags(&(struct tw_report_source){.file = file}, &diags);
	tw_diags_done(&diags);
	if (code == -ENOMEM)
		return tw_report_memory();
	return code < 0 ? TW_EXIT_NO : TW_EXIT_OK;
}

int tw_report_json(json_t *object)
{
	tw_autofree char *line = tw_json_line(object);

	if (!line)
		return tw_report_memory();
	puts(line);
	return TW_EXIT_OK;
}
