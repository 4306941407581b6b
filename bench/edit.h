/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* edit.h: measures the time of a small change from `apply` until every port is judged by it.
 *
 * What:       a host with 200 ports and 4,000 rules between 40 groups. `edit` changes the service
 *             of one rule. `join` adds a tag to a workload, or removes it again. The whole text is
 *             sent each time, as `tapwall apply` does. The clock stops when the flip of the epoch
 *             is noticed, at most 0.2 ms later.
 */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "bench/results.h"

struct tw_bench_edit {
	const char *agent; /* tapwalld */
	const char *state; /* its state directory, on a disk; made before and removed after */
	size_t rounds;
};

int tw_bench_edit_run(
	const struct tw_bench_edit *edit, struct tw_bench_results *results, struct tw_err *err);
