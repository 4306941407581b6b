/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/read.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/vec.h"
#include "slowpath/history/cursor.h"
#include "slowpath/history/db.h"
#include "slowpath/history/filter.h"
#include "slowpath/history/rollup.h"

#define MINUTE_US 60000000ull

struct block {
	uint64_t id, from_us, to_us;
	uint32_t n;
};

/* A row that may be part of the answer. */
struct candidate {
	uint64_t time_us;
	uint32_t block; /* index in `blocks` */
	uint32_t row;
	uint32_t place; /* index in the answer */
};

struct tw_history_reader {
	sqlite3 *db;
	struct tw_history_cursor cursor;
	struct tw_history_match match;
	TW_VEC(struct block) blocks;
	TW_VEC(char *) texts; /* by name; NULL: not looked up */
	/* Sorted candidates: the best so far, those of the current block, and both merged. */
	struct candidate *best, *more, *merged;
	uint32_t n_best;
	bool only_tail; /* skip finished blocks */
	bool held;	/* the caller of the query holds a transaction */
	TW_VEC(struct tw_history_damage) damage;
};

int tw_history_reader_open(
	const char *path, struct tw_history_reader **ret_reader, struct tw_err *err)
{
	struct tw_history_reader *r = tw_alloc(sizeof(*r));
	int code;

	if (!r)
		return tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
	code = tw_history_db_open(path, false, &r->db, err);
	if (!code && tw_history_cursor_init(&r->cursor, r->db))
		code = tw_err_set(err, -ENOMEM, path, NULL, "out of memory");
	if (code)
		tw_history_reader_free(r);
	else
		*ret_reader = r;
	return code;
}

void tw_history_reader_free(struct tw_history_reader *r)
{
	if (!r)
		return;
	tw_history_cursor_done(&r->cursor);
	sqlite3_close(r->db);
	tw_vec_foreach (&r->texts, text)
		free(*text);
	tw_vec_done(&r->texts);
	tw_vec_done(&r->blocks);
	tw_vec_done(&r->damage);
	free(r);
}

void tw_history_result_done(struct tw_history_result *result)
{
	free(result->rows);
	free(result->totals);
	free(result->damage);
	*result = (struct tw_history_result){0};
}

/* ---- blocks ---- */

/* Lists the blocks within a time, in the order of the wanted rows; only those of the tail if
 * `only_tail`. */
static int list_blocks(struct tw_history_reader *r, const struct tw_history_filter *f,
	bool oldest_first, bool only_tail)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int result,
		err = tw_history_db_prepare(r->db,
			oldest_first
				? "SELECT id, n, from_us, to_us FROM block WHERE to_us >= ?1"
				  " AND from_us < ?2 AND tier < ?3 ORDER BY from_us, id"
				: "SELECT id, n, from_us, to_us FROM block WHERE to_us >= ?1"
				  " AND from_us < ?2 AND tier < ?3 ORDER BY to_us DESC, id DESC",
			&get);

	r->blocks.n = 0;
	if (err)
		return err;
	sqlite3_bind_int64(get, 1, (sqlite3_int64)f->since_us);
	sqlite3_bind_int64(get, 2, f->until_us ? (sqlite3_int64)f->until_us : INT64_MAX);
	sqlite3_bind_int64(get, 3, only_tail ? TW_HISTORY_TIER_BAD : TW_HISTORY_TIER_FULL + 1);
	while (!err && (result = sqlite3_step(get)) == SQLITE_ROW) {
		struct block block = {.id = (uint64_t)sqlite3_column_int64(get, 0),
			.n = (uint32_t)sqlite3_column_int64(get, 1),
			.from_us = (uint64_t)sqlite3_column_int64(get, 2),
			.to_us = (uint64_t)sqlite3_column_int64(get, 3)};

		err = tw_vec_push(&r->blocks, block);
	}
	return err ? err : tw_history_db_errno(r->db, result);
}

