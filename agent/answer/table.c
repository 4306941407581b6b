/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* table.c: answers that walk the connection table: flows, and status, which counts connections. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent/answer/answer.h"
#include "agent/dial.h"
#include "agent/observe/describe.h"
#include "agent/observe/asks.h"
#include "agent/observe/events.h"
#include "agent/observe/splits.h"
#include "agent/observe/spool.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/hostwork.h"
#include "agent/ports/latch.h"
#include "agent/ports/ports.h"
#include "agent/ports/uplinks.h"
#include "agent/publish/apply.h"
#include "agent/publish/bind.h"
#include "agent/publish/confirm.h"
#include "agent/publish/quarantine.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/prove.h"
#include "agent/publish/tripwire.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "agent/state/policy_file.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/loop.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/walk.h"
#include "fastpath/path/conntrack/expiry.h"

#define TEXT(text) ((char *)(uintptr_t)(text))
#define GAPS_MAX   16 /* maximum number of names of each kind in a status message */
#define STEPS	   8  /* steps of the walk per turn while no record matches */

struct table_stream {
	struct tw_responses base;
	struct tw_walk walk;
	size_t at; /* next record of the current step */
	size_t n;
	uint64_t n_live;
	uint64_t n_records;
	uint32_t left; /* flows still to send; 0: no limit */
	bool limited;
	bool expired;	/* flows: also records that have expired */
	char *workload; /* NULL: all */
};

static void table_done(struct tw_responses *base)
{
	struct table_stream *stream = (struct table_stream *)base;

	tw_walk_done(&stream->walk);
	free(stream->workload);
	free(stream);
}

static int table_new(struct tw_answer_ctx *ctx, uint64_t id,
	int (*next)(struct tw_responses *, void *, struct tw_buf *), struct table_stream **ret)
{
	struct table_stream *stream = tw_alloc(sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->base = (struct tw_responses){.next = next, .done = table_done, .id = id};
	if (tw_walk_init(&stream->walk, ctx->host->kernel) < 0) {
		free(stream);
		return -ENOMEM;
	}
	*ret = stream;
	return 0;
}

/* ---- flows ---- */

static bool is_wanted(const struct table_stream *stream, const Tapwall__V1__Flow *flow)
{
	return !stream->workload || !strcmp(flow->from->workload, stream->workload) ||
	       !strcmp(flow->to->workload, stream->workload);
}

static int send_flow(struct table_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out,
	const struct tw_key *key, const struct tw_conn *conn, uint32_t now)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	struct tw_described_flow described;

	tw_describe_flow(ctx->telemetry, key, conn, now, &described);
	if (!is_wanted(stream, &described.flow))
		return 0;
	if (stream->limited)
		stream->left--;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_FLOW;
	response.flow = &described.flow;
	return tw_answer_send(out, stream->base.id, &response, false);
}

static int flows_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct table_stream *stream = (struct table_stream *)base;
	Tapwall__V1__Response end = TAPWALL__V1__RESPONSE__INIT;
	uint32_t now = tw_ticks_now();
	struct tw_config config;
	int steps = 0, ret = tw_kernel_get_config(ctx->host->kernel, &config);

	while (!ret && out->len < TW_SERVER_OUT_SOFT && steps < STEPS) {
		if (stream->limited && !stream->left)
			return tw_answer_send(out, base->id, &end, true) < 0 ? -ENOMEM
									     : TW_RESPONSES_END;
		if (stream->at < stream->n) {
			const struct tw_conn *conn = &stream->walk.conns[stream->at];
			const struct tw_key *key = &stream->walk.keys[stream->at++];

			if (stream->expired || !tw_conn_expired(&config, conn, now, 0))
				ret = send_flow(stream, ctx, out, key, conn, now);
			continue;
		}
		if (stream->walk.ended)
			return tw_answer_send(out, base->id, &end, true) < 0 ? -ENOMEM
									     : TW_RESPONSES_END;
		stream->at = 0;
		stream->n = tw_walk_step(&stream->walk);
		steps++;
	}
	return ret < 0 ? ret : TW_RESPONSES_MORE;
}

