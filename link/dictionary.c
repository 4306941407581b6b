/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "link/dictionary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define TEXTS_FIRST 64
#define IDS_FIRST   128

void tw_dictionary_clear(struct tw_dictionary *dictionary)
{
	for (uint32_t id = 0; id < dictionary->n; id++)
		free(dictionary->texts[id]);
	free(dictionary->texts);
	free(dictionary->ids);
	*dictionary = (struct tw_dictionary){0};
}

/* Makes room for the text of an id. */
static int reserve_text(struct tw_dictionary *dictionary, uint32_t id)
{
	uint32_t max = dictionary->max ? dictionary->max : TEXTS_FIRST;
	char **texts;

	while (max <= id)
		max *= 2;
	if (max == dictionary->max)
		return 0;
	texts = tw_realloc(dictionary->texts, max * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	memset(texts + dictionary->max, 0, (max - dictionary->max) * sizeof(*texts));
	dictionary->texts = texts;
	dictionary->max = max;
	return 0;
}

int tw_dictionary_define(struct tw_dictionary *dictionary, uint32_t id, const char *text)
{
	size_t len = strlen(text);
	char *copy;

	if (!id || id >= TW_DICTIONARY_MAX || len > TW_DICTIONARY_BYTES - dictionary->bytes)
		return -ERANGE;
	if (id < dictionary->n && dictionary->texts[id])
		return strcmp(dictionary->texts[id], text) ? -EEXIST : 0;
	if (reserve_text(dictionary, id) < 0)
		return -ENOMEM;
	copy = tw_strdup(text);
	if (!copy)
		return -ENOMEM;
	dictionary->texts[id] = copy;
	dictionary->bytes += len;
	if (id >= dictionary->n)
		dictionary->n = id + 1;
	return 0;
}

/* ---- by text ---- */

/* FNV-1a (G. Fowler, L. C. Noll, P. Vo, 1991), 32 bits. */
static uint32_t hash_text(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

/* Returns the place of a text in the hash table: that of its id, or a free one. */
static uint32_t *place_of(const struct tw_dictionary *dictionary, const char *text)
{
	uint32_t at = hash_text(text);

	for (;; at++) {
		uint32_t *id = &dictionary->ids[at & (dictionary->n_ids - 1)];

		if (!*id || !strcmp(dictionary->texts[*id], text))
			return id;
	}
}

/* Keeps the hash table at most half full. */
static int reserve_id(struct tw_dictionary *dictionary)
{
	struct tw_dictionary larger = *dictionary;

	if (2 * (dictionary->n + 1) <= dictionary->n_ids)
		return 0;
	larger.n_ids = dictionary->n_ids ? 2 * dictionary->n_ids : IDS_FIRST;
	larger.ids = tw_alloc_array(larger.n_ids, sizeof(*larger.ids));
	if (!larger.ids)
		return -ENOMEM;
	for (uint32_t id = 1; id < dictionary->n; id++)
		*place_of(&larger, dictionary->texts[id]) = id;
	free(dictionary->ids);
	*dictionary = larger;
	return 0;
}

uint32_t tw_dictionary_find(const struct tw_dictionary *dictionary, const char *text)
{
	return text[0] && dictionary->n_ids ? *place_of(dictionary, text) : 0;
}

uint32_t tw_dictionary_intern(struct tw_dictionary *dictionary, const char *text)
{
	uint32_t id = tw_dictionary_find(dictionary, text);

	if (id || !text[0])
		return id;
	id = dictionary->n ? dictionary->n : 1;
	if (reserve_id(dictionary) < 0 || tw_dictionary_define(dictionary, id, text) < 0)
		return 0;
	*place_of(dictionary, text) = id;
	return id;
}
