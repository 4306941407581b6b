/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/policies/answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/author.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/vec.h"
#include "link/diagnostics.h"
#include "link/reply.h"
#include "policy/files.h"
#include "policy/policy.h"

#define TEXT(text)    ((char *)(uintptr_t)(text))
#define CONFIRM_MAX_S 86400

static int refuse(struct tw_buf *out, uint64_t id, const struct tw_err *err)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	return tw_reply_error(out, id, &response, err);
}

/* ---- versions ---- */

static int send_version(const struct tw_policies_version *version, const struct tw_buf *text,
	bool same, uint64_t id, struct tw_buf *out, bool last)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyVersion row = TAPWALL__V1__POLICY_VERSION__INIT;

	row.version = version->version;
	row.time = (double)version->time_us / 1e6;
	row.author = TEXT(version->author);
	row.uid = version->uid;
	row.comment = TEXT(version->comment);
	row.source = TEXT(version->source);
	row.sha256.data = (uint8_t *)TEXT(version->sha256);
	row.sha256.len = sizeof(version->sha256);
	row.size = version->size;
	row.stored_before = same;
	if (text) {
		row.text.data = (uint8_t *)text->data;
		row.text.len = text->len;
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION;
	response.policy_version = &row;
	return tw_reply_send(out, id, &response, last);
}

/* The list of versions, on its way to a client. */
struct listing {
	struct tw_responses base;
	struct tw_slow *slow;
	struct tw_buf *out;
	uint64_t next; /* versions below this one are to be sent; 0: all */
	uint32_t left; /* rows that may still be sent */
	int code;
};

static int add_version(void *arg, const struct tw_policies_version *version)
{
	struct listing *listing = arg;

	listing->code = send_version(version, NULL, false, listing->base.id, listing->out, false);
	listing->next = version->version;
	listing->left--;
	return listing->code || !listing->left || listing->out->len >= TW_SERVER_OUT_SOFT;
}

static int listing_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct listing *listing = (struct listing *)base;
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	uint64_t before = listing->next;
	struct tw_err err = {0};
	int code;

	listing->out = out;
	code = listing->next == 1 ? 0
				  : tw_policies_each(listing->slow->policies, listing->next,
					    add_version, listing);
	if (code) {
		tw_err_set(&err, code, "policies.db", NULL, "cannot read the stored policies: %s",
			strerror(-code));
		code = refuse(out, base->id, &err);
		return code ? code : TW_RESPONSES_END;
	}
	if (listing->code)
		return listing->code;
	if (listing->left && listing->next != before && listing->next != 1)
		return TW_RESPONSES_MORE;
	code = tw_reply_send(out, base->id, &end, true);
	return code ? code : TW_RESPONSES_END;
}

static void free_responses(struct tw_responses *base)
{
	free(base);
}

static int answer_versions(struct tw_slow *slow, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	const Tapwall__V1__PolicyVersionsRequest *wanted = request->policy_versions;
	tw_auto_buf struct tw_buf text = {0};
	struct tw_policies_version version;
	struct listing *listing;
	struct tw_err err = {0};

	if (wanted->version) {
		if (tw_policies_get(slow->policies, wanted->version, &version, &text, &err))
			return refuse(out, request->id, &err);
		return send_version(&version, &text, false, request->id, out, true);
	}
	listing = tw_alloc(sizeof(*listing));
	if (!listing)
		return -ENOMEM;
	listing->base = (struct tw_responses){
		.next = listing_next, .done = free_responses, .id = request->id};
	listing->slow = slow;
	listing->left = wanted->limit ? wanted->limit : UINT32_MAX;
	*ret = &listing->base;
	return 0;
}

/* ---- targets ---- */

static int send_target(
	struct tw_slow *slow, const struct tw_target *target, uint64_t id, struct tw_buf *out)
{
	const struct tw_agents_row *agent = tw_agents_find(slow->agents, target->wish.agent);
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyTarget row = TAPWALL__V1__POLICY_TARGET__INIT;

