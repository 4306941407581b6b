/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/query/found.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fastpath/abi/names.h"
#include "link/event_row.h"
#include "link/reply.h"

#define TEXT(text)  ((char *)(uintptr_t)(text))
#define US_PER_S    1000000u
#define DAMAGE_TOLD 20 /* damaged parts that are reported one by one */

/* ---- rows ---- */

/* A row in words. It points into itself, so it must not be copied. */
struct words {
	Tapwall__V1__HistoryRow row;
	Tapwall__V1__End end[TW_DIR__MAX];
	Tapwall__V1__Gate gate[TW_DIR__MAX];
	char address[TW_DIR__MAX][INET6_ADDRSTRLEN];
	char proto[TW_EVENT_PROTO_TEXT];
};

static bool is_icmp(uint8_t proto)
{
	return proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;
}

static void describe_end(struct tw_store_reader *reader, const struct tw_history_row *row,
	enum tw_dir dir, struct words *ret)
{
	Tapwall__V1__End *end = &ret->end[dir];
	Tapwall__V1__Gate *gate = &ret->gate[dir];

	tapwall__v1__end__init(end);
	end->address = TEXT(tw_addr_format(&row->addr[dir], ret->address[dir]));
	end->workload = TEXT(reader->ops->text(reader, row->workload[dir]));
	end->port = row->port[dir];
	tapwall__v1__gate__init(gate);
	gate->verdict = TEXT(tw_verdict_name(row->gate_verdict[dir]));
	gate->rule = TEXT(reader->ops->text(reader, row->rule[dir]));
}

static void describe_row(
	struct tw_store_reader *reader, const struct tw_history_row *row, struct words *ret)
{
	Tapwall__V1__HistoryRow *r = &ret->row;
	static const char *const kinds[] = {"close", "deny", "live"};
	bool denied = row->kind == TW_HISTORY_DENY;

	tapwall__v1__history_row__init(r);
	describe_end(reader, row, TW_DIR_OUT, ret);
	describe_end(reader, row, TW_DIR_IN, ret);
	r->time_us = row->time_us;
	r->event = TEXT(row->kind < TW_HISTORY_KIND__MAX ? kinds[row->kind] : "");
	r->verdict = TEXT(tw_verdict_name(row->verdict));
	r->reason = TEXT(tw_reason_name(row->reason));
	r->rule = TEXT(reader->ops->text(reader, tw_history_rule_of(row)));
	r->proto = TEXT(tw_event_row_proto(row->proto, ret->proto));
	r->from = &ret->end[TW_DIR_OUT];
	r->to = &ret->end[TW_DIR_IN];
	if (is_icmp(row->proto)) {
		r->icmp_type = row->port[TW_DIR_IN];
		r->to->port = 0;
	}
	r->out = row->gate_verdict[TW_DIR_OUT] ? &ret->gate[TW_DIR_OUT] : NULL;
	r->in = row->gate_verdict[TW_DIR_IN] ? &ret->gate[TW_DIR_IN] : NULL;
	r->out_port = TEXT(reader->ops->text(reader, row->tap[TW_DIR_OUT]));
	r->in_port = TEXT(reader->ops->text(reader, row->tap[TW_DIR_IN]));
	r->direction = TEXT(denied ? tw_dir_name(row->dir) : "");
	r->state = TEXT(row->state < TW_S__MAX ? tw_state_name(row->state) : "");
	r->packets_out = row->packets[TW_WAY_ORIGINAL];
	r->packets_in = row->packets[TW_WAY_REPLY];
	r->bytes_out = row->bytes[TW_WAY_ORIGINAL];
	r->bytes_in = row->bytes[TW_WAY_REPLY];
	r->duration_s = (double)row->duration_ms / 1e3;
	r->idle_s = (double)row->idle_ms / 1e3;
	r->agent = TEXT(reader->ops->text(reader, row->host));
}

/* Says where the next query continues. `n` rows were sent, the last one at `at_us`. */
static void set_end(const struct tw_wanted *wanted, const struct tw_history_row *rows, size_t n,
	Tapwall__V1__HistoryEnd *end)
{
	const struct tw_history_query *query = &wanted->query;
	uint64_t begin_us = query->oldest_first ? query->filter.since_us
						: query->filter.until_us - 1;
	uint64_t at_us = rows[n - 1].time_us;
	size_t same = 0;

	while (same < n && rows[n - 1 - same].time_us == at_us)
		same++;
	end->more = true;
	end->at_us = wanted->query.oldest_first ? at_us : at_us + 1;
	/* The skipped rows have the time at which this answer begins. If all
	 * of its rows have that time, too, the next answer must skip both. */
	end->skip = (uint32_t)(same == n && at_us == begin_us ? same + wanted->skip : same);
}

