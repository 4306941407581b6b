/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

#define READ_CHUNK (64u << 10)

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
			return tw_err_set(err, -EFBIG, tw_file_label(path), NULL,
				"larger than %u MiB", TW_FILE_MAX >> 20);
	}
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		data += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* Makes the new name of a file durable. */
static int sync_folder(const char *path)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	tw_autofd int fd = -1;

	snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Writes PATH.new, in place of one that an earlier attempt may have left, and renames it. */
static int replace(const char *path, const char *data, size_t len, mode_t mode)
{
	char temporary[PATH_MAX];
	tw_autofd int fd = -1;
	int code;

	if (snprintf(temporary, sizeof(temporary), "%s.new", path) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	if (unlink(temporary) < 0 && errno != ENOENT)
		return -errno;
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	code = write_all(fd, data, len);
	if (!code && rename(temporary, path) < 0)
		code = -errno;
	if (code < 0)
		unlink(temporary);
	return code < 0 ? code : sync_folder(path);
}

int tw_file_replace(const char *path, const void *data, size_t len, mode_t mode, struct tw_err *err)
{
	int code = replace(path, data, len, mode);

	return code < 0 ? tw_err_set(err, code, path, NULL, "cannot write it: %s", strerror(-code))
			: 0;
}
