/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/lifetime.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/agent.h"
#include "bench/process.h"
#include "bench/rules.h"
#include "bench/series.h"
#include "bench/wire.h"
#include "fastpath/abi/charge.h"
#include "fastpath/abi/types.h"
#include "link/event_reader.h"
#include "link/link.h"

#define SCENARIO    "lifetime"
#define N_CONNS	    40192 /* connections opened for one figure; a multiple of the batch */
#define TABLE	    "65536"
#define N_PORTS	    2
#define PORT_IDS    64 /* ids that are searched; the two ports have the lowest ones */
#define FIRST_SPORT 10000
#define IDLE_S	    6	   /* longer than the sweep pauses */
#define END_S	    60	   /* a connection ends within this time */
#define TOLD_MIN    0.5	   /* if the reader receives less than this part, there is no figure */
#define BATCH_US    5000   /* pause between batches: about 50,000 connections a second */
#define SETTLE_US   300000 /* the agent polls its ring buffer more often than this */

static const char policy_text[] =
	"version: 1\n"
	"workloads:\n"
	"  app: {port: tap-a, mac: \"52:54:00:00:00:0a\", addresses: [10.0.0.11]}\n"
	"  db: {port: tap-b, mac: \"52:54:00:00:00:0b\", addresses: [10.0.0.21]}\n"
	"rules: [{name: app-to-db, from: app, to: db, action: allow}]\n"
	"options: {limits: {half-open: none, established: none}, timeouts: {syn-sent: 1s}}\n";

/* A client that follows the log, in a thread of its own. */
struct reader {
	struct tw_link_client *client;
	pthread_t thread;
	atomic_bool stop;
	bool acks; /* as the slow path: gets closes from the spool, and acknowledges them */
	atomic_size_t n_told; /* open and close events received; with `acks`, twice the closes */
};

struct host {
	struct tw_bench_system system;
	struct tw_bench_agent agent;
	int usage; /* the map `usage` */
	struct reader reader;
};

/* ---- the reader ---- */

static int acknowledge(struct reader *reader, const struct tw_event_reader *events)
{
	Tapwall__V1__EventsAckRequest body = TAPWALL__V1__EVENTS_ACK_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;

	body.journal = events->journal;
	body.next = events->next;
	request.id = 2;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS_ACK;
	request.events_ack = &body;
	return tw_link_send(reader->client, &request, NULL);
}

static void count_rows(struct reader *reader, const struct tw_event_reader *events)
{
	for (size_t i = 0; i < events->n; i++) {
		uint8_t kind = events->rows[i].kind;

		reader->n_told += reader->acks ? 2 * (kind == TW_EVENT_ROW_CLOSE)
					       : kind != TW_EVENT_ROW_DENY;
	}
}

static void *follow(void *arg)
{
	struct reader *reader = arg;
	struct tw_event_reader events = {0};

	while (!reader->stop) {
		Tapwall__V1__Response *response = NULL;
		int e = tw_link_receive(reader->client, &response, NULL);

		if (e == -ETIMEDOUT)
			continue;
		if (e < 0)
			break;
		if (response->body_case == TAPWALL__V1__RESPONSE__BODY_EVENTS)
			e = tw_event_reader_take(&events, response->events);
		tapwall__v1__response__free_unpacked(response, NULL);
		if (e < 0)
			break;
		count_rows(reader, &events);
		if (reader->acks && events.n && acknowledge(reader, &events) < 0)
			break;
		events.n = 0;
	}
	tw_event_reader_done(&events);
	return NULL;
}

static int start_reader(struct host *host, struct tw_err *err)
{
	Tapwall__V1__EventsRequest body = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct reader *reader = &host->reader;
	int e = tw_link_connect(host->agent.socket, &reader->client, err);

	body.follow = body.all = true;
	body.acks = reader->acks;
	body.limit = 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = &body;
	if (!e)
		e = tw_link_client_set_timeout(reader->client, 1);
	if (!e)
		e = tw_link_send(reader->client, &request, err);
	if (!e)
		e = -pthread_create(&reader->thread, NULL, follow, reader);
	if (e < 0) {
		tw_link_client_free(reader->client);
		reader->client = NULL;
	}
	return e;
}

static void stop_reader(struct reader *reader)
{
	if (!reader->client)
		return;
	reader->stop = true;
	pthread_join(reader->thread, NULL);
	tw_link_client_free(reader->client);
	*reader = (struct reader){0};
}

