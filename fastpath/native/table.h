/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table.h: a hash table of fixed-size keys and values, in place of a BPF map.
 *
 * What:       keys are compared bytewise, as in the kernel; values keep their address until they
 *             are deleted or the table is cleared.
 * Bounds:     at most `max` entries; the cost of clearing depends on the entries used.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct tw_table_entry;

struct tw_table {
	size_t key_size;
	size_t value_size;
	size_t max;
	size_t n;
	size_t n_buckets; /* power of 2 */
	struct tw_table_entry **buckets;
	struct tw_table_entry *used;  /* all entries, newest first */
	struct tw_table_entry *spare; /* memory of deleted entries */
};

int tw_table_init(struct tw_table *table, size_t key_size, size_t value_size, size_t max);
void tw_table_done(struct tw_table *table);
void *tw_table_lookup(const struct tw_table *table, const void *key);
/* Stores a copy. 0; -EEXIST if the key exists and `only_new`; -E2BIG if full; -ENOMEM. */
int tw_table_update(struct tw_table *table, const void *key, const void *value, int only_new);
int tw_table_delete(struct tw_table *table, const void *key); /* 0 or -ENOENT */
void tw_table_clear(struct tw_table *table);
/* Calls `each` for every entry, newest first. */
void tw_table_each(const struct tw_table *table,
	void (*each)(void *arg, const void *key, void *value), void *arg);
