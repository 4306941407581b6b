/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "base/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/vec.h"

#define READ_CHUNK   (64u << 10)
#define ATTEMPTS     4
#define STAMP_FACTOR 0x100000001b3u /* FNV-1a */
#define STAMP_FIRST  0xcbf29ce484222325u

/* A directory while it is read. */
struct folder {
	const char *path;
	int fd;
	TW_VEC(char *) names; /* owned, in order */
	uint64_t stamp;	      /* state of the directory and of its files */
	struct tw_err *err;
};

const char *tw_folder_slash(const char *path)
{
	size_t len = strlen(path);

	return len && path[len - 1] == '/' ? "" : "/";
}

static int fail(
	const struct folder *folder, int code, const char *name, const char *hint, const char *text)
{
	char place[PATH_MAX];

	snprintf(place, sizeof(place), "%s%s%s", folder->path,
		name ? tw_folder_slash(folder->path) : "", name ? name : "");
	return tw_err_set(folder->err, code, place, hint, "%s", text);
}

static int fail_read(const struct folder *folder, int code, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "cannot read it: %s", strerror(-code));
	return fail(folder, code, name, NULL, text);
}

bool tw_folder_is_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool letter = (name[i] >= 'a' && name[i] <= 'z') ||
			      (name[i] >= 'A' && name[i] <= 'Z');

		if (!letter && !(name[i] >= '0' && name[i] <= '9') && name[i] != '_' &&
			name[i] != '.' && name[i] != '-')
			return false;
	}
	return len && len <= TW_FOLDER_NAME_MAX && name[0] != '.';
}

static void add_number(uint64_t *stamp, uint64_t number)
{
	for (int i = 0; i < 8; i++)
		*stamp = (*stamp ^ (number >> 8 * i & 0xff)) * STAMP_FACTOR;
}

static void add_state(uint64_t *stamp, const struct stat *info)
{
	const uint64_t state[] = {info->st_dev, info->st_ino, (uint64_t)info->st_size,
		(uint64_t)info->st_mtim.tv_sec, (uint64_t)info->st_mtim.tv_nsec,
		(uint64_t)info->st_ctim.tv_sec, (uint64_t)info->st_ctim.tv_nsec};

	for (size_t i = 0; i < sizeof(state) / sizeof(state[0]); i++)
		add_number(stamp, state[i]);
}

static bool ends_with(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && !strcmp(name + len - end_len, end);
}

/* Adds a name if its file is to be read. A name that looks like that of such a file, but is not,
 * is an error, because a file that is passed over would leave its guests without their rules. */
