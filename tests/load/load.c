/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* load: checks that the kernel loads the programs, and that its verifier processes no more
 * instructions than the written budget: older kernels process more, and must stay below their limit
 * of a million. Also checks that no map lookup is a call of the generic function: if the compiler
 * merges the lookups of two branches into one, the verifier does not know the map and cannot inline
 * the lookup, which costs a tenth of the time per frame.
 *
 *	load BUDGET    reads lines of "PROGRAM WALKED INSTRUCTIONS", '#' begins a comment
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "fastpath/kernel/load.h"

#define SKIPPED 77

struct budget {
	unsigned int walked[TW_PROG__MAX];
	unsigned int insns[TW_PROG__MAX];
};

static int read_budget(const char *path, struct budget *ret)
{
	tw_autofile FILE *file = fopen(path, "re");
	char line[200], name[32];
	unsigned int walked, insns;
	bool whole = true;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (sscanf(line, "%31s %u %u", name, &walked, &insns) != 3)
			return -EINVAL;
		for (int i = 0; i < TW_PROG__MAX; i++) {
			if (!strcmp(name, tw_kernel_prog_name((enum tw_prog)i))) {
				ret->walked[i] = walked;
				ret->insns[i] = insns;
			}
		}
	}
	for (int i = 0; i < TW_PROG__MAX; i++)
		whole &= ret->walked[i] && ret->insns[i];
	return whole ? 0 : -EINVAL;
}

static bool within(const char *program, const char *what, unsigned int got, unsigned int budget)
{
	printf("%-8s %-28s %7u of %7u\n", program, what, got, budget);
	if (got > budget)
		printf("%-8s is over its budget\n", program);
	/* Fail if the kernel does not report the count. */
	return got && got <= budget;
}

/* Reads the address to which the call offsets of a dumped program are relative, and that of the
 * generic map lookup; 0: the kernel hides them. */
static int read_symbols(uint64_t *ret_base, uint64_t *ret_lookup)
{
	tw_autofile FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], name[128];
	uint64_t at;

	*ret_base = *ret_lookup = 0;
	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 " %*c %127s", &at, name) != 2)
			continue;
		if (!strcmp(name, "__bpf_call_base"))
			*ret_base = at;
		if (!strcmp(name, "bpf_map_lookup_elem"))
			*ret_lookup = at;
	}
	return *ret_base && *ret_lookup ? 0 : -ENOENT;
}

/* Returns the number of a program's lookups that do not know their map; negative: unknown. */
static int count_lookups(int prog)
{
	struct bpf_prog_info info = {0};
	tw_autofree struct bpf_insn *insns = NULL;
	__u32 len = sizeof(info);
	uint64_t base, lookup;
	int n = 0;

	if (read_symbols(&base, &lookup) || bpf_obj_get_info_by_fd(prog, &info, &len))
		return -ENOENT;
	insns = calloc(1, info.xlated_prog_len);
	if (!insns)
		return -ENOMEM;
	len = info.xlated_prog_len;
	info = (struct bpf_prog_info){
		.xlated_prog_len = len, .xlated_prog_insns = (uintptr_t)insns};
	len = sizeof(info);
	if (bpf_obj_get_info_by_fd(prog, &info, &len) || !info.xlated_prog_insns)
		return -ENOENT;
	for (size_t i = 0; i < info.xlated_prog_len / sizeof(*insns); i++)
		n += insns[i].code == (BPF_JMP | BPF_CALL) && !insns[i].src_reg &&
		     base + (uint64_t)(int64_t)insns[i].imm == lookup;
	return n;
}

static bool inlined(const char *program, int prog)
{
	int n = count_lookups(prog);

	if (n < 0)
		printf("%-8s %-28s hidden by the kernel\n", program, "lookups in unknown maps");
	else
		printf("%-8s %-28s %7d of %7d\n", program, "lookups in unknown maps", n, 0);
	return n <= 0;
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
		fputs("usage: load BUDGET: a file with every program's numbers\n", stderr);
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
	for (int i = 0; i < TW_PROG__MAX; i++) {
		const char *program = tw_kernel_prog_name((enum tw_prog)i);

		good &= within(
			program, "instructions walked", facts->verified[i], budget.walked[i]);
		good &= within(program, "instructions", facts->insns[i], budget.insns[i]);
		good &= inlined(program, tw_kernel_prog_fd(kernel, (enum tw_prog)i));
	}
	return !good;
}
