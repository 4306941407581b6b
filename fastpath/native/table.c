/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "fastpath/native/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define BUCKETS_MIN 64

struct tw_table_entry {
	struct tw_table_entry *next; /* next entry in its bucket */
	struct tw_table_entry *newer;
	struct tw_table_entry *older; /* next older entry; in a free entry, the next free one */
	uint64_t hash;
	uint64_t data[]; /* key, padded to 8 bytes, then value */
};

static size_t value_offset(const struct tw_table *table)
{
	return (table->key_size + 7) / 8;
}

static void *entry_value(const struct tw_table *table, struct tw_table_entry *entry)
{
	return entry->data + value_offset(table);
}

/* Returns FNV-1a over words with a final mix. Unseeded, unlike the kernel's hash: keys come from
 * captures and tests. */
static uint64_t hash_key(const struct tw_table *table, const void *key)
{
	const unsigned char *bytes = key;
	uint64_t hash = 0xcbf29ce484222325;
	size_t i = 0;

	for (; i + 4 <= table->key_size; i += 4) {
		uint32_t word;

		memcpy(&word, bytes + i, 4);
		hash = (hash ^ word) * 0x100000001b3;
	}
	for (; i < table->key_size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return hash ^ hash >> 29;
}

int tw_table_init(struct tw_table *table, size_t key_size, size_t value_size, size_t max)
{
	struct tw_table_entry **buckets = tw_alloc_array(
		BUCKETS_MIN, sizeof(struct tw_table_entry *));

	if (!buckets)
		return -ENOMEM;
	*table = (struct tw_table){
		.key_size = key_size,
		.value_size = value_size,
		.max = max,
		.n_buckets = BUCKETS_MIN,
		.buckets = buckets,
	};
	return 0;
}

static void free_list(struct tw_table_entry *entry)
{
	struct tw_table_entry *older;

	for (; entry; entry = older) {
		older = entry->older;
		free(entry);
	}
}

void tw_table_done(struct tw_table *table)
{
	free_list(table->used);
	free_list(table->spare);
	free(table->buckets);
	*table = (struct tw_table){0};
}

static struct tw_table_entry **find(const struct tw_table *table, const void *key, uint64_t hash)
{
	struct tw_table_entry **at = &table->buckets[hash & (table->n_buckets - 1)];

	while (*at && ((*at)->hash != hash || memcmp((*at)->data, key, table->key_size)))
		at = &(*at)->next;
	return at;
}

void *tw_table_lookup(const struct tw_table *table, const void *key)
{
	struct tw_table_entry *entry;

	if (!table->n)
		return NULL;
	entry = *find(table, key, hash_key(table, key));
	return entry ? entry_value(table, entry) : NULL;
}

/* Doubles the buckets once there is an entry for each; failing to grow is harmless. */
static void grow(struct tw_table *table)
{
	size_t n_buckets = table->n_buckets * 2;
	struct tw_table_entry **buckets;

	if (table->n < table->n_buckets)
		return;
	buckets = tw_alloc_array(n_buckets, sizeof(struct tw_table_entry *));
	if (!buckets)
		return;
	for (struct tw_table_entry *entry = table->used; entry; entry = entry->older) {
		struct tw_table_entry **at = &buckets[entry->hash & (n_buckets - 1)];

		entry->next = *at;
		*at = entry;
	}
	free(table->buckets);
	table->buckets = buckets;
	table->n_buckets = n_buckets;
}

static struct tw_table_entry *new_entry(struct tw_table *table)
{
	struct tw_table_entry *entry = table->spare;

	if (entry)
		table->spare = entry->older;
	else
		entry = tw_alloc(sizeof(*entry) + value_offset(table) * 8 + table->value_size);
	if (!entry)
		return NULL;
	entry->newer = NULL;
	entry->older = table->used;
	if (table->used)
		table->used->newer = entry;
	table->used = entry;
	return entry;
}

int tw_table_update(struct tw_table *table, const void *key, const void *value, int only_new)
{
	uint64_t hash = hash_key(table, key);
	struct tw_table_entry **at, *entry;

	at = find(table, key, hash);
	if (*at) {
		if (only_new)
			return -EEXIST;
		memcpy(entry_value(table, *at), value, table->value_size);
		return 0;
	}
	if (table->n >= table->max)
		return -E2BIG;
	grow(table);
	entry = new_entry(table);
	if (!entry)
		return -ENOMEM;
	entry->hash = hash;
	memcpy(entry->data, key, table->key_size);
	memcpy(entry_value(table, entry), value, table->value_size);
	at = &table->buckets[hash & (table->n_buckets - 1)];
	entry->next = *at;
	*at = entry;
	table->n++;
	return 0;
}

int tw_table_delete(struct tw_table *table, const void *key)
{
	struct tw_table_entry **at = find(table, key, hash_key(table, key)), *entry = *at;

	if (!entry)
		return -ENOENT;
	*at = entry->next;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		table->used = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	entry->older = table->spare;
	table->spare = entry;
	table->n--;
	return 0;
}

void tw_table_clear(struct tw_table *table)
{
	struct tw_table_entry *entry, *older;

	for (entry = table->used; entry; entry = older) {
		older = entry->older;
		table->buckets[entry->hash & (table->n_buckets - 1)] = NULL;
		entry->older = table->spare;
		table->spare = entry;
	}
	table->used = NULL;
	table->n = 0;
}

void tw_table_each(const struct tw_table *table,
	void (*each)(void *arg, const void *key, void *value), void *arg)
{
	struct tw_table_entry *entry, *older;

	for (entry = table->used; entry; entry = older) {
		older = entry->older;
		each(arg, entry->data, entry_value(table, entry));
	}
}
