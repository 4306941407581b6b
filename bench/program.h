/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* program.h: how long the programs themselves run, without tap, bridge or system call.
 *
 * The kernel times BPF_PROG_TEST_RUN, in batches of one frame. Where each frame shall belong to
 * another connection, a small program before ours sees to that, and is taken off again. A frame that
 * passes meets two programs, out of one guest and into the other; as on a host with the usual
 * settings, the first decides for both and the second knows it by its mark. What as many empty
 * programs take is no part of a figure.
 */
#pragma once

#include "bench/results.h"
#include "bench/rules.h"

struct tw_bench_program {
	const char *policy;		    /* file */
	uint32_t n_open;		    /* connections; 0: without a case of many */
	const char *open_case;		    /* `established-1M` */
	const struct tw_bench_rules *rules; /* NULL: without a case of many */
	const char *rules_case;		    /* `new-100k` */
	size_t rounds;
};

int tw_bench_program_run(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err);
