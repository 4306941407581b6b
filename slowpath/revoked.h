/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* revoked.h: the list of revoked certificates: a file of lines `NAME TIME`.
 *
 * Why:        A line revokes all certificates of the name whose validity starts at or before the
 *             time, including copies that the operator does not know of. A certificate issued later
 *             is accepted.
 * Invariants: 1. If the file exists but cannot be read, or has an invalid line, every agent is
 *                refused.
 *             2. Every agent is also refused if the file is gone but the empty file `revoked.kept`
 *                exists, which is made with the first line. An operator who wants no list deletes both.
 * Callers:    daemon.c (one thread), main.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#include "base/vec.h"
#include "link/stream.h"

struct tw_revoked_row {
	char name[TW_STREAM_PEER_MAX];
	time_t until; /* certificates valid from then or before are revoked */
};

struct tw_revoked {
	char path[4096];
	struct stat seen;
	bool broken;
	TW_VEC(struct tw_revoked_row) rows;
};

/* Reads the list in a directory. Returns 0 or -ENAMETOOLONG. */
int tw_revoked_init(struct tw_revoked *revoked, const char *folder);
void tw_revoked_done(struct tw_revoked *revoked);
/* Reads the list again if it has changed. True if it has. Must be called a few times a second. */
bool tw_revoked_look(struct tw_revoked *revoked);
/* True if a certificate of this name, valid from `from` on, was revoked. `arg` is a struct
 * tw_revoked. */
bool tw_revoked_has(void *arg, const char *name, time_t from);
/* Adds a name to the list in a directory. Returns an exit code. */
int tw_revoked_add(const char *folder, const char *name);