static int add_name(struct folder *folder, const char *name)
{
	char *copy;
	int code;

	if (name[0] == '.')
		return 0;
	if (ends_with(name, ".yml"))
		return fail(folder, -EINVAL, tw_cleaned(name).text,
			"name it .yaml, or move it away", "only files named .yaml are read");
	if (!ends_with(name, ".yaml"))
		return 0;
	if (!tw_folder_is_name(name, strlen(name)))
		return fail(folder, -EINVAL, tw_cleaned(name).text,
			"use letters, digits, '_', '.' and '-', at most 127",
			"a file of a policy cannot have this name");
	if (folder->names.n == TW_FOLDER_FILES_MAX)
		return fail(folder, -E2BIG, NULL, "join some of them",
			"has more than 4096 files of a policy");
	copy = tw_strdup(name);
	code = copy ? tw_vec_push(&folder->names, copy) : -ENOMEM;
	if (code) {
		free(copy);
		return fail_read(folder, code, NULL);
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void forget_names(struct folder *folder)
{
	tw_vec_foreach (&folder->names, name)
		free(*name);
	tw_vec_done(&folder->names);
}

/* Lists the names, and computes the stamp. */
static int list_names(struct folder *folder)
{
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat info;
	int code = 0;

	if (!dir) {
		code = -errno;
		if (fd >= 0)
			close(fd);
		return fail_read(folder, code, NULL);
	}
	folder->stamp = STAMP_FIRST;
	if (fstat(folder->fd, &info) < 0)
		code = fail_read(folder, -errno, NULL);
	add_state(&folder->stamp, &info);
	errno = 0;
	while (!code && (entry = readdir(dir))) {
		code = add_name(folder, entry->d_name);
		errno = 0;
	}
	if (!code && errno)
		code = fail_read(folder, -errno, NULL);
	closedir(dir);
	if (folder->names.n)
		qsort(folder->names.at, folder->names.n, sizeof(*folder->names.at), compare_names);
	for (size_t i = 0; i < folder->names.n && !code; i++) {
		if (fstatat(folder->fd, folder->names.at[i], &info, 0) < 0)
			code = fail_read(folder, -errno, folder->names.at[i]);
		else if (!S_ISREG(info.st_mode))
			code = fail(folder, -EINVAL, folder->names.at[i], "move it away",
				"is not a file");
		else
			add_state(&folder->stamp, &info);
	}
	return code;
}

/* ---- the text ---- */

static int read_all(struct folder *folder, int fd, const char *name, struct tw_buf *out)
{
	for (;;) {
		size_t before = out->len;
		char *room = tw_buf_extend(out, READ_CHUNK);
		ssize_t n;

		if (!room)
			return fail_read(folder, -ENOMEM, name);
		n = read(fd, room, READ_CHUNK);
		out->len = before + (n > 0 ? (size_t)n : 0);
		if (n < 0 && errno != EINTR)
			return fail_read(folder, -errno, name);
		if (n == 0)
			return 0;
		if (out->len > TW_FOLDER_TEXT_MAX)
			return fail(folder, -EFBIG, name, "at most 64 MiB are allowed",
				"the files up to this one are too long");
	}
}

/* Checks the text of one file. A line that begins as the marker does would split it. */
static int check_text(const struct folder *folder, const char *name, const char *text, size_t len)
{
	static const char marker[] = TW_FOLDER_MARKER;
	size_t n = sizeof(marker) - 1, blanks = 0;
	char place[TW_FOLDER_NAME_MAX + 32];
	unsigned int line = 1;

	while (blanks < len && strchr(" \t\r\n", text[blanks]) && text[blanks])
		blanks++;
	if (blanks == len)
		return fail(folder, -EINVAL, name, "remove it if nothing belongs into it",
			"the file is empty");
	for (size_t at = 0; at < len; line++) {
		const char *end = memchr(text + at, '\n', len - at);

		if (len - at >= n && !memcmp(text + at, marker, n)) {
			snprintf(place, sizeof(place), "%s:%u:1", name, line);
			return fail(folder, -EINVAL, place, "reword the comment",
				"a comment cannot begin with \"" TW_FOLDER_MARKER "\" here");
		}
		if (!end)
			break;
		at = (size_t)(end - text) + 1;
	}
	return 0;
}

static int add_file(struct folder *folder, const char *name, struct tw_buf *out)
{
	/* O_NONBLOCK: the file may have been replaced by a FIFO meanwhile. */
	tw_autofd int fd = openat(folder->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	size_t from;
	int code;

	if (fd < 0)
		return fail_read(folder, -errno, name);
	tw_buf_adds(out, TW_FOLDER_MARKER);
	tw_buf_adds(out, name);
	tw_buf_adds(out, "\n");
	from = out->len;
	code = read_all(folder, fd, name, out);
	if (!code)
		code = check_text(folder, name, out->data + from, out->len - from);
	if (!code && out->data[out->len - 1] != '\n')
		tw_buf_adds(out, "\n");
	return !code && out->failed ? fail_read(folder, -ENOMEM, name) : code;
}

/* Reads all files once. Stores true if nothing changed meanwhile. */
static int read_once(struct folder *folder, struct tw_buf *out, bool *ret_same)
{
	uint64_t stamp;
	int code = list_names(folder);

	if (!code && !folder->names.n)
		code = fail(folder, -ENOENT, NULL, "write a policy into a file named .yaml in it",
			"the directory has no policy");
	stamp = folder->stamp;
	for (size_t i = 0; i < folder->names.n && !code; i++)
		code = add_file(folder, folder->names.at[i], out);
	forget_names(folder);
	if (code == -ENOMEM)
		return code;
	/* A file that is missing now may have been renamed since it was listed. */
	if (!code || code == -ENOENT) {
		struct folder again = {.path = folder->path, .fd = folder->fd};
		int listed = list_names(&again);

		forget_names(&again);
		*ret_same = listed ? listed == code : again.stamp == stamp;
		if (*ret_same || !code)
			return code;
		return 0;
	}
	*ret_same = true;
	return code;
}

int tw_folder_read(const char *path, struct tw_buf *out, struct tw_err *err)
{
	struct tw_err scratch = {0};
	struct folder folder = {.path = path, .err = err ? err : &scratch};
	tw_autofd int fd = strcmp(path, "-") ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	size_t from = out->len;
	bool same = false;
	int code;

	if (fd < 0 && (!strcmp(path, "-") || errno == ENOTDIR))
		return tw_file_read(path, out, err);
	if (fd < 0)
		return fail_read(&folder, -errno, NULL);
	folder.fd = fd;
	for (int i = 0; i < ATTEMPTS; i++) {
		out->len = from;
		code = read_once(&folder, out, &same);
		if (code || same)
			return code;
	}
	return fail(&folder, -EAGAIN, NULL, "try again", "its files change while they are read");
}

int tw_folder_stamp(const char *path, uint64_t *ret)
{
	tw_autofd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct tw_err err = {0};
	struct folder folder = {.path = path, .fd = fd, .stamp = STAMP_FIRST, .err = &err};
	struct stat info;
	int code = 0;

	if (fd >= 0) {
		code = list_names(&folder);
		forget_names(&folder);
	} else if (errno != ENOTDIR || stat(path, &info) < 0) {
		return -errno;
	} else {
		add_state(&folder.stamp, &info);
	}
	if (!code)
		*ret = folder.stamp;
	return code;
}
