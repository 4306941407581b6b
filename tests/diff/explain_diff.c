/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* explain_diff: asks `tapwall explain --batch` about random connections under random policies, and
 * compares each answer with the oracle's. The first disagreement is shrunk to few rules and saved.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "tests/diff/generate.h"
#include "tests/scale.h"

struct run {
	const char *tapwall;
	const char *folder; /* for temporary files and saved disagreements */
	uint64_t seed;
	size_t n_tuples;
	size_t n_rules; /* 0: a random number from 1 to 2,000 for each policy */
	size_t n_policies;
	char policy_path[512];
	char tuples_path[512];
	char answers_path[512];
};

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int write_file(const char *path, const struct tw_buf *text)
{
	tw_autofile FILE *file = fopen(path, "we");

	if (text->failed || !file || fwrite(text->data, 1, text->len, file) != text->len)
		return -EIO;
	return 0;
}

static void print_tuple(const struct tw_oracle_tuple *t, struct tw_buf *out)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	tw_buf_addf(out, "{\"from\":\"%s\",\"to\":\"%s\",", tw_addr_format(&t->from, from),
		tw_addr_format(&t->to, to));
	switch (t->proto) {
	case 6:
	case 17:
		tw_buf_addf(out, "\"proto\":\"%s\",\"sport\":%u,\"dport\":%u}\n",
			t->proto == 6 ? "tcp" : "udp", t->sport, t->dport);
		break;
	case 1:
	case 58:
		tw_buf_addf(out, "\"proto\":\"%s\",\"type\":%u,\"code\":%u}\n",
			t->proto == 1 ? "icmp" : "icmp6", t->dport >> 8, t->dport & 255);
		break;
	default:
		tw_buf_addf(out, "\"proto\":\"%u\"}\n", t->proto);
	}
}

