/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/scenario.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "bench/rules.h"
#include "bench/series.h"
#include "bench/wire.h"

#define N_SPORTS (65536 - TW_BENCH_SPORT_MIN)
/* Super-frames in flight: few enough to stay in a CPU's cache, so that main memory is not what is
 * measured. With workers, as many as a packet socket's buffer holds. */
#define SUPER_BATCH	8
#define SUPER_IN_FLIGHT 2
#define PINGS_MAX	1024

/* Makes the frames of a scenario. All frames of the permanent connection are the same, so only one
 * is made. */
static void make_frames(struct tw_bench_system *system, const struct tw_bench_scenario *scenario,
	struct tw_bench_frame *frames, size_t n)
{
	struct tw_bench_packet packet = {
		.from = TW_BENCH_A,
		.protocol = IPPROTO_TCP,
		.sport = TW_BENCH_CLIENT_PORT,
		.dport = scenario->denied ? TW_BENCH_PORT_SHUT : TW_BENCH_PORT_OPEN,
		.flags = scenario->opens ? TH_SYN : TH_ACK | TH_PUSH,
		.seq = 1,
		.ack = scenario->opens ? 0 : 1,
		.len = scenario->frame_len,
		.gso_size = scenario->gso_size,
	};

	for (size_t i = 0; i < n; i++) {
		if (scenario->denied) {
			packet.sport = (uint16_t)(TW_BENCH_SPORT_MIN + i);
		} else if (scenario->opens) {
			uint32_t k = system->n_conns++;

			packet.dport = (uint16_t)(TW_BENCH_PORT_OPEN + 1 +
						  k % (TW_BENCH_N_OPEN - 1));
			packet.sport = (uint16_t)(TW_BENCH_SPORT_MIN +
						  k / (TW_BENCH_N_OPEN - 1) % N_SPORTS);
		}
		tw_bench_frame_make(&frames[i], &packet);
	}
}

static int measure_frames(struct tw_bench_system *system, const struct tw_bench_scenario *scenario,
	size_t n, double ret[static TW_BENCH_METRICS], struct tw_err *err)
{
	static struct tw_bench_frame frames[TW_BENCH_BATCH];
	bool workers = system->in_flight, arrive = !scenario->denied || !system->filters;
	size_t most = !scenario->gso_size ? TW_BENCH_BATCH
		      : workers		  ? SUPER_IN_FLIGHT
					  : SUPER_BATCH;
	uint64_t workers_ns = tw_bench_system_workers_ns(system);
	struct tw_bench_cost cost = {0};
	int e = 0;

	tw_bench_wire_clear(system);
	if (!scenario->opens)
		make_frames(system, scenario, frames, 1);
	for (size_t sent = 0, k; !e && sent < n; sent += k) {
		k = n - sent < most ? n - sent : most;
		if (scenario->opens)
			make_frames(system, scenario, frames, k);
		e = tw_bench_wire_send(
			system, TW_BENCH_A, frames, !scenario->opens, k, arrive, &cost, err);
	}
	cost.cpu_ns += tw_bench_system_workers_ns(system) - workers_ns;
	ret[0] = (double)cost.cpu_ns / (double)n;
	ret[1] = (double)n * 1e9 / (double)cost.wall_ns;
	return e;
}

static int measure_latency(struct tw_bench_system *system, const struct tw_bench_scenario *scenario,
	size_t n, double ret[static TW_BENCH_METRICS], struct tw_err *err)
{
	static struct tw_bench_frame frame;
	struct tw_bench_series series = {0};
	int e = 0;

	tw_bench_wire_clear(system);
	for (size_t i = 0; !e && i < n; i++) {
		uint64_t ns;

		if (!i || scenario->opens)
			make_frames(system, scenario, &frame, 1);
		e = tw_bench_wire_ping(system, &frame, &ns, err);
		if (!e)
			e = tw_bench_series_add(&series, (double)ns / 1000);
	}
	ret[0] = tw_bench_series_quantile(&series, 0.5);
	ret[1] = tw_bench_series_quantile(&series, 0.99);
	tw_bench_series_done(&series);
	return e;
}

static int measure_connections(struct tw_bench_system *system,
	const struct tw_bench_scenario *scenario, size_t n, double ret[static TW_BENCH_METRICS],
	struct tw_err *err)
{
	struct tw_bench_cost cost = {0};
	int e = tw_bench_connections(system, n, &cost, err);

	ret[0] = (double)cost.cpu_ns / 1000 / (double)n;
	ret[1] = (double)n * 1e9 / (double)cost.wall_ns;
	return e;
}

#define FRAMES                                                                         \
	.metrics = {{"cpu_ns_per_frame", "ns"}, {"frames_per_s", "1/s"}}, .n_min = 16, \
	.n_max = 16384, .measure = measure_frames

const struct tw_bench_scenario tw_bench_scenarios[] = {
	{.name = "established-64B", FRAMES, .frame_len = 64},
	{.name = "established-1400B", FRAMES, .frame_len = 1400},
	{.name = "bulk-gso",
		FRAMES,
		.frame_len = TW_BENCH_SUPER_LEN,
		.gso_size = TW_BENCH_GSO_SIZE},
	{.name = "new-connection", FRAMES, .frame_len = 64, .opens = true, .total_max = 120000},
	{.name = "denied", FRAMES, .frame_len = 64, .opens = true, .denied = true},
	{.name = "crr",
		.metrics = {{"cpu_us_per_connection", "us"}, {"connections_per_s", "1/s"}},
		.measure = measure_connections,
		.n_min = 4,
		.n_max = 4096,
		.total_max = 60000},
	{.name = "latency",
		.metrics = {{"latency_us_p50", "us"}, {"latency_us_p99", "us"}},
		.measure = measure_latency,
		.frame_len = 64,
		.n_min = 100,
		.n_max = PINGS_MAX},
	{.name = "first-packet",
		.metrics = {{"latency_us_p50", "us"}, {"latency_us_p99", "us"}},
		.measure = measure_latency,
		.frame_len = 64,
		.opens = true,
		.n_min = 100,
		.n_max = PINGS_MAX,
		.total_max = 60000},
};
const size_t tw_bench_n_scenarios = sizeof(tw_bench_scenarios) / sizeof(tw_bench_scenarios[0]);

const struct tw_bench_scenario tw_bench_scenario_rules = {
	.name = "new-connection", FRAMES, .frame_len = 64, .opens = true, .total_max = 120000};
