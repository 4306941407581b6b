/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "bench/edit.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/agent.h"
#include "bench/net.h"
#include "bench/process.h"
#include "bench/wire.h"
#include "fastpath/abi/types.h"
#include "link/link.h"

#define N_PORTS	   200
#define N_GROUPS   40
#define N_NETWORKS 20
#define N_RULES	   4000
#define N_SERVICES 3000 /* ports in rules; edits use others */

/* Each poll of the epoch may interrupt the agent for some 10 µs if both share a CPU, and disturbs
 * its caches for as long again. The interval must be long compared with that. */
#define LOOK_NS 200000

/* Differences from the policy that was applied first. */
struct world {
	size_t n_edits;	 /* rules whose service has changed: edited_rule(0) … */
	size_t workload; /* workload that has an additional tag */
	size_t tag;	 /* number of that tag; N_GROUPS: none */
};

static const struct world first = {.tag = N_GROUPS};

/* Returns the rule of an edit, a different one each time. */
static size_t edited_rule(size_t edit)
{
	return (N_RULES / 3 + edit * 131) % N_RULES;
}

/* Returns the port that an edit gave to a rule; no rule had it before. 0: unchanged. */
static unsigned int edited_port(const struct world *world, size_t rule)
{
	for (size_t edit = world->n_edits; edit-- > 0;)
		if (edited_rule(edit) == rule)
			return (unsigned int)(1000 + N_SERVICES + edit);
	return 0;
}

/* ---- the policy ---- */

static uint32_t draw(uint64_t *state, uint32_t n)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15ull);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ (z >> 31)) % n);
}

static size_t second_tag(size_t workload)
{
	return (workload * 7 + 3) % N_GROUPS;
}

static void put_workload(FILE *out, size_t i, const struct world *world)
{
	fprintf(out,
		"  w%zu: {port: t%zu, mac: \"52:54:00:00:%02zx:%02zx\", addresses: [10.1.%zu.%zu, "
		"\"fd00::%zx\"], tags: [g%zu, g%zu",
		i, i, i >> 8, i & 255, i / 200, i % 200 + 1, i + 1, i % N_GROUPS, second_tag(i));
	if (world->tag < N_GROUPS && world->workload == i)
		fprintf(out, ", g%zu", world->tag);
	fputs("]}\n", out);
}

/* Writes an end of a rule. True if it contains a guest. */
static bool put_end(FILE *out, const char *key, uint64_t *random, bool local)
{
	uint32_t kind = draw(random, local ? 6 : 8);

	if (kind < 5)
		fprintf(out, ", %s: g%u", key, draw(random, N_GROUPS));
	else if (kind == 5)
		fprintf(out, ", %s: w%u", key, draw(random, N_PORTS));
	else if (kind == 6)
		fprintf(out, ", %s: 10.%u.%u.0/24", key, 2 + draw(random, 20), draw(random, 200));
	else
		fprintf(out, ", %s: n%u", key, draw(random, N_NETWORKS));
	return kind < 6;
}

static void put_rule(FILE *out, size_t i, const struct world *world)
{
	unsigned int edited = edited_port(world, i), service;
	uint64_t random = i * 977 + 1;
	const char *proto;

	fprintf(out, "  - {name: r%zu", i);
	put_end(out, "to", &random, !put_end(out, "from", &random, false));
	proto = draw(&random, 4) ? "tcp" : "udp";
	service = 1000 + draw(&random, N_SERVICES);
	fprintf(out, ", service: %s/%u, action: %s}\n", proto, edited ? edited : service,
		draw(&random, 5) ? "allow" : "deny");
}

