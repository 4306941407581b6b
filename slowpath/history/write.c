/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "slowpath/history/block.h"
#include "slowpath/history/db.h"
#include "slowpath/history/rollup.h"

#define TIER_BLOCKS	 16 /* blocks of a tier that merge into one of the next */
#define BLOCK_US	 (24 * 3600 * 1000000ull) /* maximum time span of a block */
#define CHECKPOINT_PAGES 2048			  /* pages of the log before a checkpoint: 16 MiB */
#define DROP_BLOCKS	 64			  /* maximum blocks dropped in one commit */

/* ---- blocks ---- */

static int compare_order(const void *a, const void *b)
{
	const struct tw_history_arrival *x = a, *y = b;

	if (x->time_us != y->time_us)
		return x->time_us < y->time_us ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* Returns the rows sorted by time; rows of equal time keep their order of arrival. */
static const struct tw_history_row *sort_rows(
	struct tw_history *h, const struct tw_history_row *rows, size_t n)
{
	size_t i = 1;

	while (i < n && rows[i - 1].time_us <= rows[i].time_us)
		i++;
	if (i >= n)
		return rows;
	for (i = 0; i < n; i++)
		h->order[i] = (struct tw_history_arrival){rows[i].time_us, (uint32_t)i};
	qsort(h->order, n, sizeof(h->order[0]), compare_order);
	for (i = 0; i < n; i++)
		h->sorted[i] = rows[h->order[i].index];
	return h->sorted;
}

static int put_part(struct tw_history *h, uint64_t id, const struct tw_buf *part)
{
	sqlite3_bind_int64(h->put_part, 1, (sqlite3_int64)id);
	sqlite3_bind_blob64(h->put_part, 2, part->data, part->len, SQLITE_STATIC);
	return tw_history_db_run(h->put_part);
}

/* Writes the rows of a piece as a block. */
static int put_block(struct tw_history *h, const struct tw_history_piece *piece)
{
	const struct tw_history_row *rows = sort_rows(h, h->rows + piece->start, piece->n);
	const struct tw_buf *part = tw_history_encode(
		h->encoder, rows, piece->n, piece->tier != TW_HISTORY_TIER_FULL);
	uint64_t seq = h->seq - h->n_safe + piece->start + 1;
	int err;

	if (!part)
		return -ENOMEM;
	sqlite3_bind_int64(h->put_block, 1, (sqlite3_int64)piece->id);
	sqlite3_bind_int64(h->put_block, 2, (sqlite3_int64)seq);
	sqlite3_bind_int64(h->put_block, 3, (sqlite3_int64)piece->n);
	sqlite3_bind_int64(h->put_block, 4, (sqlite3_int64)rows[0].time_us);
	sqlite3_bind_int64(h->put_block, 5, (sqlite3_int64)rows[piece->n - 1].time_us);
	sqlite3_bind_int(h->put_block, 6, piece->tier);
	err = tw_history_db_run(h->put_block);
	for (unsigned int c = 0; c < TW_HISTORY_COLUMN__MAX && !err; c++)
		err = put_part(h, piece->id * TW_HISTORY_PARTS + c, &part[c]);
	return err;
}

static int drop_block(struct tw_history *h, uint64_t id)
{
	uint64_t first = id * TW_HISTORY_PARTS, last = first + TW_HISTORY_PARTS - 1;
	int err;

	sqlite3_bind_int64(h->drop_parts, 1, (sqlite3_int64)first);
	sqlite3_bind_int64(h->drop_parts, 2, (sqlite3_int64)last);
	err = tw_history_db_run(h->drop_parts);
	sqlite3_bind_int64(h->drop_block, 1, (sqlite3_int64)id);
	return err ? err : tw_history_db_run(h->drop_block);
}

/* ---- the tail, as the transaction changes it ---- */

/* Removes the pieces of the staged tail from `first` on. */
static int drop_pieces(struct tw_history *h, size_t first)
{
	int err = 0;

	for (size_t i = first; i < h->staged.n && !err; i++)
		err = drop_block(h, h->staged.at[i].id);
	h->staged.n = first;
	return err;
}

static int add_piece(struct tw_history *h, size_t start, size_t n, uint8_t tier, uint64_t *next)
{
	struct tw_history_piece piece = {.id = (*next)++, .start = start, .n = n, .tier = tier};
	int err = put_block(h, &piece);

	if (!err && tier != TW_HISTORY_TIER_FULL)
		err = tw_vec_push(&h->staged, piece);
	return err;
}

/* Merges the last pieces while TIER_BLOCKS of them have the same tier. */
static int merge_tiers(struct tw_history *h, uint64_t *next)
{
	int err = 0;

	while (!err && h->staged.n >= TIER_BLOCKS) {
		size_t first = h->staged.n - TIER_BLOCKS;
		const struct tw_history_piece *p = &h->staged.at[first];
		size_t start = p->start, end;
		uint8_t tier = p->tier;

		if (tier != h->staged.at[h->staged.n - 1].tier || tier >= TW_HISTORY_TIER_BAD - 1)
			break;
		end = h->staged.at[h->staged.n - 1].start + h->staged.at[h->staged.n - 1].n;
		err = drop_pieces(h, first);
		if (!err)
			err = add_piece(h, start, end - start, tier + 1, next);
	}
	return err;
}

/* Returns the number of rows from `start` on for the next block: as many as fit, fewer if they
 * span too much time, 0 if there are not enough yet. */
static size_t block_of(const struct tw_history *h, size_t start)
{
	size_t n = h->n_rows - start;

	if (n >= TW_HISTORY_BLOCK_ROWS)
		return TW_HISTORY_BLOCK_ROWS;
	if (n > 1 && h->rows[h->n_rows - 1].time_us > h->rows[start].time_us + BLOCK_US)
		return n;
	return 0;
}

/* Writes the new rows: full blocks, which replace the tail, and the rest as a new piece of the
 * tail. */
static int put_rows(struct tw_history *h, uint64_t *next)
{
	size_t start = 0, n;
	int err = 0;

	h->staged.n = 0;
	for (size_t i = 0; i < h->tail.n && !err; i++)
		err = tw_vec_push(&h->staged, h->tail.at[i]);
	while (!err && (n = block_of(h, start))) {
		if (!start)
			err = drop_pieces(h, 0);
		if (!err)
			err = add_piece(h, start, n, TW_HISTORY_TIER_FULL, next);
		start += n;
	}
	h->n_finished = start;
	if (start < h->n_safe)
		start = h->n_safe;
	if (!err && start < h->n_rows)
		err = add_piece(h, start, h->n_rows - start, 0, next);
	return err ? err : merge_tiers(h, next);
}

/* ---- rollups ---- */

/* Allocates an entry of `uses` for each name. */
static int make_uses(struct tw_history *h)
{
	const struct tw_history_new_use none = {0};
	int err = 0;

	while (h->uses.n < h->names.next && !err)
		err = tw_vec_push(&h->uses, none);
	return err;
}

static void note_use(struct tw_history *h, const struct tw_history_row *row)
{
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		uint32_t rule = row->rule[dir];
		struct tw_history_new_use *use = rule < h->uses.n ? &h->uses.at[rule] : NULL;

		if (!use || !rule || (dir && rule == row->rule[0]))
			continue;
		use->rows++;
		use->last_us = use->last_us > row->time_us ? use->last_us : row->time_us;
	}
}

