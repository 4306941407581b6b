/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "slowpath/history/cursor.h"
#include "slowpath/history/db.h"

/* Notes the length of the log after each commit. */
static int note_log(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct tw_history *h = arg;

	h->log_pages = pages;
	return SQLITE_OK;
}

/* Reads a block of the tail to the end of the rows in memory. A damaged one stays in the file
 * and is never merged. */
static int load_piece(
	struct tw_history *h, struct tw_history_cursor *cursor, struct tw_history_piece piece)
{
	uint32_t *index = tw_alloc_array(piece.n, sizeof(*index));
	int err = index ? 0 : -ENOMEM;

	piece.start = h->n_rows;
	for (size_t i = 0; i < piece.n && !err; i++)
		index[i] = (uint32_t)i;
	tw_history_cursor_go(cursor, piece.id, (uint32_t)piece.n);
	if (!err)
		err = tw_history_cursor_rows(
			cursor, TW_HISTORY_ALL_COLUMNS, index, piece.n, h->rows + h->n_rows);
	free(index);
	if (!err)
		err = tw_vec_push(&h->tail, piece);
	if (!err)
		h->n_rows += piece.n;
	return err;
}

static int set_aside(struct tw_history *h, uint64_t id)
{
	char sql[96];

	h->state.damaged++;
	sqlite3_snprintf(sizeof(sql), sql, "UPDATE block SET tier = %d WHERE id = %lld",
		TW_HISTORY_TIER_BAD, (long long)id);
	return tw_history_db_exec(h->db, sql);
}

static int load_tail(struct tw_history *h)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	TW_VEC(struct tw_history_piece) pieces = {0};
	struct tw_history_cursor cursor;
	int err = tw_history_db_prepare(
		h->db, "SELECT id, n, tier FROM block WHERE tier < 254 ORDER BY id", &get);

	if (!err)
		err = tw_history_cursor_init(&cursor, h->db);
	if (err)
		return err;
	while (!err && sqlite3_step(get) == SQLITE_ROW) {
		struct tw_history_piece piece = {.id = (uint64_t)sqlite3_column_int64(get, 0),
			.n = (size_t)sqlite3_column_int64(get, 1),
			.tier = (uint8_t)sqlite3_column_int(get, 2)};

		err = tw_vec_push(&pieces, piece);
	}
	sqlite3_reset(get);
	tw_vec_foreach (&pieces, piece) {
		if (err)
			break;
		if (!piece->n || piece->n > TW_HISTORY_BLOCK_ROWS - h->n_rows)
			err = -EBADMSG;
		else
			err = load_piece(h, &cursor, *piece);
		tw_history_cursor_rest(&cursor);
		if (err == -EBADMSG)
			err = set_aside(h, piece->id);
	}
	h->n_safe = h->n_rows;
	tw_vec_done(&pieces);
	tw_history_cursor_done(&cursor);
	return err;
}

static int load_marks(struct tw_history *h)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int err = tw_history_db_prepare(h->db, "SELECT source, value FROM mark", &get);

	while (!err && sqlite3_step(get) == SQLITE_ROW) {
		const char *source = (const char *)sqlite3_column_text(get, 0);

		err = source ? tw_history_mark_source(
				       h, source, (uint64_t)sqlite3_column_int64(get, 1))
			     : -ENOMEM;
		if (!err)
			h->marks.at[h->marks.n - 1].stored = true;
	}
	return err;
}

static int prepare_all(struct tw_history *h)
{
	int err = tw_history_db_prepare(h->db,
		"INSERT INTO block(id, seq, n, from_us, to_us, tier) VALUES(?, ?, ?, ?, ?, ?)",
		&h->put_block);

	if (!err)
		err = tw_history_db_prepare(
			h->db, "INSERT INTO part(id, data) VALUES(?, ?)", &h->put_part);
	if (!err)
		err = tw_history_db_prepare(
			h->db, "DELETE FROM block WHERE id = ?", &h->drop_block);
	if (!err)
		err = tw_history_db_prepare(
			h->db, "DELETE FROM part WHERE id BETWEEN ? AND ?", &h->drop_parts);
	sqlite3_wal_hook(h->db, note_log, h);
	return err;
}