static int note_damage(struct tw_history_reader *r, const struct block *block)
{
	struct tw_history_damage damage = {.block = block->id,
		.column = r->cursor.column,
		.from_us = block->from_us,
		.to_us = block->to_us,
		.rows = block->n};

	return tw_vec_push(&r->damage, damage);
}

/* Matches a block. Returns 0 with the number of rows in `ret_n` and their mask in r->match, or a negative errno. A
 * damaged block matches nothing. */
static int match_block(struct tw_history_reader *r, const struct tw_history_filter *f,
	const struct block *block, uint32_t *ret_n, uint64_t *blocks_read)
{
	bool whole = block->from_us >= f->since_us && (!f->until_us || block->to_us < f->until_us);
	int err;

	*ret_n = 0;
	if (!block->n || block->n > TW_HISTORY_BLOCK_ROWS)
		return note_damage(r, block);
	tw_history_cursor_go(&r->cursor, block->id, block->n);
	err = tw_history_match_keys(&r->match, &r->cursor);
	if (!err && r->match.possible) {
		++*blocks_read;
		err = tw_history_match_rows(&r->match, &r->cursor, whole ? NULL : f, ret_n);
	}
	return err == -EBADMSG ? note_damage(r, block) : err;
}

/* ---- rows ---- */

static bool is_before(const struct candidate *a, const struct candidate *b, bool oldest_first)
{
	return oldest_first ? a->time_us < b->time_us : a->time_us > b->time_us;
}

/* Lists matching rows of a block in r->more, as many as may be in the answer. */
static int list_rows(struct tw_history_reader *r, uint32_t block, const struct tw_history_query *q,
	uint32_t *ret_n)
{
	uint32_t n_rows = r->blocks.at[block].n, group = UINT32_MAX, n = 0;
	const uint64_t *time = NULL;
	int err = 0;

	for (uint32_t i = 0; i < n_rows && n < q->limit; i++) {
		struct candidate c = {.block = block, .row = q->oldest_first ? i : n_rows - 1 - i};

		if (!r->match.mask[c.row])
			continue;
		if (!time || group != c.row / TW_HISTORY_GROUP_ROWS) {
			group = c.row / TW_HISTORY_GROUP_ROWS;
			time = tw_history_cursor_group(&r->cursor, TW_HISTORY_TIME, group, &err);
			if (!time)
				return err;
		}
		c.time_us = time[c.row % TW_HISTORY_GROUP_ROWS];
		if (r->n_best == q->limit &&
			!is_before(&c, &r->best[r->n_best - 1], q->oldest_first))
			break;
		r->more[n++] = c;
	}
	*ret_n = n;
	return 0;
}

static void merge_rows(
	struct tw_history_reader *r, uint32_t n_more, const struct tw_history_query *q)
{
	struct candidate *old = r->best;
	uint32_t n = 0, i = 0, j = 0;

	while (n < q->limit && (i < r->n_best || j < n_more)) {
		bool take_more = i == r->n_best ||
				 (j < n_more &&
					 is_before(&r->more[j], &r->best[i], q->oldest_first));

		r->merged[n++] = take_more ? r->more[j++] : r->best[i++];
	}
	r->best = r->merged;
	r->merged = old;
	r->n_best = n;
}

/* True if no row of the block or of those after it can be in the answer. */
static bool is_beyond(const struct tw_history_reader *r, const struct block *block,
	const struct tw_history_query *q)
{
	const struct candidate edge = {.time_us = q->oldest_first ? block->from_us : block->to_us};

	return r->n_best == q->limit &&
	       (!q->limit || !is_before(&edge, &r->best[r->n_best - 1], q->oldest_first));
}

static int compare_places(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->block != y->block)
		return x->block < y->block ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* Reads the rows of the candidates, block by block, into their places. Rows of damaged blocks are left out. */
