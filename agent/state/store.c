/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/state/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/log.h"

/* confirm.json has a policy of 64 MiB, in which each byte may be escaped. */
#define FILE_MAX (160u << 20)

static const char *const files[] = {TW_STORE_POLICY, TW_STORE_RULES, TW_STORE_PORTS,
	TW_STORE_IMAGES, TW_STORE_LEASES, TW_STORE_CONFIRM, TW_STORE_QUARANTINE, TW_STORE_VERSIONS,
	TW_STORE_PRESENT, TW_STORE_LOCK};
#define N_FILES (sizeof(files) / sizeof(files[0]))

/* Facts that show whether a file was changed. */
struct look {
	bool known;
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct tw_store {
	int dir_fd;
	uint32_t mark;
	char path[4096];
	struct look looks[N_FILES];
};

/* Files that may be staged, in the order in which they are kept. */
static const char *const staged[] = {TW_STORE_POLICY, TW_STORE_RULES};
#define N_STAGED (sizeof(staged) / sizeof(staged[0]))
_Static_assert(N_STAGED == TW_STORE_N_STAGED, "a descriptor for each file");

/* mkdir -p */
static int make_folders(const char *path)
{
	tw_autofree char *part = tw_strdup(path);

	if (!part)
		return -ENOMEM;
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

static int is_taken(const struct tw_store *store, struct tw_err *err)
{
	tw_autofd int fd = openat(store->dir_fd, TW_STORE_LOCK, O_RDONLY | O_CLOEXEC);
	char text[32] = "";
	ssize_t len = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, 0);

	text[len > 0 ? strcspn(text, "\n") : 0] = '\0';
	return tw_err_set(err, -EBUSY, store->path,
		"stop it first, or give this one a --state-dir of its own",
		"an agent is running here (process %s)", text[0] ? text : "unknown");
}

/* Locks the directory itself, because that works on a full or read-only disk. The lock file
 * holds the process id, if it can be written. */
static int take_lock(struct tw_store *store, struct tw_err *err)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	tw_autofd int fd = -1;

	if (flock(store->dir_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK
			       ? is_taken(store, err)
			       : tw_err_set(err, -errno, store->path, NULL, "cannot lock it: %m");
	fd = openat(store->dir_fd, TW_STORE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) != len))
		tw_log(TW_LOG_WARNING, "%s: cannot write the lock's owner: %m", store->path);
	return 0;
}