int tw_answer_flows(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream)
{
	struct table_stream *stream;
	int ret = table_new(ctx, request->id, flows_next, &stream);

	if (ret < 0)
		return ret;
	stream->left = request->flows->limit;
	stream->limited = stream->left > 0;
	stream->expired = request->flows->expired;
	if (request->flows->workload[0]) {
		stream->workload = tw_strdup(request->flows->workload);
		if (!stream->workload) {
			table_done(&stream->base);
			return -ENOMEM;
		}
	}
	*ret_stream = &stream->base;
	return 0;
}

/* ---- status ---- */

/* Raises proof_age_s to the age of this port's last proof, if that is older. */
static void note_proof(const struct tw_agent_port *port, Tapwall__V1__Status *status)
{
	double age = tw_prove_age(port);

	if (port->attached && age > status->proof_age_s)
		status->proof_age_s = age;
}

void tw_answer_count_ports(const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status)
{
	status->proof_age_s = -1;
	status->programs_lost = ctx->enforcement->n_lost;
	tw_vec_foreach (&ctx->host->ports->list, port) {
		note_proof(*port, status);
		if (tw_prove_is_unfiltered(ctx->enforcement, *port)) {
			status->unfiltered[status->n_unfiltered++] = (*port)->name;
			continue;
		}
		switch ((*port)->attached ? tw_prove_enforced(ctx->enforcement, *port)
					  : TW_PORT_SHUT) {
		case TW_PORT_PROTECTED:
			if (tw_prove_observed(ctx->enforcement, *port))
				status->ports_observed++;
			else
				status->ports_protected++;
			break;
		case TW_PORT_UNCLAIMED:
			status->ports_unclaimed++;
			break;
		case TW_PORT_SHUT:
			status->ports_shut++;
			break;
		}
	}
	status->ports_unfiltered = (uint32_t)status->n_unfiltered;
}

/* Rows that a message points to while it is sent: the first gaps of each kind. */
struct gap_room {
	char *open[GAPS_MAX];
	char *sought[GAPS_MAX];
	char *observed[GAPS_MAX];
	Tapwall__V1__Conflict conflict[GAPS_MAX];
	Tapwall__V1__Conflict *conflicts[GAPS_MAX];
	char why[GAPS_MAX][TW_CONFLICT_TEXT_MAX];
	Tapwall__V1__SplitBrain split[TW_SPLITS_MAX];
	Tapwall__V1__SplitBrain *splits[TW_SPLITS_MAX];
	char shared[TW_SPLITS_MAX][INET6_ADDRSTRLEN];
};

static void add_conflict(
	const struct tw_agent_port *port, struct gap_room *room, Tapwall__V1__Status *status)
{
	size_t n = status->n_conflicts;
	Tapwall__V1__Conflict *conflict = &room->conflict[n];

	tw_bind_conflict_text(&port->binding, port, room->why[n], sizeof(room->why[n]));
	tapwall__v1__conflict__init(conflict);
	conflict->port = TEXT(port->name);
	conflict->name = TEXT(tw_bind_conflict_name(port->binding.conflict));
	conflict->text = room->why[n];
	room->conflicts[n] = conflict;
	status->n_conflicts++;
}

/* Fills in ports that are not filtered, ports that are shut because of a conflict, and workloads
 * without a port. */
static int fill_gaps(
	const struct tw_answer_ctx *ctx, struct gap_room *room, Tapwall__V1__Status *status)
{
	const struct tw_policy *policy = ctx->enforcement->inforce
						 ? ctx->enforcement->inforce->policy
						 : NULL;
	size_t n = policy ? tw_policy_n_vnics(policy) : 0;
	tw_autofree bool *found = tw_alloc_array(n, sizeof(*found));

	if (!found)
		return -ENOMEM;
	status->open = room->open;
	status->sought = room->sought;
	status->conflicts = room->conflicts;
	status->observed = room->observed;
	tw_vec_foreach (&ctx->host->ports->list, at) {
		const struct tw_agent_port *port = *at;

		if (port->vnic)
			found[port->vnic->index] = true;
		if (tw_bind_is_open(port) && status->ports_open++ < GAPS_MAX)
			room->open[status->n_open++] = TEXT(port->name);
		if (tw_prove_observed(ctx->enforcement, port) && status->n_observed < GAPS_MAX)
			room->observed[status->n_observed++] = TEXT(port->name);
		if (port->binding.conflict && status->ports_conflicting++ < GAPS_MAX)
			add_conflict(port, room, status);
	}
	for (size_t i = 0; i < n; i++)
		if (!found[i] && status->workloads_sought++ < GAPS_MAX)
			room->sought[status->n_sought++] = TEXT(
				tw_policy_vnic(policy, i)->workload);
	return 0;
}

