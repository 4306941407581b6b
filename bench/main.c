/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tapwall-bench: measures all systems in all scenarios in turn and writes results.json. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench/edit.h"
#include "bench/lifetime.h"
#include "bench/process.h"
#include "bench/program.h"
#include "bench/stage.h"

#define ROUNDS_MAX 200
#define RULES_MAX  1000000
#define N_OPEN	   1000000

struct options {
	struct tw_bench_files files;
	const char *output;
	const char *systems;
	const char *scenarios;
	const char *rules; /* counts, separated by commas */
	const char *lists; /* NAME=FILE, separated by commas */
	const char *print; /* policy, nft or flows: only print the list of `rules` */
	uint64_t seed;
	size_t rounds;
	double slice_ms;
	size_t n_open; /* number of open connections from which each frame picks one at random */
	size_t edits;
	bool just_edits;
	bool just_lifetime;
};

#define LIFETIME_ROUNDS 3
#define MANY_ROUNDS	7 /* below this, the lifetime scenario has one round */

static const char usage[] =
	"usage: tapwall-bench --agent FILE --policy FILE --ruleset FILE --flows FILE --output FILE\n"
	"                     [OPTION…]\n"
	"       tapwall-bench --print policy|nft|flows --rules N [--seed N]\n"
	"Measures the cost of frames and connections between two guests, for each system and scenario.\n"
	"--print prints a list of rules instead.\n"
	"  --rounds N            Measure N figures for each scenario and system (15; at most 200)\n"
	"  --slice MS            Limit the time of one figure (10)\n"
	"  --systems NAME,…      Measure only these systems\n"
	"  --scenarios NAME,…    Measure only these scenarios, and nothing else\n"
	"  --rules N,…           Also measure new connections with lists of N rules\n"
	"  --lists NAME=FILE,…   Also measure them with these lists of ClassBench\n"
	"  --seed N              Generate the lists from this seed (1)\n"
	"  --open N              Run the programs with N open connections, in random order (1000000)\n"
	"  --edits N             Make N small changes of each kind to a policy in force (10)\n"
	"  --just-edits          Measure only these changes\n"
	"  --just-lifetime       Measure only the agent's CPU time per connection\n"
	"  --ask-policy FILE --decider FILE\n"
	"                        Also measure a policy that asks, and the program that answers\n"
	"  --slowd FILE          Also measure with this tapwall-slowd attached\n"
	"  --vm-kernel FILE --vm-image FILE --vm-accel kvm|tcg\n"
	"                        Boot the virtual machine from these files\n"
	"  --vm-why TEXT         Report this as the reason why there is no virtual machine\n"
	"  --vm-khz N            Rate of the time stamp counter that emulated machines are told\n"
	"  --appliance FILE --appliance-image FOLDER\n"
	"                        Boot the service VM by this tapwall-appliance, from this image\n"
	"  --appliance-why TEXT  Report this as the reason why there is no service VM\n"
	"  --vm-rules N          Skip the virtual machine for longer lists\n";

/* Formats a count as in the names of scenarios: 100, 10k, 1M. */
static void name_count(char *ret, size_t max, size_t n)
{
	if (n >= 1000000 && n % 1000000 == 0)
		snprintf(ret, max, "%zuM", n / 1000000);
	else if (n >= 1000 && n % 1000 == 0)
		snprintf(ret, max, "%zuk", n / 1000);
	else
		snprintf(ret, max, "%zu", n);
}

static int write_list(const struct tw_bench_rules *rules, const char *path,
	void (*form)(const struct tw_bench_rules *rules, FILE *out), struct tw_err *err)
{
	FILE *out = fopen(path, "we");
	bool failed;

	if (!out)
		return tw_err_set(err, -errno, path, NULL, "%s", strerror(errno));
	form(rules, out);
	failed = ferror(out);
	if (fclose(out) || failed)
		return tw_err_set(err, -EIO, path, NULL, "cannot write");
	return 0;
}

/* Measures all systems with a list of rules instead of the policy file. `suffix` is added to the
 * scenario's name. */
static int run_list(const struct options *options, const struct tw_bench_rules *rules,
	const char *suffix, struct tw_bench_results *results, struct tw_err *err)
{
	char policy[TW_BENCH_PATH_MAX], ruleset[TW_BENCH_PATH_MAX], flows[TW_BENCH_PATH_MAX];
	struct tw_bench_files files = options->files;
	const struct tw_bench_stage stage = {
		.files = &files,
		.rules = rules,
		.scenarios = &tw_bench_scenario_rules,
		.n_scenarios = 1,
		.suffix = suffix,
		.only = options->systems,
		.rounds = options->rounds,
		.slice_ms = options->slice_ms,
	};
	int e;

	tw_bench_scratch(policy, "rules", ".yaml");
	tw_bench_scratch(ruleset, "rules", ".nft");
	tw_bench_scratch(flows, "rules", ".flows");
	files.policy = policy;
	files.ruleset = ruleset;
	files.flows = flows;
	files.n_rules = rules->list.n;
	e = write_list(rules, policy, tw_bench_rules_policy, err);
	if (!e)
		e = write_list(rules, ruleset, tw_bench_rules_nft, err);
	if (!e)
		e = write_list(rules, flows, tw_bench_rules_flows, err);
	return e ? e : tw_bench_stage_run(&stage, results, err);
}