static int fetch_rows(struct tw_history_reader *r, struct tw_history_result *result)
{
	uint32_t n = r->n_best, *index = tw_alloc_array(n + 1, sizeof(*index)), kept = 0;
	struct tw_history_row *rows = tw_alloc_array(n + 1, sizeof(*rows));
	bool *missing = tw_alloc_array(n + 1, sizeof(*missing));
	int err = index && rows && missing ? 0 : -ENOMEM;

	result->rows = tw_alloc_array(n + 1, sizeof(result->rows[0]));
	if (!result->rows)
		err = -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		r->best[i].place = i;
	qsort(r->best, n, sizeof(r->best[0]), compare_places);
	for (uint32_t i = 0, len; i < n && !err; i += len) {
		const struct block *block = &r->blocks.at[r->best[i].block];

		for (len = 0; i + len < n && r->best[i + len].block == r->best[i].block; len++)
			index[len] = r->best[i + len].row;
		tw_history_cursor_go(&r->cursor, block->id, block->n);
		err = tw_history_cursor_rows(&r->cursor, TW_HISTORY_ALL_COLUMNS, index, len, rows);
		for (uint32_t k = 0; k < len; k++) {
			missing[r->best[i + k].place] = err != 0;
			result->rows[r->best[i + k].place] = rows[k];
		}
		if (err == -EBADMSG)
			err = note_damage(r, block);
	}
	for (uint32_t i = 0; i < n && !err; i++)
		if (!missing[i])
			result->rows[kept++] = result->rows[i];
	result->n = kept;
	free(index);
	free(rows);
	free(missing);
	return err;
}

static int scan(struct tw_history_reader *r, const struct tw_history_query *q,
	struct tw_history_result *result)
{
	int err = list_blocks(r, &q->filter, q->oldest_first, r->only_tail);

	result->blocks = r->blocks.n;
	for (uint32_t i = 0; i < r->blocks.n && !err; i++) {
		const struct block *block = &r->blocks.at[i];
		bool beyond = is_beyond(r, block, q);
		uint32_t n, n_more = 0;

		if (beyond && !q->count)
			break;
		err = match_block(r, &q->filter, block, &n, &result->blocks_read);
		result->matched += n;
		if (err || !n || beyond)
			continue;
		err = list_rows(r, i, q, &n_more);
		if (err == -EBADMSG)
			err = note_damage(r, block);
		else if (!err)
			merge_rows(r, n_more, q);
	}
	return err ? err : fetch_rows(r, result);
}

/* Ends a query: releases the database, and adds the damage found to the answer. */
static int finish(struct tw_history_reader *r, int err, struct tw_history_result *result)
{
	tw_history_cursor_rest(&r->cursor);
	if (!r->held)
		sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
	if (!err && r->damage.n) {
		result->damage = r->damage.at;
		result->n_damage = r->damage.n;
		r->damage.at = NULL;
		r->damage.n = r->damage.max = 0;
	}
	if (err)
		tw_history_result_done(result);
	return err;
}

static int begin(struct tw_history_reader *r, const struct tw_history_filter *filter,
	struct tw_history_result *result)
{
	int err;

	*result = (struct tw_history_result){0};
	r->damage.n = 0;
	err = r->held ? 0 : tw_history_db_exec(r->db, "BEGIN");
	return err ? err : tw_history_match_init(&r->match, r->db, filter);
}

int tw_history_select(struct tw_history_reader *r, const struct tw_history_query *query,
	struct tw_history_result *ret_result)
{
	struct tw_history_query q = *query;
	int err;

	if (q.limit > TW_HISTORY_LIMIT_MAX)
		q.limit = TW_HISTORY_LIMIT_MAX;
	r->n_best = 0;
	r->best = tw_alloc_array(q.limit + 1, sizeof(r->best[0]));
	r->more = tw_alloc_array(q.limit + 1, sizeof(r->more[0]));
	r->merged = tw_alloc_array(q.limit + 1, sizeof(r->merged[0]));
	err = begin(r, &q.filter, ret_result);
	if (!r->best || !r->more || !r->merged)
		err = -ENOMEM;
	if (!err && !r->match.never)
		err = scan(r, &q, ret_result);
	free(r->best);
	free(r->more);
	free(r->merged);
	r->best = r->more = r->merged = NULL;
	return finish(r, err, ret_result);
}

