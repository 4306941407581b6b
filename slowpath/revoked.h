/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* revoked.h: the agents whose certificates are no longer accepted: a file of lines `NAME TIME`.
 *
 * Why:        A name and a time take all certificates of the name that began by then, also those that were copied or
 *             renewed unseen. A later one is good again.
 * Invariants: 1. If the file is there and cannot be read, or has a line that is not such, every agent is refused.
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
	time_t until; /* certificates that began by then */
};

struct tw_revoked {
	char path[4096];
	struct stat seen;
	bool broken;
	TW_VEC(struct tw_revoked_row) rows;
};

/* Reads the list of a folder. 0, or -ENAMETOOLONG. */
int tw_revoked_init(struct tw_revoked *revoked, const char *folder);
void tw_revoked_done(struct tw_revoked *revoked);
/* Reads the list again if it has changed. True if it has. Call it a few times a second. */
bool tw_revoked_look(struct tw_revoked *revoked);
/* True if a certificate of this name that began at `from` was revoked. `arg` is a struct tw_revoked. */
bool tw_revoked_has(void *arg, const char *name, time_t from);
/* Adds a name to the list of a folder. Returns an exit code. */
int tw_revoked_add(const char *folder, const char *name);
