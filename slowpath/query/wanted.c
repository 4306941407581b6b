/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/query/wanted.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "fastpath/abi/names.h"

#define V4_BITS	  32u
#define ADDR_BITS 128u

void tw_wanted_done(struct tw_wanted *wanted)
{
	for (unsigned int i = 0; i < wanted->n_texts; i++)
		free(wanted->texts[i]);
	wanted->n_texts = 0;
}

/* Sets `ret` to a copy of a text, or to NULL if it is empty. */
static int copy_text(struct tw_wanted *wanted, const char *text, const char **ret)
{
	char *copy;

	*ret = NULL;
	if (!text[0])
		return 0;
	copy = tw_strdup(text);
	if (!copy)
		return -ENOMEM;
	*ret = wanted->texts[wanted->n_texts++] = copy;
	return 0;
}

static int invalid(struct tw_err *err, const char *what, const char *text, const char *hint)
{
	return tw_err_set(err, -EINVAL, what, hint, "'%s' is not valid", tw_cleaned(text).text);
}

/* Reads an address or CIDR. */
static int read_prefix(const char *text, struct tw_history_end *ret, struct tw_err *err)
{
	const char *slash = strchr(text, '/');
	char address[64], *end = NULL;
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	unsigned long bits = 0;
	bool v4;

	if (len >= sizeof(address))
		return invalid(err, "address", text, "write an address or a CIDR");
	memcpy(address, text, len);
	address[len] = '\0';
	if (tw_addr_parse(address, &ret->prefix) < 0)
		return invalid(err, "address", text, "write an address or a CIDR");
	v4 = !strchr(address, ':');
	if (slash)
		bits = strtoul(slash + 1, &end, 10);
	if (slash &&
		(slash[1] < '0' || slash[1] > '9' || *end || bits > (v4 ? V4_BITS : ADDR_BITS)))
		return invalid(err, "address", text, "write an address or a CIDR");
	if (!slash)
		bits = v4 ? V4_BITS : ADDR_BITS;
	ret->prefix_len = (uint8_t)(bits + (v4 ? ADDR_BITS - V4_BITS : 0));
	ret->has_prefix = true;
	return 0;
}

static int read_place(struct tw_wanted *wanted, const Tapwall__V1__HistoryPlace *place,
	struct tw_history_end *ret, struct tw_err *err)
{
	if (!place)
		return 0;
	if (place->prefix[0] && read_prefix(place->prefix, ret, err) < 0)
		return -EINVAL;
	return copy_text(wanted, place->workload, &ret->workload);
}

static int read_words(
	const Tapwall__V1__HistoryRequest *request, struct tw_wanted *ret, struct tw_err *err)
{
	static const char *const orders[] = {"bytes", "connections", "denials"};
	static const char *const kinds[] = {"close", "deny", "live"};
	struct tw_history_filter *filter = &ret->query.filter;
	int verdict = request->verdict[0] ? tw_verdict_from_name(request->verdict) : TW_V_NONE;
	int reason = request->reason[0] ? tw_reason_from_name(request->reason) : 0;
	unsigned int order = 0, kind = 0;

	if (verdict < 0)
		return invalid(err, "verdict", request->verdict, "write allow, deny or reject");
	if (reason < 0)
		return invalid(err, "reason", request->reason, "tapwall counters --all lists them");
	while (kind < TW_HISTORY_KIND__MAX && request->event[0] &&
		strcmp(kinds[kind], request->event) != 0)
		kind++;
	if (kind == TW_HISTORY_KIND__MAX)
		return invalid(err, "event", request->event, "write close, deny or live");
	while (order < TW_HISTORY_ORDER__MAX && request->order[0] &&
		strcmp(orders[order], request->order) != 0)
		order++;
	if (order == TW_HISTORY_ORDER__MAX)
		return invalid(err, "order", request->order, "write bytes, connections or denials");
	ret->order = (enum tw_history_order)order;
	filter->verdict = (uint8_t)verdict;
	filter->has_reason = request->reason[0];
	filter->reason = (uint8_t)reason;
	filter->has_kind = request->event[0];
	filter->kind = (uint8_t)kind;
	/* Sums leave out live connections anyway, and are faster without a condition. */
	filter->no_live = request->about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS &&
			  !request->event[0] && !request->live;
	return 0;
}

static int read_numbers(
	const Tapwall__V1__HistoryRequest *request, struct tw_wanted *ret, struct tw_err *err)
{
	struct tw_history_filter *filter = &ret->query.filter;

	if (request->proto > UINT8_MAX || request->port > UINT16_MAX)
		return tw_err_set(err, -EINVAL, "request", NULL,
			"there is no protocol %u or no port %u", request->proto, request->port);
	if (request->limit > TW_WANTED_MAX || request->skip > TW_WANTED_SKIP)
		return tw_err_set(err, -EINVAL, "request", "ask again with skip of HistoryEnd",
			"more than %u rows in one answer", TW_WANTED_MAX);
	if (request->since_us > INT64_MAX || request->until_us > INT64_MAX)
		return tw_err_set(err, -EINVAL, "request", NULL, "there is no such time");
	ret->about = request->about;
	ret->skip = request->skip;
	ret->query.limit = request->limit ? request->limit : TW_WANTED_DEFAULT;
	ret->query.oldest_first = request->oldest_first;
	ret->query.count = request->count;
	filter->since_us = request->since_us;
	filter->until_us = request->until_us;
	filter->has_proto = request->proto;
	filter->proto = (uint8_t)request->proto;
	filter->has_port = request->port;
	filter->port = (uint16_t)request->port;
	return 0;
}

int tw_wanted_read(
	const Tapwall__V1__HistoryRequest *request, struct tw_wanted *ret, struct tw_err *err)
{
	struct tw_history_filter *filter = &ret->query.filter;
	int code;

	*ret = (struct tw_wanted){0};
	code = read_numbers(request, ret, err);
	if (!code)
		code = read_words(request, ret, err);
	if (!code)
		code = read_place(ret, request->either, &filter->either, err);
	if (!code)
		code = read_place(ret, request->from, &filter->from, err);
	if (!code)
		code = read_place(ret, request->to, &filter->to, err);
	if (!code)
		code = copy_text(ret, request->rule, &filter->rule);
	if (!code)
		code = copy_text(ret, request->agent, &filter->host);
	return code == -ENOMEM ? tw_err_set(err, code, "request", NULL, "out of memory") : code;
}