/* ---- totals ---- */

static uint64_t weight_of(const struct tw_history_total *total, enum tw_history_order order)
{
	const struct tw_history_sums *s = &total->sums;

	switch (order) {
	case TW_HISTORY_ORDER_CONNECTIONS:
		return s->connections;
	case TW_HISTORY_ORDER_DENIALS:
		return s->denials;
	default:
		return s->bytes[TW_WAY_ORIGINAL] + s->bytes[TW_WAY_REPLY];
	}
}

static int compare_totals(const void *a, const void *b, void *arg)
{
	enum tw_history_order order = *(const enum tw_history_order *)arg;
	uint64_t x = weight_of(a, order), y = weight_of(b, order);
	const struct tw_history_total *t = a, *u = b;

	if (x != y)
		return x > y ? -1 : 1;
	x = t->sums.connections + t->sums.denials;
	y = u->sums.connections + u->sums.denials;
	if (x != y)
		return x > y ? -1 : 1;
	return tw_history_key_compare(t->key, u->key);
}

/* Returns the columns that totals of a dimension need. */
static uint32_t columns_of(enum tw_history_dimension dimension)
{
	static const uint32_t keys[] = {1u << TW_HISTORY_FROM | 1u << TW_HISTORY_FROM_END,
		1u << TW_HISTORY_TO | 1u << TW_HISTORY_TO_END, 1u << TW_HISTORY_SERVICE,
		1u << TW_HISTORY_OUT_GATE | 1u << TW_HISTORY_IN_GATE};

	return keys[dimension] | 1u << TW_HISTORY_OUTCOME | 1u << TW_HISTORY_PACKETS |
	       1u << TW_HISTORY_PACKETS_REPLY | 1u << TW_HISTORY_BYTES |
	       1u << TW_HISTORY_BYTES_REPLY;
}

/* Adds rows that match; those of the tail only, if the others come from rollups. */
static int add_rows(struct tw_history_reader *r, const struct tw_history_filter *f, bool only_tail,
	enum tw_history_dimension dimension, struct tw_history_totals *totals,
	struct tw_history_result *result)
{
	uint32_t *index = tw_alloc_array(TW_HISTORY_BLOCK_ROWS, sizeof(*index));
	struct tw_history_row *rows = tw_alloc_array(TW_HISTORY_BLOCK_ROWS, sizeof(*rows));
	int err = index && rows ? list_blocks(r, f, true, only_tail) : -ENOMEM;

	for (uint32_t i = 0; i < r->blocks.n && !err; i++) {
		const struct block *block = &r->blocks.at[i];
		uint32_t n, n_rows = 0;

		err = match_block(r, f, block, &n, &result->blocks_read);
		if (err || !n)
			continue;
		for (uint32_t k = 0; k < block->n; k++)
			if (r->match.mask[k])
				index[n_rows++] = k;
		err = tw_history_cursor_rows(
			&r->cursor, columns_of(dimension), index, n_rows, rows);
		if (err == -EBADMSG) {
			err = note_damage(r, block);
			continue;
		}
		for (uint32_t k = 0; k < n_rows && !err; k++)
			err = tw_history_totals_add_to(totals, dimension, &rows[k]);
	}
	free(index);
	free(rows);
	return err;
}

