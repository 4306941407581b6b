/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* shut.h: answers requests about quarantines (ledger.h, spread.h). */
#pragma once

#include "link/server.h"
#include "slowpath/slow.h"

/* See tw_slow_answer(). The request is one of QuarantineRequest and QuarantinesRequest. */
int tw_shut_answer(struct tw_slow *slow, Tapwall__V1__Request *request, struct tw_buf *out,
	struct tw_responses **ret);
