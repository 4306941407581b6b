/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* capture_diff: runs every frame of all captures in the given folders through the native fast path
 * and through the BPF programs in the kernel; the outcomes must be identical.
 *
 * The frames are those that `tapwall replay` reads from a capture. A frame that the capture
 * truncated is padded with zeros to its length on the wire, because BPF_PROG_TEST_RUN does not
 * support truncated frames.
 */
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/capture.h"
#include "tests/diff/sequence.h"
#include "tests/run/both.h"
#include "tests/run/case.h"
#include "tests/run/run.h"

#define FRAMES_MAX 20000 /* per file */
#define PAD_MAX	   3600	 /* about the largest frame that BPF_PROG_TEST_RUN accepts */

struct run {
	struct tw_target *target; /* native and kernel side by side */
	const char *keep;	  /* folder for disagreements */
	struct tw_seq seq;
	struct tw_seq_tally tally;
	size_t n_files, n_unreadable, n_broken, n_unsupported, n_cut, n_left_out, n_disagree;
};

static char **files;
static size_t n_files, files_max;

static int note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	char *copy;

	if (type != FTW_F)
		return 0;
	copy = tw_strdup(path);
	if (!copy || tw_vec_reserve_((void **)&files, &files_max, n_files + 1, sizeof(*files)))
		return -1;
	files[n_files++] = copy;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_frame(struct run *run, const struct tw_capture_frame *frame, uint64_t at_ns)
{
	struct tw_seq_item item = {
		.policy = -1, .from = 0, .to = 1, .at_ns = at_ns, .len = frame->len};
	tw_autofree uint8_t *padded = NULL;
	/* Every other frame goes in the opposite direction, so that both ports send. */
	bool turn = run->seq.items.n & 1;

	if (turn) {
		item.from = 1;
		item.to = 0;
	}
	if (frame->wire_len > frame->len)
		run->n_cut++;
	if (frame->wire_len > frame->len && frame->wire_len <= PAD_MAX)
		item.len = frame->wire_len;
	padded = tw_alloc(item.len);
	if (!padded)
		return -ENOMEM;
	memcpy(padded, frame->data, frame->len);
	item.data = padded;
	return tw_seq_add(&run->seq, &item);
}

