/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "link/reply.h"
#include "slowpath/policies/answers.h"
#include "slowpath/quarantine/shut.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

static int refuse(struct tw_buf *out, uint64_t id, const struct tw_err *err)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	return tw_reply_error(out, id, &response, err);
}

/* ---- requests to this program ---- */

static int answer_version(const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Version version = TAPWALL__V1__VERSION__INIT;
	struct utsname host;

	uname(&host);
	version.version = TEXT(TW_VERSION);
	version.protocol = TW_LINK_PROTOCOL;
	version.kernel = host.release;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_VERSION;
	response.version = &version;
	return tw_reply_send(out, request->id, &response, true);
}

static int send_agent(const struct tw_agents_row *row, uint64_t id, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Agent agent = TAPWALL__V1__AGENT__INIT;
	uint64_t now = tw_clock_ns();
	uint64_t contact_ns = row->peer ? tw_peer_heard_ns(row->peer) : row->contact_ns;

	agent.name = TEXT(row->name);
	agent.host = TEXT(row->host);
	agent.version = TEXT(row->version);
	agent.connected = row->peer != NULL;
	agent.address = TEXT(row->address);
	agent.since_s = (double)(now - row->since_ns) / 1e9;
	agent.contact_s = (double)(now - contact_ns) / 1e9;
	agent.policy_generation = row->generation;
	agent.policy_source = TEXT(row->source);
	agent.connects = row->connects;
	agent.why = TEXT(row->why);
	agent.certificate_left_s = difftime(row->expires, time(NULL));
	response.body_case = TAPWALL__V1__RESPONSE__BODY_AGENT;
	response.agent = &agent;
	return tw_reply_send(out, id, &response, false);
}

/* The rows of all agents fit into the output buffer of a client. */
static int answer_agents(
	const struct tw_slow *slow, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__SlowState state = TAPWALL__V1__SLOW_STATE__INIT;
	struct tw_agents_load load = tw_agents_load(slow->agents);
	int code = 0;

	state.certificate_left_s = difftime(slow->own.identity->expires, time(NULL));
	state.ca_left_s = difftime(slow->own.identity->ca_expires, time(NULL));
	end.body_case = TAPWALL__V1__RESPONSE__BODY_SLOW_STATE;
	state.handshakes = load.handshakes;
	state.deciders = load.deciders;
	state.in_bytes = load.in_bytes;
	state.in_bytes_max = TW_AGENTS_IN_MAX;
	end.slow_state = &state;
	for (const struct tw_agents_row *row = tw_agents_first(slow->agents); row && !code;
		row = row->next)
		code = send_agent(row, request->id, out);
	return code < 0 ? code : tw_reply_send(out, request->id, &end, true);
}

/* ---- requests that are passed on ---- */

/* A request that was passed on to an agent, and the responses on their way to the client. */
struct passing {
	struct tw_responses base;
	struct tw_slow *slow;
	struct tw_agents_row *row;
	enum tw_role role;    /* of the client */
	bool counted;	      /* in row->n_passed */
	struct tw_peer *peer; /* NULL: the agent has sent the last response, or is gone */
	uint64_t peer_id;     /* id of the request at the agent */
	struct tw_buf queue;
	size_t lent; /* bytes that the agent sent since its window was last opened */
	char agent[TW_STREAM_PEER_MAX];
};

static void passing_done(struct tw_responses *base)
{
	struct passing *passing = (struct passing *)base;

	if (passing->peer)
		tw_peer_cancel(passing->peer, passing->peer_id);
	passing->row->n_passed[passing->role] -= passing->counted;
	tw_buf_done(&passing->queue);
	free(passing);
}

static void end_passing(struct passing *passing)
{
	struct tw_err err;

	tw_err_set(&err, -EPIPE, passing->agent, "tapwall agents shows why",
		"the agent's connection ended");
	refuse(&passing->queue, passing->base.id, &err);
}

static void on_response(void *arg, Tapwall__V1__Response *response)
{
	struct passing *passing = arg;
	size_t before = passing->queue.len;

	if (!response) {
		passing->peer = NULL;
		end_passing(passing);
	} else {
		response->id = passing->base.id;
		tw_link_pack(&passing->queue, &response->base);
		passing->lent += passing->queue.len - before;
		if (response->last)
			passing->peer = NULL;
	}
	passing->slow->told = true;
}

static int passing_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct passing *passing = (struct passing *)base;

	if (passing->queue.failed)
		return -ENOMEM;
	tw_buf_add(out, passing->queue.data, passing->queue.len);
	tw_buf_reset(&passing->queue);
	if (!passing->peer)
		return TW_RESPONSES_END;
	if (passing->lent >= TW_PEER_WINDOW / 2) {
		tw_peer_more(passing->peer, passing->peer_id, passing->lent);
		passing->lent = 0;
	}
	return TW_RESPONSES_WAIT;
}

/* When the client sends no more, the agent is asked to end the stream, and its last response is
 * passed on. */
