/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.c: the system `tapwall-ask`: tapwall asking the slow path about every new connection. */
#include <errno.h>

#include "bench/agent.h"
#include "bench/system.h"

#define READY_SECONDS 20
#define WINDOW	      "256" /* unanswered questions at once */

static int start_decider(struct tw_bench_system *system, const struct tw_bench_files *files,
	const char *socket, struct tw_err *err)
{
	const char *const argv[] = {files->decider, socket, WINDOW, NULL};
	char log[TW_BENCH_PATH_MAX], line[300] = "";

	tw_bench_scratch(log, "decider", ".log");
	system->workers[1] = tw_bench_start(argv, log, err);
	if (system->workers[1] < 0)
		return (int)system->workers[1];
	for (int i = 0; i < READY_SECONDS * TW_BENCH_PAUSES_PER_S; i++) {
		if (tw_bench_log_line(log, "ready", line, sizeof(line)))
			return 0;
		if (!tw_bench_runs(system->workers[1])) {
			system->workers[1] = 0;
			break;
		}
		tw_bench_pause();
	}
	return tw_err_set(err, -EIO, system->name, NULL, "the decider is not ready: %s", line);
}

int tw_bench_start_ask(
	struct tw_bench_system *system, const struct tw_bench_files *files, struct tw_err *err)
{
	struct tw_bench_agent agent = {.program = files->agent,
		.name = system->name,
		.ports = "tap-*,veth-*",
		.policy = files->ask_policy,
		.ask_rate = "1000000",
		.n_ports = TW_BENCH_N_PORTS};
	int e;

	if (!files->decider || !files->ask_policy)
		return tw_err_set(err, -EOPNOTSUPP, system->name, NULL,
			"neither --decider nor --ask-policy was given");
	if (files->n_rules)
		return tw_err_set(err, -EOPNOTSUPP, system->name, NULL,
			"the decider decides, not a list of rules");
	e = tw_bench_agent_start(&agent, err);
	system->workers[0] = agent.pid;
	return e ? e : start_decider(system, files, agent.socket, err);
}