static int send_rows(const struct tw_wanted *wanted, const struct tw_history_result *result,
	struct tw_store_reader *reader, uint64_t id, struct tw_buf *out,
	Tapwall__V1__HistoryEnd *end)
{
	size_t skip = wanted->skip < result->n ? wanted->skip : result->n;
	const struct tw_history_row *rows = result->rows + skip;
	size_t n = result->n - skip;
	bool more = n > wanted->query.limit;
	int code = 0;

	if (more)
		n = wanted->query.limit;
	for (size_t i = 0; i < n && !code; i++) {
		Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
		struct words words;

		describe_row(reader, &rows[i], &words);
		response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW;
		response.history_row = &words.row;
		code = tw_reply_send(out, id, &response, false);
	}
	if (more)
		set_end(wanted, rows, n, end);
	return code;
}

/* ---- totals ---- */

static bool is_of_address(Tapwall__V1__HistoryRequest__About about)
{
	return about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__SOURCES ||
	       about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__DESTINATIONS;
}

/* The reverse of tw_history_key_of_addr(). */
static struct tw_addr address_of(struct tw_history_key key)
{
	struct tw_addr addr;

	addr.d[0] = htobe64(key.hi);
	addr.d[1] = htobe64(key.lo);
	return addr;
}

static int send_total(struct tw_store_reader *reader, const struct tw_wanted *wanted,
	const struct tw_history_total *total, uint64_t id, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__HistoryTotal t = TAPWALL__V1__HISTORY_TOTAL__INIT;
	char address[INET6_ADDRSTRLEN], proto[TW_EVENT_PROTO_TEXT];
	struct tw_addr addr = address_of(total->key);

	t.others = total->name == TW_HISTORY_OTHERS;
	if (!t.others && is_of_address(wanted->about))
		t.address = TEXT(tw_addr_format(&addr, address));
	if (!t.others && wanted->about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__SERVICES) {
		t.proto = TEXT(tw_event_row_proto((uint8_t)(total->key.lo >> 16), proto));
		t.port = (uint16_t)total->key.lo;
	}
	if (!t.others)
		t.name = TEXT(reader->ops->text(reader, total->name));
	t.connections = total->sums.connections;
	t.denials = total->sums.denials;
	t.packets_out = total->sums.packets[TW_WAY_ORIGINAL];
	t.packets_in = total->sums.packets[TW_WAY_REPLY];
	t.bytes_out = total->sums.bytes[TW_WAY_ORIGINAL];
	t.bytes_in = total->sums.bytes[TW_WAY_REPLY];
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_TOTAL;
	response.history_total = &t;
	return tw_reply_send(out, id, &response, false);
}

/* ---- damage ---- */

static void put_time(char *text, size_t max, uint64_t time_us)
{
	time_t seconds = (time_t)(time_us / US_PER_S);
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&seconds, &tm))
		strftime(text, max, "%Y-%m-%d %H:%M:%S", &tm);
}

static int send_warning(uint64_t id, const char *text, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Diagnostic diagnostic = TAPWALL__V1__DIAGNOSTIC__INIT;
	Tapwall__V1__Diagnostic *list[] = {&diagnostic};

	diagnostic.severity = TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING;
	diagnostic.text = TEXT(text);
	response.n_diagnostics = 1;
	response.diagnostics = list;
	return tw_reply_send(out, id, &response, false);
}

static int send_damage(const struct tw_history_result *result, uint64_t id, struct tw_buf *out)
{
	char text[200], from[32], to[32];
	int code = 0;

	for (size_t i = 0; i < result->n_damage && i < DAMAGE_TOLD && !code; i++) {
		const struct tw_history_damage *d = &result->damage[i];

		put_time(from, sizeof(from), d->from_us);
		put_time(to, sizeof(to), d->to_us);
		snprintf(text, sizeof(text),
			"block %" PRIu64 " is damaged: %" PRIu64
			" rows from %s to %s UTC may be missing here",
			d->block, d->rows, from, to);
		code = send_warning(id, text, out);
	}
	if (!code && result->n_damage > DAMAGE_TOLD) {
		snprintf(text, sizeof(text), "%zu more blocks are damaged",
			result->n_damage - DAMAGE_TOLD);
		code = send_warning(id, text, out);
	}
	if (!code && result->damaged_rollups) {
		snprintf(text, sizeof(text),
			"%" PRIu64 " stored sums are damaged; these totals are too low",
			result->damaged_rollups);
		code = send_warning(id, text, out);
	}
	return code;
}

