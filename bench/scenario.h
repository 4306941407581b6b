/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* scenario.h: the scenarios that are measured on every system. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/system.h"

#define TW_BENCH_METRICS 2

struct tw_bench_metric {
	const char *name; /* name in results.json */
	const char *unit;
};

struct tw_bench_scenario {
	const char *name; /* name in results.json */
	struct tw_bench_metric metrics[TW_BENCH_METRICS];
	/* Sends `n` frames or opens `n` connections, and returns one figure for each metric. */
	int (*measure)(struct tw_bench_system *system, const struct tw_bench_scenario *scenario,
		size_t n, double ret[static TW_BENCH_METRICS], struct tw_err *err);
	size_t n_min, n_max; /* bounds of n for one figure */
	size_t total_max;    /* bound of n in a whole run, if frames fill tables; 0: none */

	/* For scenarios that send frames. */
	size_t frame_len;
	uint16_t gso_size;
	bool opens;  /* each frame opens a connection */
	bool denied; /* denied by every system that filters */
};

/* Scenarios with the policy of bench/policy.yaml. */
extern const struct tw_bench_scenario tw_bench_scenarios[];
extern const size_t tw_bench_n_scenarios;
/* The scenario with lists of rules, named `new-connection`. */
extern const struct tw_bench_scenario tw_bench_scenario_rules;
