/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/revoked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/exit.h"
#include "base/file.h"
#include "base/log.h"
#include "link/identity.h"

#define FILE_NAME    "revoked"
#define KEPT_END     ".kept"
#define PATH_MAX_LEN (4096 + sizeof(KEPT_END))

static int path_of(const char *folder, char *path, size_t max)
{
	return (size_t)snprintf(path, max, "%s/" FILE_NAME, folder) < max ? 0 : -ENAMETOOLONG;
}

/* ---- reading ---- */

/* False if the line is invalid. */
static bool read_line(struct tw_revoked *revoked, const char *line)
{
	struct tw_revoked_row row = {0};
	long long until;
	char end;

	if (sscanf(line, "%64s %lld%c", row.name, &until, &end) != 2 ||
		!tw_identity_is_name(row.name))
		return false;
	row.until = (time_t)until;
	return !tw_vec_push(&revoked->rows, row);
}

/* Writes the path of the empty file that shows that there must be a list. */
static void kept_path(const char *path, char *ret, size_t max)
{
	snprintf(ret, max, "%s" KEPT_END, path);
}

static bool is_kept(const char *path)
{
	char kept[PATH_MAX_LEN];

	kept_path(path, kept, sizeof(kept));
	return !access(kept, F_OK);
}

static int keep_list(const char *path)
{
	char kept[PATH_MAX_LEN];
	tw_autofd int fd = -1;

	kept_path(path, kept, sizeof(kept));
	fd = open(kept, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static bool read_list(struct tw_revoked *revoked)
{
	tw_auto_buf struct tw_buf text = {0};
	struct tw_err err = {0};
	char *rest = NULL;

	revoked->rows.n = 0;
	if (access(revoked->path, F_OK) < 0 && errno == ENOENT)
		return !is_kept(revoked->path);
	if (tw_file_read(revoked->path, &text, &err) < 0)
		return false;
	for (char *line = text.len ? strtok_r(text.data, "\n", &rest) : NULL; line;
		line = strtok_r(NULL, "\n", &rest))
		if (!read_line(revoked, line))
			return false;
	return true;
}

int tw_revoked_init(struct tw_revoked *revoked, const char *folder)
{
	int code;

	/* No file has this inode number, so the first look reads the list even if it is missing. */
	*revoked = (struct tw_revoked){.seen.st_ino = (ino_t)-1};
	code = path_of(folder, revoked->path, sizeof(revoked->path));
	if (!code)
		tw_revoked_look(revoked);
	return code;
}

void tw_revoked_done(struct tw_revoked *revoked)
{
	tw_vec_done(&revoked->rows);
}

bool tw_revoked_look(struct tw_revoked *revoked)
{
	struct stat now = {0};
	bool was_broken = revoked->broken;

	if (stat(revoked->path, &now) < 0)
		now = (struct stat){0};
	/* If the list is missing and revoked.kept was deleted, too, the list is read again, as an empty one. */
	if (was_broken && !now.st_ino && !is_kept(revoked->path))
		revoked->seen.st_ino = (ino_t)-1;
	if (now.st_ino == revoked->seen.st_ino && now.st_size == revoked->seen.st_size &&
		now.st_mtim.tv_sec == revoked->seen.st_mtim.tv_sec &&
		now.st_mtim.tv_nsec == revoked->seen.st_mtim.tv_nsec)
		return false;
	revoked->seen = now;
	revoked->broken = !read_list(revoked);
	if (revoked->broken)
		tw_log(TW_LOG_ERR,
			"%s is missing, unreadable or has an invalid line; every agent is refused until it is repaired",
			revoked->path);
	/* Makes revoked.kept for a list that an earlier version began. */
	if (!revoked->broken && revoked->rows.n && !is_kept(revoked->path))
		keep_list(revoked->path);
	return true;
}

bool tw_revoked_has(void *arg, const char *name, time_t from)
{
	const struct tw_revoked *revoked = arg;

	if (revoked->broken)
		return true;
	tw_vec_foreach (&revoked->rows, row)
		if (from <= row->until && !strcmp(row->name, name))
			return true;
	return false;
}

/* ---- adding ---- */

/* Appends a line with one write. If the write fails, at most part of the line is in the file: it
 * is invalid, so every agent is refused and the operator is warned. */
static int append(const char *path, const char *name)
{
	tw_autofd int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	char line[TW_STREAM_PEER_MAX + 32];
	int len = snprintf(line, sizeof(line), "%s %lld\n", name, (long long)time(NULL));

	/* The mode is 0644 because the list is not secret, and tapwall-slowd must read a file
	 * that root made. */
	if (fd < 0 || write(fd, line, (size_t)len) != len || fsync(fd) < 0)
		return errno ? -errno : -EIO;
	return keep_list(path);
}

int tw_revoked_add(const char *folder, const char *name)
{
	struct tw_err err = {0};
	char path[4096];
	int code = path_of(folder, path, sizeof(path));

	if (!tw_identity_is_name(name))
		code = tw_err_set(&err, -EINVAL, "--revoke", "tapwall agents lists their names",
			"%s is not a valid name of an agent", name);
	if (!code)
		code = append(path, name);
	if (!code)
		return TW_EXIT_OK;
	if (!err.code)
		tw_err_set(&err, code, folder, NULL, "cannot revoke: %s", strerror(-code));
	tw_err_print(stderr, "tapwall-slowd", &err);
	return (int)tw_exit_code(code);
}
