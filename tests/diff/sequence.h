/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sequence.h: frames in time, played on a target; what it does wrong with them is made small.
 *
 * What:       a list of frames and policy changes. Each frame is judged `out` at one port and, if
 *             that lets it pass, `in` at another with the mark it then has, as the vSwitch does.
 * Callers:    frames_diff, capture_diff. The target is a pair, which fails where its two differ.
 */
#pragma once

#include "base/vec.h"
#include "tests/run/target.h"

#define TW_SEQ_POLICIES_MAX 4
#define TW_SEQ_NOWHERE	    (-1)

struct tw_seq_item {
	int policy; /* >= 0: makes that policy the one in force, and is no frame */
	int from;   /* number of the vNIC where the frame is judged out, or TW_SEQ_NOWHERE */
	int to;	    /* … and in */
	uint64_t at_ns;
	uint8_t *data; /* owned */
	size_t len;
	uint16_t gso_size;
};

struct tw_seq {
	const char *policies[TW_SEQ_POLICIES_MAX]; /* YAML, the first is in force at the start */
	size_t n_policies;
	bool adopt;	  /* take up connections mid-stream all the time */
	bool cut_through; /* at every port that can */
	bool in_force; /* policies[0] is in force already: only forget connections before a run */
	TW_VEC(struct tw_seq_item) items;
};

/* What a run met. */
struct tw_seq_tally {
	size_t n_frames;
	size_t n_judgements;
	size_t n_untakable; /* judgements of frames that the target cannot be given */
	size_t reasons[TW_R__MAX][TW_DIR__MAX];
};

void tw_seq_done(struct tw_seq *seq);
/* Adds a frame (copied). 0 or -ENOMEM. */
int tw_seq_add(struct tw_seq *seq, const struct tw_seq_item *item);

/* Plays all of it on an emptied target. 0; -EXDEV when the pair disagrees at item *ret_at, `err`
 * says how; another negative errno. `tally` is added to. */
int tw_seq_play(const struct tw_seq *seq, struct tw_target *target, struct tw_seq_tally *tally,
	size_t *ret_at, struct tw_err *err);

/* Leaves out what the disagreement does not need. */
void tw_seq_shrink(struct tw_seq *seq, struct tw_target *target);
/* Writes it as a case, with the outcome of the target's first half as what is expected. */
int tw_seq_write_case(
	const struct tw_seq *seq, struct tw_target *native, const char *about, const char *path);