/* Adds up the rows of the blocks that the transaction finishes. */
static int add_up(struct tw_history *h)
{
	int err = make_uses(h);

	tw_history_totals_reset(h->totals);
	if (h->uses.n)
		memset(h->uses.at, 0, h->uses.n * sizeof(h->uses.at[0]));
	for (size_t i = 0; i < h->n_finished && !err; i++) {
		err = tw_history_totals_add(h->totals, &h->rows[i]);
		note_use(h, &h->rows[i]);
	}
	return err;
}

static int put_uses(struct tw_history *h)
{
	tw_auto_statement sqlite3_stmt *put = NULL;
	int err = tw_history_db_prepare(h->db,
		"INSERT INTO rule_use(rule, last_us, rows) VALUES(?1, ?2, ?3) ON CONFLICT(rule) DO UPDATE"
		" SET last_us = max(last_us, ?2), rows = rows + ?3",
		&put);

	for (size_t rule = 0; rule < h->uses.n && !err; rule++) {
		const struct tw_history_new_use *use = &h->uses.at[rule];

		if (!use->rows)
			continue;
		sqlite3_bind_int64(put, 1, (sqlite3_int64)rule);
		sqlite3_bind_int64(put, 2, (sqlite3_int64)use->last_us);
		sqlite3_bind_int64(put, 3, (sqlite3_int64)use->rows);
		err = tw_history_db_run(put);
	}
	return err;
}

