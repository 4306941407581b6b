/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* remove.c: ends connections and removes answers about them. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/asks.h"
#include "agent/observe/describe.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/walk.h"
#include "fastpath/path/conntrack/expiry.h"

#define STEPS	      8 /* steps of the walk per turn */
#define EXPIRED_TICKS 2 /* an ended record looks as if it expired this many ticks ago */

/* A walk through the connection table that ends the connections that `wanted` matches. */
struct remove_stream {
	struct tw_responses base;
	struct tw_answer_ctx *ctx;
	Tapwall__V1__RemoveRequest wanted; /* its texts are below */
	char *texts[4];
	struct tw_walk walk;
	Tapwall__V1__Removed removed;
};

/* ---- what is wanted ---- */

static bool is_end(const Tapwall__V1__End *end, const char *name, uint32_t port)
{
	return (!name[0] || !strcmp(name, end->address) || !strcmp(name, end->workload)) &&
	       (!port || port == end->port);
}

static bool is_wanted(const Tapwall__V1__RemoveRequest *wanted, const Tapwall__V1__Flow *flow)
{
	return is_end(flow->from, wanted->from, wanted->from_port) &&
	       is_end(flow->to, wanted->to, wanted->to_port) &&
	       (!wanted->proto[0] || !strcmp(wanted->proto, flow->proto)) &&
	       (!wanted->workload[0] || !strcmp(wanted->workload, flow->from->workload) ||
		       !strcmp(wanted->workload, flow->to->workload));
}

static bool is_wanted_answer(void *arg, const struct tw_ask_key *about)
{
	const struct remove_stream *stream = arg;
	struct tw_described_flow described;

	tw_describe_asked(stream->ctx->telemetry, about, &described);
	return is_wanted(&stream->wanted, &described.flow);
}

/* ---- the stream ---- */

static void remove_done(struct tw_responses *base)
{
	struct remove_stream *stream = (struct remove_stream *)base;

	tw_walk_done(&stream->walk);
	for (size_t i = 0; i < sizeof(stream->texts) / sizeof(stream->texts[0]); i++)
		free(stream->texts[i]);
	free(stream);
}

/* Ends a record. The programs' sweep reports it and corrects the charges. */
static void end_record(struct remove_stream *stream, const struct tw_config *config,
	uint32_t bucket, size_t i, uint32_t now)
{
	const struct tw_conn *conn = &stream->walk.conns[i];
	struct tw_described_flow described;
	uint32_t seen;

	if (tw_conn_expired(config, conn, now, 0))
		return;
	tw_describe_flow(stream->ctx->telemetry, &stream->walk.keys[i], conn, now, &described);
	if (!is_wanted(&stream->wanted, &described.flow))
		return;
	seen = now - config->timeout[conn->progress.state] - EXPIRED_TICKS;
	if (tw_conns_expire(&stream->walk.table, bucket, stream->walk.bucket, conn, seen))
		stream->removed.connections++;
	else
		stream->removed.missed++;
}

static int send_removed(struct remove_stream *stream, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	int ret;

	stream->removed.answers = tw_asks_remove(
		stream->ctx->telemetry->asks, is_wanted_answer, stream);
	tw_log(TW_LOG_INFO, "removed on request: %llu connections, %llu answers",
		(unsigned long long)stream->removed.connections,
		(unsigned long long)stream->removed.answers);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_REMOVED;
	response.removed = &stream->removed;
	ret = tw_answer_send(out, stream->base.id, &response, true);
	return ret < 0 ? ret : TW_RESPONSES_END;
}

static int remove_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct remove_stream *stream = (struct remove_stream *)base;
	uint32_t now = tw_ticks_now();
	struct tw_config config;
	int ret = tw_kernel_get_config(stream->ctx->host->kernel, &config);

	for (int steps = 0; !ret && steps < STEPS && !stream->walk.ended; steps++) {
		uint32_t bucket = stream->walk.bucket;
		size_t n = tw_walk_step(&stream->walk);

		for (size_t i = 0; i < n; i++)
			end_record(stream, &config, bucket, i, now);
	}
	if (ret < 0)
		return ret;
	return stream->walk.ended ? send_removed(stream, out) : TW_RESPONSES_MORE;
}

/* Copies the request. Addresses are rewritten in the form in which they are compared. */
static int copy_wanted(struct remove_stream *stream, const Tapwall__V1__RemoveRequest *request)
{
	const char *given[] = {request->proto, request->from, request->to, request->workload};

	stream->wanted = *request;
	for (size_t i = 0; i < sizeof(given) / sizeof(given[0]); i++) {
		char text[INET6_ADDRSTRLEN];
		struct tw_addr addr;
		bool address = !tw_addr_parse(given[i], &addr);

		stream->texts[i] = tw_strdup(address ? tw_addr_format(&addr, text) : given[i]);
		if (!stream->texts[i])
			return -ENOMEM;
	}
	stream->wanted.proto = stream->texts[0];
	stream->wanted.from = stream->texts[1];
	stream->wanted.to = stream->texts[2];
	stream->wanted.workload = stream->texts[3];
	return 0;
}

static bool is_narrow(const Tapwall__V1__RemoveRequest *request)
{
	return request->proto[0] || request->from[0] || request->to[0] || request->from_port ||
	       request->to_port || request->workload[0];
}

int tw_answer_remove(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_buf *out, struct tw_responses **ret_stream)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct remove_stream *stream;
	struct tw_err err;

	if (!is_narrow(request->remove) && !request->remove->all) {
		tw_err_set(&err, -EINVAL, "remove", "name an end, or set all",
			"the request matches every connection");
		return tw_answer_error(out, request->id, &response, &err);
	}
	stream = tw_alloc(sizeof(*stream));
	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){
		.next = remove_next, .done = remove_done, .id = request->id};
	stream->ctx = ctx;
	tapwall__v1__removed__init(&stream->removed);
	if (copy_wanted(stream, request->remove) < 0 ||
		tw_walk_init(&stream->walk, ctx->host->kernel) < 0) {
		remove_done(&stream->base);
		return -ENOMEM;
	}
	*ret_stream = &stream->base;
	return 0;
}
