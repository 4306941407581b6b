/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* expiry.h: ends rules with `until` when their time is over.
 *
 * How:        when the next rule ends, the text in force is applied again, and the rules whose time is over
 *             are enforced at no end. Like any change, it reaches live connections at their next packet.
 * Invariants: 1. A rule that has ended does not come back because the clock is set back: the clock is
 *                taken to be no earlier than at any time before, also in earlier agents, as far as
 *                policies.json has the time of the last policy.
 *             2. If no agent runs, a rule ends when the next agent starts, before anything else.
 *             Test: tests/e2e/act.sh.
 * Callers:    agent/publish, agent/turn.c; one thread.
 */
#pragma once

struct tw_enforcement;

/* Ends the rules whose time is over. Called at each tick. */
void tw_expiry_tick(struct tw_enforcement *enforcement);
