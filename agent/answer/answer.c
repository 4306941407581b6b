/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/answer/answer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/apply.h"
#include "agent/publish/confirm.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/tripwire.h"
#include "agent/state/inforce.h"
#include "agent/state/quarantines.h"
#include "agent/state/versions.h"
#include "base/alloc.h"
#include "base/author.h"
#include "base/clean.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"
#include "link/reply.h"

/* Messages in generated code have non-const strings, but these are only read. */
#define TEXT(text) ((char *)(uintptr_t)(text))

int tw_answer_send(struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, bool last)
{
	return tw_reply_send(out, id, response, last);
}

int tw_answer_error(
	struct tw_buf *out, uint64_t id, Tapwall__V1__Response *response, const struct tw_err *err)
{
	return tw_reply_error(out, id, response, err);
}

/* Computes the digest of the text in force, once for each text. */
static bool know_sha256(struct tw_answer_ctx *ctx)
{
	const struct tw_inforce *inforce = ctx->enforcement->inforce;

	if (!inforce)
		return false;
	if (ctx->sha256_mark != inforce->mark &&
		tw_digest_make(inforce->text->bytes, inforce->text->len, ctx->sha256) < 0)
		return false;
	ctx->sha256_mark = inforce->mark;
	return true;
}

static int answer_hello(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const struct tw_inforce *inforce = ctx->enforcement->inforce;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Hello hello = TAPWALL__V1__HELLO__INIT;
	struct utsname host;

	uname(&host);
	hello.version = TEXT(TW_VERSION);
	hello.protocol = TW_LINK_PROTOCOL;
	hello.host = host.nodename;
	if (inforce) {
		hello.policy_generation = inforce->generation;
		hello.policy_source = inforce->source;
	}
	hello.quarantines_ended = ctx->enforcement->quarantines->n_ended;
	if (know_sha256(ctx)) {
		hello.policy_sha256.data = ctx->sha256;
		hello.policy_sha256.len = sizeof(ctx->sha256);
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HELLO;
	response.hello = &hello;
	return tw_reply_send(out, request->id, &response, true);
}

static int answer_version(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const struct tw_kernel_facts *facts = tw_kernel_facts(ctx->host->kernel);
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Version version = TAPWALL__V1__VERSION__INIT;
	Tapwall__V1__Feature tcx = TAPWALL__V1__FEATURE__INIT, ring = tcx, latch = tcx,
			     bridges = tcx;
	Tapwall__V1__Feature *features[] = {&tcx, &ring, &latch, &bridges};
	struct utsname host;

	uname(&host);
	tcx.name = TEXT("tcx");
	tcx.found = tcx.used = facts->tcx;
	tcx.note = TEXT(facts->tcx ? "programs are attached with tcx links"
				   : "programs are attached with clsact filters instead");
	ring.name = TEXT("ring-buffer");
	ring.found = ring.used = true;
	ring.note = TEXT("carries events to the agent");
	latch.name = TEXT("netfilter-bridge");
	latch.found = latch.used = ctx->host->latch != NULL;
	latch.note = TEXT(ctx->host->latch ? "keeps new ports shut until programs are attached"
					   : "new ports are open until netlink reports them");
	bridges.name = TEXT("bridge-memory");
	bridges.found = bridges.used = facts->asks_bridges;
	bridges.note = TEXT(facts->asks_bridges
				    ? "cut-through looks up each frame in its bridge's MAC table"
				    : "cut-through relies on what netlink has reported");
	version.version = TEXT(TW_VERSION);
	version.protocol = TW_LINK_PROTOCOL;
	version.kernel = host.release;
	version.features = features;
	version.n_features = sizeof(features) / sizeof(features[0]);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_VERSION;
	response.version = &version;
	return tw_answer_send(out, request->id, &response, true);
}

/* Strings and rows that a message points to while it is sent. */
struct learned_room {
	struct learned_row {
		Tapwall__V1__Learned message;
		char address[INET6_ADDRSTRLEN];
	} * rows;
	Tapwall__V1__Learned **list;
};

static int add_learned(const struct tw_inforce *inforce, struct learned_room *room,
	Tapwall__V1__PolicyText *policy)
{
	room->rows = tw_alloc_array(inforce->n_learned, sizeof(*room->rows));
	room->list = tw_alloc_array(inforce->n_learned, sizeof(Tapwall__V1__Learned *));
	if (!room->rows || !room->list) {
		free(room->rows);
		free(room->list);
		return -ENOMEM;
	}
	for (size_t i = 0; i < inforce->n_learned; i++) {
		struct learned_row *row = &room->rows[i];

		tapwall__v1__learned__init(&row->message);
		row->message.vnic = (uint32_t)inforce->learned[i].vnic;
		row->message.address = (char *)tw_addr_format(
			&inforce->learned[i].addr, row->address);
		room->list[i] = &row->message;
	}
	policy->learned = room->list;
	policy->n_learned = inforce->n_learned;
	return 0;
}

static int answer_policy(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyText policy = TAPWALL__V1__POLICY_TEXT__INIT;
	struct learned_room learned = {0};
	struct tw_err err;
	int ret;

	if (!ctx->enforcement->inforce) {
		tw_err_set(&err, -ENOENT, "policy", "apply one", "no policy is in force");
		return tw_answer_error(out, request->id, &response, &err);
	}
	policy.text.data = (uint8_t *)ctx->enforcement->inforce->text->bytes;
	policy.text.len = ctx->enforcement->inforce->text->len;
	policy.source = ctx->enforcement->inforce->source;
	policy.generation = ctx->enforcement->inforce->generation;
	ret = add_learned(ctx->enforcement->inforce, &learned, &policy);
	if (ret < 0)
		return ret;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY;
	response.policy = &policy;
	ret = tw_answer_send(out, request->id, &response, true);
	free(learned.rows);
	free(learned.list);
	return ret;
}

static int answer_confirm(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const ProtobufCBinaryData *sha256 = &request->confirm->sha256;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Applied applied = TAPWALL__V1__APPLIED__INIT;
	struct tw_err err = {0};
	int ret = 0;

	if (sha256->len && (!know_sha256(ctx) || sha256->len != sizeof(ctx->sha256) ||
				   memcmp(sha256->data, ctx->sha256, sizeof(ctx->sha256)) != 0))
		ret = tw_err_set(&err, -ESTALE, "confirm",
			"tapwall status shows the policy in force", "another policy is in force");
	if (!ret)
		ret = tw_confirm_keep(ctx->enforcement, &err);
	if (ret < 0)
		return tw_answer_error(out, request->id, &response, &err);
	applied.generation = ctx->enforcement->inforce->generation;
	applied.source = ctx->enforcement->inforce->source;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_APPLIED;
	response.applied = &applied;
	return tw_answer_send(out, request->id, &response, true);
}

/* ---- the workload of a request ---- */

/* Returns the workload that a request names, or "". */
static const char *workload_of(const Tapwall__V1__Request *request)
{
	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_FLOWS:
		return request->flows->workload;
	case TAPWALL__V1__REQUEST__BODY_LOG:
		return request->log->workload;
	case TAPWALL__V1__REQUEST__BODY_EVENTS:
		return request->events->workload;
	case TAPWALL__V1__REQUEST__BODY_CAPTURE:
		return request->capture->workload;
	case TAPWALL__V1__REQUEST__BODY_ADOPT:
		return request->adopt->workload;
	default:
		return "";
	}
}

