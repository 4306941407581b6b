/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* top.c: the answer to top: the traffic of ports, rules and connections in each interval. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/observe/describe.h"
#include "agent/observe/rank.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/prove.h"
#include "agent/state/inforce.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/walk.h"
#include "fastpath/path/conntrack/expiry.h"

#define TEXT(text)	((char *)(uintptr_t)(text))
#define STEPS		8   /* steps of the walk per turn */
#define ROWS_TURN	512 /* rows visited per turn */
#define INTERVAL_MS	1000
#define INTERVAL_MS_MIN 250 /* the agent's tick: no shorter interval is possible */
#define LIMIT		100
#define LIMIT_MAX	1000

enum phase {
	PHASE_WALK,
	PHASE_PORTS,
	PHASE_RULES,
	PHASE_REASONS,
	PHASE_FLOWS,
	PHASE_END,
	PHASE_WAIT
};

/* Counters at the start of the interval: ports by id, rules by slot. */
struct before {
	struct tw_port_count ports[TW_PORTS_MAX];
	struct tw_rule_count rules[TW_RULES_MAX];
	uint64_t reasons[TW_REASON_COUNTERS];
	uint32_t ifindex[TW_PORTS_MAX]; /* ifindex of the port that the counters belong to */
};

struct top_stream {
	struct tw_responses base;
	struct tw_walk walk;
	struct tw_rank *rank;
	struct before *before;
	struct tw_inforce *inforce; /* the policy whose rules are listed */
	uint32_t opened[TW_DIR__MAX][TW_PORTS_MAX];
	uint64_t interval_ns;
	uint64_t began_ns; /* start of the current sample */
	double seconds;	   /* time since the sample before; 0 for the first one */
	enum phase phase;
	uint64_t at; /* next ifindex, rule or row */
	const struct tw_rank_row *rows;
	size_t n_rows;
	struct tw_rank_sums sums;
};

static void top_done(struct tw_responses *base)
{
	struct top_stream *stream = (struct top_stream *)base;

	tw_walk_done(&stream->walk);
	tw_rank_free(stream->rank);
	tw_inforce_free(stream->inforce);
	free(stream->before);
	free(stream);
}

static double rate(const struct top_stream *stream, uint64_t now, uint64_t before)
{
	return now > before && stream->seconds > 0 ? (double)(now - before) / stream->seconds : 0;
}

static int send_row(const struct top_stream *stream, Tapwall__V1__TopRow *row, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_TOP;
	response.top = row;
	return tw_answer_send(out, stream->base.id, &response, false);
}

/* ---- connections ---- */

static void begin(struct top_stream *stream)
{
	uint64_t now = tw_clock_ns();

	stream->seconds = stream->began_ns ? (double)(now - stream->began_ns) / 1e9 : 0;
	stream->began_ns = now;
	memset(stream->opened, 0, sizeof(stream->opened));
	tw_walk_rewind(&stream->walk);
	tw_rank_begin(stream->rank, tw_ticks_now());
	stream->phase = PHASE_WALK;
}

static void enter(struct top_stream *stream, enum phase phase)
{
	stream->phase = phase;
	stream->at = 0;
}

static int walk(struct top_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	uint32_t now = tw_ticks_now();
	struct tw_config config;
	int ret = tw_kernel_get_config(ctx->host->kernel, &config);

	for (int steps = 0; !ret && steps < STEPS && !stream->walk.ended; steps++) {
		size_t n = tw_walk_step(&stream->walk);

		for (size_t i = 0; i < n && ret >= 0; i++) {
			const struct tw_conn *conn = &stream->walk.conns[i];

			if (tw_conn_expired(&config, conn, now, 0))
				continue;
			ret = tw_rank_meet(stream->rank, &stream->walk.keys[i], conn);
			for (int dir = 0; ret > 0 && dir < TW_DIR__MAX; dir++)
				stream->opened[dir][tw_ports_at(conn->ports, (__u32)dir)]++;
		}
		ret = ret < 0 ? ret : 0;
	}
	if (ret < 0 || !stream->walk.ended)
		return ret;
	stream->n_rows = tw_rank_end(stream->rank, &stream->rows, &stream->sums);
	enter(stream, PHASE_PORTS);
	return 0;
}

static int send_flow(struct top_stream *stream, struct tw_answer_ctx *ctx,
	const struct tw_rank_row *from, struct tw_buf *out)
{
	Tapwall__V1__TopRow row = TAPWALL__V1__TOP_ROW__INIT;
	struct tw_described_flow described;

	tw_describe_flow(ctx->telemetry, &from->key, &from->conn, tw_ticks_now(), &described);
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_FLOW;
	row.flow = &described.flow;
	row.packets_out = rate(stream, from->packets[TW_WAY_ORIGINAL], 0);
	row.packets_in = rate(stream, from->packets[TW_WAY_REPLY], 0);
	row.bytes_out = rate(stream, from->bytes[TW_WAY_ORIGINAL], 0);
	row.bytes_in = rate(stream, from->bytes[TW_WAY_REPLY], 0);
	return send_row(stream, &row, out);
}

