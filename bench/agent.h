/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.h: tapwalld in a process of its own, in the current network namespace. */
#pragma once

#include <sys/types.h>

#include "base/err.h"
#include "bench/process.h"

struct tw_bench_agent {
	const char *program;
	const char *name; /* of its files in the scratch folder */
	const char *ports;
	const char *policy;
	const char *forwarding;	     /* NULL: as it comes */
	const char *max_connections; /* NULL: enough for all scenarios */
	const char *state; /* its folder, removed at start and stop; NULL: a scratch one */
	int n_ports;	   /* that it has to protect before it counts as started */

	/* From start to stop. */
	pid_t pid; /* 0: it does not run */
	char socket[TW_BENCH_PATH_MAX];
	char bpffs[TW_BENCH_PATH_MAX];
};

/* When it ends, or refuses the policy, the error is in its own words. */
int tw_bench_agent_start(struct tw_bench_agent *agent, struct tw_err *err);
void tw_bench_agent_stop(struct tw_bench_agent *agent);
