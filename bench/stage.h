/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stage.h: measures all systems with one set of rules, interleaved, in one or more scenarios.
 *
 * Why:        a temporary disturbance of the machine must affect all systems equally. So all are
 *             set up at once and measured in turn, in an order that rotates each round.
 * Invariants: 1. Before a measurement with a list of rules, every filtering system must give the
 *                list's verdicts to frames at the edges of its rules.
 *             2. A system that cannot be set up or loses frames is skipped with a reason. If it
 *                is essential, the run ends.
 */
#pragma once

#include "bench/results.h"
#include "bench/rules.h"

struct tw_bench_stage {
	const struct tw_bench_files *files;
	const struct tw_bench_rules *rules; /* NULL: bench/policy.yaml and its equivalents */
	const struct tw_bench_scenario *scenarios;
	size_t n_scenarios;
	const char *suffix;	    /* suffix of the scenarios' names */
	const char *only;	    /* names of systems, separated by commas; NULL: all */
	const char *only_scenarios; /* their names, separated by commas; NULL: all */
	size_t rounds;
	double slice_ms; /* time for one figure */
};

int tw_bench_stage_run(
	const struct tw_bench_stage *stage, struct tw_bench_results *results, struct tw_err *err);
