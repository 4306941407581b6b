/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>

#include "agent/answer/answer.h"
#include "agent/publish/adoption.h"
#include "agent/publish/enforcement.h"
#include "base/author.h"
#include "base/log.h"
#include "policy/policy.h"

int tw_answer_adopt(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const char *workload = request->adopt->workload[0] ? request->adopt->workload : NULL;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Adopting adopting = TAPWALL__V1__ADOPTING__INIT;
	uint32_t seconds = request->adopt->for_s;
	struct tw_err err = {0};
	char who[64];
	size_t n = 0;
	int ret = 0;

	if (!seconds || seconds > TW_ADOPT_SECONDS_MAX)
		ret = tw_err_set(
			&err, -EINVAL, "adopt", "use 1 s to 24 h", "the time is not valid");
	else if (!ctx->enforcement->inforce)
		ret = tw_err_set(
			&err, -ENOENT, "adopt", "apply one first", "no policy is in force");
	if (!ret)
		ret = tw_adoption_open(ctx->enforcement, workload, seconds, &n, &err);
	if (ret)
		return tw_answer_error(out, request->id, &response, &err);
	tw_author_name(tw_server_user(*ctx->server), who, sizeof(who));
	tw_log(TW_LOG_WARNING,
		"%s: TCP connections without a record are adopted for %u s at %zu port%s, on request of %s",
		workload ? workload : "all ports", seconds, n, n == 1 ? "" : "s", who);
	adopting.ports = (uint32_t)n;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_ADOPTING;
	response.adopting = &adopting;
	return tw_answer_send(out, request->id, &response, true);
}
