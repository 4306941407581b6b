/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* survey.h: compares the known interfaces with the existing ones.
 *
 * Why:        rtnetlink loses messages if the agent cannot keep up, and a dump may leave out
 *             interfaces if others come and go meanwhile (NLM_F_DUMP_INTR).
 * Invariants: 1. An interface is forgotten only if a complete dump did not report it, or if a
 *                request for it alone fails (tests/e2e/churn).
 *             2. Incomplete dumps are repeated until one is complete.
 * Callers:    the agent, in its one thread: at start, and after a loss.
 */
#pragma once

struct tw_host;

/* Lists all interfaces now. Returns 0, also if the dump was incomplete and another one is due,
 * or a negative errno if netlink cannot be asked. */
int tw_survey(struct tw_host *host);
/* Lists them again if that is due. */
void tw_survey_tick(struct tw_host *host);
