/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define PROGRAM	   "tapwall"
#define READ_CHUNK (64u << 10)

static int exit_of(int code)
{
	switch (-code) {
	case EINVAL:
	case E2BIG:
	case EMSGSIZE:
	case ECANCELED:
		return TW_EXIT_NO;
	case ENOENT:
	case EISDIR:
	case ENOTDIR:
	case ENAMETOOLONG:
	case EFBIG:
		return TW_EXIT_USAGE;
	case EPERM:
	case EACCES:
	case EOPNOTSUPP:
	case EEXIST:
		return TW_EXIT_PERMISSION;
	case ECONNREFUSED:
	case EPIPE:
	case ETIMEDOUT:
		return TW_EXIT_NO_AGENT;
	default:
		return TW_EXIT_INTERNAL;
	}
}

int tw_report_err(const struct tw_err *err)
{
	fflush(stdout);
	tw_err_print(stderr, PROGRAM, err);
	return exit_of(err->code);
}

int tw_report(int exit_code, const char *place, const char *hint, const char *format, ...)
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
	return tw_report(TW_EXIT_INTERNAL, NULL, NULL, "out of memory");
}

void tw_report_diag(const char *file, enum tw_severity severity, unsigned int line,
	unsigned int column, const char *text, const char *hint)
{
	struct tw_err err = {0};

	tw_err_set(&err, -EINVAL, file, hint, "%s%s", severity == TW_SEV_WARNING ? "warning: " : "",
		text);
	if (line)
		snprintf(err.place, sizeof(err.place), "%.200s:%u:%u", file, line, column);
	tw_report_err(&err);
}

void tw_report_diags(const char *file, const struct tw_diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct tw_diag *d = &diags->at[i];

		tw_report_diag(file, d->severity, d->line, d->column, d->text, d->hint);
	}
}

const char *tw_file_label(const char *path)
{
	return strcmp(path, "-") ? path : "stdin";
}

static int read_error(struct tw_err *err, int code, const char *path)
{
	return tw_err_set(
		err, code, tw_file_label(path), NULL, "cannot read it: %s", strerror(-code));
}

int tw_file_read(const char *path, struct tw_buf *out, struct tw_err *err)
{
	tw_autofd int opened = -1;
	int fd = STDIN_FILENO;

	if (strcmp(path, "-")) {
		fd = opened = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return read_error(err, -errno, path);
	}
	for (;;) {
		size_t before = out->len;
		char *room = tw_buf_extend(out, READ_CHUNK);
		ssize_t n;

		if (!room)
			return read_error(err, -ENOMEM, path);
		n = read(fd, room, READ_CHUNK);
		out->len = before + (n > 0 ? (size_t)n : 0);
		if (n < 0 && errno != EINTR)
			return read_error(err, -errno, path);
		if (n == 0)
			return 0;
		if (out->len > TW_FILE_MAX)
			return tw_err_set(err, -EFBIG, tw_file_label(path), "split it",
				"larger than %u MiB", TW_FILE_MAX >> 20);
	}
}

int tw_file_policy(const char *path, bool warnings, struct tw_policy **ret)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	int code;

	if (tw_file_read(path, &text, &err) < 0)
		return tw_report_err(&err);
	code = tw_policy_read(text.data, text.len, ret, &diags);
	if (code < 0 || warnings)
		tw_report_diags(tw_file_label(path), &diags);
	tw_diags_done(&diags);
	if (code == -ENOMEM)
		return tw_report_memory();
	return code < 0 ? TW_EXIT_NO : TW_EXIT_OK;
}
