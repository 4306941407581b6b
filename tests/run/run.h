/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* run.h: the common part of run_native and run_bpf: plays case files, and prints the failures and
 * one line with the result. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "tests/run/target.h"

#define TW_RUN_SKIPPED 77 /* exit code of a skipped test in Meson */

struct tw_run_options {
	bool verbose;
	const char *ports;	  /* kind of the ports' interfaces; NULL: none */
	bool all_reasons;	  /* fail if a reason did not occur */
	const char *const *paths; /* files, or folders with *.case files */
	size_t n_paths;
};

/* Prints failures and a last line. Returns the exit code: 0 all passed, 1 some failed, 5 cannot
 * run. */
int tw_run_cases(struct tw_target *target, const struct tw_run_options *options);
