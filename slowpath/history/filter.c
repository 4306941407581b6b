/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/history/filter.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "slowpath/history/db.h"

#define ADDRESS_BITS 128u

_Static_assert(TW_HISTORY_INTERVALS >= TW_HISTORY_KIND__MAX * TW_V__MAX, "outcomes of one reason");

static struct tw_history_clause *add_clause(
	struct tw_history_match *m, enum tw_history_column a, enum tw_history_column b)
{
	struct tw_history_clause *c = &m->clause[m->n++];

	*c = (struct tw_history_clause){.n_columns = a == b ? 1 : 2, .column = {a, b}};
	return c;
}

static void add_interval(struct tw_history_clause *c, uint64_t low, uint64_t high)
{
	c->interval[c->n_intervals++] = (struct tw_history_interval){
		.low = {.lo = low}, .high = {.lo = high}};
}

/* Returns a mask of the lowest bits of a word; all of them from 64 on. */
static uint64_t low_bits(unsigned int n)
{
	return n >= 64 ? UINT64_MAX : (1ull << n) - 1;
}

static void add_prefix(struct tw_history_clause *c, const struct tw_history_end *end)
{
	struct tw_history_key key = tw_history_key_of_addr(&end->prefix);
	unsigned int len = end->prefix_len > ADDRESS_BITS ? ADDRESS_BITS : end->prefix_len;
	unsigned int free_bits = ADDRESS_BITS - len;
	uint64_t lo = low_bits(free_bits), hi = free_bits > 64 ? low_bits(free_bits - 64) : 0;
	struct tw_history_interval *i = &c->interval[c->n_intervals++];

	i->low = (struct tw_history_key){key.hi & ~hi, key.lo & ~lo};
	i->high = (struct tw_history_key){key.hi | hi, key.lo | lo};
}

/* Looks a name up. If there is none, nothing can match. */
static int find_name(struct tw_history_match *m, sqlite3 *db, enum tw_history_noun noun,
	const char *text, uint64_t *ret_name)
{
	tw_auto_statement sqlite3_stmt *get = NULL;
	int result, err = tw_history_db_prepare(
			    db, "SELECT id FROM name WHERE kind = ? AND text = ?", &get);

	if (err)
		return err;
	sqlite3_bind_int(get, 1, noun);
	sqlite3_bind_text(get, 2, text, -1, SQLITE_STATIC);
	result = sqlite3_step(get);
	if (result == SQLITE_ROW)
		*ret_name = (uint64_t)sqlite3_column_int64(get, 0);
	else
		m->never = true;
	return tw_history_db_errno(db, result);
}

/* Adds the conditions for an end. `a` and `b` are columns of addresses; the columns of workloads
 * follow them. */
static int add_end(struct tw_history_match *m, sqlite3 *db, const struct tw_history_end *end,
	enum tw_history_column a, enum tw_history_column b)
{
	uint64_t name = 0;
	int err;

	if (end->has_prefix)
		add_prefix(add_clause(m, a, b), end);
	if (!end->workload)
		return 0;
	err = find_name(m, db, TW_HISTORY_WORKLOAD, end->workload, &name);
	add_interval(add_clause(m, a + TW_HISTORY_FROM_END, b + TW_HISTORY_FROM_END), name << 32,
		name << 32 | UINT32_MAX);
	return err;
}

static void add_service(struct tw_history_match *m, const struct tw_history_filter *f)
{
	static const uint8_t with_ports[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP};
	struct tw_history_clause *c = add_clause(m, TW_HISTORY_SERVICE, TW_HISTORY_SERVICE);

	if (f->has_proto) {
		uint64_t proto = (uint64_t)f->proto << 16;

		add_interval(c, proto | (f->has_port ? f->port : 0),
			proto | (f->has_port ? f->port : UINT16_MAX));
		return;
	}
	for (size_t i = 0; i < sizeof(with_ports); i++)
		add_interval(c, (uint64_t)with_ports[i] << 16 | f->port,
			(uint64_t)with_ports[i] << 16 | f->port);
}

/* Kind, verdict and reason are parts of one key, and a filter may name any of them. */
static void add_outcome(struct tw_history_match *m, const struct tw_history_filter *f)
{
	struct tw_history_clause *c;

	if (!f->has_kind && !f->no_live && f->verdict == TW_V_NONE && !f->has_reason)
		return;
	c = add_clause(m, TW_HISTORY_OUTCOME, TW_HISTORY_OUTCOME);
	for (uint64_t kind = 0; kind < TW_HISTORY_KIND__MAX; kind++)
		for (uint64_t verdict = 0; verdict < TW_V__MAX; verdict++) {
			uint64_t key = kind << 40 | verdict << 32 |
				       (f->has_reason ? (uint64_t)f->reason << 24 : 0);

			if ((!f->has_kind || f->kind == kind) &&
				(!f->no_live || kind != TW_HISTORY_LIVE) &&
				(f->verdict == TW_V_NONE || f->verdict == verdict))
				add_interval(c, key, key | (f->has_reason ? 0xffffff : 0xffffffff));
		}
}

