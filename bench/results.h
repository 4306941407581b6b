/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* results.h: writes results.json:
 *
 *	{"machine": {"kernel", "cpu", "cores", "vm"},
 *	 "rows": [{"scenario", "system", "metric", "unit", "value", "min", "max", "runs", "vs_bare"}],
 *	 "skipped": [{"scenario", "system", "reason"}]}
 *
 * `value` is the median; `vs_bare` is its ratio to the median of `bare` in the same scenario and
 * metric, or null if there is none. Rows of `program` also have a `case`.
 */
#pragma once

#include <jansson.h>

#include "base/err.h"
#include "bench/scenario.h"
#include "bench/series.h"

struct tw_bench_results {
	json_t *machine;
	json_t *rows;
	json_t *skipped;
};

int tw_bench_results_init(struct tw_bench_results *results, const char *vm);
void tw_bench_results_done(struct tw_bench_results *results);
/* Adds a row. `bare` is 0 if there is nothing to compare with. `which` names a case, or is NULL. */
int tw_bench_results_add(struct tw_bench_results *results, const char *scenario, const char *system,
	const struct tw_bench_metric *metric, struct tw_bench_series *series, double bare,
	const char *which);
/* Records that a system was skipped. `scenario` NULL: all remaining scenarios. */
int tw_bench_results_skip(struct tw_bench_results *results, const char *scenario,
	const char *system, const struct tw_err *why);
int tw_bench_results_write(
	const struct tw_bench_results *results, const char *path, struct tw_err *err);
