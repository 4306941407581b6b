/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/vec.h"
#include "slowpath/clickhouse/encode.h"
#include "slowpath/clickhouse/filter_sql.h"
#include "slowpath/clickhouse/server.h"
#include "slowpath/feed/translate.h"

#define MINUTE_US 60000000ull
#define STATUS_MS 3000 /* short, because status is wanted when the server may hang */
#define NOT_VOID  "batch NOT IN (SELECT batch FROM history_voids)"
#define SUMS                                                 \
	"toUInt64(countIf(event != 'deny')) AS connections," \
	" toUInt64(countIf(event = 'deny')) AS denials,"     \
	" sum(packets_out), sum(packets_in), sum(bytes_out), sum(bytes_in)"

struct click_reader {
	struct tw_store_reader base;
	struct tw_clickhouse *server;
	struct tw_history_names names; /* texts of the last answer */
};

static struct click_reader *reader_of(struct tw_store_reader *base)
{
	return (struct click_reader *)base;
}

static void forget_names(struct click_reader *r)
{
	tw_history_names_done(&r->names);
	r->names.next = 1;
}

static int tell_memory(struct tw_err *err)
{
	return tw_err_set(err, -ENOMEM, "history", NULL, "out of memory");
}

static int tell_malformed(struct tw_err *err)
{
	return tw_err_set(err, -EPROTO, "history", NULL, "an answer of the server is malformed");
}

/* Runs a query; adds the format of its answer. */
static int ask(struct click_reader *r, struct tw_buf *sql, struct tw_buf *answer,
	struct tw_wire *ret, struct tw_err *err)
{
	int code;

	tw_buf_adds(sql, " FORMAT RowBinary");
	if (sql->failed)
		return tell_memory(err);
	code = tw_clickhouse_run(r->server, sql->data, false, answer, err);
	*ret = tw_wire_of(answer);
	return code;
}

/* Runs a query and reads the numbers of its row. */
static int ask_numbers(
	struct click_reader *r, struct tw_buf *sql, uint64_t **to, size_t n, struct tw_err *err)
{
	tw_auto_buf struct tw_buf answer = {0};
	struct tw_wire wire;
	int code = ask(r, sql, &answer, &wire, err);

	/* An old server that has no rows to add up returns no row at all. */
	for (size_t i = 0; i < n && !code; i++)
		*to[i] = answer.len ? tw_wire_number(&wire, 8) : 0;
	return !code && wire.bad ? tell_malformed(err) : code;
}

static int ask_extent(
	struct click_reader *r, const char *query, uint64_t **to, size_t n, struct tw_err *err)
{
	tw_auto_buf struct tw_buf sql = {0};

	tw_buf_adds(&sql, query);
	return ask_numbers(r, &sql, to, n, err);
}

/* ---- rows ---- */

/* Narrows a filter to a span at the end where the wanted rows are. False if the filter is already that narrow. */
static bool narrow(struct tw_history_filter *f, bool oldest_first, uint64_t span_us)
{
	uint64_t now_us = tw_clock_unix_ns(tw_clock_ns()) / 1000;
	uint64_t until_us = f->until_us ? f->until_us : now_us;

	if (oldest_first) {
		if (!f->since_us || f->since_us + span_us >= until_us)
			return false;
		f->until_us = f->since_us + span_us;
	} else {
		if (until_us < span_us || until_us - span_us <= f->since_us)
			return false;
		f->since_us = until_us - span_us;
	}
	return true;
}

/* Finds the time of the last wanted row within the filter; 0: there is none. Sets `ret_n` to the number of rows up to
 * it. */
static int find_last(struct click_reader *r, const struct tw_history_query *q,
	const struct tw_history_filter *f, uint64_t *ret_us, uint64_t *ret_n, struct tw_err *err)
{
	tw_auto_buf struct tw_buf sql = {0};

	tw_buf_addf(&sql,
		"SELECT toUInt64(%s(time_us)), toUInt64(count()) FROM (SELECT time_us FROM history",
		q->oldest_first ? "max" : "min");
	tw_filter_sql_add(&sql, f, false);
	tw_buf_addf(&sql, " ORDER BY time_us%s LIMIT %" PRIu32 ")", q->oldest_first ? "" : " DESC",
		q->limit);
	return ask_numbers(r, &sql, (uint64_t *[]){ret_us, ret_n}, 2, err);
}

/* Finds the time of the last wanted row, 0 if there is none. Looks in short spans first: the server reads only the
 * part of its tables that has the span. */