static void put_policy(FILE *out, const struct world *world)
{
	fputs("version: 1\nnetworks:\n", out);
	for (size_t i = 0; i < N_NETWORKS; i++)
		fprintf(out, "  n%zu: [10.%zu.0.0/16, 172.16.%zu.0/24, \"2001:db8:%zx::/48\"]\n", i,
			i + 30, i, i + 1);
	fputs("workloads:\n", out);
	for (size_t i = 0; i < N_PORTS; i++)
		put_workload(out, i, world);
	fputs("groups:\n", out);
	for (size_t i = 0; i < N_GROUPS; i++)
		fprintf(out, "  g%zu: {tags: g%zu}\n", i, i);
	fputs("rules:\n", out);
	for (size_t i = 0; i < N_RULES; i++)
		put_rule(out, i, world);
	fputs("default: deny\n", out);
}

static int make_text(const struct world *world, char **ret, size_t *ret_len)
{
	FILE *out = open_memstream(ret, ret_len);

	if (!out)
		return -ENOMEM;
	put_policy(out, world);
	return fclose(out) ? -ENOMEM : 0;
}

/* ---- the host ---- */

static int make_ports(struct tw_err *err)
{
	char line[256];
	tw_autofree char *lines = NULL;
	size_t len;
	FILE *out = open_memstream(&lines, &len);

	if (!out)
		return -ENOMEM;
	fputs("link add br0 type bridge forward_delay 0 mcast_snooping 0\nlink set br0 up\n", out);
	for (size_t i = 0; i < N_PORTS; i++) {
		snprintf(line, sizeof(line),
			"tuntap add t%zu mode tap\nlink set t%zu master br0 up\n", i, i);
		fputs(line, out);
	}
	return fclose(out) ? -ENOMEM : tw_bench_ip(lines, err);
}

struct host {
	struct tw_bench_agent agent;
	struct tw_link_client *client;
	const struct tw_config *config; /* the agent's config in the kernel */
};

static int map_config(struct host *host, struct tw_err *err)
{
	char path[2 * TW_BENCH_PATH_MAX];
	tw_autofd int fd = -1;
	void *map;

	snprintf(path, sizeof(path), "%s/maps/config", host->agent.bpffs);
	fd = bpf_obj_get(path);
	map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*host->config), PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	host->config = map;
	return 0;
}

static uint32_t epoch_of(const struct host *host)
{
	return __atomic_load_n(&host->config->epoch, __ATOMIC_ACQUIRE);
}

static int start(struct host *host, const struct tw_bench_edit *edit, struct tw_err *err)
{
	char policy[TW_BENCH_PATH_MAX];
	FILE *out;
	int e;

	tw_bench_scratch(policy, "edit", ".yaml");
	out = fopen(policy, "we");
	if (!out)
		return tw_err_set(err, -errno, policy, NULL, "%s", strerror(errno));
	put_policy(out, &first);
	if (fclose(out))
		return tw_err_set(err, -EIO, policy, NULL, "cannot write");
	host->agent = (struct tw_bench_agent){.program = edit->agent,
		.name = "edit",
		.ports = "t*",
		.policy = policy,
		.state = edit->state,
		.n_ports = N_PORTS};
	e = tw_bench_agent_start(&host->agent, err);
	if (!e)
		e = tw_link_connect(host->agent.socket, &host->client, err);
	return e ? e : map_config(host, err);
}

static void stop(struct host *host)
{
	tw_link_client_free(host->client);
	if (host->config)
		munmap((void *)host->config, sizeof(*host->config));
	tw_bench_agent_stop(&host->agent);
}

/* ---- one change ---- */

enum figure { ENFORCED, ANSWERED, CPU, FIGURES };

/* Polls for the flip until the answer arrives. The flip is noticed at most LOOK_NS late. */
static uint64_t wait_for_flip(const struct host *host, uint32_t before)
{
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct pollfd answer = {.fd = tw_link_client_fd(host->client), .events = POLLIN};

	while (epoch_of(host) == before && poll(&answer, 1, 0) <= 0)
		nanosleep(&pause, NULL);
	return tw_bench_wall_ns();
}

static int refused(const Tapwall__V1__Response *response, struct tw_err *err)
{
	return tw_err_set(err, -EIO, "agent", NULL, "refused a change: %s",
		response->error ? response->error->text : "no reason given");
}

