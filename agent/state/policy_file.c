/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/policy_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/folder.h"
#include "policy/table.h"

#define REFUSED_MAX 800

int tw_policy_file_read(const char *path, char **ret, size_t *ret_len, struct tw_err *err)
{
	tw_auto_buf struct tw_buf text = {0};
	int code = tw_folder_read(path, &text, err);

	if (code < 0)
		return code;
	*ret_len = text.len;
	*ret = text.data ? TW_TAKE_PTR(text.data) : tw_strdup("");
	return *ret ? 0 : tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
}

/* ---- the file of --policy ---- */

/* Returns the end of the first alternative. A colon separates alternatives only before a slash. */
static const char *path_end(const char *paths)
{
	const char *end = strstr(paths, ":/");

	return end ? end : paths + strlen(paths);
}

int tw_policy_file_find(
	struct tw_policy_file *file, const char *paths, const char **ret, struct tw_err *err)
{
	char path[sizeof(file->path)];
	struct stat info;
	size_t n = 0;

	*ret = paths;
	if (!*path_end(paths))
		return 0;
	for (const char *at = paths, *end; *at; at = *end ? end + 1 : end) {
		end = path_end(at);

		if ((size_t)(end - at) >= sizeof(path))
			return tw_err_set(
				err, -ENAMETOOLONG, "--policy", NULL, "a path is too long");
		snprintf(path, sizeof(path), "%.*s", (int)(end - at), at);
		/* A link that leads nowhere counts, so that reading it fails with the reason. */
		if (lstat(path, &info) < 0)
			continue;
		if (n++)
			return tw_err_set(err, -EEXIST, path,
				"keep one: move the other's rules into it, then rename or delete the other",
				"a policy exists here and in %s", file->path);
		memcpy(file->path, path, sizeof(path));
	}
	if (!n)
		return tw_err_set(err, -ENOENT, paths, "write one of these", "there is no policy");
	*ret = file->path;
	return 0;
}

uint64_t tw_policy_text_mark(const char *text, size_t len)
{
	uint64_t mark = tw_table_hash(text, len, 0);

	return mark ? mark : 1;
}

uint64_t tw_policy_file_mark(struct tw_policy_file *file, const char *paths)
{
	tw_autofree char *text = NULL;
	const char *path;
	uint64_t stamp;
	size_t len;

	if (!paths || tw_policy_file_find(file, paths, &path, NULL) < 0 ||
		tw_folder_stamp(path, &stamp) < 0)
		return 0;
	if (file->mark && file->stamp == stamp)
		return file->mark;
	/* The file's state is read before its text, so that a file that changes meanwhile is
	 * read again. */
	file->mark = 0;
	file->stamp = stamp;
	if (!tw_policy_file_read(path, &text, &len, NULL))
		file->mark = tw_policy_text_mark(text, len);
	return file->mark;
}

enum tw_file_state tw_policy_file_compare(
	struct tw_policy_file *file, const char *paths, uint64_t in_force)
{
	uint64_t mark = tw_policy_file_mark(file, paths);

	if (!paths)
		return TW_FILE_NONE;
	if (!mark)
		return TW_FILE_UNREADABLE;
	return in_force == mark ? TW_FILE_SAME : TW_FILE_DIFFERS;
}

const char *tw_file_state_name(enum tw_file_state state)
{
	static const char *const names[] = {"", "same", "differs", "unreadable"};

	return names[state];
}

/* ---- refusals ---- */

static const struct tw_diag *first_error(const struct tw_diags *diags)
{
	for (size_t i = 0; diags && i < diags->n; i++)
		if (diags->at[i].severity == TW_SEV_ERROR)
			return &diags->at[i];
	return NULL;
}

void tw_policy_file_refused(struct tw_policy_file *file, const char *source,
	const struct tw_diags *diags, const struct tw_err *err)
{
	const struct tw_diag *error = first_error(diags);
	struct tw_refused refused = {.when_ns = tw_clock_ns()};
	/* A file of the directory `source`. */
	bool in_file = err && err->place[0] && strcmp(err->place, source) != 0;
	char text[REFUSED_MAX];
	int len;

	len = error ? snprintf(text, sizeof(text), "%s%sline %u, column %u: %.400s",
			      error->file ? error->file : "", error->file ? ", " : "",
			      error->file ? error->file_line : error->line, error->column,
			      error->text)
		    : snprintf(text, sizeof(text), "%s%s%s", in_file ? err->place : "",
			      in_file ? ": " : "", err->text);
	if (error && diags->n_errors > 1)
		snprintf(text + len, sizeof(text) - (size_t)len, "; and %zu more error%s",
			diags->n_errors - 1, diags->n_errors == 2 ? "" : "s");
	refused.source = tw_strdup(source);
	refused.text = tw_strdup(text);
	tw_policy_file_accepted(file);
	file->refused = refused;
	/* Both are shown, or neither. */
	if (!refused.source || !refused.text)
		tw_policy_file_accepted(file);
}

void tw_policy_file_accepted(struct tw_policy_file *file)
{
	free(file->refused.source);
	free(file->refused.text);
	file->refused = (struct tw_refused){0};
}

void tw_policy_file_done(struct tw_policy_file *file)
{
	tw_policy_file_accepted(file);
}
