/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/filter_sql.h"

#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>

#include "fastpath/abi/names.h"

#define ADDRESS_BITS 128u

void tw_filter_sql_text(struct tw_buf *sql, const char *text)
{
	tw_buf_adds(sql, "'");
	for (; *text; text++)
		if (isascii((unsigned char)*text) && isalnum((unsigned char)*text))
			tw_buf_add(sql, text, 1);
		else
			tw_buf_addf(sql, "\\x%02X", (unsigned char)*text);
	tw_buf_adds(sql, "'");
}

static void add_address(struct tw_buf *sql, const struct tw_addr *addr)
{
	const uint8_t *bytes = (const uint8_t *)addr;

	tw_buf_adds(sql, "toFixedString(unhex('");
	for (size_t i = 0; i < sizeof(*addr); i++)
		tw_buf_addf(sql, "%02X", bytes[i]);
	tw_buf_adds(sql, "'), 16)");
}

/* Sets the bits after the prefix. */
static struct tw_addr fill_bits(const struct tw_addr *prefix, unsigned int len, uint8_t value)
{
	struct tw_addr addr = *prefix;
	uint8_t *bytes = (uint8_t *)&addr;

	for (unsigned int bit = len; bit < ADDRESS_BITS; bit++) {
		uint8_t mask = (uint8_t)(0x80u >> bit % 8);

		bytes[bit / 8] = (uint8_t)((bytes[bit / 8] & ~mask) | (value & mask));
	}
	return addr;
}

static void add_prefix(struct tw_buf *sql, const char *column, const struct tw_history_end *end)
{
	struct tw_addr low = fill_bits(&end->prefix, end->prefix_len, 0);
	struct tw_addr high = fill_bits(&end->prefix, end->prefix_len, 0xff);

	tw_buf_addf(sql, "(%s >= ", column);
	add_address(sql, &low);
	tw_buf_addf(sql, " AND %s <= ", column);
	add_address(sql, &high);
	tw_buf_adds(sql, ")");
}

static void add_equal(struct tw_buf *sql, const char *column, const char *text)
{
	tw_buf_addf(sql, "%s = ", column);
	tw_filter_sql_text(sql, text);
}

/* Adds the conditions for an end: `from`, `to`, or either if both are set. */
static void add_end(struct tw_buf *sql, const struct tw_history_end *end, bool from, bool to)
{
	const char *either = from && to ? " OR " : "";

	if (end->has_prefix) {
		tw_buf_adds(sql, " AND (");
		if (from)
			add_prefix(sql, "from_address", end);
		tw_buf_adds(sql, either);
		if (to)
			add_prefix(sql, "to_address", end);
		tw_buf_adds(sql, ")");
	}
	if (end->workload) {
		tw_buf_adds(sql, " AND (");
		if (from)
			add_equal(sql, "from_workload", end->workload);
		tw_buf_adds(sql, either);
		if (to)
			add_equal(sql, "to_workload", end->workload);
		tw_buf_adds(sql, ")");
	}
}

static void add_outcome(struct tw_buf *sql, const struct tw_history_filter *f, bool no_live)
{
	if (f->has_kind)
		tw_buf_addf(sql, " AND toInt8(event) = %u", f->kind);
	if (no_live || f->no_live)
		tw_buf_addf(sql, " AND toInt8(event) != %u", TW_HISTORY_LIVE);
	if (f->verdict != TW_V_NONE)
		tw_buf_addf(sql, " AND toInt8(verdict) = %u", f->verdict);
	if (f->has_reason)
		tw_buf_addf(sql, " AND reason = '%s'",
			f->reason < TW_R__MAX ? tw_reason_name(f->reason) : "");
}

void tw_filter_sql_add(struct tw_buf *sql, const struct tw_history_filter *f, bool no_live)
{
	tw_buf_addf(sql, " WHERE time_us >= %" PRIu64, f->since_us);
	if (f->until_us)
		tw_buf_addf(sql, " AND time_us < %" PRIu64, f->until_us);
	add_end(sql, &f->either, true, true);
	add_end(sql, &f->from, true, false);
	add_end(sql, &f->to, false, true);
	if (f->rule) {
		tw_buf_adds(sql, " AND (");
		add_equal(sql, "out_rule", f->rule);
		tw_buf_adds(sql, " OR ");
		add_equal(sql, "in_rule", f->rule);
		tw_buf_adds(sql, ")");
	}
	if (f->host) {
		tw_buf_adds(sql, " AND ");
		add_equal(sql, "agent", f->host);
	}
	if (f->has_proto)
		tw_buf_addf(sql, " AND proto = %u", f->proto);
	else if (f->has_port)
		tw_buf_addf(
			sql, " AND proto IN (%d, %d, %d)", IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP);
	if (f->has_port)
		tw_buf_addf(sql, " AND to_port = %u", f->port);
	add_outcome(sql, f, no_live);
	/* Leaves out rows whose batch was sent again. */
	tw_buf_adds(sql, " AND batch NOT IN (SELECT batch FROM history_voids)");
}

bool tw_filter_sql_is_plain(const struct tw_history_filter *f)
{
	const struct tw_history_end *ends[] = {&f->either, &f->from, &f->to};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i]->has_prefix || ends[i]->workload)
			return false;
	return !f->rule && !f->host && !f->has_proto && !f->has_port && !f->has_kind &&
	       !f->no_live && !f->has_reason && f->verdict == TW_V_NONE;
}
