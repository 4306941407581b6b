/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/quarantine/shut.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/author.h"
#include "base/clean.h"
#include "base/log.h"
#include "base/vec.h"
#include "link/reply.h"

#define FOR_MAX_S  (366u * 86400)
#define TEXT(text) ((char *)(uintptr_t)(text))

static int refuse(struct tw_buf *out, uint64_t id, const struct tw_err *err)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	return tw_reply_error(out, id, &response, err);
}

/* ---- rows ---- */

/* Names of agents that a message points to while it is sent. */
struct names {
	char *waiting[TW_SPREAD_NAMES];
	char *lifted[TW_SPREAD_NAMES];
};

/* Fills in the agents at which the row is not in force. */
static void fill_agents(const struct tw_slow *slow, const struct tw_ledger_row *row,
	Tapwall__V1__Quarantine *ret, struct names *names)
{
	const struct tw_spread_row *at = tw_spread_first(slow->spread);

	ret->waiting = names->waiting;
	ret->lifted_at = names->lifted;
	for (; at; at = at->next) {
		bool waits = at->known < row->change;

		if (waits && ret->n_waiting < TW_SPREAD_NAMES)
			names->waiting[ret->n_waiting++] = TEXT(at->agent->name);
		ret->waiting_all += waits;
		if (!row->ended_s && tw_spread_has(&at->lifted, row->workload) &&
			ret->n_lifted_at < TW_SPREAD_NAMES)
			names->lifted[ret->n_lifted_at++] = TEXT(at->agent->name);
	}
}

static int send_row(const struct tw_slow *slow, const struct tw_ledger_row *row, uint64_t id,
	struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Quarantine message = TAPWALL__V1__QUARANTINE__INIT;
	struct names names = {0};

	message.workload = TEXT(row->workload);
	message.reason = TEXT(row->reason);
	message.who = TEXT(row->who);
	message.since = (double)row->since_s;
	message.until = (double)row->until_s;
	message.change = row->change;
	message.ended = (double)row->ended_s;
	message.ended_by = TEXT(row->ended_by);
	fill_agents(slow, row, &message, &names);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINE;
	response.quarantine = &message;
	return tw_reply_send(out, id, &response, false);
}

/* ---- the list ---- */

struct listing {
	struct tw_responses base;
	struct tw_slow *slow;
	bool ended;	/* the list includes ended quarantines */
	uint64_t after; /* changes up to this one were sent */
};

/* Sends the workloads that only agents have. */
static int send_strays(const struct tw_slow *slow, uint64_t id, struct tw_buf *out)
{
	const struct tw_spread_row *at = tw_spread_first(slow->spread);
	int code = 0;

	for (; at && !code; at = at->next)
		for (size_t i = 0; i < at->strays.n && i < TW_SPREAD_NAMES && !code; i++) {
			Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
			Tapwall__V1__Quarantine message = TAPWALL__V1__QUARANTINE__INIT;

			message.workload = TEXT(at->strays.at[i]);
			message.only_at = TEXT(at->agent->name);
			response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINE;
			response.quarantine = &message;
			code = tw_reply_send(out, id, &response, false);
		}
	return code;
}

static int listing_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct listing *listing = (struct listing *)base;
	const struct tw_slow *slow = listing->slow;
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	const struct tw_ledger_row *row;
	int code = 0;

	for (size_t i = 0; (row = tw_ledger_at(slow->ledger, i)) && !code; i++) {
		if (row->change <= listing->after || (row->ended_s && !listing->ended))
			continue;
		if (out->len >= TW_SERVER_OUT_SOFT)
			return TW_RESPONSES_MORE;
		listing->after = row->change;
		code = send_row(slow, row, base->id, out);
	}
	if (!code)
		code = send_strays(slow, base->id, out);
	if (!code)
		code = tw_reply_send(out, base->id, &end, true);
	return code ? code : TW_RESPONSES_END;
}

static void free_responses(struct tw_responses *base)
{
	free(base);
}

static int answer_list(
	struct tw_slow *slow, const Tapwall__V1__Request *request, struct tw_responses **ret)
{
	struct listing *listing = tw_alloc(sizeof(*listing));

	if (!listing)
		return -ENOMEM;
	listing->base = (struct tw_responses){
		.next = listing_next, .done = free_responses, .id = request->id};
	listing->slow = slow;
	listing->ended = request->quarantines->ended;
	*ret = &listing->base;
	return 0;
}

/* ---- a change on its way to the agents ---- */

struct spreading {
	struct tw_responses base;
	struct tw_slow *slow;
	uint64_t change;
	TW_VEC(const struct tw_spread_row *) left; /* agents not reported yet */
};

static void spreading_done(struct tw_responses *base)
{
	struct spreading *spreading = (struct spreading *)base;

	tw_vec_done(&spreading->left);
	free(spreading);
}

