/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/tokens.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/exit.h"
#include "base/log.h"
#include "link/identity.h"
#include "slowpath/ca.h"
#include "slowpath/issue.h"

#define FOLDER	   "tokens"
#define NEW_SUFFIX ".new"
#define DECIDER	   " decider\n" /* end of the line of a decider's token */
#define LINE_LEN   (TW_STREAM_PEER_MAX + 64)
#define SETTLED_S  2 /* two changes within one clock tick may leave the directory's time the same */

static int path_of(const char *folder, char path[PATH_MAX])
{
	return snprintf(path, PATH_MAX, "%s/" FOLDER, folder) < PATH_MAX - NAME_MAX ? 0
										    : -ENAMETOOLONG;
}

static bool is_hash(const char *name)
{
	return strlen(name) == TW_TOKEN_HASH - 1 &&
	       strspn(name, "0123456789abcdef") == TW_TOKEN_HASH - 1;
}

/* ---- reading ---- */

static bool read_line(const char *line, struct tw_tokens_row *row)
{
	long long made, until;
	int read = 0;

	if (sscanf(line, "%64s %lld %lld%n", row->name, &made, &until, &read) != 3)
		return false;
	if (!strcmp(line + read, DECIDER))
		row->side = TW_IDENTITY_DECIDER;
	else if (!strcmp(line + read, "\n"))
		row->side = TW_IDENTITY_AGENT;
	else
		return false;
	row->made = (time_t)made;
	row->until = (time_t)until;
	return tw_identity_is_name(row->name) && made < until && until - made <= TW_TOKENS_TTL_MAX;
}

static bool read_row(int folder, const char *name, struct tw_tokens_row *row)
{
	tw_autofd int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	char line[LINE_LEN];
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (n <= 0)
		return false;
	line[n] = '\0';
	snprintf(row->hash, sizeof(row->hash), "%s", name);
	return read_line(line, row);
}

/* Reads the valid tokens, at most TW_TOKENS_MAX, and deletes the expired ones. */
static void read_folder(struct tw_tokens *tokens, DIR *dir)
{
	time_t now = time(NULL);
	struct dirent *entry;

	tokens->rows.n = 0;
	while ((entry = readdir(dir))) {
		struct tw_tokens_row row = {0};

		if (!is_hash(entry->d_name))
			continue;
		if (!read_row(dirfd(dir), entry->d_name, &row))
			tw_log(TW_LOG_WARNING, "%s/%.16s…: is no valid token; not used",
				tokens->path, entry->d_name);
		else if (row.until <= now)
			unlinkat(dirfd(dir), entry->d_name, 0);
		else if (tokens->rows.n < TW_TOKENS_MAX)
			tw_vec_push(&tokens->rows, row);
	}
}

static bool has_expired(const struct tw_tokens *tokens)
{
	time_t now = time(NULL);

	tw_vec_foreach (&tokens->rows, row)
		if (row->until <= now)
			return true;
	return false;
}

int tw_tokens_init(struct tw_tokens *tokens, const char *folder)
{
	*tokens = (struct tw_tokens){0};
	return path_of(folder, tokens->path);
}

void tw_tokens_done(struct tw_tokens *tokens)
{
	tw_vec_done(&tokens->rows);
}

size_t tw_tokens_look(struct tw_tokens *tokens)
{
	struct stat now = {0};
	DIR *dir;

	if (stat(tokens->path, &now) < 0) {
		tokens->rows.n = 0;
		tokens->seen = (struct timespec){0};
		return 0;
	}
	if (now.st_mtim.tv_sec == tokens->seen.tv_sec &&
		now.st_mtim.tv_nsec == tokens->seen.tv_nsec &&
		time(NULL) - now.st_mtim.tv_sec > SETTLED_S && !has_expired(tokens))
		return tokens->rows.n;
	dir = opendir(tokens->path);
	if (!dir) {
		tw_log(TW_LOG_WARNING, "%s: cannot read the tokens: %s", tokens->path,
			strerror(errno));
		tokens->rows.n = 0;
	} else {
		read_folder(tokens, dir);
		closedir(dir);
	}
	tokens->seen = now.st_mtim;
	return tokens->rows.n;
}

/* ---- spending ---- */