/* ---- the host ---- */

static int write_policy(const char *path, struct tw_err *err)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	fputs(policy_text, out);
	return fclose(out) ? tw_err_set(err, -EIO, path, NULL, "cannot write") : 0;
}

static int start_host(
	struct host *host, const char *agent, const char *slow_path, struct tw_err *err)
{
	static char policy[TW_BENCH_PATH_MAX];
	char path[2 * TW_BENCH_PATH_MAX];
	int e = tw_bench_net_new(&host->system.net, err);

	tw_bench_scratch(policy, SCENARIO, ".yaml");
	if (!e)
		e = write_policy(policy, err);
	host->agent = (struct tw_bench_agent){.program = agent,
		.name = SCENARIO,
		.ports = "tap-*",
		.policy = policy,
		.slow_path = slow_path,
		.max_connections = TABLE,
		.n_ports = N_PORTS};
	if (!e)
		e = tw_bench_agent_start(&host->agent, err);
	if (!e)
		e = tw_bench_wire_open(&host->system, err);
	if (e < 0)
		return e;
	snprintf(path, sizeof(path), "%s/maps/usage", host->agent.bpffs);
	host->usage = bpf_obj_get(path);
	return host->usage < 0 ? tw_err_set(err, -errno, path, NULL, "%s", strerror(errno)) : 0;
}

static void stop_host(struct host *host)
{
	stop_reader(&host->reader);
	if (host->usage >= 0)
		close(host->usage);
	tw_bench_agent_stop(&host->agent);
	tw_bench_net_done(&host->system.net);
}

static uint64_t events_lost(const struct host *host)
{
	Tapwall__V1__StatusRequest body = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	tw_auto(tw_link_client) struct tw_link_client *client = NULL;
	Tapwall__V1__Response *response = NULL;
	uint64_t lost = UINT64_MAX;

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &body;
	if (tw_link_connect(host->agent.socket, &client, NULL) < 0 ||
		tw_link_send(client, &request, NULL) < 0 ||
		tw_link_receive(client, &response, NULL) < 0)
		return lost;
	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_STATUS)
		lost = response->status->events_lost;
	tapwall__v1__response__free_unpacked(response, NULL);
	return lost;
}

/* ---- connections ---- */

static int open_batch(struct host *host, size_t first, struct tw_err *err)
{
	static struct tw_bench_frame frames[TW_BENCH_BATCH];
	struct tw_bench_cost cost = {0};

	for (size_t i = 0; i < TW_BENCH_BATCH; i++) {
		const struct tw_bench_packet packet = {
			.from = TW_BENCH_A,
			.protocol = IPPROTO_TCP,
			.sport = (uint16_t)(FIRST_SPORT + first + i),
			.dport = TW_BENCH_PORT_OPEN + 1,
			.flags = TH_SYN,
			.seq = 1,
			.len = 64,
		};

		tw_bench_frame_make(&frames[i], &packet);
	}
	return tw_bench_wire_send(
		&host->system, TW_BENCH_A, frames, false, TW_BENCH_BATCH, true, &cost, err);
}

static size_t n_half_open(const struct host *host)
{
	size_t n = 0;

	for (uint32_t id = 0; id < PORT_IDS; id++) {
		struct tw_usage usage;

		if (!bpf_map_lookup_elem(host->usage, &id, &usage))
			n += tw_usage_now(usage.half_open);
	}
	return n;
}

static int wait_for_end(const struct host *host, struct tw_err *err)
{
	uint64_t start = tw_bench_wall_ns();

	while (n_half_open(host)) {
		if (tw_bench_wall_ns() - start > END_S * 1000000000ull)
			return tw_err_set(err, -ETIMEDOUT, SCENARIO, NULL,
				"%zu connections did not expire", n_half_open(host));
		tw_bench_pause();
	}
	usleep(SETTLE_US);
	return 0;
}

/* Returns the CPU time, in ns, that the agent uses in a second without connections. */
static double idle_per_s(const struct host *host)
{
	uint64_t cpu = tw_bench_cpu_ns(host->agent.pid), wall = tw_bench_wall_ns();

	sleep(IDLE_S);
	cpu = tw_bench_cpu_ns(host->agent.pid) - cpu;
	return (double)cpu / ((double)(tw_bench_wall_ns() - wall) / 1e9);
}

