/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* program.h: how long the programs themselves run, without tap, bridge or system call.
 *
 * The kernel times BPF_PROG_TEST_RUN. A case that leaves the state as it was is repeated in one
 * call. A new connection can be opened only once, and a connection that is not in any cache hit only
 * once, so there each call takes another one and the median counts, less the median of single calls
 * of an empty program. A frame that passes meets two programs, out of one guest and into the other.
 */
#pragma once

#include "bench/results.h"
#include "bench/rules.h"

struct tw_bench_program {
	const char *policy;		    /* file */
	const struct tw_bench_rules *rules; /* for `new` at many rules; NULL: without that case */
	const char *rules_case;		    /* its name */
	uint32_t n_open;		    /* connections of `established-1M`; 0: without it */
	size_t rounds;
};

int tw_bench_program_run(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err);
