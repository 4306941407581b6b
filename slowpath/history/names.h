/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* names.h: texts and their numbers in the history, in memory and in table `name`.
 *
 * Callers:    write.c.
 */
#pragma once

#include <sqlite3.h>
#include <stdint.h>

#include "base/vec.h"
#include "slowpath/history/history.h"

struct tw_history_text {
	uint32_t number;
	uint8_t noun;
	char *text;
};

/* All names, in a hash table. Zero it before use. */
struct tw_history_names {
	TW_VEC(struct tw_history_text) texts;
	uint32_t *slot; /* 1 + index of a text; 0: free */
	size_t n_slots;
	size_t n_stored; /* texts that are in the table */
	uint32_t next;	 /* number of the next new text */
};

void tw_history_names_done(struct tw_history_names *names);
int tw_history_names_load(struct tw_history_names *names, sqlite3 *db);

/* As tw_history_name(). */
int tw_history_names_find(struct tw_history_names *names, enum tw_history_noun noun,
	const char *text, uint32_t *ret_number);

/* Writes new texts, within the caller's transaction. Call tw_history_names_stored() after its
 * commit. Returns 0 or a negative errno. */
int tw_history_names_store(const struct tw_history_names *names, sqlite3 *db);
void tw_history_names_stored(struct tw_history_names *names);