static void fill_splits(
	const struct tw_answer_ctx *ctx, struct gap_room *room, Tapwall__V1__Status *status)
{
	struct tw_split splits[TW_SPLITS_MAX];

	status->n_split_brains = tw_splits_list(ctx->host, splits);
	status->split_brains = room->splits;
	for (size_t i = 0; i < status->n_split_brains; i++) {
		Tapwall__V1__SplitBrain *message = &room->split[i];

		tapwall__v1__split_brain__init(message);
		message->address = (char *)tw_addr_format(&splits[i].addr, room->shared[i]);
		message->holder = TEXT(tw_split_member(splits[i].holder));
		message->rival = TEXT(tw_split_member(splits[i].rival));
		message->age_s = splits[i].age_s;
		room->splits[i] = message;
	}
}

static void fill_images(const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status)
{
	uint64_t n_entries = 0;

	for (uint32_t i = 1; i < TW_IMAGES_MAX; i++) {
		const struct tw_image_slot *slot = &ctx->enforcement->images->slots[i];

		if (!slot->used)
			continue;
		status->images++;
		status->image_bytes += slot->bytes;
		n_entries += slot->n_entries;
	}
	if (n_entries)
		status->image_bytes_per_rule = (double)status->image_bytes / (double)n_entries;
}

/* Fills in the names of the uplinks in use. They are valid as long as the rows are. */
static int fill_uplinks(
	const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status, char ***ret_names)
{
	char **names = tw_alloc_array(ctx->host->uplinks->rows.n, sizeof(*names));

	if (!names)
		return -ENOMEM;
	tw_vec_foreach (&ctx->host->uplinks->rows, row)
		if (row->network)
			names[status->n_uplinks++] = row->name;
	status->uplinks = names;
	*ret_names = names;
	return 0;
}

/* Fills in the policy to which the agent returns, or returned. False if there is none. */
static bool fill_confirmation(struct tw_answer_ctx *ctx, Tapwall__V1__Confirmation *message)
{
	const struct tw_confirm *confirm = ctx->enforcement->confirm;
	uint64_t now = tw_clock_ns();

	tapwall__v1__confirmation__init(message);
	if (confirm->pending) {
		message->previous = confirm->source;
		message->tripwire = ctx->enforcement->tripwire->limit;
		message->cut = ctx->enforcement->tripwire->n;
		message->left_s = confirm->until_ns > now ? (double)(confirm->until_ns - now) / 1e9
							  : 0;
	}
	if (confirm->returned_from) {
		message->returned_from = confirm->returned_from;
		message->returned_why = TEXT(confirm->returned_why);
		message->returned_age_s = (double)(now - confirm->returned_ns) / 1e9;
	}
	return confirm->pending || confirm->returned_from;
}

/* Lists the workloads in quarantine. The caller frees both arrays. Returns 0 or -ENOMEM. */
static int fill_quarantines(const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status,
	Tapwall__V1__Quarantine **ret_rows)
{
	const struct tw_quarantines *all = ctx->enforcement->quarantines;
	Tapwall__V1__Quarantine *rows = tw_alloc_array(all->list.n + 1, sizeof(*rows));

	*ret_rows = rows;
	status->quarantines = tw_alloc_array(all->list.n + 1, sizeof(*status->quarantines));
	if (!rows || !status->quarantines)
		return -ENOMEM;
	for (size_t i = 0; i < all->list.n; i++) {
		tw_answer_fill_quarantine(&all->list.at[i], &rows[i]);
		status->quarantines[i] = &rows[i];
	}
	status->n_quarantines = all->list.n;
	return 0;
}