static int find_edge(struct click_reader *r, const struct tw_history_query *q, uint64_t *ret_us,
	struct tw_err *err)
{
	static const uint64_t spans_us[] = {10000000, 600000000, 36000000000};
	uint64_t n = 0;

	for (size_t i = 0; i < sizeof(spans_us) / sizeof(spans_us[0]); i++) {
		struct tw_history_filter f = q->filter;
		int code;

		if (!narrow(&f, q->oldest_first, spans_us[i]))
			break;
		code = find_last(r, q, &f, ret_us, &n, err);
		if (code < 0 || n >= q->limit)
			return code;
	}
	return find_last(r, q, &q->filter, ret_us, &n, err);
}

static int read_rows(struct click_reader *r, struct tw_wire *wire, uint32_t limit,
	struct tw_history_result *result, struct tw_err *err)
{
	int code = 0;

	result->rows = tw_alloc_array((size_t)limit + 1, sizeof(result->rows[0]));
	if (!result->rows)
		return tell_memory(err);
	while (!code && result->n < limit && !tw_wire_is_at_end(wire))
		code = tw_encode_read(wire, &r->names, &result->rows[result->n++]);
	if (code == -EPROTO || wire->bad)
		return tell_malformed(err);
	return code ? tell_memory(err) : 0;
}

static int find_rows(struct click_reader *r, const struct tw_history_query *q,
	struct tw_history_result *result, struct tw_err *err)
{
	tw_auto_buf struct tw_buf sql = {0}, answer = {0};
	const char *order = q->oldest_first ? "" : " DESC";
	struct tw_history_filter f = q->filter;
	uint64_t edge_us = 0;
	struct tw_wire wire;
	int code = find_edge(r, q, &edge_us, err);

	if (code < 0)
		return code;
	if (!edge_us) {
		result->rows = tw_alloc_array(1, sizeof(result->rows[0]));
		return result->rows ? 0 : tell_memory(err);
	}
	if (q->oldest_first)
		f.until_us = edge_us + 1;
	else
		f.since_us = edge_us;
	tw_buf_adds(&sql, "SELECT " TW_ENCODE_COLUMNS " FROM history");
	tw_filter_sql_add(&sql, &f, false);
	tw_buf_addf(&sql, " ORDER BY time_us%s, batch%s, place%s LIMIT %" PRIu32, order, order,
		order, q->limit);
	code = ask(r, &sql, &answer, &wire, err);
	return code ? code : read_rows(r, &wire, q->limit, result, err);
}

static int count_rows(struct click_reader *r, const struct tw_history_filter *f, uint64_t *ret,
	struct tw_err *err)
{
	tw_auto_buf struct tw_buf sql = {0};

	tw_buf_adds(&sql, "SELECT toUInt64(count()) FROM history");
	tw_filter_sql_add(&sql, f, false);
	return ask_numbers(r, &sql, &ret, 1, err);
}

static int click_select(struct tw_store_reader *base, const struct tw_history_query *query,
	struct tw_history_result *ret_result, struct tw_err *err)
{
	struct click_reader *r = reader_of(base);
	struct tw_history_query q = *query;
	int code = 0;

	forget_names(r);
	*ret_result = (struct tw_history_result){0};
	if (q.limit > TW_HISTORY_LIMIT_MAX)
		q.limit = TW_HISTORY_LIMIT_MAX;
	if (q.count)
		code = count_rows(r, &q.filter, &ret_result->matched, err);
	if (!code)
		code = find_rows(r, &q, ret_result, err);
	if (code < 0)
		tw_history_result_done(ret_result);
	return code;
}

/* ---- totals ---- */

static const char *const keys[] = {
	[TW_HISTORY_BY_SOURCE] = "from_address, from_workload",
	[TW_HISTORY_BY_DESTINATION] = "to_address, to_workload",
	[TW_HISTORY_BY_SERVICE] = "proto, to_port",
	[TW_HISTORY_BY_RULE] = "if(in_verdict = 'none' OR out_verdict NOT IN ('none', 'allow'),"
			       " out_rule, in_rule) AS decided",
};

static const char *const groups[] = {
	[TW_HISTORY_BY_SOURCE] = "from_address, from_workload",
	[TW_HISTORY_BY_DESTINATION] = "to_address, to_workload",
	[TW_HISTORY_BY_SERVICE] = "proto, to_port",
	[TW_HISTORY_BY_RULE] = "decided",
};