/* Reads the frames of a file into run->seq. */
static int read_file(struct run *run, const char *path)
{
	tw_auto(tw_capture) struct tw_capture *capture = NULL;
	struct tw_capture_frame frame;
	struct tw_err err = {0};
	uint64_t first_ns = 0;
	int more, failed = 0;

	if (tw_capture_open(path, &capture, &err)) {
		run->n_unreadable++;
		return 0;
	}
	run->n_files++;
	while (!failed && (more = tw_capture_next(capture, &frame, &err)) > 0) {
		if (!first_ns)
			first_ns = frame.time_ns;
		if (frame.unsupported)
			run->n_unsupported++;
		else if (run->seq.items.n == FRAMES_MAX)
			run->n_left_out++;
		else
			failed = add_frame(run, &frame, frame.time_ns - first_ns);
	}
	run->n_broken += !failed && more < 0;
	return failed;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static int report(struct run *run, const char *path, size_t at, const struct tw_err *err)
{
	struct tw_target *native;
	struct tw_err no_err;
	char kept[512], about[512];
	int failed;

	run->n_disagree++;
	printf("%s: frame %zu: %s\n", path, at + 1, err->text);
	tw_seq_shrink(&run->seq, run->target);
	snprintf(kept, sizeof(kept), "%s/%.200s.case", run->keep, base_name(path));
	snprintf(about, sizeof(about), "%s", err->text);
	failed = tw_target_native(&native, &no_err);
	if (failed)
		return failed;
	failed = tw_seq_write_case(&run->seq, native, about, kept);
	tw_target_free(native);
	if (!failed)
		printf("  saved with %zu frames in %s\n", run->seq.items.n, kept);
	return failed;
}

static int run_file(struct run *run, const char *path)
{
	struct tw_err err = {0};
	size_t at = 0;
	int failed = read_file(run, path);

	if (!failed)
		failed = tw_seq_play(&run->seq, run->target, &run->tally, &at, &err);
	run->seq.in_force = true;
	if (failed == -EXDEV) {
		failed = report(run, path, at, &err);
		run->seq.in_force = false;
	} else if (failed) {
		fprintf(stderr, "capture_diff: %s: %s\n", path, err.text);
	}
	tw_seq_done(&run->seq);
	return failed;
}

static int run_policy(struct run *run, const char *path, bool adopt)
{
	tw_autofree char *policy = NULL;
	struct tw_err err = {0};
	int failed = tw_case_slurp(path, &policy, &err);

	if (failed) {
		tw_err_print(stderr, "capture_diff", &err);
		return failed;
	}
	run->seq = (struct tw_seq){.policies = {policy}, .n_policies = 1, .adopt = adopt};
	for (size_t i = 0; i < n_files && !failed && run->n_disagree < 10; i++)
		failed = run_file(run, files[i]);
	return failed;
}

static void print_tally(const struct run *run)
{
	const struct tw_seq_tally *t = &run->tally;

	printf("%zu captures played (each policy counts), %zu files are none, %zu end broken\n"
	       "%zu frames, %zu judgements by both, %zu disagreements\n"
	       "%zu judgements not made: the test run takes no such frame (shorter than its IP\n"
	       "header or longer than about %d bytes); %zu frames of link layers without IP frames;\n"
	       "%zu frames cut by their capture and filled up with zeros; %zu beyond %d a file\n",
		run->n_files, run->n_unreadable, run->n_broken, t->n_frames,
		t->n_judgements - t->n_untakable, run->n_disagree, t->n_untakable, PAD_MAX,
		run->n_unsupported, run->n_cut, run->n_left_out, FRAMES_MAX);
	printf("reasons:");
	for (unsigned int r = 0; r < TW_R__MAX; r++)
		if (t->reasons[r][TW_DIR_OUT] || t->reasons[r][TW_DIR_IN])
			printf(" %s %zu/%zu", tw_reason_name(r), t->reasons[r][TW_DIR_OUT],
				t->reasons[r][TW_DIR_IN]);
	printf("\n");
}

/* Runs all files: under the open policy with adoption of connections mid-stream, under the other
 * policy without. */
static int run_all(struct run *run, char *const *policies, int n_policies)
{
	int failed = 0;

	for (int i = 0; i < n_policies && !failed; i++)
		failed = run_policy(run, policies[i], i == 0);
	print_tally(run);
	return failed ? 5 : run->n_disagree || !run->tally.n_frames;
}

static int usage(void)
{
	fputs("usage: capture_diff --keep FOLDER --corpus FOLDER POLICY …\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"keep", required_argument, NULL, 'k'},
		{"corpus", required_argument, NULL, 'c'}, {NULL, 0, NULL, 0}};
	tw_auto(tw_target) struct tw_target *target = NULL;
	const char *corpus = NULL;
	struct tw_err err = {0};
	struct run run = {0};
	int c, failed;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'k')
			run.keep = optarg;
		else if (c == 'c')
			corpus = optarg;
		else
			return usage();
	}
	if (!run.keep || !corpus || optind == argc)
		return usage();
	if (getenv("TW_CORPORA"))
		corpus = getenv("TW_CORPORA");
	if (nftw(corpus, note_file, 16, FTW_PHYS) || !n_files) {
		printf("skipped: no captures in %s (TW_CORPORA names another place)\n", corpus);
		return TW_RUN_SKIPPED;
	}
	qsort(files, n_files, sizeof(*files), by_name);
	failed = tw_target_both(TW_PORTS_TAP, false, &target, &err);
	if (failed) {
		printf("skipped: %s\n", err.text);
		return failed == -EPERM || failed == -EOPNOTSUPP ? TW_RUN_SKIPPED : 5;
	}
	run.target = target;
	mkdir(run.keep, 0700);
	failed = run_all(&run, argv + optind, argc - optind);
	for (size_t i = 0; i < n_files; i++)
		free(files[i]);
	free(files);
	return failed;
}