/* Fills in how the policy in force differs from the policy file and the last policy refused. */
static void fill_loads(struct tw_answer_ctx *ctx, Tapwall__V1__Status *status)
{
	const struct tw_refused *refused = &ctx->enforcement->policy_file->refused;
	const struct tw_inforce *inforce = ctx->enforcement->inforce;
	const char *paths = ctx->host->options->policy, *path = "";

	if (paths)
		tw_policy_file_find(ctx->enforcement->policy_file, paths, &path, NULL);
	status->file = TEXT(path);
	status->file_state = TEXT(tw_file_state_name(tw_policy_file_compare(
		ctx->enforcement->policy_file, paths, inforce ? inforce->mark : 0)));
	if (!refused->source)
		return;
	status->refused_source = refused->source;
	status->refused_text = refused->text;
	status->refused_age_s = (double)(tw_clock_ns() - refused->when_ns) / 1e9;
}

static void fill_asks(const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status)
{
	struct tw_asks_counts counts;

	tw_asks_count(ctx->telemetry->asks, &counts);
	status->deciders = counts.deciders;
	status->questions_open = counts.open;
	status->questions = counts.asked;
	status->questions_answered = counts.answered;
	status->questions_overdue = counts.overdue;
	status->questions_dropped = counts.dropped;
	status->answers_refused = counts.refused;
}

static void fill_spool(const struct tw_spool *spool, Tapwall__V1__SlowPath *message)
{
	struct tw_spool_state state;

	if (!spool)
		return;
	tw_spool_describe(spool, &state);
	message->events_kept = state.rows;
	message->events_memory_bytes = state.memory;
	message->events_disk_bytes = state.disk;
	message->events_dropped = state.dropped;
	message->events_trouble = TEXT(state.trouble);
}

static void fill_pause(const struct tw_answer_ctx *ctx, Tapwall__V1__Status *status)
{
	const struct tw_loop *loop = ctx->telemetry->loop;

	if (!loop->longest_at_ns)
		return;
	status->longest_pause_s = (double)loop->longest_ns / 1e9;
	status->longest_pause_age_s = (double)(tw_clock_ns() - loop->longest_at_ns) / 1e9;
}

struct order_room {
	Tapwall__V1__ApplyOrder rows[TW_APPLY_ORDERS + 1];
	Tapwall__V1__ApplyOrder *list[TW_APPLY_ORDERS + 1];
};

/* Lists the policies that are being applied, and fills in the longest pause. The status points into `room`. */
static void fill_work(
	const struct tw_answer_ctx *ctx, struct order_room *room, Tapwall__V1__Status *status)
{
	struct tw_apply_progress orders[TW_APPLY_ORDERS + 1];
	uint64_t now = tw_clock_ns();

	status->orders = room->list;
	status->n_orders = tw_apply_list(ctx->enforcement, orders, TW_APPLY_ORDERS + 1);
	for (size_t i = 0; i < status->n_orders; i++) {
		const struct tw_apply_order *order = orders[i].order;
		Tapwall__V1__ApplyOrder *row = room->list[i] = &room->rows[i];

		tapwall__v1__apply_order__init(row);
		row->source = TEXT(order->source);
		row->author = TEXT(order->by.author ? order->by.author : "");
		row->age_s = (double)(now - orders[i].since_ns) / 1e9;
		row->step = TEXT(tw_apply_step_name(orders[i].step));
		row->bytes = order->len;
		row->dry_run = order->dry_run;
	}
	fill_pause(ctx, status);
}