/* Returns the text after the next comma, or NULL. */
static const char *next_word(const char *at)
{
	const char *comma = strchr(at, ',');

	return comma ? comma + 1 : NULL;
}

/* Measures generated lists of the given lengths. */
static int run_counts(
	const struct options *options, struct tw_bench_results *results, struct tw_err *err)
{
	int e = 0;

	for (const char *at = options->rules; !e && at; at = next_word(at)) {
		size_t n = strtoul(at, NULL, 10);
		struct tw_bench_rules rules = {0};
		char count[32], suffix[48];

		name_count(count, sizeof(count), n);
		snprintf(suffix, sizeof(suffix), "-%s-rules", count);
		e = tw_bench_rules_generate(&rules, n, options->seed);
		if (!e)
			e = run_list(options, &rules, suffix, results, err);
		tw_bench_rules_done(&rules);
	}
	return e;
}

/* Measures lists of ClassBench from files. */
static int run_lists(
	const struct options *options, struct tw_bench_results *results, struct tw_err *err)
{
	int e = 0;

	for (const char *at = options->lists; !e && at; at = next_word(at)) {
		struct tw_bench_rules rules = {0};
		char name[32], path[200], suffix[48];

		if (sscanf(at, "%31[^=,]=%199[^,]", name, path) != 2)
			return tw_err_set(err, -EINVAL, "--lists", "give NAME=FILE", "%s", at);
		snprintf(suffix, sizeof(suffix), "-%s-rules", name);
		e = tw_bench_rules_read(&rules, path, options->seed, err);
		if (!e)
			e = run_list(options, &rules, suffix, results, err);
		tw_bench_rules_done(&rules);
	}
	return e;
}

/* Measures the programs alone, also with the longest of the lists. */
static int run_programs(
	const struct options *options, struct tw_bench_results *results, struct tw_err *err)
{
	struct tw_bench_rules rules = {0};
	char count[32], open_case[48], rules_case[48];
	struct tw_bench_program program = {
		.policy = options->files.policy,
		.n_open = (uint32_t)options->n_open,
		.open_case = open_case,
		.rules_case = rules_case,
		.rounds = options->rounds,
	};
	int e = 0;

	name_count(count, sizeof(count), options->n_open);
	snprintf(open_case, sizeof(open_case), "established-%s", count);
	if (options->rules) {
		const char *last = strrchr(options->rules, ',');
		size_t n = strtoul(last ? last + 1 : options->rules, NULL, 10);

		name_count(count, sizeof(count), n);
		snprintf(rules_case, sizeof(rules_case), "new-%s", count);
		e = tw_bench_rules_generate(&rules, n, options->seed);
		program.rules = &rules;
	}
	if (!e)
		e = tw_bench_program_run(&program, results, err);
	tw_bench_rules_done(&rules);
	return e;
}

/* Measures small changes of a policy in force. The agent's state directory is beside the
 * results, on a real disk. */
static int run_edits(
	const struct options *options, struct tw_bench_results *results, struct tw_err *err)
{
	char state[TW_BENCH_PATH_MAX];
	const struct tw_bench_edit edit = {
		.agent = options->files.agent, .state = state, .rounds = options->edits};

	if (snprintf(state, sizeof(state), "%s.state", options->output) >= (int)sizeof(state))
		return tw_err_set(err, -ENAMETOOLONG, "--output", NULL, "path too long");
	return options->edits ? tw_bench_edit_run(&edit, results, err) : 0;
}

static int run_all(
	const struct options *options, struct tw_bench_results *results, struct tw_err *err)
{
	const struct tw_bench_stage stage = {
		.files = &options->files,
		.scenarios = tw_bench_scenarios,
		.n_scenarios = tw_bench_n_scenarios,
		.suffix = "",
		.only = options->systems,
		.only_scenarios = options->scenarios,
		.rounds = options->rounds,
		.slice_ms = options->slice_ms,
	};
	int e = tw_bench_isolate(err);

	if (options->scenarios)
		return e ? e : tw_bench_stage_run(&stage, results, err);

	if (!e && !options->just_lifetime)
		e = run_edits(options, results, err);
	if (!e && !options->just_edits)
		e = tw_bench_lifetime_run(options->files.agent,
			options->rounds < MANY_ROUNDS ? 1 : LIFETIME_ROUNDS, results, err);
	if (e || options->just_edits || options->just_lifetime)
		return e;
	e = tw_bench_stage_run(&stage, results, err);
	if (!e)
		e = run_counts(options, results, err);
	if (!e)
		e = run_lists(options, results, err);
	return e ? e : run_programs(options, results, err);
}

