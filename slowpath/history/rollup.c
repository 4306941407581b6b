/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/rollup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "slowpath/history/db.h"
#include "slowpath/history/sum.h"

#define SECOND_US    1000000ull
#define MINUTE	     60ull
#define GRACE	     (5 * MINUTE) /* seconds from the end of an hour to its merge */
#define MINUTE_GRACE 10ull	  /* seconds from the end of a minute to its merge */
#define N_COLUMNS    9		  /* columns of a part: key, name and sums of each total */
#define FIRST_SLOTS  4096u

static const uint64_t span_of[] = {MINUTE, 60 * MINUTE, 24 * 60 * MINUTE}; /* seconds */
static const uint32_t keys_max[] = {500, 3000, 10000};
static const uint64_t kept_of[] = {2 * 24 * 60 * MINUTE, 62 * 24 * 60 * MINUTE}; /* seconds */

/* ---- writing ---- */

static int compare_totals(const void *a, const void *b)
{
	const struct tw_history_entry *x = *(const struct tw_history_entry *const *)a,
				      *y = *(const struct tw_history_entry *const *)b;

	return tw_history_key_compare(x->total.key, y->total.key);
}

static uint64_t column_of(const struct tw_history_total *t, int column)
{
	const uint64_t value[N_COLUMNS] = {t->key.lo, t->key.hi, t->name, t->sums.connections,
		t->sums.denials, t->sums.packets[0], t->sums.packets[1], t->sums.bytes[0],
		t->sums.bytes[1]};

	return value[column];
}

/* A part: the number of totals, then for each column the length of its values and the values. */
static int encode_part(struct tw_history_encoder *encoder, const struct tw_history_entry **at,
	uint32_t n, struct tw_buf *out)
{
	uint64_t *value = tw_alloc_array(n, sizeof(*value));
	int err = value ? 0 : -ENOMEM;

	qsort(at, n, sizeof(struct tw_history_entry *), compare_totals);
	tw_buf_add(out, &n, sizeof(n));
	for (int c = 0; c < N_COLUMNS && !err; c++) {
		size_t start = out->len;
		uint32_t len;

		for (uint32_t i = 0; i < n; i++)
			value[i] = column_of(&at[i]->total, c);
		tw_buf_extend(out, sizeof(len));
		err = tw_history_encode_values(encoder, value, n, false, out);
		if (err)
			break;
		len = (uint32_t)(out->len - start - sizeof(len));
		memcpy(out->data + start, &len, sizeof(len));
	}
	free(value);
	return out->failed ? -ENOMEM : err;
}

/* Adds up all totals beyond the kept keys in `others`, which becomes the last total. */
static uint32_t cut(const struct tw_history_entry **at, size_t n, enum tw_history_level level,
	struct tw_history_entry *others)
{
	size_t first = keys_max[level] - 1;

	if (n <= keys_max[level])
		return (uint32_t)n;
	*others = (struct tw_history_entry){.total.name = TW_HISTORY_OTHERS};
	for (size_t i = first; i < n; i++)
		tw_history_sums_add(&others->total.sums, &at[i]->total.sums);
	at[first] = others;
	return keys_max[level];
}

/* A part of a span as a row of `rollup`. */
struct place {
	enum tw_history_level level;
	unsigned int dimension;
	uint64_t start, through;
};

static int put_part(sqlite3 *db, struct tw_history_encoder *encoder, const struct place *place,
	const struct tw_history_entry **at, size_t n)
{
	struct tw_history_entry others;
	tw_auto_statement sqlite3_stmt *put = NULL;
	tw_auto_buf struct tw_buf part = {0};
	int err = encode_part(encoder, at, cut(at, n, place->level, &others), &part);

	if (!err)
		err = tw_history_db_prepare(db,
			"INSERT INTO rollup(level, dimension, start, through, data) VALUES(?, ?, ?, ?, ?)",
			&put);
	if (err)
		return err;
	sqlite3_bind_int(put, 1, place->level);
	sqlite3_bind_int(put, 2, (int)place->dimension);
	sqlite3_bind_int64(put, 3, (sqlite3_int64)place->start);
	sqlite3_bind_int64(put, 4, (sqlite3_int64)place->through);
	sqlite3_bind_blob64(put, 5, part.data, part.len, SQLITE_STATIC);
	return tw_history_db_run(put);
}

