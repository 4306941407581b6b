/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* make_seeds: writes the frames of every case as inputs for fuzz_frames, one file per case. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "sim/scene.h"
#include "tests/fuzz/records.h"
#include "tests/run/case.h"
#include "tests/run/play.h"

/* The operations of a native target; `run` also records each frame. */
static const struct tw_target_ops *native_ops;
static struct tw_buf record;

static int run(struct tw_target *target, uint32_t ifindex, enum tw_dir dir, uint64_t now_ns,
	struct tw_native_frame *frame, struct tw_native_result *ret, struct tw_err *err)
{
	uint32_t port = ifindex - tw_scene_ifindex(0);
	uint8_t head[TW_RECORD_HEAD] = {(uint8_t)(port & TW_RECORD_PORT), 1,
		(uint8_t)(frame->len >> 8), (uint8_t)frame->len};

	head[0] |= (dir == TW_DIR_IN ? TW_RECORD_IN : 0) | (frame->has_vlan ? TW_RECORD_TAG : 0) |
		   (frame->gso_size ? TW_RECORD_SUPER : 0);
	if (frame->len <= 0xffff) {
		tw_buf_add(&record, head, sizeof(head));
		tw_buf_add(&record, frame->data, frame->len);
	}
	return native_ops->run(target, ifindex, dir, now_ns, frame, ret, err);
}

static int write_seed(const char *folder, const char *case_path)
{
	const char *slash = strrchr(case_path, '/');
	char path[4096];
	tw_autofile FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/%s", folder, slash ? slash + 1 : case_path);
	file = fopen(path, "we");
	if (record.failed || !file || fwrite(record.data, 1, record.len, file) != record.len)
		return -EIO;
	return 0;
}

static int make_seed(struct tw_target *target, const char *folder, const char *case_path)
{
	tw_autofree char *text = NULL;
	tw_auto(tw_case) struct tw_case *c = NULL;
	struct tw_play play = {.out = stderr};
	struct tw_err err = {0};

	if (tw_case_slurp(case_path, &text, &err) || tw_case_read(case_path, text, &c, &err)) {
		tw_err_print(stderr, "make_seeds", &err);
		return -EINVAL;
	}
	tw_buf_reset(&record);
	tw_case_play(case_path, c, target, &play);
	return record.len ? write_seed(folder, case_path) : 0;
}

int main(int argc, char **argv)
{
	tw_auto(tw_target) struct tw_target *target = NULL;
	struct tw_target_ops ops;
	struct tw_err err = {0};
	int failed = 0;

	if (argc < 3) {
		fputs("usage: make_seeds FOLDER FILE.case …\n", stderr);
		return 2;
	}
	if (tw_target_native(&target, &err)) {
		tw_err_print(stderr, "make_seeds", &err);
		return 5;
	}
	native_ops = target->ops;
	ops = *native_ops;
	ops.run = run;
	target->ops = &ops;
	mkdir(argv[1], 0755);
	for (int i = 2; i < argc && !failed; i++)
		failed = make_seed(target, argv[1], argv[i]);
	tw_buf_done(&record);
	return failed ? 1 : 0;
}
