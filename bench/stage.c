/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/stage.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "bench/process.h"
#include "bench/wire.h"

#define SYSTEMS_MAX 16
#define N_PROBES    150

/* One system in one scenario. */
struct cell {
	bool on;
	size_t n; /* frames or connections per figure */
	struct tw_bench_series series[TW_BENCH_METRICS];
	uint64_t agent_ns; /* the agent's CPU time up to the first figure */
	uint64_t slowd_ns; /* tapwall-slowd's CPU time up to the first figure */
	size_t total;	   /* frames or connections of all figures */
};

/* ---- systems and their verdicts ---- */

/* True if `list`, whose names are separated by commas, has `name`. NULL has all names. */
static bool wanted(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (!strncmp(at, name, len) && (!at[len] || at[len] == ','))
			return true;
	return !list;
}

/* Skips a system, unless it is essential. */
static int leave_out(struct tw_bench_results *results, const char *scenario,
	const struct tw_bench_system *system, const struct tw_err *why)
{
	printf("  %s is left out of %s: %s\n", system->name, scenario ? scenario : "all",
		why->text);
	return tw_bench_results_skip(results, scenario, system->name, why);
}

/* Compares the list's verdict on a probe with the system's. */
static int probe(struct tw_bench_system *system, const struct tw_bench_rules *rules, size_t i,
	struct tw_err *err)
{
	static struct tw_bench_frame frame;
	const struct tw_bench_tuple tuple = tw_bench_rules_probe(rules, i);
	struct tw_bench_packet packet = {
		.from = tuple.from == TW_BENCH_ADDRESS_A ? TW_BENCH_A : TW_BENCH_B,
		.protocol = tuple.protocol,
		.sport = tuple.sport,
		.dport = tuple.dport,
		.flags = TH_SYN,
		.len = 64,
	};
	bool allow = tw_bench_rules_allow(rules, &tuple), arrived;
	int e;

	tw_bench_frame_make(&frame, &packet);
	e = tw_bench_wire_try(system, packet.from, &frame, &arrived, err);
	if (!e && arrived != allow)
		return tw_err_set(err, -EBADMSG, system->name, NULL,
			"%s %s %u to %u of guest %c, which list %zu rules long (seed %llu) %s",
			arrived ? "allows" : "denies",
			tuple.protocol == IPPROTO_UDP ? "udp" : "tcp", tuple.sport, tuple.dport,
			"ba"[packet.from], rules -> list.n, (unsigned long long)rules->seed,
			allow ? "allows" : "denies");
	return e;
}

static int agree(
	struct tw_bench_system *system, const struct tw_bench_rules *rules, struct tw_err *err)
{
	int e = 0;

	for (size_t i = 0; !e && rules && system->filters && i < N_PROBES; i++)
		e = probe(system, rules, i, err);
	return e;
}

static int start_systems(const struct tw_bench_stage *stage, struct tw_bench_results *results,
	const char *scenario, struct tw_err *err)
{
	for (size_t i = 0; i < tw_bench_n_systems; i++) {
		struct tw_bench_system *system = &tw_bench_systems[i];
		int e;

		if (!wanted(stage->only, system->name))
			continue;
		e = tw_bench_system_start(system, stage->files, err);
		if (!e)
			e = agree(system, stage->rules, err);
		if (!e)
			continue;
		tw_bench_system_stop(system);
		/* A system with wrong verdicts ends the run and is not skipped silently. */
		if (e == -EBADMSG || (system->essential && e != -E2BIG))
			return e;
		e = leave_out(results, scenario, system, err);
		if (e < 0)
			return e;
		*err = (struct tw_err){0};
	}
	return 0;
}

/* ---- figures ---- */

/* Measures a few frames or connections, and chooses their number per figure so that one figure takes
 * the given time. Also warms up. */
static int choose_n(const struct tw_bench_stage *stage, const struct tw_bench_scenario *scenario,
	struct tw_bench_system *system, size_t *ret, struct tw_err *err)
{
	double values[TW_BENCH_METRICS], per_item_ms = 0;
	size_t n = scenario->n_min, most = scenario->n_max;

	for (int i = 0; i < 2; i++) {
		uint64_t start = tw_bench_wall_ns();
		int e = scenario->measure(system, scenario, n, values, err);

		if (e < 0)
			return e;
		per_item_ms = (double)(tw_bench_wall_ns() - start) / 1e6 / (double)n;
		if (4 * per_item_ms * (double)n < stage->slice_ms)
			n *= 4;
	}
	if (scenario->total_max && most > scenario->total_max / (stage->rounds + 1))
		most = scenario->total_max / (stage->rounds + 1);
	n = (size_t)(stage->slice_ms / per_item_ms);
	*ret = n < scenario->n_min ? scenario->n_min : n > most ? most : n;
	return 0;
}

static int measure(const struct tw_bench_scenario *scenario, struct tw_bench_system *system,
	struct cell *cell, struct tw_err *err)
{
	double values[TW_BENCH_METRICS];
	int e = scenario->measure(system, scenario, cell->n, values, err);

	for (int m = 0; !e && m < TW_BENCH_METRICS; m++)
		e = tw_bench_series_add(&cell->series[m], values[m]);
	cell->total += cell->n;
	return e;
}