static int send_target(
	const struct tw_spread_row *row, uint64_t change, uint64_t id, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__QuarantineTarget target = TAPWALL__V1__QUARANTINE_TARGET__INIT;
	enum tw_spread_state state = tw_spread_state(row, change);

	target.agent = TEXT(row->agent->name);
	target.state = TEXT(tw_spread_state_name(state));
	target.error = TEXT(state == TW_SPREAD_REFUSED ? row->error : "");
	target.ports = tw_spread_ports(row, change);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINE_TARGET;
	response.quarantine_target = &target;
	return tw_reply_send(out, id, &response, false);
}

static int spreading_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct spreading *spreading = (struct spreading *)base;
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	size_t left = 0;
	int code = 0;

	for (size_t i = 0; i < spreading->left.n && !code; i++) {
		const struct tw_spread_row *row = spreading->left.at[i];

		if (tw_spread_state(row, spreading->change) == TW_SPREAD_WAITING)
			spreading->left.at[left++] = row;
		else
			code = send_target(row, spreading->change, base->id, out);
	}
	spreading->left.n = left;
	if (code || left)
		return code ? code : TW_RESPONSES_WAIT;
	code = tw_reply_send(out, base->id, &end, true);
	return code ? code : TW_RESPONSES_END;
}

/* Makes the stream that reports each agent as soon as it has answered. */
static int follow(struct tw_slow *slow, uint64_t change, uint64_t id, struct tw_responses **ret)
{
	struct spreading *spreading = tw_alloc(sizeof(*spreading));
	const struct tw_spread_row *row;
	int code = 0;

	if (!spreading)
		return -ENOMEM;
	spreading->base = (struct tw_responses){
		.next = spreading_next, .done = spreading_done, .id = id};
	spreading->slow = slow;
	spreading->change = change;
	tw_spread_tick(slow->spread);
	for (row = tw_spread_first(slow->spread); row && !code; row = row->next)
		code = tw_vec_push(&spreading->left, row);
	if (code)
		spreading_done(&spreading->base);
	else
		*ret = &spreading->base;
	return code;
}

/* ---- changes ---- */

static int fill_row(const Tapwall__V1__QuarantineRequest *wanted, const char *who,
	struct tw_ledger_row *ret, struct tw_err *err)
{
	struct timespec now;

	*ret = (struct tw_ledger_row){0};
	if (!wanted->workload[0] || strlen(wanted->workload) >= sizeof(ret->workload) ||
		!tw_clean_check(wanted->workload, strlen(wanted->workload)))
		return tw_err_set(err, -EINVAL, "workload", "write its name in the policies",
			"is missing, too long or has control characters");
	if (!wanted->reason[0] || strlen(wanted->reason) >= sizeof(ret->reason))
		return tw_err_set(err, -EINVAL, "reason", "write why, in at most 255 bytes",
			wanted->reason[0] ? "is too long" : "is missing");
	if (wanted->for_s > FOR_MAX_S)
		return tw_err_set(err, -EINVAL, "time", "use at most a year", "is too long");
	clock_gettime(CLOCK_REALTIME, &now);
	ret->since_s = (uint64_t)now.tv_sec;
	ret->until_s = wanted->for_s ? ret->since_s + wanted->for_s : 0;
	snprintf(ret->workload, sizeof(ret->workload), "%s", wanted->workload);
	snprintf(ret->reason, sizeof(ret->reason), "%s", wanted->reason);
	tw_clean(ret->reason, strlen(ret->reason));
	snprintf(ret->who, sizeof(ret->who), "%s", who);
	return 0;
}

static int answer_change(struct tw_slow *slow, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	const Tapwall__V1__QuarantineRequest *wanted = request->quarantine;
	struct tw_ledger_row row;
	struct tw_err err = {0};
	char who[64];
	int code;

	tw_author_name(tw_server_user(slow->server), who, sizeof(who));
	/* A quarantine that an agent has and the list lacks can be lifted, too. */
	if (wanted->lift) {
		code = tw_ledger_end(slow->ledger, wanted->workload, who,
			tw_spread_strays(slow->spread, wanted->workload), &row, &err);
	} else {
		code = fill_row(wanted, who, &row, &err);
		if (!code)
			code = tw_ledger_begin(slow->ledger, &row, &err);
	}
	if (code)
		return refuse(out, request->id, &err);
	if (wanted->lift)
		tw_log(TW_LOG_WARNING, "workload %s is no longer in quarantine, by %s",
			row.workload, who);
	else
		tw_log(TW_LOG_WARNING, "workload %s is in quarantine, by %s: %s", row.workload, who,
			row.reason);
	code = send_row(slow, &row, request->id, out);
	return code ? code : follow(slow, row.change, request->id, ret);
}

int tw_shut_answer(struct tw_slow *slow, Tapwall__V1__Request *request, struct tw_buf *out,
	struct tw_responses **ret)
{
	if (!slow->ledger)
		return refuse(out, request->id, &slow->policies_err);
	return request->body_case == TAPWALL__V1__REQUEST__BODY_QUARANTINE
		       ? answer_change(slow, request, out, ret)
		       : answer_list(slow, request, ret);
}