/* ---- queries ---- */

static int run_query(struct tw_store_reader *reader, const struct tw_wanted *wanted,
	struct tw_history_result *result, struct tw_err *err)
{
	struct tw_history_query query = wanted->query;

	switch (wanted->about) {
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__SOURCES:
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__DESTINATIONS:
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__SERVICES:
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__RULES:
		return reader->ops->top(reader, &query.filter,
			(enum tw_history_dimension)(
				wanted->about - TAPWALL__V1__HISTORY_REQUEST__ABOUT__SOURCES),
			wanted->order, query.limit, result, err);
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS:
		/* A row beyond the limit shows that the answer is incomplete. */
		query.limit += wanted->skip + 1;
		return reader->ops->select(reader, &query, result, err);
	default:
		return -EOPNOTSUPP;
	}
}

static int send_found(struct tw_store_reader *reader, const struct tw_wanted *wanted, uint64_t id,
	struct tw_buf *out, struct tw_err *err)
{
	Tapwall__V1__Response last = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__HistoryEnd end = TAPWALL__V1__HISTORY_END__INIT;
	struct tw_history_result result;
	int code = run_query(reader, wanted, &result, err);

	if (code < 0)
		return code;
	code = send_damage(&result, id, out);
	if (!code)
		code = send_rows(wanted, &result, reader, id, out, &end);
	for (size_t i = 0; i < result.n_totals && !code; i++)
		code = send_total(reader, wanted, &result.totals[i], id, out);
	end.matched = result.matched;
	tw_history_result_done(&result);
	last.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_END;
	last.history_end = &end;
	return code ? code : tw_reply_send(out, id, &last, true);
}

static int compare_uses(const void *a, const void *b)
{
	const struct tw_history_use *x = a, *y = b;

	return x->last_us > y->last_us ? -1 : x->last_us < y->last_us;
}

static int send_uses(
	struct tw_store_reader *reader, uint64_t id, struct tw_buf *out, struct tw_err *err)
{
	Tapwall__V1__Response last = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__HistoryEnd end = TAPWALL__V1__HISTORY_END__INIT;
	struct tw_history_use *uses = NULL;
	size_t n = 0;
	int code = reader->ops->uses(reader, &uses, &n, err);

	if (code < 0)
		return code;
	if (n)
		qsort(uses, n, sizeof(*uses), compare_uses);
	for (size_t i = 0; i < n && !code; i++) {
		Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
		Tapwall__V1__HistoryUse use = TAPWALL__V1__HISTORY_USE__INIT;

		use.rule = TEXT(reader->ops->text(reader, uses[i].rule));
		use.last_us = uses[i].last_us;
		use.rows = uses[i].rows;
		response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_USE;
		response.history_use = &use;
		code = tw_reply_send(out, id, &response, false);
	}
	free(uses);
	last.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_END;
	last.history_end = &end;
	return code ? code : tw_reply_send(out, id, &last, true);
}

static int send_state(struct tw_store_reader *reader, Tapwall__V1__HistoryState *state, uint64_t id,
	struct tw_buf *out, struct tw_err *err)
{
	Tapwall__V1__Response last = TAPWALL__V1__RESPONSE__INIT;
	struct tw_history_extent extent;
	int code = reader->ops->get_extent(reader, &extent, err);

	/* A history that cannot be written has a state, even if it cannot be read either. */
	if (code < 0 && !state->failing[0])
		return code;
	if (!code) {
		state->rows = extent.rows;
		state->bytes = extent.bytes;
		state->blocks = extent.blocks;
		state->oldest_us = extent.oldest_us;
		state->newest_us = extent.newest_us;
	}
	last.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_STATE;
	last.history_state = state;
	return tw_reply_send(out, id, &last, true);
}

int tw_found_send(struct tw_store_reader *reader, const struct tw_wanted *wanted,
	Tapwall__V1__HistoryState *state, uint64_t id, struct tw_buf *out, struct tw_err *err)
{
	size_t before = out->len;
	int code;

	err->code = 0;
	if (wanted->about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__STATE)
		code = send_state(reader, state, id, out, err);
	else if (wanted->about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__USES)
		code = send_uses(reader, id, out, err);
	else
		code = send_found(reader, wanted, id, out, err);
	if (!code)
		return 0;
	if (!out->failed)
		out->len = before;
	if (err->code == code)
		return code;
	return tw_err_set(err, code, "history",
		code == -EOPNOTSUPP ? "use a newer tapwall-slowd" : NULL, "%s",
		code == -EOPNOTSUPP ? "the question is not known" : strerror(-code));
}
