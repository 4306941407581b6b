/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/rank.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

#define SLOTS_MIN 1024

/* Counters of a connection at the last walk. hash 0 means a free slot. */
struct memory {
	uint64_t hash;
	uint64_t packets[TW_WAY__MAX];
	uint64_t bytes[TW_WAY__MAX];
};

/* Hash table with open addressing; its size is a power of two, at most three quarters full. */
struct memories {
	struct memory *slots;
	size_t n_slots;
	size_t n;
};

/* The largest rows so far, as a heap with the smallest first. */
struct best {
	struct tw_rank_row *rows;
	size_t n;
	uint64_t (*of)(const struct tw_rank_row *row);
};

struct tw_rank {
	size_t limit;
	uint64_t seed; /* random, because guests choose keys and must not choose hashes */
	uint32_t now;
	uint32_t before; /* tick of the previous walk */
	bool begun;	 /* there was a previous walk */
	bool compares;
	struct memories old;
	struct memories young;
	struct best by_bytes;
	struct best by_packets;
	struct tw_rank_row *rows; /* rows of both rankings, without duplicates */
	struct tw_rank_sums sums;
};

static uint64_t bytes_of(const struct tw_rank_row *row)
{
	return row->bytes[TW_WAY_ORIGINAL] + row->bytes[TW_WAY_REPLY];
}

static uint64_t packets_of(const struct tw_rank_row *row)
{
	return row->packets[TW_WAY_ORIGINAL] + row->packets[TW_WAY_REPLY];
}

int tw_rank_new(size_t limit, struct tw_rank **ret)
{
	tw_auto(tw_rank) struct tw_rank *rank = tw_alloc(sizeof(*rank));

	if (!rank)
		return -ENOMEM;
	rank->limit = limit;
	if (getrandom(&rank->seed, sizeof(rank->seed), 0) != sizeof(rank->seed))
		return -EIO;
	rank->by_bytes.of = bytes_of;
	rank->by_packets.of = packets_of;
	rank->by_bytes.rows = tw_alloc_array(limit, sizeof(*rank->rows));
	rank->by_packets.rows = tw_alloc_array(limit, sizeof(*rank->rows));
	rank->rows = tw_alloc_array(2 * limit, sizeof(*rank->rows));
	if (!rank->by_bytes.rows || !rank->by_packets.rows || !rank->rows)
		return -ENOMEM;
	*ret = TW_TAKE_PTR(rank);
	return 0;
}

void tw_rank_free(struct tw_rank *rank)
{
	if (!rank)
		return;
	free(rank->old.slots);
	free(rank->young.slots);
	free(rank->by_bytes.rows);
	free(rank->by_packets.rows);
	free(rank->rows);
	free(rank);
}

/* ---- remembering ---- */

static uint64_t hash_key(const struct tw_rank *rank, const struct tw_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], hash = rank->seed;

	memcpy(words, key, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return hash ? hash : 1;
}

/* Returns the slot of a hash, or the free one for it. */
static struct memory *slot_of(const struct memories *memories, uint64_t hash)
{
	size_t at = hash & (memories->n_slots - 1);

	while (memories->slots[at].hash && memories->slots[at].hash != hash)
		at = (at + 1) & (memories->n_slots - 1);
	return &memories->slots[at];
}

static int grow(struct memories *memories)
{
	struct memories larger = {
		.n_slots = memories->n_slots ? 2 * memories->n_slots : SLOTS_MIN, .n = memories->n};

	larger.slots = tw_alloc_array(larger.n_slots, sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < memories->n_slots; i++)
		if (memories->slots[i].hash)
			*slot_of(&larger, memories->slots[i].hash) = memories->slots[i];
	free(memories->slots);
	*memories = larger;
	return 0;
}

static int remember(struct memories *memories, uint64_t hash, const struct tw_conn *conn)
{
	struct memory *slot;

	if (memories->n >= TW_RANK_MAX)
		return 0;
	if (4 * memories->n >= 3 * memories->n_slots && grow(memories) < 0)
		return -ENOMEM;
	slot = slot_of(memories, hash);
	memories->n += !slot->hash;
	slot->hash = hash;
	memcpy(slot->packets, conn->packets, sizeof(slot->packets));
	memcpy(slot->bytes, conn->bytes, sizeof(slot->bytes));
	return 0;
}

/* ---- ranking ---- */

static void swap_rows(struct tw_rank_row *a, struct tw_rank_row *b)
{
	struct tw_rank_row row = *a;

	*a = *b;
	*b = row;
}

