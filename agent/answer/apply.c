/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* apply.c: applies policies on request. The answer is sent when the policy is in force or refused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/telemetry.h"
#include "agent/publish/apply.h"
#include "agent/publish/confirm.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/tripwire.h"
#include "agent/state/versions.h"
#include "base/alloc.h"
#include "base/author.h"
#include "base/clean.h"
#include "link/diagnostics.h"

/* Messages in generated code have non-const strings, but these are only read. */
#define TEXT(text) ((char *)(uintptr_t)(text))

/* ---- the result ---- */

/* Strings and rows that a message points to while it is sent. */
struct unprotected_room {
	Tapwall__V1__Unprotected **list;
	Tapwall__V1__Unprotected rows[];
};

static void unprotected_room_free(struct unprotected_room *room)
{
	if (room)
		free(room->list);
	free(room);
}
TW_DEFINE_AUTO(unprotected_room)

static int fill_unprotected(const struct tw_applied *applied, Tapwall__V1__Applied *message,
	struct unprotected_room **ret)
{
	size_t n = applied->unprotected.n;
	struct unprotected_room *room = tw_alloc(sizeof(*room) + n * sizeof(room->rows[0]));

	if (!room)
		return -ENOMEM;
	*ret = room;
	room->list = tw_alloc_array(n, sizeof(*room->list));
	if (!room->list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		tapwall__v1__unprotected__init(&room->rows[i]);
		room->rows[i].port = applied->unprotected.at[i].port;
		room->rows[i].workload = applied->unprotected.at[i].workload;
		room->list[i] = &room->rows[i];
	}
	message->unprotected = room->list;
	message->n_unprotected = n;
	return 0;
}

/* Fills the message of a change. The caller frees `ret` once the message is sent. */
static int fill_applied(const struct tw_applied *applied, Tapwall__V1__Applied *message,
	struct unprotected_room **ret)
{
	message->generation = applied->generation;
	message->compile_ms = (double)applied->compile_ns / 1e6;
	message->publish_ms = (double)applied->publish_ns / 1e6;
	message->rules_added = applied->rules[TW_CHANGE_ADDED].at;
	message->n_rules_added = applied->rules[TW_CHANGE_ADDED].n;
	message->rules_removed = applied->rules[TW_CHANGE_REMOVED].at;
	message->n_rules_removed = applied->rules[TW_CHANGE_REMOVED].n;
	message->rules_changed = applied->rules[TW_CHANGE_CHANGED].at;
	message->n_rules_changed = applied->rules[TW_CHANGE_CHANGED].n;
	message->workloads_added = applied->workloads[TW_CHANGE_ADDED].at;
	message->n_workloads_added = applied->workloads[TW_CHANGE_ADDED].n;
	message->workloads_removed = applied->workloads[TW_CHANGE_REMOVED].at;
	message->n_workloads_removed = applied->workloads[TW_CHANGE_REMOVED].n;
	message->workloads_changed = applied->workloads[TW_CHANGE_CHANGED].at;
	message->n_workloads_changed = applied->workloads[TW_CHANGE_CHANGED].n;
	message->ports_changed = applied->ports.at;
	message->n_ports_changed = applied->ports.n;
	message->unchanged = applied->unchanged;
	message->open = applied->open.at;
	message->n_open = applied->open.n;
	message->dangers = applied->dangers.at;
	message->n_dangers = applied->dangers.n;
	return fill_unprotected(applied, message, ret);
}

/* Answers with the result of applying a policy. */
static int send_load(const struct tw_apply *load, int result, uint64_t id, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Applied message = TAPWALL__V1__APPLIED__INIT;
	tw_auto(tw_diagnostics) struct tw_diagnostics *diagnostics = NULL;
	tw_auto(unprotected_room) struct unprotected_room *room = NULL;
	int ret = tw_diagnostics_fill(&load->diags, &response, &diagnostics);

	if (!ret)
		ret = fill_applied(&load->applied, &message, &room);
	if (ret < 0)
		return ret;
	if (result < 0)
		return tw_answer_error(out, id, &response, &load->err);
	message.source = TEXT(load->order.source);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_APPLIED;
	response.applied = &message;
	return tw_answer_send(out, id, &response, true);
}

/* Fills in who applies a policy. `who` holds the name. */
static void fill_authorship(const struct tw_answer_ctx *ctx, enum tw_role role,
	const Tapwall__V1__ApplyRequest *apply, char who[64], struct tw_authorship *ret)
{
	if (role == TW_ROLE_SLOW_PATH) {
		snprintf(who, 64, "%s%s", apply->author[0] ? apply->author : "unknown",
			" by tapwall-slowd");
	} else {
		ret->uid = tw_server_user(*ctx->server);
		tw_author_name(ret->uid, who, 64);
	}
	tw_clean(who, strlen(who));
	ret->author = who;
	if (apply)
		ret->comment = apply->comment;
}

