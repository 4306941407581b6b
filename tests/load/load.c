/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* load: the kernel takes the programs, and its verifier walks no more than the written budget, so
 * that older kernels, which walk more, still stay below their limit of a million instructions.
 *
 *	load BUDGET    reads lines of "PROGRAM WALKED INSTRUCTIONS", '#' begins a comment
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "fastpath/kernel/load.h"

#define SKIPPED 77

static const char *const programs[TW_DIR__MAX] = {"from_vm", "to_vm"};

struct budget {
	unsigned int walked[TW_DIR__MAX];
	unsigned int insns[TW_DIR__MAX];
};

static int read_budget(const char *path, struct budget *ret)
{
	tw_autofile FILE *file = fopen(path, "re");
	char line[200], name[32];
	unsigned int walked, insns;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%31s %u %u", name, &walked, &insns) != 3)
			return -EINVAL;
		for (int d = 0; d < TW_DIR__MAX; d++) {
			if (!strcmp(name, programs[d])) {
				ret->walked[d] = walked;
				ret->insns[d] = insns;
			}
		}
	}
	return ret->walked[TW_DIR_OUT] && ret->walked[TW_DIR_IN] ? 0 : -EINVAL;
}

static bool within(const char *program, const char *what, unsigned int got, unsigned int budget)
{
	printf("%-8s %-28s %7u of %7u\n", program, what, got, budget);
	if (got > budget)
		printf("%-8s is over its budget\n", program);
	/* Nothing known is no pass. */
	return got && got <= budget;
}

int main(int argc, char **argv)
{
	const struct tw_kernel_options options = {0};
	tw_auto(tw_kernel) struct tw_kernel *kernel = NULL;
	const struct tw_kernel_facts *facts;
	struct budget budget = {0};
	struct tw_err err = {0};
	struct utsname name;
	bool good = true;
	int failed;

	if (argc < 2 || read_budget(argv[1], &budget)) {
		fputs("usage: load BUDGET: a file with both programs' numbers\n", stderr);
		return 2;
	}
	failed = tw_kernel_open(&options, &kernel, &err);
	if (failed == -EPERM) {
		printf("skipped: %s\n", err.text);
		return SKIPPED;
	}
	if (failed) {
		tw_err_print(stderr, "load", &err);
		return 1;
	}
	facts = tw_kernel_facts(kernel);
	uname(&name);
	printf("kernel %s, %s\n", name.release, facts->tcx ? "tcx" : "clsact");
	for (int d = 0; d < TW_DIR__MAX; d++) {
		good &= within(
			programs[d], "instructions walked", facts->verified[d], budget.walked[d]);
		good &= within(programs[d], "instructions", facts->insns[d], budget.insns[d]);
	}
	return !good;
}
