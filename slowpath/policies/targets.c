/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/policies/targets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"

#define SECOND_NS  1000000000u
#define TEXT(text) ((char *)(uintptr_t)(text))

struct wish_list {
	struct tw_policies_wish *at;
	size_t n;
	size_t max;
};

struct tw_targets {
	struct tw_targets_setup setup;
	struct tw_target *rows;	     /* ascending by name */
	struct tw_policies_wish all; /* wish for agents without their own; `wanted` 0: none */
	struct tw_buf text;	     /* the text read last */
	uint64_t text_version;	     /* 0: none */
	struct tw_policies_version text_facts;
	size_t n_sent;	   /* requests that are not answered */
	size_t sent_bytes; /* bytes of their texts */
};

static const char *const state_names[] = {
	[TW_TARGET_UNMANAGED] = "unmanaged",
	[TW_TARGET_WAITING] = "waiting",
	[TW_TARGET_PUSHING] = "pushing",
	[TW_TARGET_REFUSED] = "refused",
	[TW_TARGET_IN_FORCE] = "in-force",
	[TW_TARGET_DRIFT] = "drift",
	[TW_TARGET_AWAY] = "away",
	[TW_TARGET_RETURNING] = "returning",
};
_Static_assert(
	sizeof(state_names) / sizeof(state_names[0]) == TW_TARGET__MAX, "a name for each state");

const char *tw_target_state_name(enum tw_target_state state)
{
	return state_names[state];
}

/* ---- rows ---- */

struct tw_target *tw_targets_first(const struct tw_targets *targets)
{
	return targets->rows;
}

struct tw_target *tw_targets_find(const struct tw_targets *targets, const char *agent)
{
	struct tw_target *row = targets->rows;

	while (row && strcmp(row->wish.agent, agent) != 0)
		row = row->next;
	return row;
}

static struct tw_target *find_or_add(struct tw_targets *targets, const char *agent)
{
	struct tw_target *row = tw_targets_find(targets, agent);
	struct tw_target **at = &targets->rows;

	if (row)
		return row;
	row = tw_alloc(sizeof(*row));
	if (!row)
		return NULL;
	snprintf(row->wish.agent, sizeof(row->wish.agent), "%s", agent);
	row->targets = targets;
	row->since_ns = tw_clock_ns();
	while (*at && strcmp((*at)->wish.agent, agent) < 0)
		at = &(*at)->next;
	row->next = *at;
	*at = row;
	return row;
}

static void tell(const struct tw_targets *targets)
{
	targets->setup.told(targets->setup.arg);
}

static void set_state(struct tw_target *row, enum tw_target_state state)
{
	if (row->state == state)
		return;
	row->state = state;
	row->since_ns = tw_clock_ns();
	tell(row->targets);
}

/* Sets the wish of a row. `version` has the facts of the wanted version. */
static void set_wish(struct tw_target *row, const struct tw_policies_wish *wish,
	const struct tw_policies_version *version)
{
	row->wish = *wish;
	memcpy(row->sha256, version->sha256, sizeof(row->sha256));
	row->size = version->size;
	row->error[0] = '\0';
	row->refused_connects = row->retry_ns = 0;
}

/* Stores the wish of a row again. If that fails, the wish holds until tapwall-slowd ends. */
static void store_wish(struct tw_target *row)
{
	struct tw_err err = {0};

	if (tw_policies_wish(row->targets->setup.policies, &row->wish, 1, &err) < 0)
		tw_log(TW_LOG_ERR, "agent %s: its state is not stored: %s", row->wish.agent,
			err.text);
}

/* ---- sending ---- */

static void note_refusal(struct tw_target *row, const Tapwall__V1__Error *error)
{
	const struct tw_agents_row *agent = tw_agents_find(
		row->targets->setup.agents, row->wish.agent);
	bool may_pass = error->code == EBUSY || error->code == ENOMEM || error->code == ENOSPC ||
			error->code == EROFS || error->code == EIO;

	snprintf(row->error, sizeof(row->error), "%s", error->text);
	tw_clean(row->error, strlen(row->error));
	row->refused_connects = agent ? agent->connects : 0;
	row->retry_ns = may_pass ? tw_clock_ns() + TW_TARGETS_RETRY_NS : 0;
	if (row->state != TW_TARGET_REFUSED)
		tw_log(TW_LOG_WARNING, "agent %s: refuses policy version %llu: %s", row->wish.agent,
			(unsigned long long)row->wish.wanted, row->error);
	set_state(row, TW_TARGET_REFUSED);
}

