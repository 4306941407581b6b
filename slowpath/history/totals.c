/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/totals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "slowpath/history/sum.h"

#define SECOND_US   1000000ull
#define MINUTE	    60ull
#define FIRST_SLOTS 4096u

struct tw_history_totals {
	struct tw_history_entry *at;
	uint64_t *slot; /* hash << 32 | 1 + index of an entry; 0: free */
	size_t n, max, n_slots;
};

struct tw_history_totals *tw_history_totals_new(void)
{
	struct tw_history_totals *t = tw_alloc(sizeof(*t));

	if (!t)
		return NULL;
	t->slot = tw_alloc_array(FIRST_SLOTS, sizeof(t->slot[0]));
	t->n_slots = FIRST_SLOTS;
	if (t->slot)
		return t;
	free(t);
	return NULL;
}

void tw_history_totals_free(struct tw_history_totals *t)
{
	if (!t)
		return;
	free(t->at);
	free(t->slot);
	free(t);
}

void tw_history_totals_reset(struct tw_history_totals *t)
{
	memset(t->slot, 0, t->n_slots * sizeof(t->slot[0]));
	t->n = 0;
}

static uint32_t hash_of(const struct tw_history_entry *e)
{
	uint64_t hash = tw_history_mix(tw_history_mix(e->total.key.hi, e->total.key.lo),
		e->minute << 34 | (uint64_t)e->dimension << 32 | e->total.name);

	return (uint32_t)(hash >> 32);
}

static bool is_of(const struct tw_history_entry *a, const struct tw_history_entry *b)
{
	return !tw_history_key_compare(a->total.key, b->total.key) &&
	       a->total.name == b->total.name && a->minute == b->minute &&
	       a->dimension == b->dimension;
}

/* Returns the slot of a key, or the free slot where it would be stored. */
static size_t slot_of(
	const struct tw_history_totals *t, const struct tw_history_entry *e, uint32_t hash)
{
	size_t at = hash & (t->n_slots - 1);

	for (; t->slot[at]; at = (at + 1) & (t->n_slots - 1))
		if (t->slot[at] >> 32 == hash && is_of(&t->at[(uint32_t)t->slot[at] - 1], e))
			break;
	return at;
}

static uint64_t slot_value(size_t index, uint32_t hash)
{
	return (uint64_t)hash << 32 | (index + 1);
}

static int grow(struct tw_history_totals *t)
{
	if (t->n == t->max) {
		size_t max = t->max ? 2 * t->max : 1024;
		struct tw_history_entry *at = tw_realloc(t->at, max * sizeof(*at));

		if (!at)
			return -ENOMEM;
		t->at = at;
		t->max = max;
	}
	if (2 * t->n >= t->n_slots) {
		uint64_t *slot = tw_alloc_array(2 * t->n_slots, sizeof(*slot));

		if (!slot)
			return -ENOMEM;
		free(t->slot);
		t->slot = slot;
		t->n_slots *= 2;
		for (size_t i = 0; i < t->n; i++) {
			uint32_t hash = hash_of(&t->at[i]);

			t->slot[slot_of(t, &t->at[i], hash)] = slot_value(i, hash);
		}
	}
	return 0;
}

void tw_history_sums_add(struct tw_history_sums *to, const struct tw_history_sums *more)
{
	to->connections += more->connections;
	to->denials += more->denials;
	for (int way = 0; way < TW_WAY__MAX; way++) {
		to->packets[way] += more->packets[way];
		to->bytes[way] += more->bytes[way];
	}
}

int tw_history_totals_add_entry(struct tw_history_totals *t, const struct tw_history_entry *e)
{
	uint32_t hash = hash_of(e);
	size_t at = slot_of(t, e, hash);
	int err;

	if (t->slot[at]) {
		tw_history_sums_add(&t->at[(uint32_t)t->slot[at] - 1].total.sums, &e->total.sums);
		return 0;
	}
	err = grow(t);
	if (err)
		return err;
	at = slot_of(t, e, hash);
	t->slot[at] = slot_value(t->n, hash);
	t->at[t->n++] = *e;
	return 0;
}

