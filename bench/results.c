/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/results.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"

static json_t *machine(const char *vm)
{
	tw_autofile FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512], cpu[256] = "unknown";
	struct utsname kernel;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "model name : %255[^\n]", cpu) == 1)
			break;
	uname(&kernel);
	return json_pack("{s:s, s:s, s:I, s:s?}", "kernel", kernel.release, "cpu", cpu, "cores",
		(json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "vm", vm);
}

int tw_bench_results_init(struct tw_bench_results *results, const char *vm)
{
	*results = (struct tw_bench_results){machine(vm), json_array(), json_array()};
	if (results->machine && results->rows && results->skipped)
		return 0;
	tw_bench_results_done(results);
	return -ENOMEM;
}

void tw_bench_results_done(struct tw_bench_results *results)
{
	json_decref(results->machine);
	json_decref(results->rows);
	json_decref(results->skipped);
	*results = (struct tw_bench_results){0};
}

static int append(json_t *array, json_t *item)
{
	return item && !json_array_append_new(array, item) ? 0 : -ENOMEM;
}

int tw_bench_results_add(struct tw_bench_results *results, const char *scenario, const char *system,
	const struct tw_bench_metric *metric, struct tw_bench_series *series, double bare,
	const char *which)
{
	double value = tw_bench_series_quantile(series, 0.5);
	json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:I, s:o}", "scenario",
		scenario, "system", system, "metric", metric->name, "unit", metric->unit, "value",
		value, "min", series->at[0], "max", series->at[series->n - 1], "runs",
		(json_int_t)series->n, "vs_bare", bare > 0 ? json_real(value / bare) : json_null());

	if (row && which && json_object_set_new(row, "case", json_string(which)) < 0) {
		json_decref(row);
		return -ENOMEM;
	}
	return append(results->rows, row);
}

int tw_bench_results_skip(struct tw_bench_results *results, const char *scenario,
	const char *system, const struct tw_err *why)
{
	return append(results->skipped,
		json_pack("{s:s?, s:s, s:s}", "scenario", scenario, "system", system, "reason",
			why->text[0] ? why->text : strerror(-why->code)));
}

int tw_bench_results_write(
	const struct tw_bench_results *results, const char *path, struct tw_err *err)
{
	json_t *all = json_pack("{s:O, s:O, s:O}", "machine", results->machine, "rows",
		results->rows, "skipped", results->skipped);
	int e = all ? json_dump_file(all, path, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) : -1;

	json_decref(all);
	return e ? tw_err_set(err, -EIO, path, NULL, "cannot write") : 0;
}