static void note_delivery(struct tw_target *row)
{
	row->wish.delivered = true;
	row->error[0] = '\0';
	store_wish(row);
	tw_log(TW_LOG_INFO, "agent %s: policy version %llu is in force", row->wish.agent,
		(unsigned long long)row->wish.wanted);
	set_state(row, TW_TARGET_IN_FORCE);
}

static uint64_t unix_s(void)
{
	return tw_clock_unix_ns(tw_clock_ns()) / SECOND_NS;
}

static void on_applied(void *arg, Tapwall__V1__Response *response)
{
	struct tw_target *row = arg;
	struct tw_targets *targets = row->targets;
	struct tw_agents_row *agent;

	if (response && !response->last)
		return;
	row->sent = false;
	targets->n_sent--;
	targets->sent_bytes -= row->sent_bytes;
	tell(targets);
	/* Another version may be wanted by now, or the connection may have ended. */
	if (!response || row->sent_version != row->wish.wanted)
		return;
	if (response->error) {
		note_refusal(row, response->error);
		return;
	}
	/* What the next Hello will report. Without it, the row would show drift until then. */
	agent = tw_agents_find(targets->setup.agents, row->wish.agent);
	if (agent) {
		memcpy(agent->sha256, row->sha256, sizeof(agent->sha256));
		agent->has_sha256 = true;
	}
	note_delivery(row);
}

static int read_text(struct tw_targets *targets, uint64_t version, struct tw_err *err)
{
	struct tw_policies_version facts;
	int code;

	if (targets->text_version == version)
		return 0;
	tw_buf_done(&targets->text);
	targets->text_version = 0;
	code = tw_policies_get(targets->setup.policies, version, &facts, &targets->text, err);
	if (!code)
		targets->text_version = version;
	if (!code)
		targets->text_facts = facts;
	return code;
}

static void send_version(struct tw_target *row, struct tw_peer *peer)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__ApplyRequest apply = TAPWALL__V1__APPLY_REQUEST__INIT;
	struct tw_targets *targets = row->targets;
	struct tw_err err = {0};
	char source[64];
	int code = read_text(targets, row->wish.wanted, &err);

	snprintf(source, sizeof(source), "tapwall-slowd, version %llu",
		(unsigned long long)row->wish.wanted);
	apply.text.data = (uint8_t *)targets->text.data;
	apply.text.len = targets->text.len;
	apply.source = source;
	apply.comment = targets->text_facts.comment;
	apply.author = targets->text_facts.author;
	apply.allow_unprotect = row->wish.allow_unprotect;
	if (row->wish.until_s)
		apply.confirm_s = row->wish.until_s > unix_s()
					  ? (uint32_t)(row->wish.until_s - unix_s())
					  : 1;
	request.body_case = TAPWALL__V1__REQUEST__BODY_APPLY;
	request.apply = &apply;
	if (!code)
		code = tw_peer_ask(peer, &request, on_applied, row, NULL);
	if (code < 0) {
		const Tapwall__V1__Error error = {.code = -code,
			.place = TEXT("tapwall-slowd"),
			.text = err.text[0] ? err.text : TEXT("cannot send the policy now"),
			.hint = TEXT("")};

		note_refusal(row, &error);
		return;
	}
	row->sent = true;
	row->sent_version = row->wish.wanted;
	targets->n_sent++;
	row->sent_bytes = row->size;
	targets->sent_bytes += row->sent_bytes;
	set_state(row, TW_TARGET_PUSHING);
}

/* ---- confirmation ---- */

