/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* answer.h: answers requests of clients of tapwall-slowd's sockets.
 *
 * A request that names an agent is passed on to it if the client's role allows the request. The
 * responses are passed back as fast as the client accepts them.
 */
#pragma once

#include "link/server.h"
#include "slowpath/slow.h"

/* The `start` of struct tw_server_options, with a struct tw_slow as context. */
int tw_slow_answer(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret);
