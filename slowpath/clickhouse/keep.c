/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/keep.h"

#include <errno.h>
#include <inttypes.h>

#include "base/clock.h"
#include "base/vec.h"
#include "slowpath/clickhouse/wire.h"

#define NS_PER_MINUTE	60000000000u
#define US_PER_MINUTE	60000000u
#define MINUTES_PER_DAY 1440u
#define PIECES		16u /* the limits allow at least this many pieces */
#define BYTES_PER_ROW	32u /* a guess that decides when a piece ends */
#define PARTS \
	"FROM system.parts WHERE active AND table = 'history' AND database = currentDatabase()"

struct piece {
	uint32_t number;
	uint64_t rows, bytes;
};

typedef TW_VEC(struct piece) pieces;

static uint32_t minute_now(void)
{
	return (uint32_t)(tw_clock_unix_ns(tw_clock_ns()) / NS_PER_MINUTE);
}

/* Lists the pieces, oldest first. */
static int list_pieces(struct tw_clickhouse *server, pieces *ret, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	struct tw_wire wire;
	int code = tw_clickhouse_run(server,
		"SELECT toUInt32(partition) AS p, toUInt64(sum(rows)), toUInt64(sum(bytes_on_disk)) " PARTS
		" GROUP BY p ORDER BY p FORMAT RowBinary",
		false, &answer, err);

	for (wire = tw_wire_of(&answer); !code && !tw_wire_is_at_end(&wire);) {
		struct piece piece = {.number = (uint32_t)tw_wire_number(&wire, 4),
			.rows = tw_wire_number(&wire, 8),
			.bytes = tw_wire_number(&wire, 8)};

		if (tw_vec_push(ret, piece))
			code = tw_err_set(err, -ENOMEM, "--history", NULL, "out of memory");
	}
	if (!code && wire.bad)
		code = tw_err_set(err, -EPROTO, "--history", NULL, "an answer is malformed");
	return code;
}

int tw_keep_begin(struct tw_keep *keep, struct tw_clickhouse *server, struct tw_err *err)
{
	pieces all = {0};
	int code = list_pieces(server, &all, err);

	if (!code) {
		keep->piece = all.n ? all.at[all.n - 1].number : minute_now();
		keep->n_rows = all.n ? all.at[all.n - 1].rows : 0;
	}
	tw_vec_done(&all);
	return code;
}

uint32_t tw_keep_piece(struct tw_keep *keep)
{
	uint64_t age = keep->limits.age_max_us / US_PER_MINUTE / PIECES;
	uint64_t rows = keep->limits.bytes_max / BYTES_PER_ROW / PIECES;
	uint32_t now = minute_now();

	if (!age || age > MINUTES_PER_DAY)
		age = MINUTES_PER_DAY;
	if (now <= keep->piece || (now - keep->piece < age && (!rows || keep->n_rows < rows)))
		return keep->piece;
	keep->piece = now;
	keep->n_rows = 0;
	return keep->piece;
}

void tw_keep_note(struct tw_keep *keep, size_t n_rows)
{
	keep->n_rows += n_rows;
}

/* ---- dropping ---- */

static int drop_piece(struct tw_clickhouse *server, const struct piece *piece, struct tw_err *err)
{
	tw_auto_buf struct tw_buf statement = {0};
	int code;

	/* If this is repeated, the rows replace each other. */
	tw_buf_addf(&statement,
		"INSERT INTO history_uses SELECT toUInt32(%" PRIu32
		"), used, max(time_us), count() FROM (SELECT time_us, arrayJoin("
		"arrayDistinct([out_rule, in_rule])) AS used FROM history WHERE piece = %" PRIu32
		" AND batch NOT IN (SELECT batch FROM history_voids)) WHERE used != '' GROUP BY used",
		piece->number, piece->number);
	code = statement.failed ? -ENOMEM
				: tw_clickhouse_run(server, statement.data, false, NULL, err);
	if (code < 0)
		return code;
	tw_buf_reset(&statement);
	tw_buf_addf(&statement, "ALTER TABLE history DROP PARTITION %" PRIu32, piece->number);
	return statement.failed ? -ENOMEM
				: tw_clickhouse_run(server, statement.data, false, NULL, err);
}

/* Drops the oldest pieces beyond the limits, but never the newest, to which rows are added. */
static int drop_pieces(const struct tw_keep *keep, struct tw_clickhouse *server, const pieces *all,
	uint64_t *dropped, struct tw_err *err)
{
	uint64_t bytes = 0, age = keep->limits.age_max_us / US_PER_MINUTE;
	uint32_t now = minute_now();
	int code = 0;

	for (size_t i = 0; i < all->n; i++)
		bytes += all->at[i].bytes;
	for (size_t i = 0; i + 1 < all->n && !code; i++) {
		const struct piece *piece = &all->at[i];
		uint32_t end = all->at[i + 1].number;
		bool old = age && now > end && now - end >= age;

		if (!old && (!keep->limits.bytes_max || bytes <= keep->limits.bytes_max))
			break;
		code = drop_piece(server, piece, err);
		bytes -= piece->bytes;
		if (!code)
			*dropped += piece->rows;
	}
	return code;
}

/* Drops commits of earlier days: the newest row has everything that matters. */
static int drop_commits(struct tw_clickhouse *server, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0}, statement = {0};
	struct tw_wire wire;
	int code = tw_clickhouse_run(server,
		"SELECT DISTINCT toUInt32(partition) AS p FROM system.parts WHERE active AND"
		" table = 'history_commits' AND database = currentDatabase() ORDER BY p DESC"
		" FORMAT RowBinary",
		false, &answer, err);

	wire = tw_wire_of(&answer);
	tw_wire_number(&wire, 4);
	while (!code && !tw_wire_is_at_end(&wire)) {
		tw_buf_reset(&statement);
		tw_buf_addf(&statement, "ALTER TABLE history_commits DROP PARTITION %" PRIu32,
			(uint32_t)tw_wire_number(&wire, 4));
		code = statement.failed
			       ? -ENOMEM
			       : tw_clickhouse_run(server, statement.data, false, NULL, err);
	}
	return code;
}

int tw_keep_apply(
	struct tw_keep *keep, struct tw_clickhouse *server, uint64_t *dropped, struct tw_err *err)
{
	uint64_t now = tw_clock_ns();
	pieces all = {0};
	int code;

	if (keep->looked_ns && now - keep->looked_ns < TW_KEEP_LOOK_NS)
		return 0;
	keep->looked_ns = now;
	code = list_pieces(server, &all, err);
	if (!code)
		code = drop_pieces(keep, server, &all, dropped, err);
	if (!code)
		code = drop_commits(server, err);
	tw_vec_done(&all);
	return code;
}
