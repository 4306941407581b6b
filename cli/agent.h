/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.h: one request to the agent and all its answers. */
#pragma once

#include <stdbool.h>

#include "link/link.h"

/* Called for each response, the last one too (which may have no body). Returns 0 to go on, or the
 * exit code to end with; TW_AGENT_ENOUGH ends with 0. */
#define TW_AGENT_ENOUGH (-1)
typedef int tw_agent_answer(void *arg, const Tapwall__V1__Response *response);

struct tw_agent_call {
	const char *socket;
	const char *file;   /* what diagnostics are about; NULL: what the agent says */
	bool patient;	    /* a stream: wait for ever between answers */
	bool raw;	    /* hand on texts as they came, for JSON; else they are cleaned */
	bool may_be_absent; /* says nothing when the agent is not there */
	tw_agent_answer *answer;
	/* Called when the request is sent, if set; the client lives until tw_agent_ask() returns. */
	void (*begun)(void *arg, struct tw_link_client *client);
	/* Called before a failure is told, if set. */
	void (*failed)(void *arg);
	void *arg;
};

/* Connects, asks, hands on what comes back, and tells what went wrong. Returns an exit code. */
int tw_agent_ask(const struct tw_agent_call *call, Tapwall__V1__Request *request);
