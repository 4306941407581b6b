/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* Odd 64-bit constants with evenly spread bits: the fractional parts of the golden ratio and of
 * the square root of 3. */
#define MIX_A 0x9e3779b97f4a7c15ull
#define MIX_B 0xbb67ae8584caa73bull

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * MIX_A;
	hash ^= hash >> 32;
	return hash * MIX_B;
}

uint64_t tw_table_hash(const void *data, size_t len, uint64_t seed)
{
	const unsigned char *byte = data;
	uint64_t hash = seed ^ (uint64_t)len * MIX_B;
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), byte += sizeof(word)) {
		memcpy(&word, byte, sizeof(word));
		hash = mix(hash, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, byte, len);
		hash = mix(hash, word);
	}
	hash ^= hash >> 29;
	hash *= MIX_A;
	return hash ^ hash >> 32;
}

void tw_index_done(struct tw_index *index)
{
	free(index->slots);
	*index = (struct tw_index){0};
}

static void put(struct tw_index_slot *slots, size_t n_slots, uint64_t hash, uint32_t value)
{
	size_t at = hash & (n_slots - 1);

	while (slots[at].value != TW_INDEX_NONE)
		at = (at + 1) & (n_slots - 1);
	slots[at] = (struct tw_index_slot){.hash = hash, .value = value};
}

static int grow(struct tw_index *index)
{
	size_t n_slots = index->n_slots ? index->n_slots * 2 : 16;
	struct tw_index_slot *slots = tw_alloc_array(n_slots, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < n_slots; i++)
		slots[i].value = TW_INDEX_NONE;
	for (size_t i = 0; i < index->n_slots; i++)
		if (index->slots[i].value != TW_INDEX_NONE)
			put(slots, n_slots, index->slots[i].hash, index->slots[i].value);
	free(index->slots);
	index->slots = slots;
	index->n_slots = n_slots;
	return 0;
}

int tw_index_add(struct tw_index *index, uint64_t hash, uint32_t value)
{
	if (index->n * 2 >= index->n_slots) {
		int err = grow(index);

		if (err)
			return err;
	}
	put(index->slots, index->n_slots, hash, value);
	index->n++;
	return 0;
}

uint32_t tw_index_find(const struct tw_index *index, uint64_t hash, tw_index_same_fn *same,
	const void *owner, const void *key)
{
	const struct tw_index_slot *slot;

	if (!index->n_slots)
		return TW_INDEX_NONE;
	for (size_t at = hash;; at++) {
		slot = &index->slots[at & (index->n_slots - 1)];
		if (slot->value == TW_INDEX_NONE)
			return TW_INDEX_NONE;
		if (slot->hash == hash && same(owner, slot->value, key))
			return slot->value;
	}
}

void tw_names_done(struct tw_names *names)
{
	tw_vec_done(&names->all);
	tw_index_done(&names->index);
}

static bool same_name(const void *owner, uint32_t value, const void *key)
{
	const struct tw_names *names = owner;

	return !strcmp(names->all.at[value].text, key);
}

int tw_names_add(struct tw_names *names, struct tw_name name)
{
	uint64_t hash = tw_table_hash(name.text, strlen(name.text), names->seed);
	uint32_t value = (uint32_t)names->all.n;
	int err = tw_vec_push(&names->all, name);

	if (err)
		return err;
	err = tw_index_add(&names->index, hash, value);
	if (err)
		names->all.n--;
	return err;
}

const struct tw_name *tw_names_find(const struct tw_names *names, const char *text)
{
	uint64_t hash = tw_table_hash(text, strlen(text), names->seed);
	uint32_t value = tw_index_find(&names->index, hash, same_name, names, text);

	return value == TW_INDEX_NONE ? NULL : &names->all.at[value];
}
