/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.h: one request to the agent and all its answers. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "link/link.h"

/* Prefix of an address that names an agent of tapwall-slowd. */
#define TW_AGENT_SCHEME "agent:"

/* Called for each response, including the last one, which may have no body. Returns 0 to go on,
 * or the exit code to end with. TW_AGENT_ENOUGH ends with exit code 0. */
#define TW_AGENT_ENOUGH (-1)
typedef int tw_agent_answer(void *arg, const Tapwall__V1__Response *response);

struct tw_agent_call {
	const char *socket;
	const char *file; /* file that diagnostics are about; NULL: the file that the agent names */
	const struct tw_buf *text; /* contents of that file, or NULL */
	bool patient;		   /* true for a stream: no time limit between answers */
	bool raw;	    /* pass texts on unchanged, for JSON; otherwise they are cleaned */
	bool slow;	    /* the socket is that of tapwall-slowd */
	const char *agent;  /* with `slow`: pass the request on to this agent; NULL: none */
	bool optional;	    /* print nothing if the request fails */
	bool may_be_absent; /* print nothing if no agent runs */
	tw_agent_answer *answer;
	/* Called, if set, after the request is sent. The client lives until tw_agent_ask()
	 * returns. */
	void (*begun)(void *arg, struct tw_link_client *client);
	/* If set, it is called when the agent goes away before the last answer. If it returns true, the request
	 * is sent again as soon as the agent is back. */
	bool (*again)(void *arg);
	/* With `again`, called, if set, before each attempt to reach the agent. True ends the request with exit
	 * code 0. */
	bool (*stopped)(void *arg);
	/* Called, if set, before an error is printed. */
	void (*failed)(void *arg);
	void *arg;
};

/* Connects to a socket. `agent:NAME` stands for the socket of tapwall-slowd; *ret_agent is then the
 * agent to which tapwall-slowd passes requests, otherwise empty. The caller frees *ret. Returns 0 or
 * a negative errno with `err` filled in. */
int tw_agent_connect(const char *socket, struct tw_link_client **ret, const char **ret_agent,
	struct tw_err *err);
/* Returns the exit code of an agent or a tapwall-slowd that cannot be reached, and prints why. */
int tw_agent_tell_unreachable(const struct tw_err *err);

/* Milliseconds between attempts to reach an agent that has gone away. */
#define TW_AGENT_AGAIN_MS 200
/* Say on stderr that the agent is gone, and that it is back. */
void tw_agent_tell_gone(const char *socket);
void tw_agent_tell_back(const char *socket);
/* True if an error of the connection means that the agent is gone. */
bool tw_agent_is_gone(int code);
/* True if tapwall-slowd says that the agent is gone. After its own restart, it does not know the agent (`agent`,
 * or empty: no agent) until that has connected. */
bool tw_agent_is_away(const Tapwall__V1__Error *error, const char *agent);

/* Connects, sends the request, passes each response on and prints errors. With `again`, says on stderr
 * when the agent has gone away and when it is back. Returns an exit code. */
int tw_agent_ask(const struct tw_agent_call *call, Tapwall__V1__Request *request);
