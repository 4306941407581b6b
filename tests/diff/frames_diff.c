/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* frames_diff: runs random sequences of frames through the native fast path and through the BPF
 * programs in the kernel; the outcomes must be identical. A disagreement is shrunk and saved as a
 * case.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "fastpath/abi/names.h"
#include "tests/diff/frames.h"
#include "tests/run/both.h"
#include "tests/run/run.h"
#include "tests/scale.h"

struct run {
	struct tw_target *target;
	const char *keep;
	size_t n_frames; /* per sequence */
	struct tw_seq_tally tally;
	size_t n_disagree;
};

static int report(struct run *run, struct tw_seq *seq, uint64_t seed, const struct tw_err *err)
{
	struct tw_target *native;
	struct tw_err no_err;
	char kept[512];
	int failed;

	run->n_disagree++;
	printf("seed %llu: %s\n", (unsigned long long)seed, err->text);
	tw_seq_shrink(seq, run->target);
	snprintf(kept, sizeof(kept), "%s/frames-%llu.case", run->keep, (unsigned long long)seed);
	failed = tw_target_native(&native, &no_err);
	if (failed)
		return failed;
	failed = tw_seq_write_case(seq, native, err->text, kept);
	tw_target_free(native);
	if (!failed)
		printf("  saved with %zu frames in %s\n", seq->items.n, kept);
	return failed;
}

static int run_one(struct run *run, uint64_t seed)
{
	struct tw_buf text[TW_SEQ_POLICIES_MAX] = {0};
	struct tw_seq seq = {0};
	struct tw_err err = {0};
	size_t at;
	int failed = tw_frames_make(seed, run->n_frames, text, &seq);

	if (!failed)
		failed = tw_seq_play(&seq, run->target, &run->tally, &at, &err);
	if (failed == -EXDEV)
		failed = report(run, &seq, seed, &err);
	else if (failed)
		fprintf(stderr, "frames_diff: seed %llu: %s\n", (unsigned long long)seed,
			err.code ? err.text : strerror(-failed));
	tw_seq_done(&seq);
	for (size_t i = 0; i < TW_SEQ_POLICIES_MAX; i++)
		tw_buf_done(&text[i]);
	return failed;
}

static void print_tally(const struct run *run, size_t n, uint64_t seed)
{
	const struct tw_seq_tally *t = &run->tally;

	printf("%zu frames in %zu sequences, %zu judgements by both, %zu disagreements (seed %llu); "
	       "%zu judgements not made: the test run takes no such frame\nreasons (out/in):",
		t->n_frames, n, t->n_judgements - t->n_untakable, run->n_disagree,
		(unsigned long long)seed, t->n_untakable);
	for (unsigned int r = 0; r < TW_R__MAX; r++)
		if (t->reasons[r][TW_DIR_OUT] || t->reasons[r][TW_DIR_IN])
			printf(" %s %zu/%zu", tw_reason_name(r), t->reasons[r][TW_DIR_OUT],
				t->reasons[r][TW_DIR_IN]);
	printf("\n");
}

static int usage(void)
{
	fputs("usage: frames_diff --keep FOLDER [--seed N] [--sequences N] [--frames N]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"keep", required_argument, NULL, 'k'},
		{"seed", required_argument, NULL, 's'}, {"sequences", required_argument, NULL, 'q'},
		{"frames", required_argument, NULL, 'f'}, {NULL, 0, NULL, 0}};
	tw_auto(tw_target) struct tw_target *target = NULL;
	struct run run = {.n_frames = 400};
	struct tw_err err = {0};
	uint64_t seed = 1;
	size_t n = 50;
	int c, failed;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'k')
			run.keep = optarg;
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 'q')
			n = strtoul(optarg, NULL, 10);
		else if (c == 'f')
			run.n_frames = strtoul(optarg, NULL, 10);
		else
			return usage();
	}
	if (!run.keep || optind != argc)
		return usage();
	failed = tw_target_both(TW_PORTS_TAP, false, &target, &err);
	if (failed) {
		printf("skipped: %s\n", err.text);
		return failed == -EPERM || failed == -EOPNOTSUPP ? TW_RUN_SKIPPED : 5;
	}
	run.target = target;
	n *= tw_scale();
	mkdir(run.keep, 0700);
	for (size_t i = 0; i < n && !failed && run.n_disagree < 5; i++)
		failed = run_one(&run, seed * 1000003 + i);
	print_tally(&run, n, seed);
	return failed ? 5 : run.n_disagree != 0;
}
