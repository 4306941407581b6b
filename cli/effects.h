/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* effects.h: what another policy would do: which live connections it would cut, and which verdicts change.
 *
 * How:        both policies are set up on the native path (sim/judge.h). Each live connection is judged by
 *             the new one. For the verdicts, connections between the ends of each rule that differs are
 *             judged by both: for each end some of its workloads and networks, for each of its services the
 *             first and the last port.
 * Exact:      live connections are, for the policies as they are written: addresses that guests learned by
 *             DHCP are not in them. Verdicts are examples: a change that no compared connection meets is
 *             not seen, and the text says how many were compared.
 * Bounds:     TUPLES_MAX comparisons; nothing is judged by policies of more than RULES_MAX rules.
 * Callers:    diff, apply --dry-run.
 */
#pragma once

#include "policy/policy.h"

/* Prints the effects of `now` in place of `old` at the host of this agent. `socket` NULL: without live
 * connections. Returns an exit code. */
int tw_effects_print(const char *socket, const struct tw_policy *old, const struct tw_policy *now);
