/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* answer.h: answers requests of clients of tapwall-slowd's sockets, and of deciders with a certificate.
 *
 * Bounds:     at most TW_SLOW_PASSED_MAX requests are under way to an agent, and at most TW_SLOW_PASSED_ROLE
 *             from each role except operators. Answers of deciders are not counted. The rest of
 *             TW_PEER_ANSWERS is left to tapwall-slowd itself.
 *
 * A request that names an agent is passed on to it if the client's role allows the request. The
 * responses are passed back as fast as the client accepts them.
 */
#pragma once

#include "link/server.h"
#include "slowpath/slow.h"

#define TW_SLOW_PASSED_MAX  24
#define TW_SLOW_PASSED_ROLE 6
_Static_assert(TW_SLOW_PASSED_MAX < TW_PEER_ANSWERS, "tapwall-slowd itself has requests");

/* The `start` of struct tw_server_options, with a struct tw_slow as context. */
int tw_slow_answer(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret);