static void on_confirmed(void *arg, Tapwall__V1__Response *response)
{
	struct tw_target *row = arg;

	if (response && !response->last)
		return;
	row->sent = false;
	row->targets->n_sent--;
	tell(row->targets);
	if (!response || row->sent_version != row->wish.wanted)
		return;
	row->wish.confirm_due = false;
	/* An agent that has already returned to the version before is sent this one again. */
	if (response->error)
		row->wish.delivered = false;
	store_wish(row);
}

static void send_confirmation(struct tw_target *row, struct tw_peer *peer)
{
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	Tapwall__V1__ConfirmRequest confirm = TAPWALL__V1__CONFIRM_REQUEST__INIT;

	confirm.sha256.data = row->sha256;
	confirm.sha256.len = sizeof(row->sha256);
	request.body_case = TAPWALL__V1__REQUEST__BODY_CONFIRM;
	request.confirm = &confirm;
	/* If it cannot be sent, the next tick tries again. */
	if (tw_peer_ask(peer, &request, on_confirmed, row, NULL) < 0)
		return;
	row->sent = true;
	row->sent_version = row->wish.wanted;
	row->targets->n_sent++;
	set_state(row, TW_TARGET_PUSHING);
}

/* Collects the wishes that wait for their confirmation, and marks the copies as confirmed. */
static int collect_waiting(const struct tw_targets *targets, struct wish_list *ret)
{
	int code = targets->all.until_s ? tw_vec_push(ret, targets->all) : 0;

	for (const struct tw_target *row = targets->rows; row && !code; row = row->next)
		if (row->wish.until_s)
			code = tw_vec_push(ret, row->wish);
	tw_vec_foreach (ret, wish) {
		wish->confirm_due = wish->delivered;
		wish->until_s = wish->before = 0;
	}
	return code;
}

int tw_targets_confirm(struct tw_targets *targets, size_t *ret_n, struct tw_err *err)
{
	struct wish_list wishes = {0};
	int code = collect_waiting(targets, &wishes);

	*ret_n = 0;
	if (code)
		tw_err_set(err, code, "confirm", NULL, "out of memory");
	else if (!wishes.n)
		code = tw_err_set(err, -ENOENT, "confirm",
			"tapwall policy status shows what is in force",
			"no version waits for its confirmation");
	else
		code = tw_policies_wish(targets->setup.policies, wishes.at, wishes.n, err);
	tw_vec_foreach (&wishes, wish) {
		struct tw_target *row = code ? NULL : tw_targets_find(targets, wish->agent);

		if (row) {
			row->wish = *wish;
			++*ret_n;
		} else if (!code) {
			targets->all = *wish;
		}
	}
	tw_vec_done(&wishes);
	if (!code)
		tw_targets_tick(targets);
	return code;
}

/* Gives up a version that was not confirmed: the version before it is wanted again. */
static void end_unconfirmed(struct tw_target *row)
{
	struct tw_policies_wish wish = {.wanted = row->wish.before, .delivered = true};
	struct tw_policies_version version = {0};
	struct tw_err err = {0};

	tw_log(TW_LOG_WARNING, "agent %s: policy version %llu was not confirmed in time",
		row->wish.agent, (unsigned long long)row->wish.wanted);
	memcpy(wish.agent, row->wish.agent, sizeof(wish.agent));
	if (wish.wanted && tw_policies_get(row->targets->setup.policies, wish.wanted, &version,
				   NULL, &err) < 0) {
		tw_log(TW_LOG_ERR, "agent %s: version %llu: %s", wish.agent,
			(unsigned long long)wish.wanted, err.text);
		wish.wanted = 0;
	}
	set_wish(row, &wish, &version);
	row->quiet_ns = tw_clock_ns() + TW_TARGETS_QUIET_NS;
	store_wish(row);
}

static void end_all_unconfirmed(struct tw_targets *targets)
{
	struct tw_policies_wish *all = &targets->all;
	struct tw_err err = {0};
	uint64_t now = unix_s();

	for (struct tw_target *row = targets->rows; row; row = row->next)
		if (row->wish.until_s && now >= row->wish.until_s)
			end_unconfirmed(row);
	if (!all->until_s || now < all->until_s)
		return;
	all->wanted = all->before;
	all->until_s = all->before = 0;
	if (tw_policies_wish(targets->setup.policies, all, 1, &err) < 0)
		tw_log(TW_LOG_ERR, "agents: what is wanted is not stored: %s", err.text);
}