/* Runs `tapwall explain --policy P --batch`; returns its exit code, or negative errno. */
static int explain(const struct run *run)
{
	const char *argv[] = {
		run->tapwall, "explain", "--policy", run->policy_path, "--batch", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int failed, status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, run->tuples_path, O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
		&actions, 1, run->answers_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	failed = posix_spawn(&pid, run->tapwall, &actions, NULL, (char *const *)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (failed)
		return -failed;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EIO;
}

/* Without a decider, `ask` denies by default (`on-timeout`). */
static const char *verdict_name(enum tw_verdict verdict)
{
	return tw_verdict_name(verdict == TW_V_ASK ? TW_V_DENY : verdict);
}

static const char *reason_name(enum tw_verdict verdict)
{
	if (verdict == TW_V_WOULD_DENY)
		return "observed";
	return verdict == TW_V_ASK ? "ask-unavailable" : "policy";
}

static bool text_is(json_t *object, const char *key, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && !strcmp(text, expected);
}

static bool same_end(const struct tw_gen *gen, json_t *end, const struct tw_oracle_end *expected)
{
	char name[16], port[16];

	if (expected->nic < 0)
		return json_is_null(end);
	snprintf(port, sizeof(port), "tap%d", expected->nic);
	return text_is(end, "port", port) &&
	       text_is(end, "verdict", verdict_name(expected->verdict)) &&
	       text_is(end, "rule", tw_gen_rule_name(gen, expected->rule, name));
}

static bool same_answer(
	const struct tw_gen *gen, const char *line, const struct tw_oracle_answer *expected)
{
	json_t *answer = json_loads(line, 0, NULL);
	const struct tw_oracle_end *decider = expected->decider < 0
						      ? NULL
						      : &expected->end[expected->decider];
	char name[16];
	bool same = json_is_object(answer) &&
		    same_end(gen, json_object_get(answer, "out"), &expected->end[TW_DIR_OUT]) &&
		    same_end(gen, json_object_get(answer, "in"), &expected->end[TW_DIR_IN]);

	if (same && !decider)
		same = text_is(answer, "verdict", "unprotected");
	else if (same)
		same = text_is(answer, "rule", tw_gen_rule_name(gen, decider->rule, name)) &&
		       text_is(answer, "reason", reason_name(decider->verdict)) &&
		       text_is(answer, "verdict", verdict_name(decider->verdict));
	json_decref(answer);
	return same;
}

/* Asks about all tuples; *ret_first is the first one whose answer differs from the oracle's, or
 * `n`. Copies the line of that answer to `ret_line`. */
static int compare(const struct run *run, const struct tw_gen *gen,
	const struct tw_oracle_tuple *tuples, size_t n, size_t *ret_first, char *ret_line,
	size_t line_max)
{
	tw_auto_buf struct tw_buf policy = {0}, lines = {0};
	tw_autofile FILE *answers = NULL;
	char line[4096];
	int code;

	tw_gen_print(gen, &policy);
	for (size_t i = 0; i < n; i++)
		print_tuple(&tuples[i], &lines);
	if (write_file(run->policy_path, &policy) || write_file(run->tuples_path, &lines))
		return -EIO;
	code = explain(run);
	if (code != 0 && code != 1) {
		fprintf(stderr, "explain_diff: tapwall ended with %d; see %s\n", code,
			run->policy_path);
		return -EIO;
	}
	answers = fopen(run->answers_path, "re");
	if (!answers)
		return -EIO;
	for (*ret_first = 0; *ret_first < n; (*ret_first)++) {
		struct tw_oracle_answer expected;

		tw_oracle_judge(&gen->oracle, &tuples[*ret_first], &expected);
		if (!fgets(line, sizeof(line), answers))
			snprintf(line, sizeof(line), "(no answer)\n");
		if (!same_answer(gen, line, &expected))
			break;
	}
	if (*ret_first < n)
		snprintf(ret_line, line_max, "%s", line);
	return 0;
}

/* Removes rules, many at first, then one by one, while the disagreement remains. */
static void shrink(const struct run *run, struct tw_gen *gen, const struct tw_oracle_tuple *tuple)
{
	size_t n = gen->oracle.n_rules;
	char line[4096];

	for (size_t step = n; step; step /= 2) {
		for (size_t from = 0; from < n; from += step) {
			size_t to = from + step < n ? from + step : n, first = 1;
			bool before[to - from];

			for (size_t i = from; i < to; i++) {
				before[i - from] = gen->oracle.rules[i].disabled;
				gen->oracle.rules[i].disabled = true;
			}
			if (!compare(run, gen, tuple, 1, &first, line, sizeof(line)) && first == 0)
				continue;
			for (size_t i = from; i < to; i++)
				gen->oracle.rules[i].disabled = before[i - from];
		}
	}
}

static void print_end(const struct tw_gen *gen, const char *dir, const struct tw_oracle_end *end)
{
	char name[16];

	if (end->nic < 0)
		printf("    %-3s not protected\n", dir);
	else
		printf("    %-3s tap%d: %s by %s\n", dir, end->nic, tw_verdict_name(end->verdict),
			tw_gen_rule_name(gen, end->rule, name));
}

static void report(const struct run *run, struct tw_gen *gen, const struct tw_oracle_tuple *tuple,
	uint64_t seed)
{
	tw_auto_buf struct tw_buf text = {0}, policy = {0};
	struct tw_oracle_answer expected;
	char line[4096] = "", kept[600];
	size_t first;

	shrink(run, gen, tuple);
	compare(run, gen, tuple, 1, &first, line, sizeof(line));
	tw_oracle_judge(&gen->oracle, tuple, &expected);
	print_tuple(tuple, &text);
	printf("the oracle disagrees (seed %llu)\n  tuple  %s  answer %s  oracle\n",
		(unsigned long long)seed, text.data, line);
	print_end(gen, "out", &expected.end[TW_DIR_OUT]);
	print_end(gen, "in", &expected.end[TW_DIR_IN]);
	snprintf(kept, sizeof(kept), "%s/disagreement-%llu.yaml", run->folder,
		(unsigned long long)seed);
	tw_buf_addf(&policy, "# asked with: %s", text.data);
	tw_gen_print(gen, &policy);
	if (!write_file(kept, &policy))
		printf("  policy saved in %s\n", kept);
}

/* Runs one policy with its tuples. 0: agreed; 1: disagreed; negative errno. */
static int run_one(const struct run *run, uint64_t seed, size_t n_rules, size_t *ret_verdicts)
{
	tw_auto(tw_gen) struct tw_gen *gen = tw_gen_new(seed, n_rules);
	tw_autofree struct tw_oracle_tuple *tuples = tw_alloc_array(run->n_tuples, sizeof(*tuples));
	size_t first = 0;
	char line[4096];
	int failed;

	if (!gen || !tuples)
		return -ENOMEM;
	tw_gen_observe(gen, seed);
	for (size_t i = 0; i < run->n_tuples; i++)
		tw_gen_tuple(gen, &tuples[i]);
	failed = compare(run, gen, tuples, run->n_tuples, &first, line, sizeof(line));
	if (failed)
		return failed;
	if (first < run->n_tuples) {
		report(run, gen, &tuples[first], seed);
		return 1;
	}
	for (size_t i = 0; i < run->n_tuples; i++) {
		struct tw_oracle_answer answer;

		tw_oracle_judge(&gen->oracle, &tuples[i], &answer);
		ret_verdicts[answer.decider < 0 ? TW_V_NONE : answer.end[answer.decider].verdict]++;
	}
	return 0;
}

/* Measures how fast the product alone answers, including its start. */
static int measure(const struct run *run, size_t n_rules, size_t n_tuples)
{
	tw_auto(tw_gen) struct tw_gen *gen = tw_gen_new(run->seed, n_rules);
	tw_auto_buf struct tw_buf policy = {0}, lines = {0};
	struct tw_oracle_tuple tuple;
	double start, took;
	int code;

	if (!gen)
		return -ENOMEM;
	for (size_t i = 0; i < n_tuples; i++) {
		tw_gen_tuple(gen, &tuple);
		print_tuple(&tuple, &lines);
	}
	tw_gen_print(gen, &policy);
	if (write_file(run->policy_path, &policy) || write_file(run->tuples_path, &lines))
		return -EIO;
	start = seconds();
	code = explain(run);
	took = seconds() - start;
	if (code != 0 && code != 1)
		return -EIO;
	printf("rate: %.0f tuples/s (%zu tuples, %zu rules, start and output included)\n",
		(double)n_tuples / took, n_tuples, n_rules);
	return 0;
}

static int run_all(struct run *run)
{
	struct tw_random random = tw_random_from(run->seed);
	size_t verdicts[TW_V__MAX] = {0}, rules = 0, n_policies = run->n_policies * tw_scale();
	int failed = 0;

	for (size_t i = 0; i < n_policies && !failed; i++) {
		uint64_t seed = tw_random_bits(&random) >> 16;
		/* Small policies are as frequent as large ones. */
		size_t n = run->n_rules ? run->n_rules
					: 1 + tw_random_below(&random,
						      2000u >> tw_random_below(&random, 8));

		failed = run_one(run, seed, n, verdicts);
		rules += n;
	}
	if (failed)
		return failed;
	printf("%zu tuples over %zu policies (%zu rules) agree with the oracle: "
	       "%zu allow, %zu deny, %zu reject, %zu ask, %zu would-deny, %zu unprotected (seed %llu)\n",
		n_policies * run->n_tuples, n_policies, rules, verdicts[TW_V_ALLOW],
		verdicts[TW_V_DENY], verdicts[TW_V_REJECT], verdicts[TW_V_ASK],
		verdicts[TW_V_WOULD_DENY], verdicts[TW_V_NONE], (unsigned long long)run->seed);
	return 0;
}

static int usage(void)
{
	fputs("usage: explain_diff --tapwall FILE --folder FOLDER [--seed N] [--policies N]\n"
	      "                    [--tuples N] [--rules N] [--rate]\n",
		stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"tapwall", required_argument, NULL, 't'},
		{"folder", required_argument, NULL, 'f'}, {"seed", required_argument, NULL, 's'},
		{"policies", required_argument, NULL, 'p'},
		{"tuples", required_argument, NULL, 'n'}, {"rules", required_argument, NULL, 'r'},
		{"rate", no_argument, NULL, 'R'}, {NULL, 0, NULL, 0}};
	struct run run = {.seed = 1, .n_tuples = 2000, .n_policies = 50};
	bool rate = false;
	int c, failed;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 't')
			run.tapwall = optarg;
		else if (c == 'f')
			run.folder = optarg;
		else if (c == 's')
			run.seed = strtoull(optarg, NULL, 10);
		else if (c == 'p')
			run.n_policies = strtoul(optarg, NULL, 10);
		else if (c == 'n')
			run.n_tuples = strtoul(optarg, NULL, 10);
		else if (c == 'r')
			run.n_rules = strtoul(optarg, NULL, 10);
		else if (c == 'R')
			rate = true;
		else
			return usage();
	}
	if (!run.tapwall || !run.folder || !run.n_tuples || !run.n_policies)
		return usage();
	mkdir(run.folder, 0700);
	snprintf(run.policy_path, sizeof(run.policy_path), "%s/policy-%d.yaml", run.folder,
		(int)getpid());
	snprintf(run.tuples_path, sizeof(run.tuples_path), "%s/tuples-%d.jsonl", run.folder,
		(int)getpid());
	snprintf(run.answers_path, sizeof(run.answers_path), "%s/answers-%d.jsonl", run.folder,
		(int)getpid());
	failed = rate ? measure(&run, run.n_rules ? run.n_rules : 1000, run.n_tuples)
		      : run_all(&run);
	if (failed < 0)
		fprintf(stderr, "explain_diff: %s\n", strerror(-failed));
	else {
		unlink(run.policy_path);
		unlink(run.tuples_path);
		unlink(run.answers_path);
	}
	return failed < 0 ? 5 : failed;
}