static void passing_stop(struct tw_responses *base)
{
	struct passing *passing = (struct passing *)base;

	if (!passing->peer)
		return;
	tw_peer_cancel(passing->peer, passing->peer_id);
	passing->peer = NULL;
}

static int no_agent(const struct tw_agents_row *row, const char *name, struct tw_err *err)
{
	if (!row)
		return tw_err_set(err, -ENOENT, tw_cleaned(name).text,
			"tapwall agents lists the agents that have connected",
			"there is no such agent");
	return tw_err_set(
		err, -EPIPE, row->name, "tapwall agents shows why", "the agent is not connected");
}

/* True if a role has room for another request to the agent. Clients share the agent's connection with
 * tapwall-slowd itself, and must not keep it from following events and setting the policy. */
static bool may_pass(const struct tw_agents_row *row, enum tw_role role)
{
	unsigned int total = 0;

	for (int i = 0; i < TW_ROLE__MAX; i++)
		total += row->n_passed[i];
	return total < TW_SLOW_PASSED_MAX &&
	       (role == TW_ROLE_OPERATOR || row->n_passed[role] < TW_SLOW_PASSED_ROLE);
}

static int pass_on(struct tw_slow *slow, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	struct tw_agents_row *row = tw_agents_find(slow->agents, request->agent);
	struct passing *passing;
	/* Answers are short and hold no place at the agent. */
	bool counted = request->body_case != TAPWALL__V1__REQUEST__BODY_ANSWER;
	char *agent = request->agent;
	uint64_t id = request->id;
	struct tw_err err;
	int code;

	if (!row || !row->peer) {
		no_agent(row, request->agent, &err);
		return refuse(out, id, &err);
	}
	if (counted && !may_pass(row, role)) {
		tw_err_set(&err, -EBUSY, row->name, "end some of them, or try again later",
			"too many requests to the agent are open");
		return refuse(out, id, &err);
	}
	passing = tw_alloc(sizeof(*passing));
	if (!passing)
		return -ENOMEM;
	passing->base = (struct tw_responses){
		.next = passing_next, .done = passing_done, .stop = passing_stop, .id = id};
	passing->slow = slow;
	strcpy(passing->agent, row->name);
	/* The agent's name is for the slow path only. */
	request->agent = TEXT("");
	code = tw_peer_ask(row->peer, request, on_response, passing, &passing->peer_id);
	request->agent = agent;
	request->id = id;
	if (code < 0) {
		free(passing);
		if (code == -EMSGSIZE)
			tw_err_set(&err, code, row->name, "send it to the agent's own socket",
				"the request is larger than %u MiB", TW_PEER_IN_MAX >> 20);
		else
			tw_err_set(&err, code, row->name, "try again later",
				"too many requests to the agent are open");
		return refuse(out, id, &err);
	}
	passing->peer = row->peer;
	passing->row = row;
	passing->role = role;
	passing->counted = counted;
	row->n_passed[role] += counted;
	*ret = &passing->base;
	return 0;
}

int tw_slow_answer(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	struct tw_slow *slow = context;
	struct tw_err err;

	if (!tw_link_texts_fit(&request->base)) {
		tw_err_set(&err, -EINVAL, "request", "send a shorter one",
			"a text is longer than %u bytes", TW_LINK_TEXT_MAX);
		return refuse(out, request->id, &err);
	}
	if (!tw_role_may(role, request)) {
		tw_err_set(&err, -EACCES, "request",
			role == TW_ROLE_FAR_DECIDER
				? "subscribe to an agent's questions, or answer them"
				: "ask at the operators' socket",
			"%s", tw_role_refusal(role));
		return refuse(out, request->id, &err);
	}
	if (request->agent[0] && request->body_case == TAPWALL__V1__REQUEST__BODY_QUARANTINE) {
		tw_err_set(&err, -EINVAL, "request", "name no agent, or use the agent's own socket",
			"tapwall-slowd puts a workload into quarantine at all agents");
		return refuse(out, request->id, &err);
	}
	if (request->agent[0])
		return pass_on(slow, role, request, out, ret);
	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_VERSION:
		return answer_version(request, out);
	case TAPWALL__V1__REQUEST__BODY_AGENTS:
		return answer_agents(slow, request, out);
	case TAPWALL__V1__REQUEST__BODY_CONFIRM:
	case TAPWALL__V1__REQUEST__BODY_POLICY_PUSH:
	case TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS:
	case TAPWALL__V1__REQUEST__BODY_POLICY_TARGETS:
		return tw_policies_answer(slow, request, out, ret);
	case TAPWALL__V1__REQUEST__BODY_QUARANTINE:
	case TAPWALL__V1__REQUEST__BODY_QUARANTINES:
		return tw_shut_answer(slow, request, out, ret);
	case TAPWALL__V1__REQUEST__BODY_HISTORY:
		return tw_search_start(slow->search, request, out, ret);
	default:
		tw_err_set(&err, -EOPNOTSUPP, "request",
			"name an agent, or ask it at its own socket",
			"tapwall-slowd has no answer to this");
		return refuse(out, request->id, &err);
	}
}
