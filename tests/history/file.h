/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* file.h: a temporary directory for the history of one test. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct history_file {
	char folder[64];
	char path[128];
};

static inline void file_make(struct history_file *file)
{
	*file = (struct history_file){0};
	snprintf(file->folder, sizeof(file->folder), "/tmp/tapwall-history-XXXXXX");
	assert_non_null(mkdtemp(file->folder));
	snprintf(file->path, sizeof(file->path), "%s/history.db", file->folder);
}

static inline void file_remove(const struct history_file *file)
{
	static const char *const ends[] = {"", "-lock", "-wal", "-shm"};
	char path[160];

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", file->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(file->folder), 0);
}