static int send_flows(struct top_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	int ret = 0;

	while (!ret && stream->at < stream->n_rows && out->len < TW_SERVER_OUT_SOFT)
		ret = send_flow(stream, ctx, &stream->rows[stream->at++], out);
	if (!ret && stream->at == stream->n_rows)
		enter(stream, PHASE_END);
	return ret;
}

/* ---- ports ---- */

static int send_port(const struct tw_answer_ctx *ctx, struct top_stream *stream,
	const struct tw_agent_port *port, const struct tw_port_count *now, struct tw_buf *out)
{
	const struct tw_port_count *before = &stream->before->ports[port->id];
	Tapwall__V1__TopRow row = TAPWALL__V1__TOP_ROW__INIT;
	Tapwall__V1__Port message = TAPWALL__V1__PORT__INIT;

	message.name = TEXT(port->name);
	message.ifindex = port->ifindex;
	message.workload = TEXT(port->vnic ? port->vnic->workload : "");
	message.state = TEXT(tw_prove_state(ctx->enforcement, port));
	message.open = tw_bind_is_open(port);
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_PORT;
	row.port = &message;
	row.packets_out = rate(stream, now->packets[TW_DIR_OUT], before->packets[TW_DIR_OUT]);
	row.packets_in = rate(stream, now->packets[TW_DIR_IN], before->packets[TW_DIR_IN]);
	row.bytes_out = rate(stream, now->bytes[TW_DIR_OUT], before->bytes[TW_DIR_OUT]);
	row.bytes_in = rate(stream, now->bytes[TW_DIR_IN], before->bytes[TW_DIR_IN]);
	row.denied_out = rate(
		stream, now->denied_packets[TW_DIR_OUT], before->denied_packets[TW_DIR_OUT]);
	row.denied_in = rate(
		stream, now->denied_packets[TW_DIR_IN], before->denied_packets[TW_DIR_IN]);
	row.opened_out = rate(stream, stream->opened[TW_DIR_OUT][port->id], 0);
	row.opened_in = rate(stream, stream->opened[TW_DIR_IN][port->id], 0);
	return send_row(stream, &row, out);
}

static int send_ports(struct top_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	struct before *before = stream->before;
	int ret = 0;

	for (int i = 0; !ret && i < ROWS_TURN && out->len < TW_SERVER_OUT_SOFT; i++) {
		const struct tw_agent_port *port = tw_ports_next(
			ctx->host->ports, (uint32_t)stream->at);
		struct tw_port_count now;

		if (!port) {
			enter(stream, PHASE_RULES);
			return 0;
		}
		stream->at = port->ifindex;
		if (tw_counts_port(ctx->host->kernel, port->id, &now) < 0)
			continue;
		/* If the id belonged to another port before, its counters are new. */
		if (before->ifindex[port->id] != port->ifindex)
			before->ports[port->id] = now;
		before->ifindex[port->id] = port->ifindex;
		if (stream->seconds > 0)
			ret = send_port(ctx, stream, port, &now, out);
		before->ports[port->id] = now;
	}
	return ret;
}

/* ---- rules ---- */

static int send_rule(struct top_stream *stream, size_t index, const struct tw_rule_count *now,
	const struct tw_rule_count *before, struct tw_buf *out)
{
	const struct tw_policy *policy = stream->inforce->policy;
	const struct tw_rule_info *info = tw_policy_rule(policy, index);
	Tapwall__V1__TopRow row = TAPWALL__V1__TOP_ROW__INIT;
	Tapwall__V1__Rule message = TAPWALL__V1__RULE__INIT;
	const char *file;

	message.name = TEXT(info->name);
	message.action = TEXT(tw_verdict_name(info->action));
	message.hits = now->hits;
	message.packets = now->packets;
	message.bytes = now->bytes;
	file = tw_policy_file_of(policy, info->line, &message.line);
	message.file = TEXT(file ? file : "");
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_RULE;
	row.rule = &message;
	row.packets_out = rate(stream, now->packets, before->packets);
	row.bytes_out = rate(stream, now->bytes, before->bytes);
	row.opened_out = rate(stream, now->hits, before->hits);
	if (info->action != TW_V_ALLOW)
		row.denied_out = row.packets_out;
	return send_row(stream, &row, out);
}

