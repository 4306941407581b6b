/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* totals.h: rows added up in memory, for each source, destination, service and rule.
 *
 * Callers:    rollup.c, write.c and read.c, each thread with totals of its own.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "slowpath/history/block.h"

enum tw_history_dimension {
	TW_HISTORY_BY_SOURCE,
	TW_HISTORY_BY_DESTINATION,
	TW_HISTORY_BY_SERVICE,
	TW_HISTORY_BY_RULE,
	TW_HISTORY_DIMENSION__MAX
};

/* Sums of rows. Counters are indexed by enum tw_way. */
struct tw_history_sums {
	uint64_t connections, denials;
	uint64_t packets[TW_WAY__MAX];
	uint64_t bytes[TW_WAY__MAX];
};

/* A key with its sums. */
struct tw_history_total {
	struct tw_history_key key; /* address; service as in block.h; rule: none */
	uint32_t name;		   /* name of the workload or the rule; UINT32_MAX: all others */
	struct tw_history_sums sums;
};

#define TW_HISTORY_OTHERS UINT32_MAX

/* Totals by minute, dimension and key. */
struct tw_history_totals;

struct tw_history_totals *tw_history_totals_new(void); /* NULL if out of memory */
void tw_history_totals_free(struct tw_history_totals *totals);
void tw_history_totals_reset(struct tw_history_totals *totals); /* empties, keeps memory */

/* Adds a row to the totals of its minute, in all dimensions. Returns 0 or -ENOMEM. */
int tw_history_totals_add(struct tw_history_totals *totals, const struct tw_history_row *row);

/* Adds a row to the totals of one dimension, whatever its minute. Returns 0 or -ENOMEM. */
int tw_history_totals_add_to(struct tw_history_totals *totals, enum tw_history_dimension dimension,
	const struct tw_history_row *row);

/* Returns the number of totals, and one of them. They have no order. */
size_t tw_history_totals_n(const struct tw_history_totals *totals);
const struct tw_history_total *tw_history_totals_at(
	const struct tw_history_totals *totals, size_t i);

/* Returns the name of the rule that decided a row: for a denial, the rule at the end that denied;
 * for an allowed connection, the rule at the destination's end, if that end decided. */
uint32_t tw_history_rule_of(const struct tw_history_row *row);

/* ---- for rollup.c ---- */

/* A total of a minute. */
struct tw_history_entry {
	struct tw_history_total total;
	uint64_t minute; /* Unix time in seconds; 0 where minutes are merged */
	uint8_t dimension;
};

void tw_history_sums_add(struct tw_history_sums *to, const struct tw_history_sums *more);

/* Adds an entry. Returns 0 or -ENOMEM. */
int tw_history_totals_add_entry(
	struct tw_history_totals *totals, const struct tw_history_entry *entry);

/* Returns all entries, sorted by dimension, minute and weight, for the caller to free; NULL if out of
 * memory. They are valid until something is added. */
const struct tw_history_entry **tw_history_totals_sort(const struct tw_history_totals *totals);
