/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/answer/answer.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/author.h"
#include "base/clean.h"

#define TEXT(text)  ((char *)(uintptr_t)(text))
#define CHANGES_MAX 256
#define TIME_MAX_S  1e11 /* Unix time in the year 5138 */

void tw_answer_fill_quarantine(const struct tw_quarantine *q, Tapwall__V1__Quarantine *ret)
{
	tapwall__v1__quarantine__init(ret);
	ret->workload = TEXT(q->workload);
	ret->reason = TEXT(q->reason);
	ret->who = TEXT(q->who);
	ret->since = (double)q->since_s;
	ret->until = (double)q->until_s;
	ret->change = q->change;
	ret->ended = (double)q->ended_s;
	ret->ended_by = TEXT(q->ended_by);
}

int tw_answer_quarantines(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	int ret = 0;

	tw_vec_foreach (&ctx->enforcement->quarantines->list, q) {
		Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
		Tapwall__V1__Quarantine message;

		tw_answer_fill_quarantine(q, &message);
		response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINE;
		response.quarantine = &message;
		if (!ret)
			ret = tw_answer_send(out, request->id, &response, false);
	}
	return ret ? ret : tw_answer_send(out, request->id, &end, true);
}

static int check(const struct tw_answer_ctx *ctx, const Tapwall__V1__QuarantineRequest *wanted,
	struct tw_err *err)
{
	const struct tw_inforce *inforce = ctx->enforcement->inforce;

	if (strlen(wanted->workload) >= sizeof(((struct tw_quarantine *)0)->workload) || !inforce ||
		!tw_policy_find_workload(inforce->policy, wanted->workload))
		return tw_err_set(err, -ENOENT, tw_cleaned(wanted->workload).text,
			"tapwall workloads lists the policy's workloads",
			"there is no such workload");
	if (!wanted->reason[0] || strlen(wanted->reason) >= TW_QUARANTINE_REASON_MAX)
		return tw_err_set(err, -EINVAL, "reason", "write why, in at most 255 bytes",
			wanted->reason[0] ? "is too long" : "is missing");
	if (wanted->for_s > TW_QUARANTINE_MAX_S)
		return tw_err_set(err, -EINVAL, "time", "use at most a year", "is too long");
	return 0;
}

int tw_answer_quarantine(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const Tapwall__V1__QuarantineRequest *wanted = request->quarantine;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Quarantine message;
	struct tw_quarantine q = {0};
	struct timespec now;
	struct tw_err err = {0};
	int ret;

	tw_author_name(tw_server_user(*ctx->server), q.who, sizeof(q.who));
	if (wanted->lift) {
		ret = tw_quarantine_lift(ctx->enforcement, wanted->workload, q.who, &err);
		return ret ? tw_answer_error(out, request->id, &response, &err)
			   : tw_answer_send(out, request->id, &response, true);
	}
	ret = check(ctx, wanted, &err);
	if (!ret) {
		clock_gettime(CLOCK_REALTIME, &now);
		q.since_s = (uint64_t)now.tv_sec;
		q.until_s = wanted->for_s ? q.since_s + wanted->for_s : 0;
		snprintf(q.workload, sizeof(q.workload), "%s", wanted->workload);
		snprintf(q.reason, sizeof(q.reason), "%s", wanted->reason);
		tw_clean(q.reason, strlen(q.reason));
		ret = tw_quarantine_add(ctx->enforcement, &q, &err);
	}
	if (ret)
		return tw_answer_error(out, request->id, &response, &err);
	tw_answer_fill_quarantine(&q, &message);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINE;
	response.quarantine = &message;
	return tw_answer_send(out, request->id, &response, true);
}

/* ---- changes of the slow path ---- */

/* True if a port of this name exists and is in quarantine. */
static bool is_shut(const struct tw_answer_ctx *ctx, const char *name)
{
	const struct tw_agent_port *port = name[0] ? tw_ports_by_name(ctx->host->ports, name)
						   : NULL;

	return port && port->quarantined;
}

static bool is_time(double seconds)
{
	return seconds >= 0 && seconds < TIME_MAX_S;
}

