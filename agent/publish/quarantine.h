/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* quarantine.h: workloads at whose ports nothing passes, whatever the policy says.
 *
 * How:        the kernel entry of such a port has no image, so every path of a frame denies: the
 *             full path at the port itself, and the express path and cut-through at other ports,
 *             which need the image of the far port. plan.c makes the entry, and publish.c also
 *             removes the port's entry of the previous epoch.
 * Invariants: 1. A policy that no longer has the workload does not free its port: the port stays in
 *                quarantine while its interface exists.
 *             2. quarantine.json survives restarts, reboots and --release. If no agent runs when
 *                its time is over, a quarantine ends at the next start.
 *             3. When a quarantine ends, all gates are decided again.
 *             4. A quarantine of the slow path ends when the slow path lifts it by a newer change,
 *                when its time is over, or when an operator of this host ends it. A list without it
 *                does not end it.
 *             Test: tests/e2e/quarantine.sh, tests/e2e/quarantine-slow.sh, tests/agent/quarantine.c.
 * Callers:    agent/publish, agent/answer; one thread.
 */
#pragma once

#include "agent/state/quarantines.h"
#include "base/err.h"

struct tw_enforcement;

/* Adds or replaces a quarantine, stores it, and puts it in force. Returns 0, or a negative errno with
 * `err` filled, and then nothing has changed. */
int tw_quarantine_add(struct tw_enforcement *enforcement, const struct tw_quarantine *quarantine,
	struct tw_err *err);
/* Ends all quarantines of a workload. The slow path's stays in the list, as ended by `who`. Returns
 * 0, or a negative errno with `err` filled: -ENOENT if there is none. */
int tw_quarantine_lift(struct tw_enforcement *enforcement, const char *workload, const char *who,
	struct tw_err *err);

/* A change of the slow path's list. `row.change` is its number. For a lift, the other fields except
 * the workload are ignored. */
struct tw_quarantine_change {
	struct tw_quarantine row;
	bool lift;
};
/* Applies the changes that are newer than the list's rows of their workloads. Returns 0, or a negative
 * errno with `err` filled. Ports are shut even if the change cannot be stored. */
int tw_quarantine_change(struct tw_enforcement *enforcement,
	const struct tw_quarantine_change *changes, size_t n, struct tw_err *err);

/* Reads the list of an earlier agent. If it was lost, the ports that the kernel has in quarantine stay so, and
 * the host is degraded. */
void tw_quarantine_load(struct tw_enforcement *enforcement);
/* Lifts the quarantines whose time is over. */
void tw_quarantine_tick(struct tw_enforcement *enforcement);
