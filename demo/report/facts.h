/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* facts.h: what became of each try, gathered from those who saw it.
 *
 * In:         what the guests report, and what tapwall says: log, flows, explain, replay.
 * Invariants: a fact is only ever what was read; nothing is filled in from what was expected.
 */
#pragma once

#include "demo/report/paths.h"

#define TW_LAB_WORD_MAX 64

/* A verdict with what decided it; empty words where none was told. */
struct tw_lab_decision {
	char verdict[16];
	char rule[TW_LAB_WORD_MAX];
	char reason[TW_LAB_WORD_MAX];
};

/* One try, by its id. */
struct tw_lab_fact {
	char answer[24]; /* as `probe try` puts it */
	double ms;
	uint64_t seen_by;	     /* bit per vNIC of the policy: a handmade frame came there */
	struct tw_lab_decision live; /* from log and flows */
	struct tw_lab_decision explained; /* from explain, for connections */
	struct tw_lab_decision
		replayed; /* from replay: of the first frame not allowed, else first */
};

struct tw_lab_facts {
	struct tw_lab_fact *at;
	size_t n;
};

/* Files with what was gathered; NULL where there is none. `seen` has lines GUEST ID. */
struct tw_lab_sources {
	const char *answers;
	const char *seen;
	const char *log;
	const char *flows;
	const char *explained;
	const char *replayed;
	const char *index;
};

/* Speaks of errors on stderr. 0 or a negative errno. */
int tw_lab_facts_read(const struct tw_lab_paths *paths, const struct tw_lab_sources *sources,
	struct tw_lab_facts *ret);
void tw_lab_facts_done(struct tw_lab_facts *facts);