uint32_t tw_history_rule_of(const struct tw_history_row *row)
{
	uint8_t out = row->gate_verdict[TW_DIR_OUT];

	if (row->gate_verdict[TW_DIR_IN] == TW_V_NONE || (out != TW_V_NONE && out != TW_V_ALLOW))
		return row->rule[TW_DIR_OUT];
	return row->rule[TW_DIR_IN];
}

static void set_key(
	struct tw_history_entry *e, const struct tw_history_row *row, unsigned int dimension)
{
	e->dimension = (uint8_t)dimension;
	e->total.key = (struct tw_history_key){0};
	e->total.name = 0;
	switch (dimension) {
	case TW_HISTORY_BY_SOURCE:
	case TW_HISTORY_BY_DESTINATION:
		e->total.key = tw_history_key_of_addr(&row->addr[dimension - TW_HISTORY_BY_SOURCE]);
		e->total.name = row->workload[dimension - TW_HISTORY_BY_SOURCE];
		break;
	case TW_HISTORY_BY_SERVICE:
		e->total.key.lo = (uint64_t)row->proto << 16 | row->port[TW_DIR_IN];
		break;
	default:
		e->total.name = tw_history_rule_of(row);
		break;
	}
}

static struct tw_history_sums sums_of(const struct tw_history_row *row)
{
	bool denial = row->kind == TW_HISTORY_DENY;

	return (struct tw_history_sums){.connections = !denial,
		.denials = denial,
		.packets = {row->packets[0], row->packets[1]},
		.bytes = {row->bytes[0], row->bytes[1]}};
}

int tw_history_totals_add(struct tw_history_totals *t, const struct tw_history_row *row)
{
	uint64_t seconds = row->time_us / SECOND_US;
	struct tw_history_entry e = {
		.total.sums = sums_of(row), .minute = seconds - seconds % MINUTE};
	int err = 0;

	if (row->kind == TW_HISTORY_LIVE)
		return 0;
	for (unsigned int d = 0; d < TW_HISTORY_DIMENSION__MAX && !err; d++) {
		set_key(&e, row, d);
		err = tw_history_totals_add_entry(t, &e);
	}
	return err;
}

int tw_history_totals_add_to(struct tw_history_totals *t, enum tw_history_dimension dimension,
	const struct tw_history_row *row)
{
	struct tw_history_entry e = {.total.sums = sums_of(row)};

	if (row->kind == TW_HISTORY_LIVE)
		return 0;
	set_key(&e, row, dimension);
	return tw_history_totals_add_entry(t, &e);
}

size_t tw_history_totals_n(const struct tw_history_totals *t)
{
	return t->n;
}

const struct tw_history_total *tw_history_totals_at(const struct tw_history_totals *t, size_t i)
{
	return &t->at[i].total;
}

/* ---- sorting ---- */

/* Returns the weight that decides which keys are kept: bytes, and 1,000 for each row. */
static uint64_t weight_of(const struct tw_history_sums *s)
{
	return s->bytes[0] + s->bytes[1] + 1000 * (s->connections + s->denials);
}

static int compare_entries(const void *a, const void *b)
{
	const struct tw_history_entry *x = *(const struct tw_history_entry *const *)a,
				      *y = *(const struct tw_history_entry *const *)b;
	uint64_t w, v;

	if (x->dimension != y->dimension)
		return x->dimension < y->dimension ? -1 : 1;
	if (x->minute != y->minute)
		return x->minute < y->minute ? -1 : 1;
	w = weight_of(&x->total.sums);
	v = weight_of(&y->total.sums);
	return w > v ? -1 : w < v;
}

const struct tw_history_entry **tw_history_totals_sort(const struct tw_history_totals *t)
{
	const struct tw_history_entry **sorted = tw_alloc_array(
		t->n + 1, sizeof(struct tw_history_entry *));

	for (size_t i = 0; i < t->n && sorted; i++)
		sorted[i] = &t->at[i];
	if (sorted)
		qsort(sorted, t->n, sizeof(struct tw_history_entry *), compare_entries);
	return sorted;
}