const struct tw_tokens_row *tw_tokens_find(struct tw_tokens *tokens, const void *secret, size_t len)
{
	char hash[TW_TOKEN_HASH];

	if (tw_token_hash(secret, len, hash) < 0)
		return NULL;
	tw_tokens_look(tokens);
	tw_vec_foreach (&tokens->rows, row)
		if (!strcmp(row->hash, hash))
			return row;
	return NULL;
}

int tw_tokens_spend(struct tw_tokens *tokens, const struct tw_tokens_row *row)
{
	tw_autofd int folder = open(tokens->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	/* A power failure must not bring the token back. */
	if (folder < 0 || unlinkat(folder, row->hash, 0) < 0 || fsync(folder) < 0)
		return -errno;
	return 0;
}

/* ---- adding ---- */

/* Opens the directory. Its owner is that of the state directory, even if root makes it. */
static int open_folder(const char *state, const char *path)
{
	struct stat owner;
	int fd;

	if (stat(state, &owner) < 0)
		return -errno;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!geteuid() && fchown(fd, owner.st_uid, owner.st_gid) < 0) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

/* Writes the file of a token, and renames it when it is complete: no half-written one is read. */
static int write_row(int folder, const struct tw_tokens_row *row)
{
	char line[LINE_LEN], temporary[TW_TOKEN_HASH + sizeof(NEW_SUFFIX)];
	int len = snprintf(line, sizeof(line), "%s %lld %lld%s", row->name, (long long)row->made,
		(long long)row->until, row->side == TW_IDENTITY_DECIDER ? DECIDER : "\n");
	struct stat owner;
	tw_autofd int fd = -1;
	int code = 0;

	snprintf(temporary, sizeof(temporary), "%s" NEW_SUFFIX, row->hash);
	fd = openat(folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(folder, &owner) < 0)
		return -errno;
	if ((!geteuid() && fchown(fd, owner.st_uid, owner.st_gid) < 0) ||
		write(fd, line, (size_t)len) != len || fsync(fd) < 0 ||
		renameat(folder, temporary, folder, row->hash) < 0 || fsync(folder) < 0)
		code = errno ? -errno : -EIO;
	if (code)
		unlinkat(folder, temporary, 0);
	return code;
}

static int add(const char *state, const struct tw_tokens_row *row, struct tw_err *err)
{
	struct tw_tokens tokens;
	tw_autofd int folder = -1;
	size_t n;
	int code = tw_tokens_init(&tokens, state);

	if (code < 0)
		return tw_err_set(err, code, state, "use a shorter path", "the path is too long");
	folder = open_folder(state, tokens.path);
	if (folder < 0)
		return tw_err_set(
			err, folder, tokens.path, NULL, "cannot make it: %s", strerror(-folder));
	n = tw_tokens_look(&tokens);
	tw_tokens_done(&tokens);
	if (n >= TW_TOKENS_MAX)
		return tw_err_set(err, -ENOSPC, tokens.path,
			"use them, wait until they expire, or delete their files",
			"there are %d valid tokens already", TW_TOKENS_MAX);
	code = write_row(folder, row);
	return code < 0 ? tw_err_set(err, code, tokens.path, NULL, "cannot write to it: %s",
				  strerror(-code))
			: 0;
}

int tw_tokens_add(const char *folder, const char *name, enum tw_identity_side side, uint32_t ttl_s)
{
	struct tw_tokens_row row = {.side = side, .made = time(NULL)};
	char text[TW_TOKEN_TEXT];
	struct tw_token_parts token;
	struct tw_err err = {0};
	int code = 0;

	if (!tw_identity_is_name(name))
		code = tw_err_set(&err, -EINVAL, "--token", TW_ISSUE_NAME_HINT,
			"%s is not a valid name", name);
	if (!code)
		code = tw_issue_print(folder, token.print, &err);
	if (!code && (tw_token_new(&token) < 0 || tw_token_write(&token, text) < 0 ||
			     tw_token_hash(token.secret, sizeof(token.secret), row.hash) < 0))
		code = tw_err_set(&err, -ENOMEM, name, NULL, "cannot make a token");
	if (!code) {
		snprintf(row.name, sizeof(row.name), "%s", name);
		row.until = row.made + (time_t)ttl_s;
		code = add(folder, &row, &err);
	}
	if (code < 0) {
		tw_err_print(stderr, "tapwall-slowd", &err);
		return (int)tw_exit_code(code);
	}
	puts(text);
	return fflush(stdout) ? TW_EXIT_INTERNAL : TW_EXIT_OK;
}