static bool is_known(
	const struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, const char *name)
{
	if (ctx->enforcement->inforce &&
		tw_policy_find_workload(ctx->enforcement->inforce->policy, name))
		return true;
	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_LOG:
	case TAPWALL__V1__REQUEST__BODY_EVENTS:
		return tw_answer_has_logged(ctx, name);
	case TAPWALL__V1__REQUEST__BODY_CAPTURE:
		return tw_ports_by_name(ctx->host->ports, name);
	default:
		return false;
	}
}

/* Refuses a request about an unknown workload, because an empty answer would look correct. */
static bool check_workload(
	const struct tw_answer_ctx *ctx, Tapwall__V1__Request *request, struct tw_err *err)
{
	const char *name = workload_of(request);

	if (!name[0] || is_known(ctx, request, name))
		return true;
	tw_err_set(err, -ENOENT, tw_cleaned(name).text,
		ctx->enforcement->inforce ? "tapwall workloads lists the policy's workloads"
					  : "no policy is in force; apply one",
		"there is no such workload%s",
		request->body_case == TAPWALL__V1__REQUEST__BODY_CAPTURE ? ", and no such port"
									 : "");
	return false;
}

int tw_answer_start(void *context, enum tw_role role, Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	struct tw_answer_ctx *ctx = context;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_err err;
	int ret;

	if (!tw_link_texts_fit(&request->base)) {
		tw_err_set(&err, -EINVAL, "request", "send a shorter one",
			"a field is longer than %u bytes", TW_LINK_TEXT_MAX);
		return tw_answer_error(out, request->id, &response, &err);
	}
	if (request->agent[0]) {
		tw_err_set(&err, -EINVAL, "request", "ask tapwall-slowd for another host's agent",
			"an agent speaks for its own host only");
		return tw_answer_error(out, request->id, &response, &err);
	}
	if (!tw_role_may(role, request)) {
		tw_err_set(&err, -EACCES, "request", "use the agent's main socket", "%s",
			tw_role_refusal(role));
		return tw_answer_error(out, request->id, &response, &err);
	}
	if (!check_workload(ctx, request, &err))
		return tw_answer_error(out, request->id, &response, &err);
	switch (request->body_case) {
	case TAPWALL__V1__REQUEST__BODY_VERSION:
		return answer_version(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_HELLO:
		return answer_hello(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_STATUS:
		return tw_answer_status(ctx, request, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_APPLY:
		return tw_answer_apply(ctx, role, request, out, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_POLICY_VERSIONS:
		return tw_answer_versions(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_CONFIRM:
		return answer_confirm(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_ADOPT:
		return tw_answer_adopt(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_QUARANTINE:
		return tw_answer_quarantine(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_QUARANTINES:
		return tw_answer_quarantines(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_QUARANTINE_CHANGES:
		return tw_answer_quarantine_changes(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_RELOAD:
		return tw_answer_reload(ctx, request, out, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_POLICY:
		return answer_policy(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_FLOWS:
		return tw_answer_flows(ctx, request, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_EVENTS:
		if (request->events->acks)
			return tw_answer_spooled(ctx, request, out, ret_stream);
		return tw_answer_log(ctx, request, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_LOG:
		return tw_answer_log(ctx, request, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_EVENTS_ACK:
		return tw_answer_events_ack(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_CAPTURE:
		return tw_answer_capture(ctx, request, out, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_DECIDE:
		return tw_answer_decide(ctx, request, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_ANSWER:
		return tw_answer_answer(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_INSTALL:
		return tw_answer_install(ctx, request, out);
	case TAPWALL__V1__REQUEST__BODY_REMOVE:
		return tw_answer_remove(ctx, request, out, ret_stream);
	case TAPWALL__V1__REQUEST__BODY_TOP:
		return tw_answer_top(ctx, request, ret_stream);
	default:
		ret = tw_answer_list(ctx, request, ret_stream);
		if (ret != -EOPNOTSUPP)
			return ret;
		tw_err_set(&err, -EOPNOTSUPP, "request", "use a client of this agent's version",
			"unknown request");
		return tw_answer_error(out, request->id, &response, &err);
	}
}
