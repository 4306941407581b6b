/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* slow.c: tapwall with a slow path attached: tapwall-slowd on the same host, joined by TLS. */
#include <errno.h>
#include <stdio.h>

#include "bench/agent.h"
#include "bench/system.h"

#define ADDRESS	      "127.0.0.1:7433"
#define READY_SECONDS 60

/* Makes the slow path's CA and a certificate for the agent, both in `state`. */
static int make_certificates(
	const struct tw_bench_files *files, const char *state, const char *cert, struct tw_err *err)
{
	char script[6 * TW_BENCH_PATH_MAX];
	const char *const argv[] = {"sh", "-c", script, NULL};

	snprintf(script, sizeof(script),
		"rm -rf %1$s && mkdir %1$s && %2$s --state-dir %1$s --init >/dev/null && "
		"umask 077 && %2$s --state-dir %1$s --issue host >%3$s",
		state, files->slowd, cert);
	return tw_bench_command(argv, NULL, err);
}

static int start_slowd(struct tw_bench_system *system, const struct tw_bench_files *files,
	const char *state, struct tw_err *err)
{
	char socket[TW_BENCH_PATH_MAX], cert[TW_BENCH_PATH_MAX], ca[TW_BENCH_PATH_MAX],
		log[TW_BENCH_PATH_MAX];
	const char *const argv[] = {files->slowd, "--state-dir", state, "--listen", ADDRESS,
		"--socket", socket, "--cert", cert, "--key", cert, "--ca", ca, NULL};
	pid_t pid;

	tw_bench_scratch(socket, "slowd", ".sock");
	tw_bench_scratch(cert, "slowd", ".state/slowd.pem");
	tw_bench_scratch(ca, "slowd", ".state/ca.pem");
	tw_bench_scratch(log, "slowd", ".log");
	pid = tw_bench_start(argv, log, err);
	if (pid < 0)
		return (int)pid;
	system->slowd = pid;
	return 0;
}

static int await_link(const struct tw_bench_agent *agent, struct tw_err *err)
{
	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (tw_bench_agent_is_linked(agent))
			return 0;
		tw_bench_pause();
	}
	return tw_err_set(err, -ETIMEDOUT, agent->name, NULL,
		"the agent did not connect to tapwall-slowd in %d s", READY_SECONDS);
}

int tw_bench_start_slow(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	char state[TW_BENCH_PATH_MAX], cert[TW_BENCH_PATH_MAX], ca[TW_BENCH_PATH_MAX];
	struct tw_bench_agent agent = {.program = files->agent,
		.name = system->name,
		.ports = "tap-*,veth-*",
		.policy = files->policy,
		.slow_path = ADDRESS,
		.slow_path_cert = cert,
		.slow_path_ca = ca,
		.n_ports = TW_BENCH_N_PORTS};
	int e;

	if (!files->slowd)
		return tw_err_set(err, -EOPNOTSUPP, system->name, NULL, "--slowd was not given");
	if (files->n_rules)
		return tw_err_set(err, -EOPNOTSUPP, system->name, NULL,
			"the slow path does not see the rules");
	tw_bench_scratch(state, "slowd", ".state");
	tw_bench_scratch(cert, "slowd", ".state/host.pem");
	tw_bench_scratch(ca, "slowd", ".state/ca.pem");
	e = make_certificates(files, state, cert, err);
	if (!e)
		e = tw_bench_ip("link set lo up\n", err);
	if (!e)
		e = start_slowd(system, files, state, err);
	if (!e)
		e = tw_bench_agent_start(&agent, err);
	system->agent = agent.pid;
	return e ? e : await_link(&agent, err);
}
