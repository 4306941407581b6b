/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* logfile.h: writes the entries that `tapwall log` shows to a file, to systemd's journal or to a syslog server.
 *
 * Format:     a line is the object of `tapwall log --json`. In systemd's journal it is the field
 *             TAPWALL_ENTRY, and MESSAGE says it in words. To a syslog server, an entry is a datagram
 *             (link/syslog.h).
 * Files:      when a file is full, it becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest is
 *             deleted. A file that another program has moved or deleted is made again.
 * Chatter:    a guest's broadcast or multicast frame is denied at every port. Of frames with the same MACs,
 *             ethertype, protocol and port, one is written per minute. The next line, `event: repeated`, has
 *             the number of the others.
 * Losses:     `lost_before` of a line is the number of entries that are missing before it. An entry is missing
 *             if its event was lost, or if it could not be written. It is also missing if the journal in
 *             memory overwrote it, because more than LINES_TICK entries came per tick for too long. While
 *             entries cannot be written, the host is degraded. Datagrams that the network loses are not noticed;
 *             gaps in their sequenceId show them.
 * Invariants: 1. What the guests do costs at most LINES_TICK lines per tick and N_FILES files.
 *             2. No byte that a guest chose ends a line: JSON escapes it.
 *             Tests: tests/e2e/act.sh, tests/e2e/receivers.sh.
 * Callers:    agent/; one thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define TW_LOGFILE_JOURNALD "journald"
#define TW_LOGFILE_SYSLOG   "syslog:" /* followed by ADDRESS:PORT or the path of a socket */

enum tw_logfile_kind {
	TW_LOGFILE_OFF,
	TW_LOGFILE_IN_FILE,
	TW_LOGFILE_IN_JOURNALD,
	TW_LOGFILE_IN_SYSLOG
};

struct tw_syslog;
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
	enum tw_logfile_kind kind;
	const char *target;	  /* path, TW_LOGFILE_JOURNALD, or TW_LOGFILE_SYSLOG and a place */
	struct tw_syslog *syslog; /* NULL: another kind */
	int sent;		  /* result of sending the last message: 0 or a negative errno */
	uint64_t failed_ns;	  /* time of the last failure to write; 0: none */
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

/* Returns 0, or -EINVAL or -ENOMEM with `err` filled. The first tick opens the target. If that fails, the host is
 * degraded, and a later tick tries again. */
int tw_logfile_init(struct tw_logfile *logfile, const char *target, uint32_t size_mib,
	const struct tw_telemetry *telemetry, struct tw_err *err);
/* Writes what has happened since the last call. */
void tw_logfile_tick(struct tw_logfile *logfile, const struct tw_telemetry *telemetry);
void tw_logfile_done(struct tw_logfile *logfile);