int tw_history_rollup_write(
	sqlite3 *db, struct tw_history_encoder *encoder, const struct tw_history_totals *totals)
{
	const struct tw_history_entry **at = tw_history_totals_sort(totals);
	int err = at ? 0 : -ENOMEM;

	for (size_t i = 0, n; i < tw_history_totals_n(totals) && !err; i += n) {
		const struct place place = {.level = TW_HISTORY_MINUTE,
			.dimension = at[i]->dimension,
			.start = at[i]->minute};

		for (n = 1; i + n < tw_history_totals_n(totals); n++)
			if (at[i + n]->dimension != place.dimension ||
				at[i + n]->minute != place.start)
				break;
		err = put_part(db, encoder, &place, at + i, n);
	}
	free(at);
	return err;
}

/* ---- reading ---- */

/* Memory for reading parts. */
struct part_reader {
	sqlite3 *db;
	struct tw_history_values *values;
	uint64_t *column[N_COLUMNS];
	uint64_t damaged;
};

static void reader_done(struct part_reader *r)
{
	tw_history_values_free(r->values);
	for (int c = 0; c < N_COLUMNS; c++)
		free(r->column[c]);
}

static int reader_init(struct part_reader *r, sqlite3 *db)
{
	*r = (struct part_reader){.db = db, .values = tw_history_values_new()};
	for (int c = 0; c < N_COLUMNS; c++)
		r->column[c] = tw_alloc_array(TW_HISTORY_BLOCK_ROWS, sizeof(uint64_t));
	for (int c = 0; c < N_COLUMNS; c++)
		if (!r->column[c] || !r->values) {
			reader_done(r);
			return -ENOMEM;
		}
	return 0;
}

static int decode_column(struct part_reader *r, const void *data, size_t len, uint32_t n, int c)
{
	struct tw_history_part part;

	tw_history_part_of(&part, data, len);
	for (uint32_t first = 0; first < n; first += TW_HISTORY_GROUP_ROWS) {
		uint32_t left = n - first,
			 rows = left < TW_HISTORY_GROUP_ROWS ? left : TW_HISTORY_GROUP_ROWS;
		int err;
		const uint64_t *value = tw_history_read_group(
			r->values, &part, n, first / TW_HISTORY_GROUP_ROWS, &err);

		if (!value)
			return err;
		memcpy(r->column[c] + first, value, rows * sizeof(*value));
	}
	return 0;
}

static int decode_part(struct part_reader *r, const uint8_t *data, size_t len, uint32_t *ret_n)
{
	uint32_t n;
	size_t at = sizeof(n);

	if (len < sizeof(n))
		return -EBADMSG;
	memcpy(&n, data, sizeof(n));
	if (!n || n > TW_HISTORY_BLOCK_ROWS)
		return -EBADMSG;
	for (int c = 0; c < N_COLUMNS; c++) {
		uint32_t part_len;
		int err;

		if (len - at < sizeof(part_len))
			return -EBADMSG;
		memcpy(&part_len, data + at, sizeof(part_len));
		at += sizeof(part_len);
		if (part_len > len - at)
			return -EBADMSG;
		err = decode_column(r, data + at, part_len, n, c);
		if (err)
			return err;
		at += part_len;
	}
	*ret_n = n;
	return 0;
}

static int add_part(struct part_reader *r, const void *data, size_t len, unsigned int dimension,
	struct tw_history_totals *totals)
{
	uint32_t n = 0;
	int err = decode_part(r, data, len, &n);

	if (err == -EBADMSG) {
		r->damaged++;
		return 0;
	}
	for (uint32_t i = 0; i < n && !err; i++) {
		const struct tw_history_entry e = {.dimension = (uint8_t)dimension,
			.total = {.key = {.hi = r->column[1][i], .lo = r->column[0][i]},
				.name = (uint32_t)r->column[2][i],
				.sums = {.connections = r->column[3][i],
					.denials = r->column[4][i],
					.packets = {r->column[5][i], r->column[6][i]},
					.bytes = {r->column[7][i], r->column[8][i]}}}};

		err = tw_history_totals_add_entry(totals, &e);
	}
	return err;
}