int tw_history_match_init(
	struct tw_history_match *m, sqlite3 *db, const struct tw_history_filter *f)
{
	uint64_t name = 0;
	int err;

	m->n = 0;
	m->never = false;
	err = add_end(m, db, &f->either, TW_HISTORY_FROM, TW_HISTORY_TO);
	if (!err)
		err = add_end(m, db, &f->from, TW_HISTORY_FROM, TW_HISTORY_FROM);
	if (!err)
		err = add_end(m, db, &f->to, TW_HISTORY_TO, TW_HISTORY_TO);
	if (!err && f->rule) {
		err = find_name(m, db, TW_HISTORY_RULE, f->rule, &name);
		add_interval(add_clause(m, TW_HISTORY_OUT_GATE, TW_HISTORY_IN_GATE), name << 8,
			name << 8 | UINT8_MAX);
	}
	if (!err && f->host) {
		err = find_name(m, db, TW_HISTORY_HOSTNAME, f->host, &name);
		add_interval(add_clause(m, TW_HISTORY_HOST, TW_HISTORY_HOST), name, name);
	}
	if (f->has_proto || f->has_port)
		add_service(m, f);
	add_outcome(m, f);
	return err;
}

/* Finds the numbers of keys in the intervals in one column's dictionary. Returns how many keys there are. */
static uint32_t find_ranges(
	struct tw_history_clause *c, uint32_t column, const struct tw_history_ids *ids)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < c->n_intervals; i++) {
		uint32_t first = tw_history_find_key(ids, c->interval[i].low);
		uint32_t end = tw_history_find_key(ids, c->interval[i].high);

		if (end < ids->n_keys &&
			!tw_history_key_compare(tw_history_key_at(ids, end), c->interval[i].high))
			end++;
		c->first[column][i] = first;
		c->count[column][i] = end > first ? end - first : 0;
		total += c->count[column][i];
	}
	return total;
}

int tw_history_match_keys(struct tw_history_match *m, struct tw_history_cursor *cursor)
{
	m->possible = true;
	for (uint32_t i = 0; i < m->n && m->possible; i++) {
		struct tw_history_clause *c = &m->clause[i];
		uint32_t total = 0;

		c->all = false;
		for (uint32_t k = 0; k < c->n_columns && !c->all; k++) {
			int err = tw_history_cursor_keys(cursor, c->column[k]);
			uint32_t n;

			if (err)
				return err;
			n = find_ranges(c, k, &cursor->ids[c->column[k]]);
			c->all = n == cursor->ids[c->column[k]].n_keys;
			total += n;
		}
		m->possible = total != 0;
	}
	return 0;
}

/* Clears the mask of rows outside the time. */
static int mask_time(struct tw_history_match *m, struct tw_history_cursor *cursor,
	const struct tw_history_filter *f)
{
	uint32_t n_rows = cursor->n_rows;

	for (uint32_t start = 0; start < n_rows; start += TW_HISTORY_GROUP_ROWS) {
		int err;
		const uint64_t *time = tw_history_cursor_group(
			cursor, TW_HISTORY_TIME, start / TW_HISTORY_GROUP_ROWS, &err);

		if (!time)
			return err;
		for (uint32_t i = 0; i < TW_HISTORY_GROUP_ROWS && start + i < n_rows; i++)
			m->mask[start + i] = time[i] >= f->since_us &&
					     (!f->until_us || time[i] < f->until_us);
	}
	return 0;
}

static int mask_clause(struct tw_history_match *m, struct tw_history_cursor *cursor,
	const struct tw_history_clause *c)
{
	memset(m->part, 0, cursor->n_rows);
	for (uint32_t k = 0; k < c->n_columns; k++)
		for (uint32_t i = 0; i < c->n_intervals; i++) {
			int err;

			if (!c->count[k][i])
				continue;
			err = tw_history_cursor_ids(cursor, c->column[k]);
			if (err)
				return err;
			tw_history_mark(&cursor->ids[c->column[k]], c->first[k][i], c->count[k][i],
				m->part);
		}
	for (uint32_t i = 0; i < cursor->n_rows; i++)
		m->mask[i] &= m->part[i];
	return 0;
}

int tw_history_match_rows(struct tw_history_match *m, struct tw_history_cursor *cursor,
	const struct tw_history_filter *time, uint32_t *ret_n)
{
	uint32_t n = 0;
	int err = 0;

	if (time)
		err = mask_time(m, cursor, time);
	else
		memset(m->mask, 1, cursor->n_rows);
	for (uint32_t i = 0; i < m->n && !err; i++)
		if (!m->clause[i].all)
			err = mask_clause(m, cursor, &m->clause[i]);
	for (uint32_t i = 0; i < cursor->n_rows && !err; i++)
		n += m->mask[i];
	*ret_n = n;
	return err;
}
