/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* play.h: plays a case on a target and says where the target does not do as the case expects. */
#pragma once

#include <stdio.h>

#include "tests/run/case.h"
#include "tests/run/target.h"

struct tw_play {
	FILE *out; /* where failures, and with `verbose` all judgements, are written */
	bool verbose;
	size_t n_judgements;
	bool seen[TW_R__MAX][TW_DIR__MAX]; /* reasons that frames got */
};

enum tw_played { TW_PLAYED_PASS, TW_PLAYED_FAIL, TW_PLAYED_SKIP };

/* Plays `c`; `name` is for messages. Skipped when the target cannot play it (c->native_only). */
enum tw_played tw_case_play(
	const char *name, const struct tw_case *c, struct tw_target *target, struct tw_play *play);
