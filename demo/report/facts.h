/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* facts.h: collects the observed results of each try.
 *
 * In:         the guests' reports, and the output of tapwall log, flows, explain and replay.
 * Invariants: only observed results are stored. Nothing is filled in from the expectation.
 */
#pragma once

#include "demo/report/paths.h"

#define TW_LAB_WORD_MAX 64

/* A verdict, and the rule and reason that decided it. Unknown parts are empty. */
struct tw_lab_decision {
	char verdict[16];
	char rule[TW_LAB_WORD_MAX];
	char reason[TW_LAB_WORD_MAX];
};

/* The results of one try, indexed by its id. */
struct tw_lab_fact {
	char answer[24]; /* RESULT of `probe try` */
	double ms;
	uint64_t seen_by;		  /* bit per vNIC: a hand-built frame arrived there */
	struct tw_lab_decision live;	  /* from log and flows */
	struct tw_lab_decision explained; /* from explain; only for connections */
	struct tw_lab_decision replayed;  /* from replay: first refused frame, or the first one */
};

struct tw_lab_facts {
	struct tw_lab_fact *at;
	size_t n;
};

/* Files with the collected output; NULL if there is none. Lines of `seen` are GUEST ID. */
struct tw_lab_sources {
	const char *answers;
	const char *seen;
	const char *log;
	const char *flows;
	const char *explained;
	const char *replayed;
	const char *index;
};

/* Prints errors. Returns 0 or a negative errno. */
int tw_lab_facts_read(const struct tw_lab_paths *paths, const struct tw_lab_sources *sources,
	struct tw_lab_facts *ret);
void tw_lab_facts_done(struct tw_lab_facts *facts);
