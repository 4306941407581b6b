/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.h: runs tapwalld as a child process in the current network namespace. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "bench/process.h"

struct tw_bench_agent {
	const char *program;
	const char *name; /* name of its files in the scratch directory */
	const char *ports;
	const char *policy;
	const char *forwarding;	    /* NULL: the default */
	const char *ask_rate;	    /* NULL: the default */
	const char *slow_path;	    /* HOST:PORT; NULL: none */
	const char *slow_path_cert; /* certificate and key, as PEM */
	const char *slow_path_ca;
	const char *max_connections; /* NULL: enough for all scenarios */
	const char *state; /* its state directory, removed at start and stop; NULL: scratch */
	int n_ports;	   /* number of ports that it must protect to count as started */

	/* Set while the agent runs. */
	pid_t pid; /* 0: not running */
	char socket[TW_BENCH_PATH_MAX];
	char bpffs[TW_BENCH_PATH_MAX];
};

/* Starts the agent. If it ends or refuses the policy, the error has the agent's message. */
int tw_bench_agent_start(struct tw_bench_agent *agent, struct tw_err *err);
/* Returns the number of deciders that have subscribed; negative while the agent does not answer. */
int tw_bench_agent_deciders(const struct tw_bench_agent *agent);
/* True if the agent is connected to its slow path. */
bool tw_bench_agent_is_linked(const struct tw_bench_agent *agent);
void tw_bench_agent_stop(struct tw_bench_agent *agent);