/* ---- states ---- */

static bool has_wanted(const struct tw_target *row, const struct tw_agents_row *agent)
{
	return agent->has_sha256 && !memcmp(agent->sha256, row->sha256, sizeof(row->sha256));
}

static bool may_send(const struct tw_target *row, const struct tw_agents_row *agent)
{
	const struct tw_targets *targets = row->targets;

	if (row->refused_connects == agent->connects &&
		!(row->retry_ns && tw_clock_ns() >= row->retry_ns))
		return false;
	return !targets->n_sent || targets->sent_bytes + row->size <= TW_TARGETS_BYTES;
}

static void note_drift(struct tw_target *row, const struct tw_agents_row *agent)
{
	if (row->state != TW_TARGET_DRIFT)
		tw_log(TW_LOG_WARNING,
			"agent %s: drift: policy %s is in force instead of version %llu; push the version again to replace it",
			row->wish.agent, agent->source, (unsigned long long)row->wish.wanted);
	set_state(row, TW_TARGET_DRIFT);
}

static void send_when_due(struct tw_target *row, const struct tw_agents_row *agent)
{
	if (may_send(row, agent))
		send_version(row, agent->peer);
	else if (row->refused_connects != agent->connects)
		set_state(row, TW_TARGET_PUSHING);
}

static void look_at(struct tw_target *row)
{
	const struct tw_agents_row *agent = tw_agents_find(
		row->targets->setup.agents, row->wish.agent);
	bool connected = agent && agent->peer && agent->said;

	if (!row->wish.wanted)
		set_state(row, TW_TARGET_UNMANAGED);
	else if (row->sent)
		set_state(row, TW_TARGET_PUSHING);
	else if (!connected)
		set_state(row, row->wish.delivered ? TW_TARGET_AWAY : TW_TARGET_WAITING);
	else if (row->wish.confirm_due && has_wanted(row, agent))
		send_confirmation(row, agent->peer);
	else if (has_wanted(row, agent) && row->wish.delivered)
		set_state(row, TW_TARGET_IN_FORCE);
	else if (has_wanted(row, agent))
		note_delivery(row);
	else if (row->wish.confirm_due)
		row->wish.confirm_due = row->wish.delivered = false;
	else if (row->wish.delivered && tw_clock_ns() < row->quiet_ns)
		set_state(row, TW_TARGET_RETURNING);
	else if (row->wish.delivered && agent->has_sha256)
		note_drift(row, agent);
	else
		send_when_due(row, agent);
}

/* Applies the wish for all agents to the agents without one of their own. */
static void adopt_agents(struct tw_targets *targets)
{
	const struct tw_agents_row *agent = tw_agents_first(targets->setup.agents);

	for (; agent; agent = agent->next) {
		struct tw_policies_wish wish = targets->all;
		struct tw_policies_version version;
		struct tw_target *row = find_or_add(targets, agent->name);

		if (!row || row->wish.wanted || !wish.wanted ||
			tw_policies_get(targets->setup.policies, wish.wanted, &version, NULL, NULL))
			continue;
		snprintf(wish.agent, sizeof(wish.agent), "%s", agent->name);
		set_wish(row, &wish, &version);
		store_wish(row);
	}
}

void tw_targets_tick(struct tw_targets *targets)
{
	if (!targets)
		return;
	end_all_unconfirmed(targets);
	adopt_agents(targets);
	for (struct tw_target *row = targets->rows; row; row = row->next)
		look_at(row);
}

/* ---- what is wanted ---- */

int tw_targets_know(
	const struct tw_targets *targets, const struct tw_targets_order *order, struct tw_err *err)
{
	for (size_t i = 0; i < order->n_agents; i++)
		if (!tw_targets_find(targets, order->agents[i]) &&
			!tw_agents_find(targets->setup.agents, order->agents[i]))
			return tw_err_set(err, -ENOENT, tw_cleaned(order->agents[i]).text,
				"tapwall agents lists the agents that have connected",
				"there is no such agent");
	return 0;
}

