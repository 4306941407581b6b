/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
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
			return tw_err_set(err, -EFBIG, tw_file_label(path), "split it",
				"larger than %u MiB", TW_FILE_MAX >> 20);
	}
}
