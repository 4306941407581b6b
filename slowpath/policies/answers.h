/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* answers.h: answers the requests about stored policies: push, versions, targets. Caller: answer.c. */
#pragma once

#include "link/server.h"
#include "slowpath/slow.h"

/* Like tw_slow_answer(), for requests with a PolicyPushRequest, PolicyVersionsRequest or
 * PolicyTargetsRequest. */
int tw_policies_answer(struct tw_slow *slow, Tapwall__V1__Request *request, struct tw_buf *out,
	struct tw_responses **ret);