bool tw_targets_has(const struct tw_targets_order *order, const char *agent)
{
	for (size_t i = 0; i < order->n_agents; i++)
		if (!strcmp(order->agents[i], agent))
			return true;
	return !order->n_agents;
}

/* Sets the agent of a wish, and the version to return to. */
static void name_wish(
	struct tw_policies_wish *wish, const char *agent, const struct tw_policies_wish *old)
{
	snprintf(wish->agent, sizeof(wish->agent), "%s", agent);
	if (wish->until_s)
		wish->before = old->until_s ? old->before : old->wanted;
}

int tw_targets_want(
	struct tw_targets *targets, const struct tw_targets_order *order, struct tw_err *err)
{
	const struct tw_policies_wish wish = {.wanted = order->version->version,
		.allow_unprotect = order->allow_unprotect,
		.until_s = order->confirm_s ? unix_s() + order->confirm_s : 0};
	struct wish_list wishes = {0};
	int code = tw_targets_know(targets, order, err);

	if (code)
		return code;
	for (const struct tw_agents_row *agent = tw_agents_first(targets->setup.agents); agent;
		agent = agent->next)
		if (!find_or_add(targets, agent->name))
			code = -ENOMEM;
	for (const struct tw_target *row = targets->rows; row && !code; row = row->next) {
		if (!tw_targets_has(order, row->wish.agent))
			continue;
		code = tw_vec_push(&wishes, wish);
		if (!code)
			name_wish(&wishes.at[wishes.n - 1], row->wish.agent, &row->wish);
	}
	if (!code && !order->n_agents)
		code = tw_vec_push(&wishes, wish);
	if (!code && !order->n_agents)
		name_wish(&wishes.at[wishes.n - 1], TW_POLICIES_ALL, &targets->all);
	if (code)
		tw_err_set(err, code, "policy", NULL, "out of memory");
	else
		code = tw_policies_wish(targets->setup.policies, wishes.at, wishes.n, err);
	tw_vec_foreach (&wishes, at) {
		if (code)
			break;
		if (!strcmp(at->agent, TW_POLICIES_ALL))
			targets->all = *at;
		else
			set_wish(tw_targets_find(targets, at->agent), at, order->version);
	}
	tw_vec_done(&wishes);
	if (!code)
		tw_targets_tick(targets);
	return code;
}

/* ---- for the daemon ---- */

static int load_wish(void *arg, const struct tw_policies_wish *wish)
{
	struct tw_targets *targets = arg;
	struct tw_policies_version version;
	struct tw_target *row;
	struct tw_err err = {0};

	if (!strcmp(wish->agent, TW_POLICIES_ALL)) {
		targets->all = *wish;
		return 0;
	}
	row = find_or_add(targets, wish->agent);
	if (!row)
		return -ENOMEM;
	/* Without its version, the agent keeps what it has. */
	if (tw_policies_get(targets->setup.policies, wish->wanted, &version, NULL, &err)) {
		tw_log(TW_LOG_ERR, "agent %s: version %llu is wanted: %s", wish->agent,
			(unsigned long long)wish->wanted, err.text);
		return 0;
	}
	set_wish(row, wish, &version);
	row->state = wish->delivered ? TW_TARGET_AWAY : TW_TARGET_WAITING;
	return 0;
}

int tw_targets_new(
	const struct tw_targets_setup *setup, struct tw_targets **ret, struct tw_err *err)
{
	struct tw_targets *targets = tw_alloc(sizeof(*targets));
	int code = -ENOMEM;

	if (targets) {
		targets->setup = *setup;
		code = tw_policies_each_wish(setup->policies, load_wish, targets);
	}
	if (code) {
		tw_targets_free(targets);
		return tw_err_set(err, code, "policies.db", NULL,
			"cannot read which policies are wanted: %s", strerror(-code));
	}
	*ret = targets;
	return 0;
}

void tw_targets_free(struct tw_targets *targets)
{
	if (!targets)
		return;
	while (targets->rows) {
		struct tw_target *row = targets->rows;

		targets->rows = row->next;
		free(row);
	}
	tw_buf_done(&targets->text);
	free(targets);
}
