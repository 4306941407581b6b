/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall-bench: measures all systems in all scenarios in turn and writes results.json. */
#include "bench/bench.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/cleanup.h"

#define WARM_UP_BATCHES 8
#define SYSTEMS_MAX	8
/* Connections that new-connection opens must fit the default tables of 262,144. */
#define BATCHES_MAX 750
#define ROUNDS_MAX  150

struct options {
	struct tw_bench_files files;
	const char *output;
	size_t rounds;
	size_t batches; /* in each round */
};

static const char usage[] =
	"usage: tapwall-bench --agent FILE --policy FILE --ruleset FILE --output FILE\n"
	"                     [--rounds N] [--batches N]\n"
	"Writes what a frame costs on its way between two taps, for each system and scenario.\n"
	"N rounds (at most 150) of N batches of 256 frames; at most 750 batches in all.\n";

static int add_row(json_t *rows, json_t *row)
{
	return row && !json_array_append_new(rows, row) ? 0 : -ENOMEM;
}

/* A row of results.json; `bare` is the median of the system `bare`, 0 when there is none. */
static json_t *make_row(const char *scenario, const char *system, const char *metric,
	struct tw_bench_series *series, double bare)
{
	double value = tw_bench_series_median(series);

	return json_pack("{s:s, s:s, s:s, s:s, s:f, s:f, s:f, s:I, s:o}", "scenario", scenario,
		"system", system, "metric", metric, "unit", "ns", "value", value, "min",
		series->at[0], "max", series->at[series->n - 1], "runs", (json_int_t)series->n,
		"vs_bare", bare > 0 ? json_real(value / bare) : json_null());
}

/* Runs one scenario on all systems in turn; the order moves on each round, so that no system
 * always follows the same one. */
static int run_rounds(const struct options *options, const struct tw_bench_scenario *scenario,
	struct tw_bench_series *series, struct tw_err *err)
{
	size_t n = tw_bench_n_systems;

	for (size_t round = 0; round <= options->rounds; round++) {
		for (size_t i = 0; i < n; i++) {
			size_t at = (round + i) % n;
			size_t batches = round ? options->batches : WARM_UP_BATCHES;
			double ns;
			int e;

			e = tw_bench_measure(&tw_bench_systems[at], scenario, batches, &ns, err);
			if (!e && round)
				e = tw_bench_series_add(&series[at], ns);
			if (e < 0)
				return e;
		}
	}
	return 0;
}

static int report_scenario(
	const struct tw_bench_scenario *scenario, struct tw_bench_series *series, json_t *rows)
{
	double bare = 0;

	printf("%-18s", scenario->name);
	for (size_t i = 0; i < tw_bench_n_systems; i++) {
		const char *system = tw_bench_systems[i].name;

		if (!strcmp(system, "bare"))
			bare = tw_bench_series_median(&series[i]);
		if (add_row(rows, make_row(scenario->name, system, "cpu_ns_per_frame", &series[i],
					  bare)) < 0)
			return -ENOMEM;
		printf("  %s %.0f", system, tw_bench_series_median(&series[i]));
	}
	printf("  ns a frame\n");
	fflush(stdout);
	return 0;
}

/* What the agent used while its system ran the scenario: events are read on another CPU. */
static int report_agent(const struct options *options, const struct tw_bench_scenario *scenario,
	const struct tw_bench_system *system, uint64_t used_ns, json_t *rows)
{
	size_t frames = (options->rounds * options->batches + WARM_UP_BATCHES) * TW_BENCH_BATCH;
	struct tw_bench_series series = {0};
	int e;

	if (!system->agent)
		return 0;
	e = tw_bench_series_add(&series, (double)used_ns / (double)frames);
	if (!e)
		e = add_row(rows, make_row(scenario->name, system->name, "agent_cpu_ns_per_frame",
					  &series, 0));
	tw_bench_series_done(&series);
	return e;
}

static int run_scenario(const struct options *options, const struct tw_bench_scenario *scenario,
	json_t *rows, struct tw_err *err)
{
	struct tw_bench_series series[SYSTEMS_MAX] = {0};
	uint64_t agent_ns[SYSTEMS_MAX];
	int e;

	for (size_t i = 0; i < tw_bench_n_systems; i++)
		agent_ns[i] = tw_bench_system_agent_ns(&tw_bench_systems[i]);
	e = run_rounds(options, scenario, series, err);
	if (!e)
		e = report_scenario(scenario, series, rows);
	for (size_t i = 0; !e && i < tw_bench_n_systems; i++) {
		const struct tw_bench_system *system = &tw_bench_systems[i];

		e = report_agent(options, scenario, system,
			tw_bench_system_agent_ns(system) - agent_ns[i], rows);
	}
	for (size_t i = 0; i < tw_bench_n_systems; i++)
		tw_bench_series_done(&series[i]);
	return e;
}