/* Makes the directory if it does not exist, and locks it. */
static int open_folder(struct tw_store *store, struct tw_err *err)
{
	int ret = make_folders(store->path);

	/* On a read-only disk the directory may exist anyway. */
	if (ret == -EROFS)
		ret = 0;
	if (!ret) {
		store->dir_fd = open(store->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		ret = store->dir_fd < 0 ? -errno : 0;
	}
	if (ret < 0)
		return tw_err_set(
			err, ret, store->path, "choose another --state-dir", "%s", strerror(-ret));
	return take_lock(store, err);
}

/* Makes the directory again if it was deleted while the agent was running. */
static void restore_folder(struct tw_store *store)
{
	struct stat info;
	int old = store->dir_fd;

	if (fstat(old, &info) < 0 || info.st_nlink)
		return;
	if (open_folder(store, NULL) < 0) {
		if (store->dir_fd >= 0 && store->dir_fd != old)
			close(store->dir_fd);
		store->dir_fd = old;
		return;
	}
	close(old);
}

int tw_store_open(const char *path, struct tw_store **ret, struct tw_err *err)
{
	tw_auto(tw_store) struct tw_store *store = tw_alloc(sizeof(*store));
	int result;

	if (!store)
		return tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
	store->dir_fd = -1;
	if (snprintf(store->path, sizeof(store->path), "%s", path) >= (int)sizeof(store->path))
		return tw_err_set(err, -ENAMETOOLONG, "--state-dir", NULL, "path too long");
	result = open_folder(store, err);
	if (result < 0)
		return result;
	*ret = TW_TAKE_PTR(store);
	return 0;
}

void tw_store_free(struct tw_store *store)
{
	if (!store)
		return;
	if (store->dir_fd >= 0)
		close(store->dir_fd);
	free(store);
}

void tw_store_remove(struct tw_store *store)
{
	tw_store_unstage(store);
	for (size_t i = 0; i < N_FILES; i++)
		if (strcmp(files[i], TW_STORE_LEASES) != 0 &&
			strcmp(files[i], TW_STORE_QUARANTINE) != 0 &&
			strcmp(files[i], TW_STORE_PRESENT) != 0)
			unlinkat(store->dir_fd, files[i], 0);
	for (unsigned int i = 0; i < TW_STORE_VERSION_FILES; i++) {
		char name[32];

		snprintf(name, sizeof(name), TW_STORE_VERSION_FORMAT, i);
		unlinkat(store->dir_fd, name, 0);
	}
	rmdir(store->path);
}

void tw_store_set_mark(struct tw_store *store, uint32_t mark)
{
	store->mark = mark;
}

uint32_t tw_store_mark(const struct tw_store *store)
{
	return store->mark;
}

const char *tw_store_path(const struct tw_store *store)
{
	return store->path;
}

int tw_store_no_memory(const struct tw_store *store, struct tw_err *err)
{
	return tw_err_set(err, -ENOMEM, store->path, NULL, "out of memory");
}

static struct look *look_of(struct tw_store *store, const char *name)
{
	for (size_t i = 0; i < N_FILES; i++)
		if (!strcmp(files[i], name))
			return &store->looks[i];
	return NULL;
}

/* Records the state of a file as it is now. `info` NULL: the file need not exist. */
static void note_look(struct tw_store *store, const char *name, const struct stat *info)
{
	struct look *look = look_of(store, name);

	if (look)
		*look = info ? (struct look){true, info->st_ino, info->st_size, info->st_mtim}
			     : (struct look){0};
}

static bool is_as_seen(const struct look *look, const struct stat *info)
{
	return look->inode == info->st_ino && look->size == info->st_size &&
	       look->changed.tv_sec == info->st_mtim.tv_sec &&
	       look->changed.tv_nsec == info->st_mtim.tv_nsec;
}

bool tw_store_has(const struct tw_store *store, const char *name)
{
	return !faccessat(store->dir_fd, name, F_OK, 0);
}

const char *tw_store_find_changed(struct tw_store *store)
{
	struct stat info;

	for (size_t i = 0; i < N_FILES; i++) {
		struct look *look = &store->looks[i];

		if (!look->known ||
			(!fstatat(store->dir_fd, files[i], &info, 0) && is_as_seen(look, &info)))
			continue;
		look->known = false;
		return files[i];
	}
	return NULL;
}

int tw_store_read(struct tw_store *store, const char *name, char **ret, size_t *ret_len)
{
	tw_autofree char *text = NULL;
	struct stat info;
	size_t len = 0;
	tw_autofd int fd = openat(store->dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &info) < 0)
		return -errno;
	if (!S_ISREG(info.st_mode) || info.st_size > FILE_MAX)
		return -EFBIG;
	text = tw_alloc((size_t)info.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (len < (size_t)info.st_size) {
		ssize_t n = read(fd, text + len, (size_t)info.st_size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	note_look(store, name, &info);
	*ret = TW_TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

struct new_name {
	char text[64];
};

static struct new_name new_name(const char *name)
{
	struct new_name fresh;

	snprintf(fresh.text, sizeof(fresh.text), "%s.new", name);
	return fresh;
}

static int cannot_write(
	const struct tw_store *store, const char *name, int code, struct tw_err *err)
{
	return tw_err_set(err, code, store->path, "free disk space, or choose another --state-dir",
		"cannot write %s: %s", name, strerror(-code));
}

int tw_store_stage(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err)
{
	struct new_name fresh = new_name(name);
	tw_autofd int fd = -1;
	int ret;

	restore_folder(store);
	fd = openat(store->dir_fd, fresh.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : write_all(fd, text, len);
	if (!ret)
		return 0;
	unlinkat(store->dir_fd, fresh.text, 0);
	return cannot_write(store, name, ret, err);
}

static int sync_new(struct tw_store *store, const char *name)
{
	tw_autofd int fd = openat(store->dir_fd, new_name(name).text, O_RDONLY | O_CLOEXEC);

	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* Syncs the staged files to disk and renames them into place. A missing one was renamed before. */
static int keep_new(struct tw_store *store, const char *const *names, size_t n, struct tw_err *err)
{
	for (size_t i = 0; i < n; i++) {
		int ret = sync_new(store, names[i]);

		if (ret < 0 && ret != -ENOENT)
			return cannot_write(store, names[i], ret, err);
	}
	for (size_t i = 0; i < n; i++) {
		struct stat info;

		if (renameat(store->dir_fd, new_name(names[i]).text, store->dir_fd, names[i]) < 0 &&
			errno != ENOENT)
			return cannot_write(store, names[i], -errno, err);
		if (!fstatat(store->dir_fd, names[i], &info, 0))
			note_look(store, names[i], &info);
	}
	return fsync(store->dir_fd) < 0 ? cannot_write(store, names[n - 1], -errno, err) : 0;
}

int tw_store_write(
	struct tw_store *store, const char *name, const char *text, size_t len, struct tw_err *err)
{
	int ret = tw_store_stage(store, name, text, len, err);

	if (!ret)
		ret = keep_new(store, &name, 1, err);
	if (ret < 0)
		unlinkat(store->dir_fd, new_name(name).text, 0);
	return ret;
}

int tw_store_link(struct tw_store *store, const char *name, const char *second, struct tw_err *err)
{
	unlinkat(store->dir_fd, second, 0);
	if (!linkat(store->dir_fd, name, store->dir_fd, second, 0))
		return 0;
	return cannot_write(store, second, -errno, err);
}

int tw_store_delete(struct tw_store *store, const char *name, struct tw_err *err)
{
	note_look(store, name, NULL);
	if (unlinkat(store->dir_fd, name, 0) < 0 && errno != ENOENT)
		return tw_err_set(err, -errno, store->path, NULL, "cannot delete %s: %m", name);
	return 0;
}

void tw_store_open_staged(const struct tw_store *store, int ret_fds[TW_STORE_N_STAGED])
{
	for (size_t i = 0; i < N_STAGED; i++)
		ret_fds[i] = openat(store->dir_fd, new_name(staged[i]).text, O_RDONLY | O_CLOEXEC);
}

int tw_store_sync(int fds[TW_STORE_N_STAGED])
{
	int code = 0;

	for (size_t i = 0; i < N_STAGED; i++) {
		if (fds[i] < 0)
			continue;
		if (fsync(fds[i]) < 0)
			code = -errno;
		close(fds[i]);
		fds[i] = -1;
	}
	return code;
}

int tw_store_keep(struct tw_store *store, struct tw_err *err)
{
	return keep_new(store, staged, N_STAGED, err);
}

void tw_store_unstage(struct tw_store *store)
{
	for (size_t i = N_STAGED; i-- > 0;)
		unlinkat(store->dir_fd, new_name(staged[i]).text, 0);
}