static int take_totals(const struct tw_history_totals *totals, enum tw_history_order order,
	uint32_t limit, struct tw_history_result *result)
{
	size_t n = tw_history_totals_n(totals);

	result->totals = tw_alloc_array(n + 1, sizeof(result->totals[0]));
	if (!result->totals)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		result->totals[i] = *tw_history_totals_at(totals, i);
	qsort_r(result->totals, n, sizeof(result->totals[0]), compare_totals, &order);
	result->n_totals = n < limit ? n : limit;
	return 0;
}

int tw_history_top(struct tw_history_reader *r, const struct tw_history_filter *filter,
	enum tw_history_dimension dimension, enum tw_history_order order, uint32_t limit,
	struct tw_history_result *ret_result)
{
	struct tw_history_totals *totals = tw_history_totals_new();
	struct tw_history_filter f = *filter;
	int err = begin(r, &f, ret_result);
	bool only_tail = false;

	if (!totals)
		err = -ENOMEM;
	if (!err && !r->match.n) {
		f.since_us -= f.since_us % MINUTE_US;
		f.until_us = (f.until_us + MINUTE_US - 1) / MINUTE_US * MINUTE_US;
		only_tail = true;
		err = tw_history_rollup_read(r->db, dimension, f.since_us,
			f.until_us ? f.until_us - 1 : INT64_MAX, totals,
			&ret_result->damaged_rollups);
	}
	if (!err && !r->match.never)
		err = add_rows(r, &f, only_tail, dimension, totals, ret_result);
	if (!err)
		err = take_totals(totals, order, limit, ret_result);
	tw_history_totals_free(totals);
	return finish(r, err, ret_result);
}

/* ---- names ---- */

const char *tw_history_text(struct tw_history_reader *r, uint32_t name)
{
	tw_auto_statement sqlite3_stmt *get = NULL;

	if (!name)
		return "";
	while (r->texts.n <= name)
		if (name == TW_HISTORY_OTHERS || tw_vec_push(&r->texts, NULL))
			return "";
	if (!r->texts.at[name]) {
		if (tw_history_db_prepare(r->db, "SELECT text FROM name WHERE id = ?", &get))
			return "";
		sqlite3_bind_int64(get, 1, name);
		if (sqlite3_step(get) == SQLITE_ROW)
			r->texts.at[name] = tw_strdup((const char *)sqlite3_column_text(get, 0));
	}
	return r->texts.at[name] ? r->texts.at[name] : "";
}

int tw_history_rule_used(struct tw_history_reader *r, const char *rule, uint64_t *ret_last_us)
{
	struct tw_history_query q = {.filter.rule = rule, .limit = 1};
	struct tw_history_result result;
	tw_auto_statement sqlite3_stmt *get = NULL;
	int err, found;

	*ret_last_us = 0;
	/* The table `rule_use` covers the rows of finished blocks. */
	r->only_tail = true;
	err = tw_history_select(r, &q, &result);
	r->only_tail = false;
	if (err)
		return err;
	if (result.n)
		*ret_last_us = result.rows[0].time_us;
	tw_history_result_done(&result);
	err = tw_history_db_prepare(r->db,
		"SELECT last_us FROM rule_use JOIN name ON name.id = rule WHERE kind = ? AND text = ?",
		&get);
	if (err)
		return err;
	sqlite3_bind_int(get, 1, TW_HISTORY_RULE);
	sqlite3_bind_text(get, 2, rule, -1, SQLITE_STATIC);
	found = sqlite3_step(get);
	if (found == SQLITE_ROW && (uint64_t)sqlite3_column_int64(get, 0) > *ret_last_us)
		*ret_last_us = (uint64_t)sqlite3_column_int64(get, 0);
	return tw_history_db_errno(r->db, found);
}

/* ---- all rules ---- */

struct uses {
	TW_VEC(struct tw_history_use) by_name; /* by name; `rows` 0: not a rule, or never used */
};

