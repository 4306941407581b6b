/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* quarantines.h: the list of workloads in quarantine, and its file (publish/quarantine.h).
 *
 * Bounds:     TW_QUARANTINES_MAX workloads.
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
};

struct tw_quarantines {
	TW_VEC(struct tw_quarantine) list;
};

/* Reads quarantine.json. False if it exists and cannot be used. */
bool tw_quarantines_load(struct tw_quarantines *quarantines, struct tw_store *store);
/* Writes quarantine.json. Returns 0, or a negative errno with `err` filled. */
int tw_quarantines_save(
	struct tw_quarantines *quarantines, struct tw_store *store, struct tw_err *err);
void tw_quarantines_done(struct tw_quarantines *quarantines);

/* Returns the quarantine of a workload, or NULL. If `workload` is NULL, returns the quarantine that
 * shut `port` while the port had a workload. */
struct tw_quarantine *tw_quarantines_find(
	const struct tw_quarantines *quarantines, const char *workload, const char *port);
/* Remembers that a port is shut. */
void tw_quarantines_note(struct tw_quarantine *quarantine, const char *port);