static int send_rules(struct top_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	int ret = 0;

	if (!stream->at) {
		tw_inforce_free(stream->inforce);
		stream->inforce = ctx->enforcement->inforce
					  ? tw_inforce_ref(ctx->enforcement->inforce)
					  : NULL;
	}
	for (int i = 0; !ret && i < ROWS_TURN && out->len < TW_SERVER_OUT_SOFT; i++) {
		struct tw_rule_count now, *before;
		uint32_t slot;

		if (!stream->inforce || stream->at > tw_policy_n_rules(stream->inforce->policy)) {
			enter(stream, PHASE_REASONS);
			return 0;
		}
		slot = stream->inforce->slots[stream->at++];
		if (slot >= TW_RULES_MAX)
			continue;
		now = tw_counts_rule(ctx->host->kernel, slot);
		before = &stream->before->rules[slot];
		if (stream->seconds > 0 && now.packets != before->packets)
			ret = send_rule(stream, stream->at - 1, &now, before, out);
		*before = now;
	}
	return ret;
}

/* ---- reasons, and the end ---- */

static int send_reasons(struct top_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	int ret = 0;

	for (uint32_t reason = TW_R_NONE + 1; reason < TW_R__MAX && !ret; reason++) {
		uint64_t *before = &stream->before->reasons[tw_reason_index(reason, 0)];
		Tapwall__V1__TopRow row = TAPWALL__V1__TOP_ROW__INIT;
		Tapwall__V1__Counter counter = TAPWALL__V1__COUNTER__INIT;

		ret = tw_answer_counter(ctx, reason, &counter);
		row.what_case = TAPWALL__V1__TOP_ROW__WHAT_REASON;
		row.reason = &counter;
		row.packets_out = rate(stream, counter.out, before[TW_DIR_OUT]);
		row.packets_in = rate(stream, counter.in, before[TW_DIR_IN]);
		before[TW_DIR_OUT] = counter.out;
		before[TW_DIR_IN] = counter.in;
		if (!ret && row.packets_out + row.packets_in > 0)
			ret = send_row(stream, &row, out);
	}
	enter(stream, PHASE_FLOWS);
	return ret;
}

static int send_sample(struct top_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__TopSample sample = TAPWALL__V1__TOP_SAMPLE__INIT;

	stream->phase = PHASE_WAIT;
	if (!(stream->seconds > 0))
		return 0;
	sample.time = tw_clock_unix(stream->began_ns);
	sample.seconds = stream->seconds;
	sample.connections = stream->sums.live;
	sample.connections_max = tw_kernel_facts(ctx->host->kernel)->max_conns;
	sample.opened = rate(stream, stream->sums.opened, 0);
	sample.moved = stream->sums.moved;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_SAMPLE;
	response.sample = &sample;
	return tw_answer_send(out, stream->base.id, &response, false);
}

static int top_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	static int (*const steps[])(
		struct top_stream *, struct tw_answer_ctx *, struct tw_buf *) = {
		[PHASE_WALK] = walk,
		[PHASE_PORTS] = send_ports,
		[PHASE_RULES] = send_rules,
		[PHASE_REASONS] = send_reasons,
		[PHASE_FLOWS] = send_flows,
		[PHASE_END] = send_sample,
	};
	struct top_stream *stream = (struct top_stream *)base;
	int ret;

	if (stream->phase == PHASE_WAIT) {
		/* Ends an interval up to a sixteenth early, because ticks are not exact. */
		if (tw_clock_ns() - stream->began_ns < stream->interval_ns / 16 * 15)
			return TW_RESPONSES_WAIT;
		begin(stream);
	}
	ret = steps[stream->phase](stream, ctx, out);
	return ret < 0 ? ret : TW_RESPONSES_MORE;
}

int tw_answer_top(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream)
{
	uint32_t interval_ms = request->top->interval_ms, limit = request->top->limit;
	struct top_stream *stream = tw_alloc(sizeof(*stream));
	int ret;

	if (!stream)
		return -ENOMEM;
	if (!interval_ms)
		interval_ms = INTERVAL_MS;
	if (interval_ms < INTERVAL_MS_MIN)
		interval_ms = INTERVAL_MS_MIN;
	if (!limit)
		limit = LIMIT;
	if (limit > LIMIT_MAX)
		limit = LIMIT_MAX;
	stream->base = (struct tw_responses){.next = top_next, .done = top_done, .id = request->id};
	stream->interval_ns = interval_ms * 1000000ull;
	stream->before = tw_alloc(sizeof(*stream->before));
	ret = stream->before ? tw_walk_init(&stream->walk, ctx->host->kernel) : -ENOMEM;
	if (!ret)
		ret = tw_rank_new(limit, &stream->rank);
	if (ret < 0) {
		top_done(&stream->base);
		return ret;
	}
	begin(stream);
	*ret_stream = &stream->base;
	return 0;
}
