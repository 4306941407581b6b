/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* quarantines.h: the list of workloads in quarantine, and its file (publish/quarantine.h).
 *
 * What:       a workload has at most two rows: one made at this host, one made through the slow
 *             path. Each shuts its ports.
 * Bounds:     TW_QUARANTINES_MAX rows of each kind.
 * Callers:    agent/publish, agent/answer; one thread.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/state/store.h"
#include "base/err.h"
#include "base/vec.h"

#define TW_QUARANTINES_MAX	 1000
#define TW_QUARANTINE_REASON_MAX 256
#define TW_QUARANTINE_MAX_S	 (366u * 86400)
#define TW_QUARANTINE_PORTS	 8 /* ports of a workload that are remembered by name */

struct tw_quarantine {
	char workload[128];
	char reason[TW_QUARANTINE_REASON_MAX];
	char who[64];
	uint64_t since_s;			   /* Unix time */
	uint64_t until_s;			   /* Unix time; 0: until it is lifted */
	char ports[TW_QUARANTINE_PORTS][IFNAMSIZ]; /* ports that were shut; empty: none */
	bool unsaved;				   /* the file lacks some of `ports` */
	uint64_t change; /* number of the slow path's change that made it; 0: made at this host */
	/* An operator of this host has ended a quarantine of the slow path. The row stays, so that
	 * the slow path does not begin it again. */
	uint64_t ended_s; /* Unix time; 0: in force */
	char ended_by[64];
	/* The file was lost, and the kernel has `ports[0]` in quarantine. `workload` is the port's name. */
	bool lost;
};

struct tw_quarantines {
	TW_VEC(struct tw_quarantine) list;
	uint64_t n_ended; /* rows ended at this host since the agent started */
	uint64_t number;  /* number of the file's contents; grows with each write */
	bool unsaved;	  /* the file differs from the list */
};

/* Reads quarantine.json. Returns NULL, or what is wrong: "is missing", "is damaged", or "is older than
 * the last one"; the rows of an older one are taken. */
const char *tw_quarantines_load(struct tw_quarantines *quarantines, struct tw_store *store);
/* Adds a row for a port that the kernel has in quarantine, unless a row has it. Returns 0 or -ENOMEM. */
int tw_quarantines_keep_port(struct tw_quarantines *quarantines, const char *port);
/* Writes quarantine.json. Returns 0, or a negative errno with `err` filled. */
int tw_quarantines_save(
	struct tw_quarantines *quarantines, struct tw_store *store, struct tw_err *err);
void tw_quarantines_done(struct tw_quarantines *quarantines);

/* Returns a workload's row that is in force, or NULL. If `workload` is NULL, returns the row that shut
 * `port` while the port had a workload. */
struct tw_quarantine *tw_quarantines_find(
	const struct tw_quarantines *quarantines, const char *workload, const char *port);
/* Returns a workload's row of one kind, or NULL. The row may have been ended at this host. */
struct tw_quarantine *tw_quarantines_row(
	const struct tw_quarantines *quarantines, const char *workload, bool slow_path);
/* Returns the number of rows of one kind. */
size_t tw_quarantines_count(const struct tw_quarantines *quarantines, bool slow_path);
/* Removes a row. If the workload has another row, that one takes over the ports. */
void tw_quarantines_drop(struct tw_quarantines *quarantines, struct tw_quarantine *row);
/* Copies the list. Returns 0 or -ENOMEM. */
int tw_quarantines_copy(const struct tw_quarantines *quarantines, struct tw_quarantines *ret);
/* Remembers that a port is shut. */
void tw_quarantines_note(struct tw_quarantine *quarantine, const char *port);
