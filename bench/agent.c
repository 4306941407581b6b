/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.c: tapwall as a measured system: its agent with a policy, as installed on a host. */
#include "bench/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/system.h"
#include "link/link.h"

/* Reading and compiling a policy of 100,000 rules takes long. */
#define READY_SECONDS 120
/* Room for all connections that frames open in one stage, and for as many of the TCP stacks. */
#define MAX_CONNECTIONS "524288"

/* Asks for the agent's status. Returns NULL while it does not answer; otherwise the caller frees it. */
static Tapwall__V1__Response *status_of(const char *socket)
{
	Tapwall__V1__StatusRequest status = TAPWALL__V1__STATUS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_link_client *client = NULL;
	Tapwall__V1__Response *response = NULL;

	request.body_case = TAPWALL__V1__REQUEST__BODY_STATUS;
	request.status = &status;
	if (tw_link_connect(socket, &client, NULL) < 0)
		return NULL;
	if (!tw_link_send(client, &request, NULL))
		tw_link_receive(client, &response, NULL);
	tw_link_client_free(client);
	if (response && response->body_case == TAPWALL__V1__RESPONSE__BODY_STATUS)
		return response;
	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
	return NULL;
}

/* Returns how many ports the agent protects; negative while it does not answer. */
static int ports_protected(const char *socket)
{
	Tapwall__V1__Response *response = status_of(socket);
	int n = response ? (int)response->status->ports_protected : -1;

	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
	return n;
}

int tw_bench_agent_deciders(const struct tw_bench_agent *agent)
{
	Tapwall__V1__Response *response = status_of(agent->socket);
	int n = response ? (int)response->status->deciders : -1;

	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
	return n;
}

bool tw_bench_agent_is_linked(const struct tw_bench_agent *agent)
{
	Tapwall__V1__Response *response = status_of(agent->socket);
	bool linked = response && response->status->slow_path &&
		      !strcmp(response->status->slow_path->state, "connected");

	if (response)
		tapwall__v1__response__free_unpacked(response, NULL);
	return linked;
}

/* Waits until the agent protects all ports. If it ends or refuses the policy, the error has the
 * agent's message. */
static int wait_for_agent(struct tw_bench_agent *agent, const char *log, struct tw_err *err)
{
	char line[400];

	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (ports_protected(agent->socket) == agent->n_ports)
			return 0;
		if (tw_bench_log_line(log, " refused: ", line, sizeof(line)))
			return tw_err_set(err, -E2BIG, "agent", NULL, "%s", line);
		if (!tw_bench_runs(agent->pid)) {
			agent->pid = 0;
			return tw_err_set(err, -EIO, "agent", NULL, "ended at once: %s", line);
		}
		tw_bench_pause();
	}
	return tw_err_set(
		err, -ETIMEDOUT, "agent", NULL, "did not protect all ports in %d s", READY_SECONDS);
}

/* Appends an option with its value. A value of NULL is left out. */
static const char **add_option(const char **to, const char *option, const char *value)
{
	if (value) {
		*to++ = option;
		*to++ = value;
	}
	return to;
}

int tw_bench_agent_start(struct tw_bench_agent *agent, struct tw_err *err)
{
	char scratch[TW_BENCH_PATH_MAX], log[TW_BENCH_PATH_MAX];
	const char *state = agent->state ? agent->state : scratch;
	const char *const forget[] = {"rm", "-rf", agent->bpffs, state, NULL};
	const char *argv[32] = {agent->program}, **to = &argv[1];
	pid_t pid;
	int e;

	tw_bench_scratch(agent->socket, agent->name, ".sock");
	tw_bench_scratch(scratch, agent->name, ".state");
	tw_bench_scratch(log, agent->name, ".log");
	snprintf(agent->bpffs, sizeof(agent->bpffs), "%.*s/bpf/%s", (int)(strrchr(log, '/') - log),
		log, agent->name);
	to = add_option(to, "--ports", agent->ports);
	to = add_option(to, "--policy", agent->policy);
	to = add_option(to, "--max-connections",
		agent->max_connections ? agent->max_connections : MAX_CONNECTIONS);
	to = add_option(to, "--socket", agent->socket);
	to = add_option(to, "--bpffs", agent->bpffs);
	to = add_option(to, "--state-dir", state);
	to = add_option(to, "--forwarding", agent->forwarding);
	to = add_option(to, "--ask-rate", agent->ask_rate);
	to = add_option(to, "--slow-path", agent->slow_path);
	to = add_option(to, "--slow-path-cert", agent->slow_path_cert);
	to = add_option(to, "--slow-path-key", agent->slow_path_cert);
	add_option(to, "--slow-path-ca", agent->slow_path_ca);
	/* Removes the pins of an agent of an earlier stage, whose namespaces no longer exist. */
	e = tw_bench_command(forget, NULL, err);
	if (e < 0)
		return e;
	pid = tw_bench_start(argv, log, err);
	if (pid < 0)
		return (int)pid;
	agent->pid = pid;
	return wait_for_agent(agent, log, err);
}

void tw_bench_agent_stop(struct tw_bench_agent *agent)
{
	const char *const forget[] = {"rm", "-rf", agent->bpffs, agent->state, NULL};

	tw_bench_stop(agent->pid);
	if (agent->pid)
		tw_bench_command(forget, NULL, NULL);
	agent->pid = 0;
}

static int start_system(struct tw_bench_system *system, const struct tw_bench_files *files,
	const char *forwarding, struct tw_err *err)
{
	struct tw_bench_agent agent = {.program = files->agent,
		.name = system->name,
		.ports = "tap-*,veth-*",
		.policy = files->policy,
		.forwarding = forwarding,
		.n_ports = TW_BENCH_N_PORTS};
	int e = tw_bench_agent_start(&agent, err);

	system->agent = agent.pid;
	return e;
}

int tw_bench_start_tapwall(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	return start_system(system, files, NULL, err);
}

int tw_bench_start_tapwall_vswitch(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	return start_system(system, files, "vswitch", err);
}