/* Adds the parts of one level and dimension that start at from->start or later, but before `end`, and whose
 * numbers are above `over`. Sets `ret_through` to the highest `through` among them. */
static int add_parts(struct part_reader *r, const struct place *from, uint64_t end, uint64_t over,
	struct tw_history_totals *totals, uint64_t *ret_through, uint64_t *ret_n)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int result, err = tw_history_db_prepare(r->db,
			    "SELECT data, through FROM rollup WHERE level = ? AND dimension = ?"
			    " AND start >= ? AND start < ? AND id > ?",
			    &get);

	if (err)
		return err;
	sqlite3_bind_int(get, 1, from->level);
	sqlite3_bind_int(get, 2, (int)from->dimension);
	sqlite3_bind_int64(get, 3, (sqlite3_int64)from->start);
	sqlite3_bind_int64(get, 4, (sqlite3_int64)end);
	sqlite3_bind_int64(get, 5, (sqlite3_int64)over);
	while ((result = sqlite3_step(get)) == SQLITE_ROW) {
		uint64_t through = (uint64_t)sqlite3_column_int64(get, 1);

		err = add_part(r, sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0),
			from->dimension, totals);
		if (err)
			return err;
		*ret_through = through > *ret_through ? through : *ret_through;
		++*ret_n;
	}
	return tw_history_db_errno(r->db, result);
}

/* Adds a span of a level: its merged part, and the parts of its minutes that are not included in
 * it; if there is no merged part, the spans of the level below. */
static int add_span(struct part_reader *r, struct place place, struct tw_history_totals *totals)
{
	uint64_t end = place.start + span_of[place.level], through = 0, n = 0, ignored = 0;
	int err = add_parts(r, &place, place.start + 1, 0, totals, &through, &n);

	if (err || place.level == TW_HISTORY_MINUTE)
		return err;
	if (n) {
		place.level = TW_HISTORY_MINUTE;
		return add_parts(r, &place, end, through, totals, &ignored, &n);
	}
	place.level--;
	if (place.level == TW_HISTORY_MINUTE)
		return add_parts(r, &place, end, 0, totals, &ignored, &n);
	for (; place.start < end && !err; place.start += span_of[place.level])
		err = add_span(r, place, totals);
	return err;
}

/* Runs a query of one number with two parameters. Returns 0 or a negative errno; `ret_value` keeps its
 * value if the answer is NULL. */
static int ask_number(sqlite3 *db, const char *sql, uint64_t a, uint64_t b, uint64_t *ret_value)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int err = tw_history_db_prepare(db, sql, &get), result;

	if (err)
		return err;
	sqlite3_bind_int64(get, 1, (sqlite3_int64)a);
	sqlite3_bind_int64(get, 2, (sqlite3_int64)b);
	result = sqlite3_step(get);
	if (result == SQLITE_ROW && sqlite3_column_type(get, 0) != SQLITE_NULL)
		*ret_value = (uint64_t)sqlite3_column_int64(get, 0);
	return tw_history_db_errno(db, result);
}

/* Every span has parts in all dimensions, so one dimension is enough to find the starts. */
#define FIRST_START \
	"SELECT min(start) FROM rollup WHERE level = ?1 AND dimension = 0 AND start >= ?2"
#define LAST_START \
	"SELECT max(start) FROM rollup WHERE level = ?1 AND dimension = 0 AND start >= ?2"

