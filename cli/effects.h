/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* effects.h: prints what another policy would do: the live connections that it would cut, and the verdicts
 * that would change.
 *
 * How:        both policies are set up on the native path (sim/judge.h). The new policy judges each live
 *             connection. To compare verdicts, both policies judge connections between the ends of each rule
 *             that differs: between some of their workloads and networks, to the first and the last port of
 *             each service.
 * Exact:      the list of live connections is exact for the policies as they are written, without the
 *             addresses that guests learned by DHCP. Verdicts are examples: a change that no compared
 *             connection meets is not seen, and the text says how many were compared.
 * Bounds:     TUPLES_MAX comparisons; nothing is judged by policies of more than RULES_MAX rules.
 * Callers:    diff, apply --dry-run.
 */
#pragma once

#include "policy/policy.h"

/* Prints the effects of `now` in place of `old` at the host of this agent. `socket` NULL: without live
 * connections. Returns an exit code. */
int tw_effects_print(const char *socket, const struct tw_policy *old, const struct tw_policy *now);