static int put_rollups(struct tw_history *h)
{
	int err = add_up(h);

	if (!err)
		err = tw_history_rollup_write(h->db, h->encoder, h->totals);
	if (!err)
		err = put_uses(h);
	return err ? err : tw_history_rollup_merge(h->db, h->encoder, h->newest_us);
}

/* ---- limits ---- */

static int used_bytes(struct tw_history *h, uint64_t *ret_bytes)
{
	uint64_t pages = 0, unused = 0, size = 0;
	int err = tw_history_db_number(h->db, "PRAGMA page_count", &pages);

	if (!err)
		err = tw_history_db_number(h->db, "PRAGMA freelist_count", &unused);
	if (!err)
		err = tw_history_db_number(h->db, "PRAGMA page_size", &size);
	if (!err)
		*ret_bytes = (pages - unused) * size;
	return err;
}

/* Drops the oldest finished blocks while the limits are exceeded. */
static int keep_limits(struct tw_history *h, uint64_t *dropped)
{
	tw_auto_statement sqlite3_stmt *oldest = NULL;
	uint64_t bytes = 0;
	int err = used_bytes(h, &bytes);

	if (!err)
		err = tw_history_db_prepare(h->db,
			"SELECT id, n, to_us FROM block WHERE tier = 255 ORDER BY id LIMIT 1",
			&oldest);
	for (int i = 0; i < DROP_BLOCKS && !err; i++) {
		uint64_t id, n, to_us;
		bool old;

		sqlite3_reset(oldest);
		if (sqlite3_step(oldest) != SQLITE_ROW)
			break;
		id = (uint64_t)sqlite3_column_int64(oldest, 0);
		n = (uint64_t)sqlite3_column_int64(oldest, 1);
		to_us = (uint64_t)sqlite3_column_int64(oldest, 2);
		old = h->limits.age_max_us && to_us + h->limits.age_max_us < h->newest_us;
		if (!old && (!h->limits.bytes_max || bytes <= h->limits.bytes_max))
			break;
		sqlite3_reset(oldest);
		err = drop_block(h, id);
		*dropped += n;
		if (!err)
			err = used_bytes(h, &bytes);
	}
	return err;
}

/* ---- commit ---- */

static int put_marks(struct tw_history *h)
{
	tw_auto_statement sqlite3_stmt *put = NULL;
	int err = tw_history_db_prepare(
		h->db, "INSERT OR REPLACE INTO mark(source, value) VALUES(?, ?)", &put);

	tw_vec_foreach (&h->marks, mark) {
		if (err)
			break;
		if (mark->stored)
			continue;
		sqlite3_bind_text(put, 1, mark->source, -1, SQLITE_STATIC);
		sqlite3_bind_int64(put, 2, (sqlite3_int64)mark->value);
		err = tw_history_db_run(put);
	}
	return err;
}

static int write_all(struct tw_history *h, uint64_t *next, uint64_t *dropped)
{
	int err = tw_history_names_store(&h->names, h->db);

	if (!err)
		err = put_rows(h, next);
	if (!err)
		err = put_marks(h);
	if (!err && h->n_finished)
		err = put_rollups(h);
	if (!err && h->n_finished)
		err = keep_limits(h, dropped);
	if (!err)
		err = tw_history_db_set(h->db, "seq", h->seq + h->n_rows - h->n_safe);
	if (!err)
		err = tw_history_db_set(h->db, "next-block", *next);
	return err ? err : tw_history_db_exec(h->db, "COMMIT");
}

/* Updates the memory after the transaction was committed. */
static void take_over(struct tw_history *h, uint64_t next, uint64_t dropped)
{
	h->seq += h->n_rows - h->n_safe;
	h->next_block = next;
	h->n_rows -= h->n_finished;
	memmove(h->rows, h->rows + h->n_finished, h->n_rows * sizeof(h->rows[0]));
	h->n_safe = h->n_rows;
	h->tail.n = 0;
	tw_vec_foreach (&h->staged, piece) {
		piece->start -= h->n_finished;
		h->tail.at[h->tail.n++] = *piece;
	}
	tw_vec_foreach (&h->marks, mark)
		mark->stored = true;
	tw_history_names_stored(&h->names);
	h->state.rows_dropped += dropped;
}

