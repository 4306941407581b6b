/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* versions.c: lists the policies that were in force on this host. */
#include <stdlib.h>

#include "agent/answer/answer.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/versions.h"
#include "base/cleanup.h"

static int send_version(const struct tw_answer_ctx *ctx, const struct tw_version *version,
	const ProtobufCBinaryData *text, uint64_t id, struct tw_buf *out)
{
	const struct tw_inforce *inforce = ctx->enforcement->inforce;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__PolicyVersion row = TAPWALL__V1__POLICY_VERSION__INIT;

	row.version = version->number;
	row.time = (double)version->time_s;
	row.author = version->author;
	row.uid = version->uid;
	row.comment = version->comment;
	row.source = version->source;
	row.sha256.data = (uint8_t *)(uintptr_t)version->sha256;
	row.sha256.len = sizeof(version->sha256);
	row.size = version->size;
	row.in_force = inforce && inforce->generation == version->number;
	row.lost = !version->kept;
	if (text)
		row.text = *text;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY_VERSION;
	response.policy_version = &row;
	return tw_answer_send(out, id, &response, text != NULL);
}

static int send_list(
	const struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	const struct tw_versions *versions = ctx->enforcement->versions;
	size_t n = versions->list.n, limit = request->policy_versions->limit;
	int ret = 0;

	for (size_t i = 0; i < n && !ret && (!limit || i < limit); i++)
		ret = send_version(ctx, &versions->list.at[n - 1 - i], NULL, request->id, out);
	return ret ? ret : tw_answer_send(out, request->id, &end, true);
}

int tw_answer_versions(
	struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request, struct tw_buf *out)
{
	const struct tw_versions *versions = ctx->enforcement->versions;
	uint64_t number = request->policy_versions->version;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	tw_autofree char *text = NULL;
	ProtobufCBinaryData data;
	struct tw_err err = {0};

	if (!number)
		return send_list(ctx, request, out);
	if (tw_versions_read(versions, ctx->enforcement->store, number, &text, &data.len, &err) < 0)
		return tw_answer_error(out, request->id, &response, &err);
	data.data = (uint8_t *)text;
	return send_version(ctx, tw_versions_find(versions, number), &data, request->id, out);
}
