/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* expiry.h: ends rules with `until` when their time is over.
 *
 * How:        when the time of a rule is over, the text in force is applied again, and the rule is enforced
 *             at no end. Like any change, this reaches live connections at their next packet.
 * Invariants: 1. A rule that has ended does not come back if the clock is set back. For an agent, time never
 *                goes back, and it is never earlier than that of the newest policy in policies.json.
 *             2. If no agent runs, a rule ends when the next agent starts, before anything else.
 *             Test: tests/e2e/act.sh.
 * Callers:    agent/publish, agent/turn.c; one thread.
 */
#pragma once

struct tw_enforcement;

/* Ends the rules whose time is over. Called at each tick. */
void tw_expiry_tick(struct tw_enforcement *enforcement);
