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
 *             Test: tests/e2e/quarantine.sh.
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
/* Lifts a quarantine. Returns 0, or a negative errno with `err` filled: -ENOENT if there is none. */
int tw_quarantine_lift(
	struct tw_enforcement *enforcement, const char *workload, struct tw_err *err);
/* Lifts the quarantines whose time is over. */
void tw_quarantine_tick(struct tw_enforcement *enforcement);
