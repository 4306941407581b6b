/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* program.h: measures the run time of the BPF programs alone, without tap, bridge or system call.
 *
 * The kernel times BPF_PROG_TEST_RUN, which repeats one frame. If each frame must belong to another
 * connection, a small program changes its ports before, and the time of that program is subtracted.
 * A frame that passes meets two programs: the one out of the first guest decides for both ends, and
 * the one into the second guest finds its redirect token, as on a host with default settings. The
 * time of as many empty programs is subtracted.
 */
#pragma once

#include "bench/results.h"
#include "bench/rules.h"

struct tw_bench_program {
	const char *policy;		    /* file */
	uint32_t n_open;		    /* number of open connections; 0: skips this case */
	const char *open_case;		    /* `established-1M` */
	const struct tw_bench_rules *rules; /* NULL: skips this case */
	const char *rules_case;		    /* `new-100k` */
	size_t rounds;
};

int tw_bench_program_run(const struct tw_bench_program *program, struct tw_bench_results *results,
	struct tw_err *err);
