/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* logfile.h: writes the entries that `tapwall log` shows to a file, or to systemd's journal.
 *
 * Format:     a line is the object of `tapwall log --json`. In systemd's journal it is the field
 *             TAPWALL_ENTRY, and MESSAGE says it in words.
 * Files:      when a file is full, it becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest is
 *             deleted. A file that another program has moved or deleted is made again.
 * Chatter:    a guest's broadcast or multicast frame is denied at every port. Of frames with the same MACs,
 *             ethertype, protocol and port, one is written per minute. The next line, `event: repeated`, has
 *             the number of the others.
 * Losses:     `lost_before` of a line is the number of entries that are missing before it. An entry is missing
 *             if its event was lost, or if it could not be written. It is also missing if the journal in
 *             memory overwrote it, because more than LINES_TICK entries came per tick for too long. While
 *             entries cannot be written, the host is degraded.
 * Invariants: 1. What the guests do costs at most LINES_TICK lines per tick and N_FILES files.
 *             2. No byte that a guest chose ends a line: JSON escapes it.
 *             Test: tests/e2e/act.sh.
 * Callers:    agent/; one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TW_LOGFILE_JOURNALD "journald"

struct tw_telemetry;

#define TW_LOGFILE_ALIKE 256 /* kinds of chatter that are told apart */

struct tw_logfile_chatter {
	uint64_t hash; /* 0: free */
	uint64_t began_ns;
	uint64_t repeats;
	uint8_t src_mac[6];
	uint8_t dst_mac[6];
};

struct tw_logfile {
	const char *target; /* path, or TW_LOGFILE_JOURNALD; NULL: nothing is written */
	uint64_t size_max;
	int fd;
	uint64_t size;	  /* bytes of the file */
	uint64_t at;	  /* next entry of the journal */
	uint64_t lost;	  /* entries lost before the next line */
	uint64_t n_lines; /* since the start */
	uint64_t n_lost;
	uint64_t retry_ns;
	struct tw_buf out;
	struct tw_logfile_chatter chatter[TW_LOGFILE_ALIKE];
};

/* Returns 0, or -EINVAL with `err` filled. The first tick opens the target. If that fails, the host is
 * degraded, and a later tick tries again. */
int tw_logfile_init(struct tw_logfile *logfile, const char *target, uint32_t size_mib,
	const struct tw_telemetry *telemetry, struct tw_err *err);
/* Writes what has happened since the last call. */
void tw_logfile_tick(struct tw_logfile *logfile, const struct tw_telemetry *telemetry);
void tw_logfile_done(struct tw_logfile *logfile);