static bool has_news(const struct tw_history *h)
{
	if (h->n_rows > h->n_safe || h->names.n_stored < h->names.texts.n)
		return true;
	tw_vec_foreach (&h->marks, mark)
		if (!mark->stored)
			return true;
	return false;
}

static void note_result(struct tw_history *h, int err)
{
	if (err && !h->state.failing)
		h->state.failing_since_ns = tw_clock_ns();
	h->state.failing = err;
}

/* Writes a long log back into the file. A failure is tried again after the next commit. */
static void write_back(struct tw_history *h)
{
	if (h->log_pages < CHECKPOINT_PAGES)
		return;
	if (!sqlite3_wal_checkpoint_v2(h->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL))
		h->log_pages = 0;
}

int tw_history_commit(struct tw_history *h, uint64_t *ret_seq)
{
	uint64_t next = h->next_block, dropped = 0;
	int err = 0;

	if (has_news(h)) {
		/* Memory for the new tail is reserved now, because nothing may fail after
		 * COMMIT. */
		err = tw_vec_reserve_(
			(void **)&h->tail.at, &h->tail.max, h->tail.n + 2, sizeof(h->tail.at[0]));
		if (!err)
			err = tw_history_db_exec(h->db, "BEGIN IMMEDIATE");
		if (!err)
			err = write_all(h, &next, &dropped);
		if (err)
			sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL);
		else
			take_over(h, next, dropped);
		note_result(h, err);
	}
	write_back(h);
	if (!err && ret_seq)
		*ret_seq = h->seq;
	return err;
}

/* ---- appending ---- */

int tw_history_append(struct tw_history *h, const struct tw_history_row *rows, size_t n)
{
	if (n > TW_HISTORY_PENDING_MAX - (h->n_rows - h->n_safe))
		return h->state.failing ? h->state.failing : -ENOBUFS;
	memcpy(h->rows + h->n_rows, rows, n * sizeof(rows[0]));
	for (size_t i = 0; i < n; i++)
		if (rows[i].time_us > h->newest_us)
			h->newest_us = rows[i].time_us;
	h->n_rows += n;
	return 0;
}

int tw_history_name(
	struct tw_history *h, enum tw_history_noun noun, const char *text, uint32_t *ret_name)
{
	return tw_history_names_find(&h->names, noun, text, ret_name);
}

int tw_history_mark_source(struct tw_history *h, const char *source, uint64_t value)
{
	struct tw_history_mark mark = {.value = value};
	int err;

	tw_vec_foreach (&h->marks, m)
		if (!strcmp(m->source, source)) {
			m->stored = m->stored && m->value == value;
			m->value = value;
			return 0;
		}
	mark.source = tw_strdup(source);
	err = mark.source ? tw_vec_push(&h->marks, mark) : -ENOMEM;
	if (err)
		free(mark.source);
	return err;
}

uint64_t tw_history_marked(const struct tw_history *h, const char *source)
{
	tw_vec_foreach (&h->marks, m)
		if (!strcmp(m->source, source))
			return m->value;
	return 0;
}

void tw_history_get_progress(const struct tw_history *h, struct tw_history_state *ret_state)
{
	ret_state->seq = h->seq;
	ret_state->pending = h->n_rows - h->n_safe;
	ret_state->failing = h->state.failing;
	ret_state->failing_since_ns = h->state.failing_since_ns;
	ret_state->rows_dropped = h->state.rows_dropped;
	ret_state->damaged = h->state.damaged;
}

void tw_history_get_state(struct tw_history *h, struct tw_history_state *ret_state)
{
	uint64_t oldest = 0;

	h->state.seq = h->seq;
	h->state.pending = h->n_rows - h->n_safe;
	used_bytes(h, &h->state.bytes);
	tw_history_db_number(h->db, "SELECT count(*) FROM block", &h->state.blocks);
	tw_history_db_number(h->db, "SELECT coalesce(sum(n), 0) FROM block", &h->state.rows);
	tw_history_db_number(h->db, "SELECT coalesce(min(from_us), 0) FROM block", &oldest);
	h->state.oldest_us = oldest;
	*ret_state = h->state;
}
