/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>

#include "agent/answer/answer.h"
#include "agent/publish/adoption.h"
#include "agent/publish/enforcement.h"
#include "base/author.h"
#include "base/log.h"
#include "policy/policy.h"

static int check_request(const struct tw_answer_ctx *ctx, const Tapwall__V1__AdoptRequest *request,
	struct tw_err *err)
{
	if (request->stop ? request->for_s != 0
			  : !request->for_s || request->for_s > TW_ADOPT_SECONDS_MAX)
		return tw_err_set(err, -EINVAL, "adopt", "write 1s to 24h", "invalid time");
	if (!ctx->enforcement->inforce)
		return tw_err_set(
			err, -ENOENT, "adopt", "apply one first", "no policy is in force");
	return 0;
}

static void log_change(const struct tw_answer_ctx *ctx, const Tapwall__V1__AdoptRequest *request,
	const char *workload, size_t n)
{
	const char *where = workload ? workload : "all ports";
	char who[64];

	tw_author_name(tw_server_user(*ctx->server), who, sizeof(who));
	if (request->stop)
		tw_log(TW_LOG_INFO, "%s: %zu adoption window%s closed, on request of %s", where, n,
			n == 1 ? "" : "s", who);
	else
		tw_log(TW_LOG_WARNING,
			"%s: TCP connections without a record are adopted for %u s at %zu port%s, on request of %s",
			where, request->for_s, n, n == 1 ? "" : "s", who);
}

int tw_answer_adopt(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const char *workload = request->adopt->workload[0] ? request->adopt->workload : NULL;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Adopting adopting = TAPWALL__V1__ADOPTING__INIT;
	struct tw_err err = {0};
	size_t n = 0;
	int ret = check_request(ctx, request->adopt, &err);

	if (!ret)
		ret = request->adopt->stop ? tw_adoption_stop(ctx->enforcement, workload, &n, &err)
					   : tw_adoption_open(ctx->enforcement, workload,
						     request->adopt->for_s, &n, &err);
	if (ret)
		return tw_answer_error(out, request->id, &response, &err);
	log_change(ctx, request->adopt, workload, n);
	adopting.ports = (uint32_t)n;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_ADOPTING;
	response.adopting = &adopting;
	return tw_answer_send(out, request->id, &response, true);
}