/* Reads an earlier policy for an order. The caller frees the text. */
static int read_kept(
	const struct tw_answer_ctx *ctx, uint64_t number, struct tw_apply *load, char **ret_text)
{
	const struct tw_versions *versions = ctx->enforcement->versions;
	int ret = tw_versions_read(
		versions, ctx->enforcement->store, number, ret_text, &load->order.len, &load->err);

	if (ret < 0)
		return ret;
	load->order.text = *ret_text;
	load->order.source = tw_versions_find(versions, number)->source;
	return 0;
}

/* ---- the answer ---- */

struct apply_stream {
	struct tw_responses base;
	struct tw_telemetry *telemetry;
	struct tw_apply_job *job; /* NULL: it has ended */
	struct tw_buf result;
	int code; /* 0, or a negative errno if the result could not be written */
};

static int apply_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct apply_stream *stream = (struct apply_stream *)base;

	if (stream->job)
		return TW_RESPONSES_WAIT;
	if (stream->code < 0)
		return stream->code;
	tw_buf_add(out, stream->result.data, stream->result.len);
	return TW_RESPONSES_END;
}

static void apply_stream_done(struct tw_responses *base)
{
	struct apply_stream *stream = (struct apply_stream *)base;

	tw_apply_forget(stream->job);
	tw_buf_done(&stream->result);
	free(stream);
}

static void on_applied(void *arg, struct tw_apply *apply, int result)
{
	struct apply_stream *stream = arg;

	stream->job = NULL;
	stream->code = send_load(apply, result, stream->base.id, &stream->result);
	if (stream->result.failed)
		stream->code = -ENOMEM;
	stream->telemetry->told = true;
}

/* Queues an order. A failure is answered at once. */
static int begin_order(struct tw_answer_ctx *ctx, uint64_t id, struct tw_apply *load,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	struct apply_stream *stream = tw_alloc(sizeof(*stream));
	int ret;

	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){
		.next = apply_next, .done = apply_stream_done, .id = id};
	stream->telemetry = ctx->telemetry;
	ret = tw_apply_add(
		ctx->enforcement, &load->order, on_applied, stream, &stream->job, &load->err);
	if (!ret) {
		*ret_stream = &stream->base;
		return 0;
	}
	apply_stream_done(&stream->base);
	return send_load(load, ret, id, out);
}

int tw_answer_apply(struct tw_answer_ctx *ctx, enum tw_role role,
	const Tapwall__V1__Request *request, struct tw_buf *out, struct tw_responses **ret_stream)
{
	Tapwall__V1__ApplyRequest *apply = request->apply;
	struct tw_apply load = {
		.order = {.text = (const char *)apply->text.data,
			.len = apply->text.len,
			.source = apply->source,
			.dry_run = apply->dry_run,
			.allow_unprotect = apply->allow_unprotect,
			.tripwire = apply->tripwire < TW_TRIPWIRE_MAX ? apply->tripwire
								      : TW_TRIPWIRE_MAX,
			.confirm_s = apply->confirm_s < TW_CONFIRM_MAX_S ? apply->confirm_s
									 : TW_CONFIRM_MAX_S}};
	tw_autofree char *text = NULL;
	char who[64];
	int ret = 0;

	/* The names appear in the log and wherever the policy is shown. */
	tw_clean(apply->source, strlen(apply->source));
	tw_clean(apply->comment, strlen(apply->comment));
	fill_authorship(ctx, role, apply, who, &load.order.by);
	if (strlen(apply->comment) > TW_VERSIONS_COMMENT_MAX)
		ret = tw_err_set(&load.err, -EINVAL, "--comment", "shorten it",
			"the comment is longer than %u bytes", TW_VERSIONS_COMMENT_MAX);
	else if (apply->kept)
		ret = read_kept(ctx, apply->kept, &load, &text);
	if (ret < 0)
		return send_load(&load, ret, request->id, out);
	return begin_order(ctx, request->id, &load, out, ret_stream);
}

int tw_answer_reload(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	struct tw_apply load = {.order = {.allow_unprotect = request->reload->allow_unprotect}};
	tw_autofree char *text = NULL;
	char who[64];
	int ret = tw_apply_read_file(ctx->enforcement, &load, &text);

	if (ret < 0)
		return send_load(&load, ret, request->id, out);
	fill_authorship(ctx, TW_ROLE_OPERATOR, NULL, who, &load.order.by);
	return begin_order(ctx, request->id, &load, out, ret_stream);
}
