/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/cursor.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#include "slowpath/history/db.h"

int tw_history_cursor_init(struct tw_history_cursor *c, sqlite3 *db)
{
	*c = (struct tw_history_cursor){.db = db, .values = tw_history_values_new()};
	return c->values ? 0 : -ENOMEM;
}

void tw_history_cursor_rest(struct tw_history_cursor *c)
{
	sqlite3_blob_close(c->blob);
	c->blob = NULL;
}

void tw_history_cursor_done(struct tw_history_cursor *c)
{
	tw_history_cursor_rest(c);
	for (int i = 0; i < TW_HISTORY_IDS; i++)
		tw_history_ids_done(&c->ids[i]);
	tw_history_values_free(c->values);
	c->values = NULL;
}

void tw_history_cursor_go(struct tw_history_cursor *c, uint64_t block, uint32_t n_rows)
{
	c->block = block;
	c->n_rows = n_rows;
	c->keys_read = c->ids_read = 0;
}

static int read_blob(void *arg, size_t offset, void *to, size_t len)
{
	struct tw_history_cursor *c = arg;

	return tw_history_db_errno(c->db, sqlite3_blob_read(c->blob, to, (int)len, (int)offset));
}

static int find_part(
	struct tw_history_cursor *c, unsigned int column, struct tw_history_part *ret_part)
{
	uint64_t id = c->block * TW_HISTORY_PARTS + column;
	int result;

	c->column = column;
	if (c->blob && c->part == id)
		result = SQLITE_OK;
	else if (c->blob)
		result = sqlite3_blob_reopen(c->blob, (sqlite3_int64)id);
	else
		result = sqlite3_blob_open(
			c->db, "main", "part", "data", (sqlite3_int64)id, 0, &c->blob);
	if (result) {
		tw_history_cursor_rest(c);
		/* SQLITE_ERROR: there is no such row, or it holds no blob. */
		return result == SQLITE_ERROR ? -EBADMSG : tw_history_db_errno(c->db, result);
	}
	c->part = id;
	*ret_part = (struct tw_history_part){
		.read = read_blob, .arg = c, .len = (size_t)sqlite3_blob_bytes(c->blob)};
	return 0;
}

int tw_history_cursor_keys(struct tw_history_cursor *c, enum tw_history_column column)
{
	struct tw_history_part part;
	int err;

	if (c->keys_read >> column & 1)
		return 0;
	err = find_part(c, column, &part);
	if (!err)
		err = tw_history_read_keys(&part, c->n_rows, &c->ids[column]);
	if (!err)
		c->keys_read |= 1u << column;
	return err;
}

int tw_history_cursor_ids(struct tw_history_cursor *c, enum tw_history_column column)
{
	struct tw_history_part part;
	int err = tw_history_cursor_keys(c, column);

	if (err || c->ids_read >> column & 1)
		return err;
	err = find_part(c, column, &part);
	if (!err)
		err = tw_history_read_ids(&part, &c->ids[column]);
	if (!err)
		c->ids_read |= 1u << column;
	return err;
}

const uint64_t *tw_history_cursor_group(
	struct tw_history_cursor *c, enum tw_history_column column, uint32_t group, int *ret_err)
{
	struct tw_history_part part;

	*ret_err = find_part(c, column, &part);
	return *ret_err ? NULL : tw_history_read_group(c->values, &part, c->n_rows, group, ret_err);
}

static void set_key(
	struct tw_history_row *row, enum tw_history_column column, struct tw_history_key key)
{
	unsigned int end;

	switch (column) {
	case TW_HISTORY_FROM:
	case TW_HISTORY_TO:
		end = column - TW_HISTORY_FROM;
		row->addr[end].d[0] = htobe64(key.hi);
		row->addr[end].d[1] = htobe64(key.lo);
		break;
	case TW_HISTORY_FROM_END:
	case TW_HISTORY_TO_END:
		end = column - TW_HISTORY_FROM_END;
		row->workload[end] = (uint32_t)(key.lo >> 32);
		row->tap[end] = (uint32_t)key.lo;
		break;
	case TW_HISTORY_OUT_GATE:
	case TW_HISTORY_IN_GATE:
		end = column - TW_HISTORY_OUT_GATE;
		row->rule[end] = (uint32_t)(key.lo >> 8);
		row->gate_verdict[end] = (uint8_t)key.lo;
		break;
	case TW_HISTORY_SERVICE:
		row->proto = (uint8_t)(key.lo >> 16);
		row->port[TW_DIR_IN] = (uint16_t)key.lo;
		break;
	case TW_HISTORY_OUTCOME:
		row->verdict = (uint8_t)(key.lo >> 32);
		row->reason = (uint8_t)(key.lo >> 24);
		row->kind = (uint8_t)(key.lo >> 40);
		row->state = (uint8_t)(key.lo >> 8);
		row->dir = (uint8_t)key.lo;
		break;
	default:
		row->host = (uint32_t)key.lo;
		break;
	}
}

static void set_value(struct tw_history_row *row, enum tw_history_column column, uint64_t value)
{
	switch (column) {
	case TW_HISTORY_TIME:
		row->time_us = value;
		break;
	case TW_HISTORY_IDLE:
		row->idle_ms = value;
		break;
	case TW_HISTORY_DURATION:
		row->duration_ms = value;
		break;
	case TW_HISTORY_SOURCE_PORT:
		row->port[TW_DIR_OUT] = (uint16_t)value;
		break;
	case TW_HISTORY_PACKETS:
	case TW_HISTORY_PACKETS_REPLY:
		row->packets[column - TW_HISTORY_PACKETS] = value;
		break;
	default:
		row->bytes[column - TW_HISTORY_BYTES] = value;
		break;
	}
}

static int fill_values(struct tw_history_cursor *c, enum tw_history_column column,
	const uint32_t *index, size_t n, struct tw_history_row *rows)
{
	const uint64_t *value = NULL;
	uint32_t group = UINT32_MAX;
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t at = index[i] / TW_HISTORY_GROUP_ROWS;

		if (at != group) {
			value = tw_history_cursor_group(c, column, at, &err);
			group = at;
		}
		if (!value)
			return err;
		set_value(&rows[i], column, value[index[i] % TW_HISTORY_GROUP_ROWS]);
	}
	return 0;
}

int tw_history_cursor_rows(struct tw_history_cursor *c, uint32_t columns, const uint32_t *index,
	size_t n, struct tw_history_row *rows)
{
	int err = 0;

	memset(rows, 0, n * sizeof(rows[0]));
	for (unsigned int column = 0; column < TW_HISTORY_COLUMN__MAX && !err; column++) {
		const struct tw_history_ids *ids = &c->ids[column % TW_HISTORY_IDS];

		if (!(columns >> column & 1))
			continue;
		if (column >= TW_HISTORY_IDS) {
			err = fill_values(c, column, index, n, rows);
			continue;
		}
		err = tw_history_cursor_ids(c, column);
		for (size_t i = 0; i < n && !err; i++)
			set_key(&rows[i], column,
				tw_history_key_at(ids, tw_history_id_at(ids, index[i])));
	}
	return err;
}
