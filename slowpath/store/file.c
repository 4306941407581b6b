/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/store/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

/* ---- writing ---- */

struct file_writer {
	struct tw_store_writer base;
	struct tw_history *history; /* NULL: it could not be opened, as `failed` says */
	struct tw_history_state failed;
	struct tw_history_limits limits;
	char path[];
};

static struct tw_history *history_of(const struct tw_store_writer *writer)
{
	return ((const struct file_writer *)writer)->history;
}

static int file_ready(struct tw_store_writer *base)
{
	struct file_writer *writer = (struct file_writer *)base;
	struct tw_history_state *failed = &writer->failed;
	struct tw_err err = {0};

	if (writer->history)
		return 0;
	failed->failing = tw_history_open(writer->path, &writer->limits, &writer->history, &err);
	if (!failed->failing)
		return 0;
	if (!failed->failing_since_ns)
		failed->failing_since_ns = tw_clock_ns();
	snprintf(failed->why, sizeof(failed->why), "%.150s: %.200s%s%.100s", err.place, err.text,
		err.hint[0] ? "; " : "", err.hint);
	return failed->failing;
}

static int file_name(struct tw_store_writer *writer, enum tw_history_noun noun, const char *text,
	uint32_t *ret_name)
{
	return tw_history_name(history_of(writer), noun, text, ret_name);
}

static int file_append(struct tw_store_writer *writer, const struct tw_history_row *rows, size_t n)
{
	return tw_history_append(history_of(writer), rows, n);
}

static int file_mark_source(struct tw_store_writer *writer, const char *source, uint64_t value)
{
	return tw_history_mark_source(history_of(writer), source, value);
}

static uint64_t file_marked(const struct tw_store_writer *writer, const char *source)
{
	return tw_history_marked(history_of(writer), source);
}

static int file_commit(struct tw_store_writer *writer)
{
	const struct file_writer *file = (const struct file_writer *)writer;

	return file->history ? tw_history_commit(file->history, NULL) : file->failed.failing;
}

static void file_get_progress(
	const struct tw_store_writer *writer, struct tw_history_state *ret_state)
{
	const struct file_writer *file = (const struct file_writer *)writer;

	if (file->history)
		tw_history_get_progress(file->history, ret_state);
	else
		*ret_state = file->failed;
}

static void file_writer_free(struct tw_store_writer *writer)
{
	tw_history_free(history_of(writer));
	free(writer);
}

int tw_file_writer_open(const char *path, const struct tw_history_limits *limits,
	struct tw_store_writer **ret, struct tw_err *err)
{
	static const struct tw_store_writer_ops ops = {.ready = file_ready,
		.name = file_name,
		.append = file_append,
		.mark_source = file_mark_source,
		.marked = file_marked,
		.commit = file_commit,
		.get_progress = file_get_progress,
		.free = file_writer_free};
	struct file_writer *writer = tw_alloc(sizeof(*writer) + strlen(path) + 1);

	if (!writer)
		return tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
	writer->base.ops = &ops;
	writer->limits = *limits;
	strcpy(writer->path, path);
	/* If the file cannot be opened, the caller tries again. */
	file_ready(&writer->base);
	*ret = &writer->base;
	return 0;
}

/* ---- reading ---- */

struct file_reader {
	struct tw_store_reader base;
	struct tw_history_reader *reader;
};

static struct tw_history_reader *reader_of(struct tw_store_reader *reader)
{
	return ((struct file_reader *)reader)->reader;
}

static int file_select(struct tw_store_reader *reader, const struct tw_history_query *query,
	struct tw_history_result *ret_result, struct tw_err *err)
{
	return tw_history_select(reader_of(reader), query, ret_result);
}

static int file_top(struct tw_store_reader *reader, const struct tw_history_filter *filter,
	enum tw_history_dimension dimension, enum tw_history_order order, uint32_t limit,
	struct tw_history_result *ret_result, struct tw_err *err)
{
	return tw_history_top(reader_of(reader), filter, dimension, order, limit, ret_result);
}

static int file_uses(struct tw_store_reader *reader, struct tw_history_use **ret_uses,
	size_t *ret_n, struct tw_err *err)
{
	return tw_history_uses(reader_of(reader), ret_uses, ret_n);
}

static int file_get_extent(
	struct tw_store_reader *reader, struct tw_history_extent *ret_extent, struct tw_err *err)
{
	return tw_history_get_extent(reader_of(reader), ret_extent);
}

static const char *file_text(struct tw_store_reader *reader, uint32_t name)
{
	return tw_history_text(reader_of(reader), name);
}

static void file_reader_free(struct tw_store_reader *reader)
{
	tw_history_reader_free(reader_of(reader));
	free(reader);
}

int tw_file_reader_open(const char *path, struct tw_store_reader **ret, struct tw_err *err)
{
	static const struct tw_store_reader_ops ops = {.select = file_select,
		.top = file_top,
		.uses = file_uses,
		.get_extent = file_get_extent,
		.text = file_text,
		.free = file_reader_free};
	struct file_reader *reader = tw_alloc(sizeof(*reader));
	int code;

	if (!reader)
		return tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
	reader->base.ops = &ops;
	code = tw_history_reader_open(path, &reader->reader, err);
	if (code < 0)
		free(reader);
	else
		*ret = &reader->base;
	return code;
}