static int send_status(
	const struct table_stream *stream, struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	const struct tw_kernel_facts *facts = tw_kernel_facts(ctx->host->kernel);
	const struct tw_inforce *inforce = ctx->enforcement->inforce;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__Status status = TAPWALL__V1__STATUS__INIT;
	Tapwall__V1__SlowPath slow_path;
	Tapwall__V1__Confirmation confirmation;
	struct order_room orders;
	tw_autofree Tapwall__V1__Quarantine *quarantines = NULL;
	int ret;
	tw_autofree struct gap_room *gaps = tw_alloc(sizeof(*gaps));
	tw_autofree char **uplinks = NULL;
	char *degraded[TW_DEGRADED__MAX];
	tw_autofree char **unfiltered = tw_alloc_array(
		ctx->host->ports->list.n + 1, sizeof(*unfiltered));
	uint64_t now = tw_clock_ns();

	if (!unfiltered)
		return -ENOMEM;
	status.unfiltered = unfiltered;
	status.version = TEXT(TW_VERSION);
	status.pid = (uint32_t)getpid();
	status.uptime_s = (double)(now - ctx->started_ns) / 1e9;
	if (inforce) {
		status.policy_source = inforce->source;
		status.policy_generation = inforce->generation;
		status.policy_age_s = (double)(now - inforce->since_ns) / 1e9;
		status.rules = (uint32_t)tw_policy_n_rules(inforce->policy);
		status.workloads = (uint32_t)tw_policy_n_workloads(inforce->policy);
		status.default_ = TEXT(
			tw_verdict_name(tw_policy_rule(inforce->policy, status.rules)->action));
		status.mode = TEXT(tw_policy_observes(inforce->policy) ? "observe" : "enforce");
		status.unclaimed = TEXT(tw_policy_unclaimed(inforce->policy) == TW_UNCLAIMED_DENY
						? "deny"
						: "ignore");
	}
	fill_loads(ctx, &status);
	if (tw_dial_describe(ctx->dial, &slow_path)) {
		fill_spool(ctx->telemetry->spool, &slow_path);
		status.slow_path = &slow_path;
	}
	if (fill_confirmation(ctx, &confirmation))
		status.confirmation = &confirmation;
	status.degraded = degraded;
	for (size_t i = 0; i < TW_DEGRADED__MAX; i++)
		if (ctx->enforcement->degraded.text[i][0])
			degraded[status.n_degraded++] = TEXT(ctx->enforcement->degraded.text[i]);
	tw_answer_count_ports(ctx, &status);
	fill_images(ctx, &status);
	status.connections = stream->n_live;
	status.connection_records = stream->n_records;
	status.connections_max = facts->max_conns;
	status.connection_bytes = facts->conn_bytes;
	status.events_lost = tw_events_lost(ctx->telemetry->events);
	status.events_limited = tw_events_limited(ctx->telemetry->events);
	status.attach = TEXT(facts->tcx ? "tcx" : "clsact");
	status.bpffs = TEXT(ctx->host->options->bpffs);
	status.latch = ctx->host->latch != NULL;
	status.latch_every_kind = ctx->host->latch && tw_latch_covers_all(ctx->host->latch);
	status.forwarding = TEXT(ctx->host->options->forwarding != TW_FORWARDING_VSWITCH &&
						 !*ctx->host->hostwork->why
					 ? "cut-through"
					 : "vswitch");
	status.bridged = TEXT(ctx->host->hostwork->why);
	status.asks_bridges = facts->asks_bridges;
	fill_asks(ctx, &status);
	if (!gaps || fill_gaps(ctx, gaps, &status) < 0 || fill_uplinks(ctx, &status, &uplinks) < 0)
		return -ENOMEM;
	fill_splits(ctx, gaps, &status);
	fill_work(ctx, &orders, &status);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_STATUS;
	response.status = &status;
	ret = fill_quarantines(ctx, &status, &quarantines);
	if (!ret)
		ret = tw_answer_send(out, stream->base.id, &response, true);
	free(status.quarantines);
	return ret;
}

static int status_next(struct tw_responses *base, void *context, struct tw_buf *out)
{
	struct tw_answer_ctx *ctx = context;
	struct table_stream *stream = (struct table_stream *)base;
	uint32_t now = tw_ticks_now();
	struct tw_config config;
	int ret = tw_kernel_get_config(ctx->host->kernel, &config);

	for (int steps = 0; !ret && steps < STEPS && !stream->walk.ended; steps++) {
		stream->n = tw_walk_step(&stream->walk);
		stream->n_records += stream->n;
		for (size_t i = 0; i < stream->n; i++)
			stream->n_live += !tw_conn_expired(&config, &stream->walk.conns[i], now, 0);
	}
	if (ret < 0)
		return ret;
	if (!stream->walk.ended)
		return TW_RESPONSES_MORE;
	tw_events_look(ctx->telemetry->events);
	ret = send_status(stream, ctx, out);
	return ret < 0 ? ret : TW_RESPONSES_END;
}

int tw_answer_status(struct tw_answer_ctx *ctx, const Tapwall__V1__Request *request,
	struct tw_responses **ret_stream)
{
	struct table_stream *stream;
	int ret = table_new(ctx, request->id, status_next, &stream);

	if (!ret)
		*ret_stream = &stream->base;
	return ret;
}
