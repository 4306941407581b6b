/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/folder.h"

static const char marker[] = TW_FOLDER_MARKER;

#define MARKER_LEN (sizeof(marker) - 1)

/* ---- the files of a text ---- */

/* Returns the length of a file's name if a line begins a file, otherwise 0. */
static size_t name_len(const char *line, size_t len)
{
	if (len <= MARKER_LEN || memcmp(line, marker, MARKER_LEN) != 0 ||
		!tw_folder_is_name(line + MARKER_LEN, len - MARKER_LEN))
		return 0;
	return len - MARKER_LEN;
}

/* Counts the line ends of YAML other than newlines: CR alone, NEL, LS and PS. */
static unsigned int count_odd_ends(const char *text, size_t len)
{
	const unsigned char *at = (const unsigned char *)text;
	unsigned int n = 0;

	for (size_t i = 0; i < len; i++) {
		if (at[i] == '\r')
			n += i + 1 < len && at[i + 1] != '\n';
		else if (at[i] == 0xc2)
			n += i + 1 < len && at[i + 1] == 0x85;
		else if (at[i] == 0xe2)
			n += i + 2 < len && at[i + 1] == 0x80 && (at[i + 2] & 0xfe) == 0xa8;
	}
	return n;
}

static int add_file(
	struct tw_files *files, size_t *max, const char *name, size_t len, struct tw_arena *arena)
{
	struct tw_text_file *file;

	if (files->n == TW_FOLDER_FILES_MAX)
		return -E2BIG;
	if (files->n == *max) {
		struct tw_text_file *more = tw_arena_alloc(arena, 2 * *max + 16, sizeof(*more));

		if (!more)
			return -ENOMEM;
		if (files->n)
			memcpy(more, files->at, files->n * sizeof(*more));
		files->at = more;
		*max = 2 * *max + 16;
	}
	file = &files->at[files->n];
	file->name = tw_arena_strndup(arena, name, len);
	if (!file->name)
		return -ENOMEM;
	files->n++;
	return 0;
}

int tw_files_find(const char *text, size_t len, struct tw_arena *arena, struct tw_files *ret)
{
	struct tw_files files = {0};
	unsigned int line = 1;
	size_t max = 0;
	int err = 0;

	for (size_t at = 0; at < len && !err; line++) {
		const char *end = memchr(text + at, '\n', len - at);
		size_t line_len = end ? (size_t)(end - text) - at : len - at;
		size_t n = name_len(text + at, line_len);

		if (!n && !files.n)
			return 0;
		if (n) {
			if (files.n)
				files.at[files.n - 1].len = at - files.at[files.n - 1].at;
			err = add_file(&files, &max, text + at + MARKER_LEN, n, arena);
		} else {
			line += count_odd_ends(text + at, line_len + (end != NULL));
		}
		at += line_len + (end != NULL);
		if (n && !err) {
			files.at[files.n - 1].line = line;
			files.at[files.n - 1].at = at;
			files.at[files.n - 1].len = len - at;
		}
	}
	if (!err)
		*ret = files;
	return err;
}

const struct tw_text_file *tw_files_at(const struct tw_files *files, unsigned int line)
{
	size_t low = 0, high = files->n;

	if (!files->n || line <= files->at[0].line)
		return NULL;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (files->at[middle].line < line)
			low = middle;
		else
			high = middle;
	}
	return &files->at[low];
}

struct tw_line_name tw_files_line(const struct tw_files *files, unsigned int line)
{
	const struct tw_text_file *file = tw_files_at(files, line);
	struct tw_line_name name;

	if (file)
		snprintf(name.text, sizeof(name.text), "line %u of %s", line - file->line,
			file->name);
	else
		snprintf(name.text, sizeof(name.text), "line %u", line);
	return name;
}

int tw_files_place(const char *text, size_t len, struct tw_diags *diags)
{
	struct tw_arena arena = {0};
	struct tw_files files = {0};
	int err = 0;

	if (!diags->n || !text)
		return 0;
	err = tw_files_find(text, len, &arena, &files);
	if (err == -E2BIG)
		err = 0;
	for (size_t i = 0; i < diags->n && !err; i++) {
		struct tw_diag *diag = &diags->at[i];
		const struct tw_text_file *file = diag->line ? tw_files_at(&files, diag->line)
							     : NULL;

		if (!file || diag->file)
			continue;
		diag->file = tw_strdup(file->name);
		diag->file_line = diag->line - file->line;
		err = diag->file ? 0 : -ENOMEM;
	}
	tw_arena_done(&arena);
	return err;
}