static int apply(struct host *host, const struct world *world, double ret[static FIGURES],
	struct tw_err *err)
{
	Tapwall__V1__ApplyRequest body = TAPWALL__V1__APPLY_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__Response *response = NULL;
	tw_autofree char *text = NULL;
	uint32_t before = epoch_of(host);
	uint64_t start_ns, flip_ns = 0, cpu_ns;
	int e = make_text(world, &text, &body.text.len);

	if (e < 0)
		return e;
	body.text.data = (uint8_t *)text;
	body.source = (char *)"bench";
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &body;
	cpu_ns = tw_bench_cpu_ns(host->agent.pid);
	start_ns = tw_bench_wall_ns();
	e = tw_link_send(host->client, &request, err);
	if (!e)
		flip_ns = wait_for_flip(host, before);
	if (!e)
		e = tw_link_receive(host->client, &response, err);
	ret[ANSWERED] = (double)(tw_bench_wall_ns() - start_ns) / 1e6;
	ret[ENFORCED] = (double)(flip_ns - start_ns) / 1e6;
	ret[CPU] = (double)(tw_bench_cpu_ns(host->agent.pid) - cpu_ns) / 1e6;
	if (!e && response->body_case != TAPWALL__V1__RESPONSE__BODY_APPLIED)
		e = refused(response, err);
	if (!e && epoch_of(host) == before)
		e = tw_err_set(err, -EIO, "agent", NULL, "a change did not flip the epoch");
	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
	return e;
}

/* ---- rounds ---- */

static void next_edit(struct world *world, size_t round)
{
	world->n_edits = round + 1;
}

/* Adds a workload to a group, and removes it in the next round. */
static void next_join(struct world *world, size_t round)
{
	size_t w = world->workload = round / 2 * 13 % N_PORTS;

	world->tag = round % 2 ? N_GROUPS : (w + 1) % N_GROUPS;
	if (world->tag == second_tag(w))
		world->tag = (w + 2) % N_GROUPS;
}

static int measure(struct host *host, struct world *world, const char *scenario,
	void (*next)(struct world *world, size_t round), size_t rounds,
	struct tw_bench_results *results, struct tw_err *err)
{
	static const struct tw_bench_metric metrics[FIGURES] = {
		[ENFORCED] = {"enforced_ms", "ms"},
		[ANSWERED] = {"answered_ms", "ms"},
		[CPU] = {"agent_cpu_ms", "ms"},
	};
	struct tw_bench_series series[FIGURES] = {0};
	int e = 0;

	for (size_t round = 0; !e && round < rounds; round++) {
		double values[FIGURES];

		next(world, round);
		e = apply(host, world, values, err);
		for (size_t i = 0; !e && i < FIGURES; i++)
			e = tw_bench_series_add(&series[i], values[i]);
	}
	for (size_t i = 0; !e && i < FIGURES; i++) {
		printf("%s%s %.2f (%.2f … %.2f) ms\n", i ? "  " : scenario,
			i ? metrics[i].name : "", tw_bench_series_quantile(&series[i], 0.5),
			tw_bench_series_quantile(&series[i], 0),
			tw_bench_series_quantile(&series[i], 1));
		e = tw_bench_results_add(
			results, scenario, "tapwall", &metrics[i], &series[i], 0, NULL);
	}
	for (size_t i = 0; i < FIGURES; i++)
		tw_bench_series_done(&series[i]);
	fflush(stdout);
	return e;
}

int tw_bench_edit_run(
	const struct tw_bench_edit *edit, struct tw_bench_results *results, struct tw_err *err)
{
	struct world world = first;
	struct host host = {0};
	tw_autofd int ns = tw_bench_ns_new(err);
	int e = ns < 0 ? ns : make_ports(err);

	prctl(PR_SET_TIMERSLACK, 1);
	if (!e)
		e = start(&host, edit, err);
	if (!e)
		e = measure(&host, &world, "edit", next_edit, edit->rounds, results, err);
	if (!e)
		e = measure(&host, &world, "join", next_join, 2 * edit->rounds, results, err);
	stop(&host);
	return e;
}