static int print_list(const struct options *options)
{
	static const struct {
		const char *name;
		void (*form)(const struct tw_bench_rules *rules, FILE *out);
	} forms[] = {
		{"policy", tw_bench_rules_policy},
		{"nft", tw_bench_rules_nft},
		{"flows", tw_bench_rules_flows},
	};
	struct tw_bench_rules rules = {0};
	int e = tw_bench_rules_generate(&rules, strtoul(options->rules, NULL, 10), options->seed);

	if (e < 0)
		return 5;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (!strcmp(options->print, forms[i].name))
			forms[i].form(&rules, stdout);
	tw_bench_rules_done(&rules);
	return fflush(stdout) ? 5 : 0;
}

static bool counts_are_good(const char *rules)
{
	for (const char *at = rules; at; at = next_word(at)) {
		unsigned long n = strtoul(at, NULL, 10);

		if (n < 10 * TW_BENCH_N_OPEN || n > RULES_MAX)
			return false;
	}
	return true;
}

static bool is_complete(const struct options *options)
{
	const struct tw_bench_files *files = &options->files;

	if (!counts_are_good(options->rules) || !options->rounds || options->rounds > ROUNDS_MAX ||
		options->edits > ROUNDS_MAX || options->slice_ms <= 0)
		return false;
	if (options->print)
		return options->rules;
	return files->agent && files->policy && files->ruleset && files->flows && options->output;
}

/* Options whose value is not a text. */
enum { ROUNDS = 256, SLICE, SEED, OPEN, VM_RULES, EDITS, JUST, LIFETIME };

/* False if there is no such option. */
static bool take_option(struct options *options, int option, const char *value)
{
	switch (option) {
	case ROUNDS:
		options->rounds = strtoul(value, NULL, 10);
		return true;
	case SLICE:
		options->slice_ms = strtod(value, NULL);
		return true;
	case SEED:
		options->seed = strtoull(value, NULL, 0);
		return true;
	case OPEN:
		options->n_open = strtoul(value, NULL, 10);
		return true;
	case VM_RULES:
		options->files.vm_rules_max = strtoul(value, NULL, 10);
		return true;
	case EDITS:
		options->edits = strtoul(value, NULL, 10);
		return true;
	case JUST:
		options->just_edits = true;
		return true;
	case LIFETIME:
		options->just_lifetime = true;
		return true;
	default:
		return false;
	}
}

static int parse(int argc, char **argv, struct options *ret)
{
	struct options options = {
		.rounds = 15, .slice_ms = 10, .seed = 1, .n_open = 1000000, .edits = 10};
	struct tw_bench_files *files = &options.files;
	struct {
		const char *name;
		const char **to;
	} texts[] = {
		{"agent", &files->agent},
		{"policy", &files->policy},
		{"ruleset", &files->ruleset},
		{"flows", &files->flows},
		{"ask-policy", &files->ask_policy},
		{"slowd", &files->slowd},
		{"decider", &files->decider},
		{"vm-kernel", &files->vm_kernel},
		{"vm-image", &files->vm_image},
		{"vm-accel", &files->vm_accel},
		{"vm-why", &files->vm_why},
		{"vm-khz", &files->vm_khz},
		{"appliance", &files->appliance},
		{"appliance-image", &files->appliance_image},
		{"appliance-why", &files->appliance_why},
		{"output", &options.output},
		{"systems", &options.systems},
		{"scenarios", &options.scenarios},
		{"rules", &options.rules},
		{"lists", &options.lists},
		{"print", &options.print},
	};
	enum { N_TEXTS = sizeof(texts) / sizeof(texts[0]) };
	struct option longs[N_TEXTS + 9] = {
		[N_TEXTS] = {"rounds", required_argument, NULL, ROUNDS},
		{"slice", required_argument, NULL, SLICE},
		{"seed", required_argument, NULL, SEED},
		{"open", required_argument, NULL, OPEN},
		{"vm-rules", required_argument, NULL, VM_RULES},
		{"edits", required_argument, NULL, EDITS},
		{"just-edits", no_argument, NULL, JUST},
		{"just-lifetime", no_argument, NULL, LIFETIME},
	};
	int c;

	for (int i = 0; i < N_TEXTS; i++)
		longs[i] = (struct option){texts[i].name, required_argument, NULL, i};
	while ((c = getopt_long(argc, argv, "", longs, NULL)) >= 0) {
		if (c < N_TEXTS)
			*texts[c].to = optarg;
		else if (!take_option(&options, c, optarg))
			return -EINVAL;
	}
	if (optind < argc || !is_complete(&options))
		return -EINVAL;
	*ret = options;
	return 0;
}

/* Pins the process to one CPU, so that frames do not move between CPUs while they are measured. */
static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct options options;
	struct tw_err err = {0};
	struct tw_bench_results results;
	int e;

	if (parse(argc, argv, &options) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (options.print)
		return print_list(&options);
	stay_on_one_cpu();
	e = tw_bench_results_init(&results, options.files.vm_accel);
	if (!e)
		e = run_all(&options, &results, &err);
	if (!e)
		e = tw_bench_results_write(&results, options.output, &err);
	tw_bench_results_done(&results);
	if (!e)
		return 0;
	if (!err.code)
		tw_err_set(&err, e, NULL, NULL, "%s", strerror(-e));
	tw_err_print(stderr, "tapwall-bench", &err);
	return e == -EPERM || e == -EOPNOTSUPP ? 3 : 5;
}
