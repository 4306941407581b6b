/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/spool_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "base/alloc.h"
#include "base/cleanup.h"

#define NAME_MAX_LEN 96
#define UNFINISHED   "unfinished"
#define LEVEL	     1

static void name_part(const struct tw_spool_part *part, char name[NAME_MAX_LEN])
{
	snprintf(name, NAME_MAX_LEN,
		"%016" PRIx64 "-%016" PRIx64 "-%016" PRIx64 "-%08" PRIx32 "-%016" PRIx64, part->seq,
		part->journal, part->first, part->rows, part->lost);
}

/* Reads a part from the name of its file. False if name_part() would write another name. */
static bool read_name(const char *name, struct tw_spool_part *ret)
{
	char again[NAME_MAX_LEN];

	*ret = (struct tw_spool_part){0};
	if (sscanf(name, "%" SCNx64 "-%" SCNx64 "-%" SCNx64 "-%" SCNx32 "-%" SCNx64, &ret->seq,
		    &ret->journal, &ret->first, &ret->rows, &ret->lost) != 5)
		return false;
	name_part(ret, again);
	return !strcmp(name, again) && ret->rows && ret->first <= UINT64_MAX / 2;
}

static int compare_parts(const void *a, const void *b)
{
	const struct tw_spool_part *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* ---- the directory ---- */

static int list_files(DIR *dir, struct tw_spool_parts *ret)
{
	const struct dirent *entry;
	struct tw_spool_part part;
	struct stat info;
	int code = 0;

	while (!code && (entry = readdir(dir))) {
		if (!strcmp(entry->d_name, UNFINISHED))
			unlinkat(dirfd(dir), entry->d_name, 0);
		if (!read_name(entry->d_name, &part) ||
			fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0 ||
			!S_ISREG(info.st_mode))
			continue;
		part.file_bytes = (uint64_t)info.st_size;
		code = tw_vec_push(ret, part);
	}
	return code;
}

int tw_spool_file_list(int dir_fd, struct tw_spool_parts *ret)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), code;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		code = -errno;
		if (fd >= 0)
			close(fd);
		return code;
	}
	code = list_files(dir, ret);
	closedir(dir);
	if (ret->n)
		qsort(ret->at, ret->n, sizeof(*ret->at), compare_parts);
	return code;
}

void tw_spool_file_remove(int dir_fd, const struct tw_spool_part *part)
{
	char name[NAME_MAX_LEN];

	name_part(part, name);
	unlinkat(dir_fd, name, 0);
}

/* ---- writing ---- */

/* Compresses into *ret, which the caller frees. Returns the length, or a negative errno. */
static ssize_t compress(const void *data, size_t len, void **ret)
{
	size_t max = ZSTD_compressBound(len), n = 0;
	ZSTD_CCtx *context = ZSTD_createCCtx();

	*ret = context ? tw_alloc(max) : NULL;
	if (*ret) {
		ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
		n = ZSTD_compress2(context, *ret, max, data, len);
	}
	ZSTD_freeCCtx(context);
	return !*ret ? -ENOMEM : ZSTD_isError(n) ? -EIO : (ssize_t)n;
}

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int tw_spool_file_write(int dir_fd, struct tw_spool_part *part, const void *data, size_t len)
{
	tw_autofree void *packed = NULL;
	char name[NAME_MAX_LEN];
	tw_autofd int fd = -1;
	ssize_t n = compress(data, len, &packed);
	int code = 0;

	if (n < 0)
		return (int)n;
	unlinkat(dir_fd, UNFINISHED, 0);
	fd = openat(dir_fd, UNFINISHED, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	name_part(part, name);
	code = write_all(fd, packed, (size_t)n);
	if (!code && renameat(dir_fd, UNFINISHED, dir_fd, name) < 0)
		code = -errno;
	if (code)
		unlinkat(dir_fd, UNFINISHED, 0);
	else
		part->file_bytes = (uint64_t)n;
	return code;
}

/* ---- reading ---- */

static int read_all(int fd, char *data, size_t len)
{
	while (len) {
		ssize_t n = read(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int expand(const void *packed, size_t len, struct tw_buf *ret)
{
	unsigned long long raw = ZSTD_getFrameContentSize(packed, len);
	void *to;
	size_t n;

	if (raw == ZSTD_CONTENTSIZE_UNKNOWN || raw == ZSTD_CONTENTSIZE_ERROR || !raw ||
		raw > TW_SPOOL_FILE_RAW_MAX)
		return -EBADMSG;
	to = tw_buf_extend(ret, (size_t)raw);
	if (!to)
		return -ENOMEM;
	n = ZSTD_decompress(to, (size_t)raw, packed, len);
	return ZSTD_isError(n) || n != raw ? -EBADMSG : 0;
}

int tw_spool_file_read(int dir_fd, const struct tw_spool_part *part, struct tw_buf *ret)
{
	tw_autofree char *packed = NULL;
	char name[NAME_MAX_LEN];
	tw_autofd int fd = -1;
	int code;

	name_part(part, name);
	fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (!part->file_bytes || part->file_bytes > TW_SPOOL_FILE_RAW_MAX)
		return -EBADMSG;
	packed = tw_alloc(part->file_bytes);
	if (!packed)
		return -ENOMEM;
	code = read_all(fd, packed, part->file_bytes);
	return code ? code : expand(packed, part->file_bytes, ret);
}