static int read_name(
	struct click_reader *r, struct tw_wire *wire, enum tw_history_noun noun, uint32_t *ret)
{
	char text[TW_TRANSLATE_NAME_MAX + 1];

	tw_wire_text(wire, text, sizeof(text));
	return tw_history_names_find(&r->names, noun, text, ret);
}

static int read_total(struct click_reader *r, struct tw_wire *wire,
	enum tw_history_dimension dimension, struct tw_history_total *ret)
{
	struct tw_history_sums *sums = &ret->sums;
	struct tw_addr addr;
	int code = 0;

	*ret = (struct tw_history_total){0};
	if (dimension == TW_HISTORY_BY_SERVICE) {
		ret->key.lo = tw_wire_number(wire, 1) << 16;
		ret->key.lo |= tw_wire_number(wire, 2);
	} else if (dimension == TW_HISTORY_BY_RULE) {
		code = read_name(r, wire, TW_HISTORY_RULE, &ret->name);
	} else {
		tw_wire_bytes(wire, &addr, sizeof(addr));
		ret->key = tw_history_key_of_addr(&addr);
		code = read_name(r, wire, TW_HISTORY_WORKLOAD, &ret->name);
	}
	sums->connections = tw_wire_number(wire, 8);
	sums->denials = tw_wire_number(wire, 8);
	for (int way = 0; way < TW_WAY__MAX; way++)
		sums->packets[way] = tw_wire_number(wire, 8);
	for (int way = 0; way < TW_WAY__MAX; way++)
		sums->bytes[way] = tw_wire_number(wire, 8);
	return code;
}

static int find_totals(struct click_reader *r, const struct tw_history_filter *filter,
	enum tw_history_dimension dimension, enum tw_history_order order, uint32_t limit,
	struct tw_history_result *result, struct tw_err *err)
{
	static const char *const weights[] = {
		[TW_HISTORY_ORDER_BYTES] = "sum(bytes_out + bytes_in)",
		[TW_HISTORY_ORDER_CONNECTIONS] = "connections",
		[TW_HISTORY_ORDER_DENIALS] = "denials"};
	tw_auto_buf struct tw_buf sql = {0}, answer = {0};
	struct tw_wire wire;
	int code;

	tw_buf_addf(&sql, "SELECT %s, " SUMS " FROM history", keys[dimension]);
	tw_filter_sql_add(&sql, filter, true);
	tw_buf_addf(&sql,
		" GROUP BY %s ORDER BY %s DESC, connections + denials DESC, %s LIMIT %" PRIu32,
		groups[dimension], weights[order], groups[dimension], limit);
	code = ask(r, &sql, &answer, &wire, err);
	if (code < 0)
		return code;
	result->totals = tw_alloc_array((size_t)limit + 1, sizeof(result->totals[0]));
	if (!result->totals)
		return tell_memory(err);
	while (!code && result->n_totals < limit && !tw_wire_is_at_end(&wire))
		code = read_total(r, &wire, dimension, &result->totals[result->n_totals++]);
	if (wire.bad)
		return tell_malformed(err);
	return code ? tell_memory(err) : 0;
}

static int click_top(struct tw_store_reader *base, const struct tw_history_filter *filter,
	enum tw_history_dimension dimension, enum tw_history_order order, uint32_t limit,
	struct tw_history_result *ret_result, struct tw_err *err)
{
	struct click_reader *r = reader_of(base);
	struct tw_history_filter f = *filter;
	int code;

	forget_names(r);
	*ret_result = (struct tw_history_result){0};
	/* Widens the span to whole minutes, because the sums in a file are by minute. */
	if (tw_filter_sql_is_plain(&f)) {
		f.since_us -= f.since_us % MINUTE_US;
		f.until_us = (f.until_us + MINUTE_US - 1) / MINUTE_US * MINUTE_US;
	}
	code = find_totals(r, &f, dimension, order, limit, ret_result, err);
	if (code < 0)
		tw_history_result_done(ret_result);
	return code;
}

/* ---- uses, extent ---- */

static int click_uses(struct tw_store_reader *base, struct tw_history_use **ret_uses, size_t *ret_n,
	struct tw_err *err)
{
	struct click_reader *r = reader_of(base);
	TW_VEC(struct tw_history_use) uses = {0};
	tw_auto_buf struct tw_buf sql = {0}, answer = {0};
	struct tw_wire wire;
	int code;

