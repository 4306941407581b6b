/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lifetime.h: measures the agent's CPU time per connection, from its opening to its end.
 *
 * What:       a guest opens connections that are never answered and expire. The agent reads the open and the
 *             close event of each and frees its record. Two cases: `unread`, where no client asks for the log,
 *             and `followed`, where one client follows all of it.
 *             The log drops entries for a reader that is too slow. Only connections whose entries
 *             the reader received are counted.
 * How:        the CPU time of the agent's process, less the CPU time that it uses in an equal time when nothing
 *             happens.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "bench/results.h"

/* `agent` is the path of tapwalld. A case is skipped if events were lost. */
int tw_bench_lifetime_run(
	const char *agent, size_t rounds, struct tw_bench_results *results, struct tw_err *err);
