/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/quarantine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/answer/answer.h"
#include "agent/ports/host.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/author.h"
#include "base/clean.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

void tw_answer_fill_quarantine(const struct tw_quarantine *q, Tapwall__V1__Quarantine *ret)
{
	tapwall__v1__quarantine__init(ret);
	ret->workload = TEXT(q->workload);
	ret->reason = TEXT(q->reason);
	ret->who = TEXT(q->who);
	ret->since = (double)q->since_s;
	ret->until = (double)q->until_s;
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

	if (wanted->lift) {
		ret = tw_quarantine_lift(ctx->enforcement, wanted->workload, &err);
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
		tw_author_name(tw_server_user(*ctx->server), q.who, sizeof(q.who));
		ret = tw_quarantine_add(ctx->enforcement, &q, &err);
	}
	if (ret)
		return tw_answer_error(out, request->id, &response, &err);
	tw_answer_fill_quarantine(&q, &message);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_QUARANTINE;
	response.quarantine = &message;
	return tw_answer_send(out, request->id, &response, true);
}