static int load(struct tw_history *h)
{
	int err = prepare_all(h);

	h->next_block = 1;
	if (!err)
		err = tw_history_db_get(h->db, "seq", &h->seq);
	if (!err)
		err = tw_history_db_get(h->db, "next-block", &h->next_block);
	if (!err)
		err = tw_history_db_number(
			h->db, "SELECT coalesce(max(to_us), 0) FROM block", &h->newest_us);
	if (!err)
		err = tw_history_names_load(&h->names, h->db);
	if (!err)
		err = load_marks(h);
	return err ? err : load_tail(h);
}

/* Takes the lock beside the file. It is a separate file, because closing a descriptor of the
 * database would release SQLite's locks (fcntl(2)). */
static int take_lock(struct tw_history *h, const char *path, struct tw_err *err)
{
	tw_auto_buf struct tw_buf name = {0};

	tw_buf_addf(&name, "%s-lock", path);
	if (name.failed)
		return -ENOMEM;
	h->lock_fd = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (h->lock_fd < 0)
		return tw_err_set(err, -errno, name.data, NULL,
			"cannot open the lock of the history: %s", strerror(errno));
	if (flock(h->lock_fd, LOCK_EX | LOCK_NB))
		return tw_err_set(err, -EBUSY, path, "stop the other process",
			"another process writes this history");
	return 0;
}

int tw_history_open(const char *path, const struct tw_history_limits *limits,
	struct tw_history **ret_history, struct tw_err *err)
{
	struct tw_history *h = tw_alloc(sizeof(*h));
	int code = -ENOMEM;

	if (!h)
		return tw_err_set(err, code, path, NULL, "out of memory");
	h->lock_fd = -1;
	h->limits = *limits;
	h->encoder = tw_history_encoder_new();
	h->totals = tw_history_totals_new();
	h->rows = tw_alloc_array(
		TW_HISTORY_PENDING_MAX + TW_HISTORY_BLOCK_ROWS, sizeof(h->rows[0]));
	h->sorted = tw_alloc_array(TW_HISTORY_BLOCK_ROWS, sizeof(h->sorted[0]));
	h->order = tw_alloc_array(TW_HISTORY_BLOCK_ROWS, sizeof(h->order[0]));
	if (h->encoder && h->totals && h->rows && h->sorted && h->order)
		code = take_lock(h, path, err);
	else
		tw_err_set(err, code, path, NULL, "out of memory");
	if (!code)
		code = tw_history_db_open(path, true, &h->db, err);
	if (!code) {
		code = load(h);
		if (code)
			tw_err_set(err, code, path,
				code == -EBADMSG ? "move the file away, and a new one is made"
						 : NULL,
				"cannot read the history: %s",
				code == -EBADMSG ? sqlite3_errmsg(h->db) : strerror(-code));
	}
	if (code)
		tw_history_free(h);
	else
		*ret_history = h;
	return code;
}

void tw_history_free(struct tw_history *h)
{
	if (!h)
		return;
	sqlite3_finalize(h->put_block);
	sqlite3_finalize(h->put_part);
	sqlite3_finalize(h->drop_block);
	sqlite3_finalize(h->drop_parts);
	sqlite3_close(h->db);
	if (h->lock_fd >= 0)
		close(h->lock_fd);
	tw_vec_foreach (&h->marks, mark)
		free(mark->source);
	tw_vec_done(&h->marks);
	tw_vec_done(&h->uses);
	tw_vec_done(&h->tail);
	tw_vec_done(&h->staged);
	tw_history_names_done(&h->names);
	tw_history_totals_free(h->totals);
	tw_history_encoder_free(h->encoder);
	free(h->rows);
	free(h->sorted);
	free(h->order);
	free(h);
}