	row.agent = TEXT(target->wish.agent);
	row.wanted = target->wish.wanted;
	row.state = TEXT(tw_target_state_name(target->state));
	row.error = TEXT(target->error);
	if (target->wish.until_s) {
		row.confirm_left_s = (double)target->wish.until_s - tw_clock_unix(tw_clock_ns());
		if (row.confirm_left_s < 0.001)
			row.confirm_left_s = 0.001;
	}
	row.since_s = (double)(tw_clock_ns() - target->since_ns) / 1e9;
	if (agent) {
		row.connected = agent->peer != NULL;
		row.source = TEXT(agent->source);
		row.in_force = agent->has_sha256 ? tw_policies_find(slow->policies, agent->sha256)
						 : 0;
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY_TARGET;
	response.policy_target = &row;
	return tw_reply_send(out, id, &response, false);
}

/* The rows of all agents fit into the output buffer of a client. */
static int answer_targets(
	struct tw_slow *slow, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	int code = 0;

	tw_targets_tick(slow->targets);
	for (const struct tw_target *target = tw_targets_first(slow->targets); target && !code;
		target = target->next)
		code = send_target(slow, target, request->id, out);
	return code ? code : tw_reply_send(out, request->id, &end, true);
}

/* ---- push ---- */

/* A push or confirmation that some agents have not answered yet. */
struct pushing {
	struct tw_responses base;
	struct tw_slow *slow;
	TW_VEC(char *) agents; /* agents not reported yet */
};

static void pushing_done(struct tw_responses *base)
{
	struct pushing *pushing = (struct pushing *)base;

	tw_vec_foreach (&pushing->agents, name)
		free(*name);
	tw_vec_done(&pushing->agents);
	free(pushing);
}

static int pushing_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct pushing *pushing = (struct pushing *)base;
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	size_t left = 0;
	int code = 0;

	for (size_t i = 0; i < pushing->agents.n && !code; i++) {
		char *name = pushing->agents.at[i];
		const struct tw_target *target = tw_targets_find(pushing->slow->targets, name);

		if (target->state == TW_TARGET_PUSHING) {
			pushing->agents.at[left++] = name;
			continue;
		}
		code = send_target(pushing->slow, target, base->id, out);
		free(name);
		pushing->agents.at[i] = NULL;
	}
	pushing->agents.n = left;
	if (code || left)
		return code ? code : TW_RESPONSES_WAIT;
	code = tw_reply_send(out, base->id, &end, true);
	return code ? code : TW_RESPONSES_END;
}

/* Makes the stream that reports each agent of the order as soon as it has answered. */
static int follow(struct tw_slow *slow, const struct tw_targets_order *order, uint64_t id,
	struct tw_responses **ret)
{
	struct pushing *pushing = tw_alloc(sizeof(*pushing));
	int code = pushing ? 0 : -ENOMEM;

	if (code)
		return code;
	pushing->base = (struct tw_responses){.next = pushing_next, .done = pushing_done, .id = id};
	pushing->slow = slow;
	for (const struct tw_target *target = tw_targets_first(slow->targets); target && !code;
		target = target->next) {
		char *name;

		if (!tw_targets_has(order, target->wish.agent))
			continue;
		name = tw_strdup(target->wish.agent);
		code = name ? tw_vec_push(&pushing->agents, name) : -ENOMEM;
		if (code)
			free(name);
	}
	if (code)
		pushing_done(&pushing->base);
	else
		*ret = &pushing->base;
	return code;
}

/* Refuses an invalid policy with what the compiler says about it. */
static int refuse_policy(
	struct tw_diags *diags, const char *source, uint64_t id, struct tw_buf *out)
{
	tw_auto(tw_diagnostics) struct tw_diagnostics *rows = NULL;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_err err;
	int code = tw_diagnostics_fill(diags, &response, &rows);

	if (code < 0)
		return code;
	tw_err_set(&err, -EINVAL, source, NULL, "the policy is invalid");
	return tw_reply_error(out, id, &response, &err);
}