/* Counts the connections that the agent handled: with a reader, only those whose events the reader
 * received. */
static int count_told(const struct host *host, size_t told_before, double *ret, struct tw_err *err)
{
	*ret = host->reader.client ? (double)(host->reader.n_told - told_before) / 2 : N_CONNS;
	if (*ret < N_CONNS * TOLD_MIN)
		return tw_err_set(err, -EBUSY, SCENARIO, NULL,
			"the reader was told of %.0f of %d connections", *ret, N_CONNS);
	return 0;
}

static int measure(struct host *host, double idle, double *ret, struct tw_err *err)
{
	uint64_t cpu = tw_bench_cpu_ns(host->agent.pid), wall = tw_bench_wall_ns();
	size_t told = host->reader.n_told;
	double n = N_CONNS;
	int e = 0;

	for (size_t i = 0; !e && i < N_CONNS; i += TW_BENCH_BATCH) {
		e = open_batch(host, i, err);
		usleep(BATCH_US);
	}
	if (!e)
		e = wait_for_end(host, err);
	wall = tw_bench_wall_ns() - wall;
	cpu = tw_bench_cpu_ns(host->agent.pid) - cpu;
	if (!e)
		e = count_told(host, told, &n, err);
	*ret = ((double)cpu - idle * (double)wall / 1e9) / n;
	return e;
}

/* ---- cases ---- */

static int add_row(
	const char *which, struct tw_bench_series *series, struct tw_bench_results *results)
{
	static const struct tw_bench_metric metric = {"agent_cpu_ns_per_connection", "ns"};

	printf(SCENARIO " %s  %.0f (%.0f … %.0f) ns\n", which,
		tw_bench_series_quantile(series, 0.5), tw_bench_series_quantile(series, 0),
		tw_bench_series_quantile(series, 1));
	fflush(stdout);
	return tw_bench_results_add(results, SCENARIO, "tapwall", &metric, series, 0, which);
}

static int check_losses(const struct host *host, struct tw_err *err)
{
	uint64_t lost = events_lost(host);

	return lost ? tw_err_set(err, -EBUSY, SCENARIO, NULL, "%llu events were lost",
			      (unsigned long long)lost)
		    : 0;
}

static int run_case(struct host *host, const char *which, size_t rounds,
	struct tw_bench_results *results, struct tw_err *err)
{
	struct tw_bench_series series = {0};
	double idle = idle_per_s(host), ns;
	int e = 0;

	for (size_t i = 0; !e && i < rounds; i++) {
		e = measure(host, idle, &ns, err);
		if (!e)
			e = tw_bench_series_add(&series, ns > 0 ? ns : 0);
	}
	if (!e)
		e = check_losses(host, err);
	if (!e)
		e = add_row(which, &series, results);
	tw_bench_series_done(&series);
	if (e != -EBUSY)
		return e;
	printf(SCENARIO " %s is left out: %s\n", which, err->text);
	e = tw_bench_results_skip(results, SCENARIO, "tapwall", err);
	*err = (struct tw_err){0};
	return e;
}

static struct host no_host(void)
{
	return (struct host){
		.system = {.name = SCENARIO, .net = TW_BENCH_NET_NONE, .inner = -1}, .usage = -1};
}

/* The reader takes the slow path's place: nothing listens at its address. */
static int run_acknowledged(
	const char *agent, size_t rounds, struct tw_bench_results *results, struct tw_err *err)
{
	struct host host = no_host();
	int e = start_host(&host, agent, "127.0.0.1:1", err);

	host.reader.acks = true;
	if (!e)
		e = start_reader(&host, err);
	if (!e)
		e = run_case(&host, "acknowledged", rounds, results, err);
	stop_host(&host);
	return e;
}

int tw_bench_lifetime_run(
	const char *agent, size_t rounds, struct tw_bench_results *results, struct tw_err *err)
{
	struct host host = no_host();
	int e = start_host(&host, agent, NULL, err);

	if (!e)
		e = run_case(&host, "unread", rounds, results, err);
	if (!e)
		e = start_reader(&host, err);
	if (!e)
		e = run_case(&host, "followed", rounds, results, err);
	stop_host(&host);
	return e ? e : run_acknowledged(agent, rounds, results, err);
}