static void sift_down(struct best *best)
{
	size_t at = 0, child;

	while ((child = 2 * at + 1) < best->n) {
		if (child + 1 < best->n &&
			best->of(&best->rows[child + 1]) < best->of(&best->rows[child]))
			child++;
		if (best->of(&best->rows[at]) <= best->of(&best->rows[child]))
			return;
		swap_rows(&best->rows[at], &best->rows[child]);
		at = child;
	}
}

static void sift_up(struct best *best)
{
	for (size_t at = best->n - 1; at; at = (at - 1) / 2) {
		size_t parent = (at - 1) / 2;

		if (best->of(&best->rows[parent]) <= best->of(&best->rows[at]))
			return;
		swap_rows(&best->rows[parent], &best->rows[at]);
	}
}

static void offer(struct best *best, size_t limit, const struct tw_rank_row *row)
{
	if (best->n < limit) {
		best->rows[best->n++] = *row;
		sift_up(best);
	} else if (limit && best->of(row) > best->of(&best->rows[0])) {
		best->rows[0] = *row;
		sift_down(best);
	}
}

/* Computes the traffic since the previous walk. False if there was none, or it is unknown. */
static bool measure(const struct tw_conn *conn, const struct memory *known, bool opened,
	struct tw_rank_row *row)
{
	static const struct memory none;
	uint64_t moved = 0;

	if (!known && !opened)
		return false;
	if (!known)
		known = &none;
	for (int way = 0; way < TW_WAY__MAX; way++) {
		/* If the counters fell, another connection has the key now; all its traffic is
		 * new. */
		bool same = conn->packets[way] >= known->packets[way] &&
			    conn->bytes[way] >= known->bytes[way];

		row->packets[way] = conn->packets[way] - (same ? known->packets[way] : 0);
		row->bytes[way] = conn->bytes[way] - (same ? known->bytes[way] : 0);
		moved += row->packets[way];
	}
	return moved != 0;
}

void tw_rank_begin(struct tw_rank *rank, uint32_t now_tick)
{
	struct memories old = rank->old;

	rank->old = rank->young;
	rank->young = old;
	rank->young.n = 0;
	if (old.slots)
		memset(old.slots, 0, old.n_slots * sizeof(*old.slots));
	rank->compares = rank->begun;
	rank->begun = true;
	rank->before = rank->now;
	rank->now = now_tick;
	rank->by_bytes.n = rank->by_packets.n = 0;
	rank->sums = (struct tw_rank_sums){0};
}

int tw_rank_meet(struct tw_rank *rank, const struct tw_key *key, const struct tw_conn *conn)
{
	struct tw_rank_row row;
	struct memory *known = NULL;
	bool opened;

	rank->sums.live++;
	if ((int32_t)(rank->now - conn->seen) > TW_RANK_MEMORY_S * TW_TICKS_PER_SECOND)
		return 0;
	row.hash = hash_key(rank, key);
	if (rank->old.n)
		known = slot_of(&rank->old, row.hash);
	if (known && !known->hash)
		known = NULL;
	opened = rank->compares && !known &&
		 rank->now - conn->created + TW_TICKS_AHEAD <=
			 rank->now - rank->before + TW_TICKS_AHEAD;
	rank->sums.opened += opened;
	if (rank->compares && measure(conn, known, opened, &row)) {
		row.key = *key;
		row.conn = *conn;
		rank->sums.moved++;
		offer(&rank->by_bytes, rank->limit, &row);
		offer(&rank->by_packets, rank->limit, &row);
	}
	return remember(&rank->young, row.hash, conn) < 0 ? -ENOMEM : opened;
}

static int by_bytes_first(const void *a, const void *b)
{
	uint64_t x = bytes_of(a), y = bytes_of(b);

	return x == y ? 0 : x > y ? -1 : 1;
}

static bool has_row(const struct best *best, uint64_t hash)
{
	for (size_t i = 0; i < best->n; i++)
		if (best->rows[i].hash == hash)
			return true;
	return false;
}

size_t tw_rank_end(
	struct tw_rank *rank, const struct tw_rank_row **ret_rows, struct tw_rank_sums *ret_sums)
{
	size_t n = rank->by_bytes.n;

	memcpy(rank->rows, rank->by_bytes.rows, n * sizeof(*rank->rows));
	for (size_t i = 0; i < rank->by_packets.n; i++)
		if (!has_row(&rank->by_bytes, rank->by_packets.rows[i].hash))
			rank->rows[n++] = rank->by_packets.rows[i];
	qsort(rank->rows, n, sizeof(*rank->rows), by_bytes_first);
	*ret_rows = rank->rows;
	*ret_sums = rank->sums;
	return n;
}