static int check_push(const Tapwall__V1__PolicyPushRequest *push, struct tw_err *err)
{
	if (strlen(push->comment) > TW_POLICIES_COMMENT_MAX)
		return tw_err_set(err, -EINVAL, "comment", "write a shorter one",
			"is longer than %u bytes", TW_POLICIES_COMMENT_MAX);
	if (push->confirm_s > CONFIRM_MAX_S)
		return tw_err_set(err, -EINVAL, "confirm", "use a shorter one",
			"the time is longer than a day");
	if (push->version && push->text.len)
		return tw_err_set(err, -EINVAL, "push", "send one of them",
			"has a text and the number of a version");
	if (push->text.len > TW_POLICIES_TEXT_MAX)
		return tw_err_set(err, -EFBIG, "policy", "apply it on each host, or shorten it",
			"the policy has more than %u MiB", TW_POLICIES_TEXT_MAX >> 20);
	return 0;
}

/* Stores the text of a push, or finds the version that it names. */
static int find_version(struct tw_slow *slow, const Tapwall__V1__PolicyPushRequest *push,
	struct tw_policies_version *version, bool *ret_same, struct tw_err *err)
{
	if (push->version) {
		*ret_same = true;
		return tw_policies_get(slow->policies, push->version, version, NULL, err);
	}
	*version = (struct tw_policies_version){.uid = tw_server_user(slow->server)};
	tw_author_name(version->uid, version->author, sizeof(version->author));
	snprintf(version->comment, sizeof(version->comment), "%s", push->comment);
	snprintf(version->source, sizeof(version->source), "%s", push->source);
	tw_clean(version->comment, strlen(version->comment));
	tw_clean(version->source, strlen(version->source));
	return tw_policies_add(slow->policies, (const char *)push->text.data, push->text.len,
		version, ret_same, err);
}

static int answer_push(struct tw_slow *slow, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	const Tapwall__V1__PolicyPushRequest *push = request->policy_push;
	struct tw_policies_version version;
	struct tw_targets_order order = {.version = &version,
		.agents = push->agents,
		.n_agents = push->n_agents,
		.allow_unprotect = push->allow_unprotect,
		.confirm_s = push->confirm_s};
	tw_auto(tw_policy) struct tw_policy *policy = NULL;
	struct tw_diags diags = {0};
	struct tw_err err = {0};
	bool same = false;
	int code = check_push(push, &err);

	/* If an agent's name is mistyped, nothing is stored. */
	if (!code)
		code = tw_targets_know(slow->targets, &order, &err);
	if (!code && !push->version)
		code = tw_policy_read_unchecked(
			(const char *)push->text.data, push->text.len, NULL, 0, &policy, &diags);
	if (diags.n_errors) {
		tw_files_place((const char *)push->text.data, push->text.len, &diags);
		code = refuse_policy(&diags, push->source, request->id, out);
		tw_diags_done(&diags);
		return code;
	}
	tw_diags_done(&diags);
	if (code == -ENOMEM && !err.code)
		return code;
	if (!code)
		code = find_version(slow, push, &version, &same, &err);
	if (!code)
		code = tw_targets_want(slow->targets, &order, &err);
	if (code)
		return refuse(out, request->id, &err);
	tw_log(TW_LOG_INFO, "policy version %llu: %s by %s, for %s",
		(unsigned long long)version.version, same ? "pushed again" : "pushed",
		version.author, push->n_agents ? "some agents" : "all agents");
	code = send_version(&version, NULL, same, request->id, out, false);
	return code ? code : follow(slow, &order, request->id, ret);
}

/* Confirms all versions that wait for it, and reports all agents. */
static int answer_confirm(struct tw_slow *slow, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret)
{
	const struct tw_targets_order all = {0};
	struct tw_err err = {0};
	size_t n;

	if (tw_targets_confirm(slow->targets, &n, &err))
		return refuse(out, request->id, &err);
	tw_log(TW_LOG_INFO, "policies are confirmed, at %zu agents", n);
	return follow(slow, &all, request->id, ret);
}

int tw_policies_answer(struct tw_slow *slow, Tapwall__V1__Request *request, struct tw_buf *out,
	struct tw_responses **ret)
{
	if (!slow->policies)
		return refuse(out, request->id, &slow->policies_err);
	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_POLICY_PUSH:
		return answer_push(slow, request, out, ret);
	case TAPWALL__V1__REQUEST__BODY_CONFIRM:
		return answer_confirm(slow, request, out, ret);
	case TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS:
		return answer_versions(slow, request, out, ret);
	default:
		return answer_targets(slow, request, out);
	}
}