	forget_names(r);
	/* A piece that is being dropped may be in both tables; its rows in `history` count. */
	tw_buf_adds(&sql,
		"SELECT used, max(last), toUInt64(sum(n)) FROM ("
		"SELECT used, max(time_us) AS last, count() AS n FROM ("
		"SELECT time_us, arrayJoin(arrayDistinct([out_rule, in_rule])) AS used FROM history"
		" WHERE " NOT_VOID ") WHERE used != '' GROUP BY used"
		" UNION ALL SELECT rule AS used, max(last_us) AS last, sum(u) AS n FROM ("
		"SELECT piece, rule, max(last_us) AS last_us, max(uses) AS u FROM history_uses"
		" WHERE piece NOT IN (SELECT toUInt32(partition) FROM system.parts WHERE active AND"
		" table = 'history' AND database = currentDatabase()) GROUP BY piece, rule)"
		" GROUP BY rule) GROUP BY used");
	code = ask(r, &sql, &answer, &wire, err);
	while (!code && !tw_wire_is_at_end(&wire)) {
		struct tw_history_use use = {0};

		code = read_name(r, &wire, TW_HISTORY_RULE, &use.rule);
		use.last_us = tw_wire_number(&wire, 8);
		use.rows = tw_wire_number(&wire, 8);
		if (code || tw_vec_push(&uses, use))
			code = tell_memory(err);
	}
	if (!code && wire.bad)
		code = tell_malformed(err);
	if (code < 0) {
		tw_vec_done(&uses);
		return code;
	}
	*ret_uses = uses.at;
	*ret_n = uses.n;
	return 0;
}

#define PARTS                                                       \
	" FROM system.parts WHERE active AND table = 'history' AND" \
	" database = currentDatabase()"

/* Times are read from the first and the last piece only. */
static int find_extent(struct click_reader *r, struct tw_history_extent *e, struct tw_err *err)
{
	int code = ask_extent(r, "SELECT toUInt64(count()), toUInt64(sum(bytes_on_disk))" PARTS,
		(uint64_t *[]){&e->blocks, &e->bytes}, 2, err);

	if (!code)
		code = ask_extent(r, "SELECT toUInt64(count()) FROM history WHERE " NOT_VOID,
			(uint64_t *[]){&e->rows}, 1, err);
	if (!code)
		code = ask_extent(r,
			"SELECT toUInt64(min(time_us)) FROM history WHERE " NOT_VOID " AND piece ="
			" (SELECT min(toUInt32(partition))" PARTS ")",
			(uint64_t *[]){&e->oldest_us}, 1, err);
	if (!code)
		code = ask_extent(r,
			"SELECT toUInt64(max(time_us)) FROM history WHERE " NOT_VOID " AND piece ="
			" (SELECT max(toUInt32(partition))" PARTS ")",
			(uint64_t *[]){&e->newest_us}, 1, err);
	return code;
}

static int click_get_extent(
	struct tw_store_reader *base, struct tw_history_extent *ret_extent, struct tw_err *err)
{
	struct click_reader *r = reader_of(base);
	struct tw_history_extent e = {0};
	int code;

	tw_clickhouse_set_timeout(r->server, STATUS_MS);
	code = find_extent(r, &e, err);
	tw_clickhouse_set_timeout(r->server, TW_CLICKHOUSE_READ_MS);
	if (!code)
		*ret_extent = e;
	return code;
}

static const char *click_text(struct tw_store_reader *base, uint32_t name)
{
	return tw_encode_text(&reader_of(base)->names, name);
}

/* ---- life ---- */

static void click_reader_free(struct tw_store_reader *base)
{
	struct click_reader *r = reader_of(base);

	tw_clickhouse_free(r->server);
	tw_history_names_done(&r->names);
	free(r);
}

int tw_clickhouse_reader_open(const char *place, const struct tw_store_access *access,
	struct tw_store_reader **ret, struct tw_err *err)
{
	static const struct tw_store_reader_ops ops = {.select = click_select,
		.top = click_top,
		.uses = click_uses,
		.get_extent = click_get_extent,
		.text = click_text,
		.free = click_reader_free};
	struct click_reader *r = tw_alloc(sizeof(*r));
	int code;

	if (!r)
		return tell_memory(err);
	r->base.ops = &ops;
	r->names.next = 1;
	code = tw_clickhouse_open(place, access, TW_CLICKHOUSE_READ_MS, &r->server, err);
	if (code < 0)
		click_reader_free(&r->base);
	else
		*ret = &r->base;
	return code;
}