static int add_use(struct uses *uses, uint32_t rule, uint64_t last_us, uint64_t rows)
{
	const struct tw_history_use none = {0};
	struct tw_history_use *use;

	while (uses->by_name.n <= rule)
		if (tw_vec_push(&uses->by_name, none))
			return -ENOMEM;
	use = &uses->by_name.at[rule];
	use->rule = rule;
	use->rows += rows;
	use->last_us = use->last_us > last_us ? use->last_us : last_us;
	return 0;
}

/* Adds the uses in finished blocks. */
static int add_stored_uses(struct tw_history_reader *r, struct uses *uses)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int result, err = tw_history_db_prepare(
			    r->db, "SELECT rule, last_us, rows FROM rule_use", &get);

	if (err)
		return err;
	while (!err && (result = sqlite3_step(get)) == SQLITE_ROW)
		err = add_use(uses, (uint32_t)sqlite3_column_int64(get, 0),
			(uint64_t)sqlite3_column_int64(get, 1),
			(uint64_t)sqlite3_column_int64(get, 2));
	return err ? err : tw_history_db_errno(r->db, result);
}

/* Adds the uses in the tail. */
static int add_tail_uses(struct tw_history_reader *r, struct uses *uses)
{
	const struct tw_history_query q = {.limit = TW_HISTORY_BLOCK_ROWS};
	struct tw_history_result result;
	int err;

	r->only_tail = true;
	err = tw_history_select(r, &q, &result);
	r->only_tail = false;
	if (err)
		return err;
	for (size_t i = 0; i < result.n && !err; i++) {
		const uint32_t *rule = result.rows[i].rule;

		if (rule[TW_DIR_OUT])
			err = add_use(uses, rule[TW_DIR_OUT], result.rows[i].time_us, 1);
		if (!err && rule[TW_DIR_IN] && rule[TW_DIR_IN] != rule[TW_DIR_OUT])
			err = add_use(uses, rule[TW_DIR_IN], result.rows[i].time_us, 1);
	}
	tw_history_result_done(&result);
	return err;
}

int tw_history_uses(struct tw_history_reader *r, struct tw_history_use **ret_uses, size_t *ret_n)
{
	struct uses uses = {0};
	/* One transaction reads both parts, so that a block that is being finished counts once. */
	int err = tw_history_db_exec(r->db, "BEGIN");
	size_t n = 0;

	r->held = true;
	if (!err)
		err = add_stored_uses(r, &uses);
	if (!err)
		err = add_tail_uses(r, &uses);
	r->held = false;
	sqlite3_exec(r->db, "ROLLBACK", NULL, NULL, NULL);
	if (err) {
		tw_vec_done(&uses.by_name);
		return err;
	}
	for (size_t i = 0; i < uses.by_name.n; i++)
		if (uses.by_name.at[i].rows)
			uses.by_name.at[n++] = uses.by_name.at[i];
	*ret_uses = uses.by_name.at;
	*ret_n = n;
	return 0;
}

int tw_history_get_extent(struct tw_history_reader *r, struct tw_history_extent *ret_extent)
{
	struct tw_history_extent e = {0};
	uint64_t pages = 0, unused = 0, size = 0;
	int err = tw_history_db_number(r->db, "SELECT count(*) FROM block", &e.blocks);

	if (!err)
		err = tw_history_db_number(r->db, "SELECT coalesce(sum(n), 0) FROM block", &e.rows);
	if (!err)
		err = tw_history_db_number(
			r->db, "SELECT coalesce(min(from_us), 0) FROM block", &e.oldest_us);
	if (!err)
		err = tw_history_db_number(
			r->db, "SELECT coalesce(max(to_us), 0) FROM block", &e.newest_us);
	if (!err)
		err = tw_history_db_number(r->db, "PRAGMA page_count", &pages);
	if (!err)
		err = tw_history_db_number(r->db, "PRAGMA freelist_count", &unused);
	if (!err)
		err = tw_history_db_number(r->db, "PRAGMA page_size", &size);
	e.bytes = (pages - unused) * size;
	if (!err)
		*ret_extent = e;
	return err;
}
