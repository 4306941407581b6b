/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* run_native: plays cases on the native fast path, and on a second one where every frame takes the
 * full path (path/express/express.h). Both must agree, as in run_bpf. Needs no privileges. */
#include <getopt.h>
#include <stdio.h>

#include "tests/run/run.h"

static int usage(void)
{
	fputs("usage: run_native [--verbose] [--all-reasons] FILE.case|FOLDER …\n", stderr);
	return 2;
}

static int make_target(struct tw_target **ret, struct tw_err *err)
{
	struct tw_target *native = NULL, *full_path = NULL;
	int failed = tw_target_native(&native, err);

	if (!failed)
		failed = tw_target_full_path(&full_path, err);
	if (failed) {
		tw_target_free(native);
		return failed;
	}
	return tw_target_pair(native, full_path, ret);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"verbose", no_argument, NULL, 'v'},
		{"all-reasons", no_argument, NULL, 'a'}, {NULL, 0, NULL, 0}};
	struct tw_run_options run = {0};
	tw_auto(tw_target) struct tw_target *target = NULL;
	struct tw_err err = {0};
	int c;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'v')
			run.verbose = true;
		else if (c == 'a')
			run.all_reasons = true;
		else
			return usage();
	}
	run.paths = (const char *const *)argv + optind;
	run.n_paths = (size_t)(argc - optind);
	if (!run.n_paths)
		return usage();
	if (make_target(&target, &err)) {
		tw_err_print(stderr, "run_native", &err);
		return 5;
	}
	return tw_run_cases(target, &run);
}
