/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* run.h: the common part of run_native and run_bpf: case files in, one line of result out. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/run/target.h"

#define TW_RUN_SKIPPED 77 /* the exit code by which Meson knows a skipped test */

struct tw_run_options {
	bool verbose;
	bool all_reasons;	  /* fail when some reason was given to no frame */
	const char *const *paths; /* files, or folders of *.case */
	size_t n_paths;
};

/* Exit code: 0 all passed, 1 some failed, 5 cannot run. Prints failures and a last line. */
int tw_run_cases(struct tw_target *target, const struct tw_run_options *options);
