/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* translate.h: turns rows of an agent's event stream into rows of the history.
 *
 * Why:        an agent names workloads and rules by ids of its stream's dictionary, the history by
 *             numbers of its own. Each id is translated once per generation of the dictionary.
 * In:         rows that link/event_reader.h has checked. Their values are not trusted: a verdict or
 *             direction that this version does not know makes a row unusable; a time that cannot be
 *             right is replaced by the time of arrival, as the history drops rows by their age.
 * Invariants: 1. No row of an agent indexes beyond a table (tests/history/feed.c, tests/cli/fuzz_events.c).
 *             2. A name has at most TW_TRANSLATE_NAME_MAX bytes and is clean (base/clean.h).
 * Callers:    recorder.c, with one struct for each agent; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "link/event_reader.h"
#include "slowpath/history/row.h"

#define TW_TRANSLATE_NAME_MAX 255
#define TW_TRANSLATE_LEAST_US 1577836800000000u /* 2020-01-01: an earlier clock has not been set */

/* Finds the number of a name, with the results of tw_history_name(). */
typedef int tw_translate_name(
	void *arg, enum tw_history_noun noun, const char *text, uint32_t *ret_number);

/* What an id of the dictionary stands for; 0: not looked up yet. */
struct tw_translate_known {
	uint32_t number[TW_HISTORY_NOUN__MAX];
	uint16_t reason; /* 1 + enum tw_reason */
	uint16_t state;	 /* 1 + enum tw_state */
};

/* Zero it before use. */
struct tw_translation {
	tw_translate_name *name;
	void *arg;
	uint32_t host;	     /* the agent's number in the history */
	uint32_t generation; /* generation of the dictionary that `known` is for */
	TW_VEC(struct tw_translate_known) known; /* by id */
};

/* Forgets all ids. Must be called when a new stream or a new dictionary begins. */
void tw_translate_reset(struct tw_translation *translation);
void tw_translate_done(struct tw_translation *translation);

/* Translates a row. Returns 1, 0 if the history does not keep rows of this kind or the row is unusable, or a
 * negative errno. `now_us` is the present Unix time. */
int tw_translate_row(struct tw_translation *translation, const struct tw_event_reader *reader,
	const struct tw_event_row *row, uint64_t now_us, struct tw_history_row *ret);