/* Measures one step of a cell. A cell that fails is not measured again. */
static int step(const struct tw_bench_stage *stage, const struct tw_bench_scenario *scenario,
	const char *name, size_t i, struct cell *cell, struct tw_bench_results *results,
	struct tw_err *err)
{
	struct tw_bench_system *system = &tw_bench_systems[i];
	int e = cell->n ? measure(scenario, system, cell, err)
			: choose_n(stage, scenario, system, &cell->n, err);

	if (!cell->total && system->agent)
		cell->agent_ns = tw_bench_cpu_ns(system->agent);
	if (!cell->total && system->slowd)
		cell->slowd_ns = tw_bench_cpu_ns(system->slowd);
	if (!e)
		return 0;
	cell->on = false;
	if (system->essential)
		return e;
	e = leave_out(results, name, system, err);
	*err = (struct tw_err){0};
	return e;
}

static int add_rows(const struct tw_bench_scenario *scenario, const char *name, struct cell *cells,
	struct tw_bench_results *results)
{
	int e = 0;

	for (int m = 0; m < TW_BENCH_METRICS; m++) {
		double bare = 0;

		printf("%s%s", m ? "  " : name, m ? scenario->metrics[m].name : "");
		for (size_t i = 0; !e && i < tw_bench_n_systems; i++) {
			const char *system = tw_bench_systems[i].name;
			double value = tw_bench_series_quantile(&cells[i].series[m], 0.5);

			if (!cells[i].on || !cells[i].series[m].n)
				continue;
			if (!strcmp(system, "bare"))
				bare = value;
			printf("  %s %.*f", system, value < 100, value);
			e = tw_bench_results_add(results, name, system, &scenario->metrics[m],
				&cells[i].series[m], bare, NULL);
		}
		printf("  %s\n", scenario->metrics[m].unit);
	}
	fflush(stdout);
	return e;
}

/* Adds the CPU time per frame or connection, over all figures, of a process that runs on other CPUs. */
static int add_process_row(const struct tw_bench_scenario *scenario, const char *name,
	const struct tw_bench_system *system, const char *process, uint64_t ns, size_t total,
	struct tw_bench_results *results)
{
	struct tw_bench_series series = {0};
	struct tw_bench_metric metric = {.unit = "ns"};
	char text[64];
	int e = tw_bench_series_add(&series, (double)ns / (double)total);

	snprintf(text, sizeof(text), "%s_cpu_ns_per_%s", process,
		scenario->frame_len ? "frame" : "connection");
	metric.name = text;
	if (!e)
		e = tw_bench_results_add(results, name, system->name, &metric, &series, 0, NULL);
	tw_bench_series_done(&series);
	return e;
}

static int add_process_rows(const struct tw_bench_scenario *scenario, const char *name,
	const struct cell *cells, struct tw_bench_results *results)
{
	int e = 0;

	for (size_t i = 0; !e && i < tw_bench_n_systems; i++) {
		const struct tw_bench_system *system = &tw_bench_systems[i];
		const struct cell *cell = &cells[i];

		if (!cell->on || !cell->total)
			continue;
		if (system->agent)
			e = add_process_row(scenario, name, system, "agent",
				tw_bench_cpu_ns(system->agent) - cell->agent_ns, cell->total,
				results);
		if (!e && system->slowd)
			e = add_process_row(scenario, name, system, "slowd",
				tw_bench_cpu_ns(system->slowd) - cell->slowd_ns, cell->total,
				results);
	}
	return e;
}

static int run_scenario(const struct tw_bench_stage *stage,
	const struct tw_bench_scenario *scenario, struct tw_bench_results *results,
	struct tw_err *err)
{
	struct cell cells[SYSTEMS_MAX] = {0};
	size_t n = tw_bench_n_systems;
	char name[64];
	int e = 0;

	snprintf(name, sizeof(name), "%s%s", scenario->name, stage->suffix);
	for (size_t i = 0; i < n; i++)
		cells[i].on = tw_bench_systems[i].runs;
	for (size_t round = 0; !e && round <= stage->rounds; round++) {
		for (size_t i = 0; !e && i < n; i++) {
			size_t at = (round + i) % n;

			if (cells[at].on)
				e = step(stage, scenario, name, at, &cells[at], results, err);
		}
	}
	if (!e)
		e = add_rows(scenario, name, cells, results);
	if (!e)
		e = add_process_rows(scenario, name, cells, results);
	for (size_t i = 0; i < n; i++)
		for (int m = 0; m < TW_BENCH_METRICS; m++)
			tw_bench_series_done(&cells[i].series[m]);
	return e;
}

int tw_bench_stage_run(
	const struct tw_bench_stage *stage, struct tw_bench_results *results, struct tw_err *err)
{
	char name[64];
	int e;

	snprintf(name, sizeof(name), "%s%s", stage->scenarios[0].name, stage->suffix);
	e = start_systems(stage, results, stage->n_scenarios == 1 ? name : NULL, err);
	for (size_t i = 0; !e && i < stage->n_scenarios; i++)
		if (wanted(stage->only_scenarios, stage->scenarios[i].name))
			e = run_scenario(stage, &stage->scenarios[i], results, err);
	for (size_t i = 0; i < tw_bench_n_systems; i++)
		if (tw_bench_systems[i].runs)
			tw_bench_system_stop(&tw_bench_systems[i]);
	return e;
}
