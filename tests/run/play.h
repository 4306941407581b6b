/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* play.h: plays a case on a target, and prints where the target differs from the case's
 * expectations. */
#pragma once

#include <stdio.h>

#include "tests/run/case.h"
#include "tests/run/target.h"

struct tw_play {
	FILE *out; /* receives failures, and with `verbose` all judgements */
	bool verbose;
	size_t n_judgements;
	bool seen[TW_R__MAX][TW_DIR__MAX]; /* reasons that occurred */
};

enum tw_played { TW_PLAYED_PASS, TW_PLAYED_FAIL, TW_PLAYED_SKIP };

/* Plays `c`; `name` is for messages. The result is "skipped" if the target cannot play it
 * (c->native_only). */
enum tw_played tw_case_play(
	const char *name, const struct tw_case *c, struct tw_target *target, struct tw_play *play);