static int run_program(const struct options *options, json_t *rows, struct tw_err *err)
{
	static const char *const names[] = {
		[TW_BENCH_ESTABLISHED] = "established",
		[TW_BENCH_NEW] = "new",
		[TW_BENCH_DENIED] = "denied",
	};
	struct tw_bench_series series[TW_BENCH_CASES] = {0};
	int e = tw_bench_program(options->files.policy, options->rounds, series, err);

	printf("%-18s", "program");
	for (int i = 0; !e && i < TW_BENCH_CASES; i++) {
		json_t *row = make_row("program", "tapwall", "ns", &series[i], 0);

		if (row)
			json_object_set_new(row, "case", json_string(names[i]));
		e = add_row(rows, row);
		printf("  %s %.0f", names[i], tw_bench_series_median(&series[i]));
	}
	printf("  ns inside\n");
	for (int i = 0; i < TW_BENCH_CASES; i++)
		tw_bench_series_done(&series[i]);
	return e;
}

static json_t *machine(void)
{
	tw_autofile FILE *file = fopen("/proc/cpuinfo", "re");
	char line[512], cpu[256] = "unknown";
	struct utsname kernel;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "model name : %255[^\n]", cpu) == 1)
			break;
	uname(&kernel);
	return json_pack("{s:s, s:s, s:I}", "kernel", kernel.release, "cpu", cpu, "cores",
		(json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
}

static int run_all(const struct options *options, json_t *rows, struct tw_err *err)
{
	int e = tw_bench_isolate(err);

	for (size_t i = 0; !e && i < tw_bench_n_systems; i++)
		e = tw_bench_system_start(&tw_bench_systems[i], &options->files, err);
	for (size_t i = 0; !e && i < tw_bench_n_scenarios; i++)
		e = run_scenario(options, &tw_bench_scenarios[i], rows, err);
	for (size_t i = 0; i < tw_bench_n_systems; i++)
		tw_bench_system_stop(&tw_bench_systems[i]);
	if (!e)
		e = run_program(options, rows, err);
	return e;
}

static int parse(int argc, char **argv, struct options *ret)
{
	static const struct option longs[] = {
		{"agent", required_argument, NULL, 'a'},
		{"policy", required_argument, NULL, 'p'},
		{"ruleset", required_argument, NULL, 'n'},
		{"output", required_argument, NULL, 'o'},
		{"rounds", required_argument, NULL, 'r'},
		{"batches", required_argument, NULL, 'b'},
		{0},
	};
	struct options options = {.rounds = 15, .batches = 32};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		switch (c) {
		case 'a':
			options.files.agent = optarg;
			break;
		case 'p':
			options.files.policy = optarg;
			break;
		case 'n':
			options.files.ruleset = optarg;
			break;
		case 'o':
			options.output = optarg;
			break;
		case 'r':
			options.rounds = strtoul(optarg, NULL, 10);
			break;
		case 'b':
			options.batches = strtoul(optarg, NULL, 10);
			break;
		default:
			return -EINVAL;
		}
	}
	if (!options.files.agent || !options.files.policy || !options.files.ruleset ||
		!options.output || optind < argc)
		return -EINVAL;
	if (!options.rounds || options.rounds > ROUNDS_MAX || !options.batches ||
		options.batches > BATCHES_MAX / options.rounds)
		return -EINVAL;
	*ret = options;
	return 0;
}

/* Frames should not wander between CPUs while they are measured. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct options options;
	struct tw_err err = {0};
	json_t *rows, *results;
	int e;

	if (parse(argc, argv, &options) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	stay_on_one_cpu();
	rows = json_array();
	results = json_pack("{s:o, s:O}", "machine", machine(), "rows", rows);
	e = results ? run_all(&options, rows, &err) : -ENOMEM;
	if (!e && json_dump_file(results, options.output, JSON_INDENT(1) | JSON_REAL_PRECISION(6)))
		e = tw_err_set(&err, -EIO, options.output, NULL, "cannot write");
	json_decref(results);
	json_decref(rows);
	if (!e)
		return 0;
	if (!err.code)
		tw_err_set(&err, e, NULL, NULL, "%s", strerror(-e));
	tw_err_print(stderr, "tapwall-bench", &err);
	return e == -EPERM || e == -EOPNOTSUPP ? 3 : 5;
}
