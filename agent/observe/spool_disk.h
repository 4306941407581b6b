/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* spool_disk.h: writes and reads the files of the spool in a thread of its own.
 *
 * Why:        a disk may hang, and the agent's loop must not wait for it.
 * How:        base/worker.h. A job comes back when tw_spool_disk_fd() is readable.
 * Invariants: between tw_spool_disk_submit() and tw_spool_disk_take(), only the thread touches the job and the memory
 *             that it points to.
 * Callers:    spool.c, in the loop's thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/observe/spool_file.h"
#include "base/worker.h"

enum tw_spool_work {
	TW_SPOOL_WRITE,
	TW_SPOOL_READ,
	TW_SPOOL_REMOVE,
};

struct tw_spool_job {
	struct tw_work work; /* first, so that the thread finds the job */
	int dir_fd;	     /* set by tw_spool_disk_submit() */
	enum tw_spool_work what;
	struct tw_spool_part part;
	const void *data; /* TW_SPOOL_WRITE: bytes to write */
	size_t len;
	struct tw_buf read; /* TW_SPOOL_READ: bytes read; the owner of the job frees them */
	int result;	    /* 0 or a negative errno */
};

struct tw_spool_disk;

/* Takes over `dir_fd`, even if it fails. Returns 0 or a negative errno. */
int tw_spool_disk_new(int dir_fd, struct tw_spool_disk **ret);
/* Waits up to `wait_ms` for the jobs that were submitted, and ends the thread. False if the disk hangs: the thread then
 * goes on, and nothing that it uses may be freed. NULL is fine. */
bool tw_spool_disk_stop(struct tw_spool_disk *disk, unsigned int wait_ms);
/* Frees `disk`. May be called only after tw_spool_disk_stop() has returned true. NULL is fine. */
void tw_spool_disk_free(struct tw_spool_disk *disk);

void tw_spool_disk_submit(struct tw_spool_disk *disk, struct tw_spool_job *job);
/* Returns a job that is done, or NULL. */
struct tw_spool_job *tw_spool_disk_take(struct tw_spool_disk *disk);
int tw_spool_disk_fd(const struct tw_spool_disk *disk);
