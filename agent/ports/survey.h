/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* survey.h: compares what is known of interfaces with all that there are.
 *
 * Why:        rtnetlink loses messages when the agent cannot keep up, and a dump of all interfaces may
 *             leave some out when interfaces come and go meanwhile (NLM_F_DUMP_INTR).
 * Invariants: 1. An interface is forgotten only if a whole dump did not tell of it, or if the kernel,
 *                asked for it alone, says that there is none (tests/e2e/churn).
 *             2. After a dump that is not whole another one follows, until one is.
 * Callers:    the agent, in its one thread: at start, and after a loss.
 */
#pragma once

struct tw_host;

/* Looks at all interfaces now. 0 also when the dump was not whole, so that another one is due; a negative
 * errno when netlink cannot be asked. */
int tw_survey(struct tw_host *host);
/* Looks again if that is due. */
void tw_survey_tick(struct tw_host *host);