static bool copy_clean(char *to, size_t max, const char *from)
{
	return strlen(from) < max && tw_clean_check(from, strlen(from)) &&
	       snprintf(to, max, "%s", from) >= 0;
}

static bool read_change(
	const Tapwall__V1__QuarantineChange *message, struct tw_quarantine_change *ret)
{
	const Tapwall__V1__Quarantine *q = message->quarantine;
	struct tw_quarantine *row = &ret->row;

	*ret = (struct tw_quarantine_change){.lift = message->lift};
	if (!q || !q->change || q->change > INT64_MAX || !q->workload[0] || !is_time(q->since) ||
		!is_time(q->until))
		return false;
	row->change = q->change;
	row->since_s = (uint64_t)q->since;
	row->until_s = (uint64_t)q->until;
	return copy_clean(row->workload, sizeof(row->workload), q->workload) &&
	       copy_clean(row->reason, sizeof(row->reason), q->reason) &&
	       copy_clean(row->who, sizeof(row->who), q->who);
}

static int read_changes(const Tapwall__V1__QuarantineChangesRequest *wanted,
	struct tw_quarantine_change *ret, struct tw_err *err)
{
	if (wanted->n_changes > CHANGES_MAX)
		return tw_err_set(err, -E2BIG, "quarantine", "send fewer",
			"a request has more than %u changes", CHANGES_MAX);
	for (size_t i = 0; i < wanted->n_changes; i++)
		if (!read_change(wanted->changes[i], &ret[i]))
			return tw_err_set(
				err, -EINVAL, "quarantine", NULL, "change %zu is invalid", i + 1);
	return 0;
}

static bool is_named(
	const struct tw_quarantine *q, const Tapwall__V1__QuarantineChangesRequest *wanted)
{
	for (size_t i = 0; i < wanted->n_changes; i++)
		if (wanted->changes[i]->quarantine->change == q->change)
			return true;
	return wanted->list;
}

/* Answers with rows of the slow path: all, or those of the request. */
static int send_kept(struct tw_answer_ctx *ctx, const Tapwall__V1__QuarantineChangesRequest *wanted,
	uint64_t id, struct tw_buf *out)
{
	const struct tw_quarantines *all = ctx->enforcement->quarantines;
	struct kept {
		Tapwall__V1__Quarantine message;
		char *ports[TW_QUARANTINE_PORTS];
	};
	tw_autofree struct kept *room = tw_alloc_array(all->list.n + 1, sizeof(*room));
	tw_autofree Tapwall__V1__Quarantine **list = tw_alloc_array(all->list.n + 1, sizeof(*list));
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__QuarantinesKept kept = TAPWALL__V1__QUARANTINES_KEPT__INIT;

	if (!room || !list)
		return -ENOMEM;
	tw_vec_foreach (&all->list, q) {
		struct kept *row = &room[kept.n_rows];

		if (!q->change || !is_named(q, wanted))
			continue;
		tapwall__v1__quarantine__init(&row->message);
		row->message.workload = TEXT(q->workload);
		row->message.change = q->change;
		row->message.ended = (double)q->ended_s;
		row->message.ended_by = TEXT(q->ended_by);
		row->message.ports = row->ports;
		for (size_t i = 0; i < TW_QUARANTINE_PORTS && !q->ended_s; i++)
			if (is_shut(ctx, q->ports[i]))
				row->ports[row->message.n_ports++] = TEXT(q->ports[i]);
		list[kept.n_rows++] = &row->message;
	}
	kept.rows = list;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINES_KEPT;
	response.quarantines_kept = &kept;
	return tw_answer_send(out, id, &response, true);
}

int tw_answer_quarantine_changes(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const Tapwall__V1__QuarantineChangesRequest *wanted = request->quarantine_changes;
	size_t n = wanted->n_changes;
	tw_autofree struct tw_quarantine_change *changes = tw_alloc_array(n + 1, sizeof(*changes));
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_err err = {0};
	int ret;

	if (!changes)
		return -ENOMEM;
	ret = read_changes(wanted, changes, &err);
	if (!ret && n)
		ret = tw_quarantine_change(ctx->enforcement, changes, n, &err);
	return ret ? tw_answer_error(out, request->id, &response, &err)
		   : send_kept(ctx, wanted, request->id, out);
}
