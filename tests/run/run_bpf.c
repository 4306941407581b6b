/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* run_bpf: plays cases on the BPF programs in the kernel and on the native fast path side by side;
 * every field of every outcome and every byte of every refusal must agree. With --by-lookup the
 * kernel's programs read images as on kernels before 6.2. Each --ports-by plays the cases once more,
 * with interfaces of this kind, on the same loaded programs. Needs root.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>

#include "tests/run/both.h"
#include "tests/run/run.h"

static int usage(void)
{
	fputs("usage: run_bpf [--verbose] [--by-lookup] [--ports-by tap|veth|dummy]… FILE.case|FOLDER …\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"verbose", no_argument, NULL, 'v'},
		{"by-lookup", no_argument, NULL, 'l'}, {"ports-by", required_argument, NULL, 'p'},
		{NULL, 0, NULL, 0}};
	struct tw_run_options run = {0};
	enum tw_port_kind kinds[TW_PORTS__MAX] = {TW_PORTS_TAP};
	size_t n_kinds = 0;
	bool by_lookup = false;
	tw_auto(tw_target) struct tw_target *target = NULL;
	struct tw_err err = {0};
	int c, failed, result = 0;

	while ((c = getopt_long(argc, argv, "v", options, NULL)) != -1) {
		if (c == 'v')
			run.verbose = true;
		else if (c == 'l')
			by_lookup = true;
		else if (c != 'p' || n_kinds == TW_PORTS__MAX ||
			 tw_port_kind_from_name(optarg, &kinds[n_kinds++]))
			return usage();
	}
	run.paths = (const char *const *)argv + optind;
	run.n_paths = (size_t)(argc - optind);
	if (!run.n_paths)
		return usage();
	failed = tw_target_both(kinds[0], by_lookup, &target, &err);
	if (failed) {
		tw_err_print(failed == -EPERM ? stdout : stderr, "run_bpf", &err);
		return failed == -EPERM || failed == -EOPNOTSUPP ? TW_RUN_SKIPPED : 5;
	}
	for (size_t i = 0; i < n_kinds || i == 0; i++) {
		if (i > 0 && tw_netns_enter(kinds[i], TW_TARGET_PORTS_MAX, &err)) {
			tw_err_print(stderr, "run_bpf", &err);
			return 5;
		}
		run.ports = tw_port_kind_name(kinds[i]);
		failed = tw_run_cases(target, &run);
		result = failed > result ? failed : result;
	}
	return result;
}
