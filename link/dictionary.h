/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* dictionary.h: names by number, for events as data (link/event_row.h).
 *
 * Invariants: 1. Ids are 1 … TW_DICTIONARY_MAX - 1; 0 is the empty text. A name keeps its id, and its text keeps
 *                its address, until tw_dictionary_clear().
 *             2. A failed call changes nothing.
 * Bounds:     TW_DICTIONARY_MAX names and TW_DICTIONARY_BYTES of text.
 * Callers:    one thread. The writer of a stream uses tw_dictionary_intern(), its reader
 *             tw_dictionary_define(); not both on one dictionary.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW_DICTIONARY_MAX   (1u << 20)
#define TW_DICTIONARY_BYTES ((size_t)64 << 20)

struct tw_dictionary {
	char **texts;	/* by id; NULL: not defined */
	uint32_t n;	/* larger than every defined id; at least 1 once there is any */
	uint32_t max;	/* capacity of `texts` */
	uint32_t *ids;	/* a hash table for tw_dictionary_intern(); 0: free */
	uint32_t n_ids; /* size of the hash table, a power of 2; 0: none */
	size_t bytes;	/* total length of the texts */
};

/* All zero is an empty dictionary. */
void tw_dictionary_clear(struct tw_dictionary *dictionary); /* frees everything */

/* Returns the id of a text, which gets the next one if it has none. 0 for "", and if memory or the bounds do not
 * allow another name. */
uint32_t tw_dictionary_intern(struct tw_dictionary *dictionary, const char *text);
/* Returns the id of a text, or 0 if it has none. */
uint32_t tw_dictionary_find(const struct tw_dictionary *dictionary, const char *text);

/* Gives an id that is not defined yet its text. Returns 0, -EEXIST if it has another one, -ERANGE if the id or
 * the text is beyond the bounds, or -ENOMEM. */
int tw_dictionary_define(struct tw_dictionary *dictionary, uint32_t id, const char *text);

/* Returns the text of an id, "" for 0 and for ids that are not defined. */
static inline const char *tw_dictionary_text(const struct tw_dictionary *dictionary, uint32_t id)
{
	const char *text = id && id < dictionary->n ? dictionary->texts[id] : NULL;

	return text ? text : "";
}

/* True for 0 and for ids that are defined. */
static inline bool tw_dictionary_has(const struct tw_dictionary *dictionary, uint32_t id)
{
	return !id || (id < dictionary->n && dictionary->texts[id]);
}
