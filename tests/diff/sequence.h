/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sequence.h: sequences of frames played on a target; a disagreement is shrunk.
 *
 * What:       a list of frames and policy changes. Each frame is judged `out` at one port and, if
 *             it passes, `in` at another with the resulting mark, as on a vSwitch.
 * Callers:    frames_diff, capture_diff. The target is a pair, which reports -EXDEV if its two
 *             targets differ.
 */
#pragma once

#include "base/vec.h"
#include "tests/run/target.h"

#define TW_SEQ_POLICIES_MAX 4
#define TW_SEQ_NOWHERE	    (-1)

struct tw_seq_item {
	int policy; /* >= 0: the item is not a frame but puts this policy in force */
	int from;   /* number of the vNIC where the frame is judged `out`, or TW_SEQ_NOWHERE */
	int to;	    /* number of the vNIC where the frame is judged `in`, or TW_SEQ_NOWHERE */
	uint64_t at_ns;
	uint8_t *data; /* owned */
	size_t len;
	uint16_t gso_size;
};

struct tw_seq {
	const char *
		policies[TW_SEQ_POLICIES_MAX]; /* YAML; the first policy is in force at the start */
	size_t n_policies;
	bool adopt;	  /* connections may be adopted mid-stream at any time */
	bool cut_through; /* enabled at every port that supports it */
	bool in_force; /* policies[0] is already in force: before a run, only connections are removed */
	TW_VEC(struct tw_seq_item) items;
};

/* The counts of a run. */
struct tw_seq_tally {
	size_t n_frames;
	size_t n_judgements;
	size_t n_untakable; /* judgements skipped because the target does not accept the frame */
	size_t reasons[TW_R__MAX][TW_DIR__MAX];
};

void tw_seq_done(struct tw_seq *seq);
/* Adds a frame (copied). 0 or -ENOMEM. */
int tw_seq_add(struct tw_seq *seq, const struct tw_seq_item *item);

/* Plays the sequence on an emptied target, and adds to `tally`. 0; -EXDEV if the pair disagrees at
 * item *ret_at (`err` describes how); another negative errno. */
int tw_seq_play(const struct tw_seq *seq, struct tw_target *target, struct tw_seq_tally *tally,
	size_t *ret_at, struct tw_err *err);

/* Removes items that the disagreement does not need. */
void tw_seq_shrink(struct tw_seq *seq, struct tw_target *target);
/* Writes the sequence as a case, with the outcomes of the pair's first target as expectations. */
int tw_seq_write_case(
	const struct tw_seq *seq, struct tw_target *native, const char *about, const char *path);