int tw_history_rollup_read(sqlite3 *db, enum tw_history_dimension dimension, uint64_t from_us,
	uint64_t to_us, struct tw_history_totals *totals, uint64_t *damaged)
{
	struct place place = {.dimension = dimension, .start = from_us / SECOND_US};
	uint64_t end = to_us / SECOND_US + 1, first[TW_HISTORY_LEVEL__MAX], last = 0;
	uint64_t earliest = UINT64_MAX;
	struct part_reader r;
	int err = 0;

	for (int level = 0; level < TW_HISTORY_LEVEL__MAX && !err; level++) {
		uint64_t start = 0;

		first[level] = UINT64_MAX;
		err = ask_number(db, FIRST_START, (uint64_t)level, 0, &first[level]);
		if (!err)
			err = ask_number(db, LAST_START, (uint64_t)level, 0, &start);
		earliest = first[level] < earliest ? first[level] : earliest;
		last = start + span_of[level] > last ? start + span_of[level] : last;
	}
	if (err || earliest == UINT64_MAX)
		return err;
	err = reader_init(&r, db);
	if (err)
		return err;
	place.start = place.start < earliest ? earliest : place.start - place.start % MINUTE;
	end = (end < last ? end + MINUTE - 1 : last) / MINUTE * MINUTE;
	while (place.start < end && !err) {
		uint64_t left = end - place.start;

		place.level = TW_HISTORY_DAY;
		while (place.level &&
			(place.start % span_of[place.level] || left < span_of[place.level]))
			place.level--;
		if (place.level == TW_HISTORY_MINUTE && place.start < first[TW_HISTORY_MINUTE]) {
			place.level = TW_HISTORY_HOUR;
			place.start -= place.start % span_of[TW_HISTORY_HOUR];
		}
		err = add_span(&r, place, totals);
		place.start += span_of[place.level];
	}
	*damaged += r.damaged;
	reader_done(&r);
	return err;
}

/* ---- merging ---- */

static int remove_parts(sqlite3 *db, enum tw_history_level level, uint64_t from, uint64_t to)
{
	tw_auto_statement sqlite3_stmt *remove = NULL;
	int err = tw_history_db_prepare(db,
		"DELETE FROM rollup WHERE level = ? AND dimension BETWEEN 0 AND 3"
		" AND start >= ? AND start < ?",
		&remove);

	if (err)
		return err;
	sqlite3_bind_int(remove, 1, level);
	sqlite3_bind_int64(remove, 2, (sqlite3_int64)from);
	sqlite3_bind_int64(remove, 3, (sqlite3_int64)to);
	return tw_history_db_run(remove);
}

/* Merges all present parts of a span, and replaces its old merged part. */
static int merge_span(sqlite3 *db, struct tw_history_encoder *encoder, struct place place)
{
	struct tw_history_totals *totals[TW_HISTORY_DIMENSION__MAX] = {0};
	uint64_t end = place.start + span_of[place.level];
	struct part_reader r;
	int err = reader_init(&r, db);

	if (err)
		return err;
	for (unsigned int d = 0; d < TW_HISTORY_DIMENSION__MAX && !err; d++) {
		totals[d] = tw_history_totals_new();
		place.dimension = d;
		err = totals[d] ? add_span(&r, place, totals[d]) : -ENOMEM;
	}
	reader_done(&r);
	if (!err && place.level != TW_HISTORY_MINUTE)
		err = ask_number(db,
			"SELECT max(id) FROM rollup WHERE level = 0 AND dimension BETWEEN 0 AND 3"
			" AND start >= ?1 AND start < ?2",
			place.start, end, &place.through);
	if (!err)
		err = remove_parts(db, place.level, place.start, end);
	for (unsigned int d = 0; d < TW_HISTORY_DIMENSION__MAX && !err; d++) {
		const struct tw_history_entry **at = tw_history_totals_sort(totals[d]);

		place.dimension = d;
		err = at ? 0 : -ENOMEM;
		if (!err && tw_history_totals_n(totals[d]))
			err = put_part(db, encoder, &place, at, tw_history_totals_n(totals[d]));
		free(at);
	}
	for (unsigned int d = 0; d < TW_HISTORY_DIMENSION__MAX; d++)
		tw_history_totals_free(totals[d]);
	return err;
}

/* Merges the parts of each finished minute, unless its hour was merged, because the hour
 * includes some of them. */
