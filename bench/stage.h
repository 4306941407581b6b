/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* stage.h: all systems with one set of rules, side by side, in one or more scenarios.
 *
 * Why:        what disturbs a machine for a while must disturb all systems alike, so they are all
 *             set up at once and measured in turn, in an order that moves on each round.
 * Invariants: 1. Before anything is measured with a list of rules, every system that filters has
 *                given the verdicts of that list to frames at the edges of its rules.
 *             2. A system that cannot be set up or loses frames is left out, and why is told; one
 *                that is essential ends the run.
 */
#pragma once

#include "bench/results.h"
#include "bench/rules.h"

struct tw_bench_stage {
	const struct tw_bench_files *files;
	const struct tw_bench_rules *rules; /* NULL: bench/policy.yaml and its likes */
	const struct tw_bench_scenario *scenarios;
	size_t n_scenarios;
	const char *suffix; /* of the scenarios' names */
	const char *only;   /* names of systems, with commas between; NULL: all */
	size_t rounds;
	double slice_ms; /* what one figure may take */
};

int tw_bench_stage_run(
	const struct tw_bench_stage *stage, struct tw_bench_results *results, struct tw_err *err);