static int merge_minutes(sqlite3 *db, struct tw_history_encoder *encoder, uint64_t now)
{
	uint64_t next = 0, hour = 0;
	int err = tw_history_db_get(db, "minute-next", &next);

	if (!err)
		err = tw_history_db_get(db, "hour-next", &hour);
	next = next > hour ? next : hour;
	while (!err) {
		struct place place = {.level = TW_HISTORY_MINUTE, .start = UINT64_MAX};
		uint64_t n = 0;

		err = ask_number(db, FIRST_START, TW_HISTORY_MINUTE, next, &place.start);
		if (err || place.start == UINT64_MAX || place.start + MINUTE + MINUTE_GRACE > now)
			break;
		err = ask_number(db,
			"SELECT count(*) FROM rollup WHERE level = ?2 AND dimension = 0 AND start = ?1",
			place.start, TW_HISTORY_MINUTE, &n);
		if (!err && n > 1)
			err = merge_span(db, encoder, place);
		next = place.start + MINUTE;
		if (!err)
			err = tw_history_db_set(db, "minute-next", next);
	}
	return err;
}

/* Merges the finished spans of a level that are not merged yet. */
static int merge_level(
	sqlite3 *db, struct tw_history_encoder *encoder, enum tw_history_level level, uint64_t now)
{
	const char *key = level == TW_HISTORY_HOUR ? "hour-next" : "day-next";
	uint64_t next = 0, span = span_of[level];
	int err = tw_history_db_get(db, key, &next);

	while (!err) {
		struct place place = {.level = level, .start = UINT64_MAX};

		err = ask_number(db, FIRST_START, level - 1, next, &place.start);
		if (err || place.start == UINT64_MAX)
			break;
		place.start -= place.start % span;
		if (place.start + span + GRACE > now)
			break;
		err = merge_span(db, encoder, place);
		next = place.start + span;
		if (!err)
			err = tw_history_db_set(db, key, next);
	}
	return err;
}

/* Removes the minutes of an hour, after late parts are merged. */
static int retire_minutes(sqlite3 *db, struct tw_history_encoder *encoder, uint64_t hour)
{
	struct place place = {.level = TW_HISTORY_HOUR, .start = hour};
	uint64_t end = hour + span_of[TW_HISTORY_HOUR], last = 0, through = 0, day = 0;
	int err = ask_number(db,
		"SELECT max(id) FROM rollup WHERE level = 0 AND dimension BETWEEN 0 AND 3"
		" AND start >= ?1 AND start < ?2",
		hour, end, &last);

	if (!err)
		err = ask_number(db,
			"SELECT max(through) FROM rollup WHERE level = 1 AND dimension = ?2 AND start = ?1",
			hour, 0, &through);
	if (!err && last > through)
		err = merge_span(db, encoder, place);
	place.level = TW_HISTORY_DAY;
	place.start -= hour % span_of[TW_HISTORY_DAY];
	if (!err)
		err = ask_number(db,
			"SELECT max(through) FROM rollup WHERE level = 2 AND dimension = ?2 AND start = ?1",
			place.start, 0, &day);
	if (!err && day && last > day)
		err = merge_span(db, encoder, place);
	return err ? err : remove_parts(db, TW_HISTORY_MINUTE, hour, end);
}

int tw_history_rollup_merge(sqlite3 *db, struct tw_history_encoder *encoder, uint64_t now_us)
{
	uint64_t now = now_us / SECOND_US, span = span_of[TW_HISTORY_HOUR], limit;
	int err = merge_minutes(db, encoder, now);

	if (!err)
		err = merge_level(db, encoder, TW_HISTORY_HOUR, now);
	if (!err)
		err = merge_level(db, encoder, TW_HISTORY_DAY, now);
	limit = now > kept_of[TW_HISTORY_MINUTE] ? now - kept_of[TW_HISTORY_MINUTE] : 0;
	while (!err) {
		uint64_t start = UINT64_MAX;

		err = ask_number(db, FIRST_START, TW_HISTORY_MINUTE, 0, &start);
		if (err || start == UINT64_MAX || start - start % span + span > limit)
			break;
		err = retire_minutes(db, encoder, start - start % span);
	}
	if (!err && now > kept_of[TW_HISTORY_HOUR])
		err = remove_parts(db, TW_HISTORY_HOUR, 0, now - kept_of[TW_HISTORY_HOUR]);
	return err;
}
