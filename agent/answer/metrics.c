/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* metrics.c: the agent's figures for Prometheus. No figure needs a walk of the connection table. */
#include "link/metrics.h"

#include <errno.h>

#include "agent/answer/answer.h"
#include "agent/dial.h"
#include "agent/observe/asks.h"
#include "agent/observe/events.h"
#include "agent/observe/spool.h"
#include "agent/observe/sweep.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/quarantines.h"
#include "agent/state/policy_file.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"

#define NS_PER_S 1000000000u

static void add_program(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	const char *const labels[] = {"version", TW_VERSION, NULL};
	uint64_t started_s = tw_clock_unix_ns(ctx->started_ns) / NS_PER_S;
	uint64_t n_degraded = 0;

	tw_metrics_family(out, "tapwall_build_info", "gauge", "Version of the agent.");
	tw_metrics_add(out, "tapwall_build_info", labels, 1);
	tw_metrics_single(out, "tapwall_start_time_seconds", "gauge",
		"Unix time when the agent started.", started_s);
	for (size_t i = 0; i < TW_DEGRADED__MAX; i++)
		n_degraded += ctx->enforcement->degraded.text[i][0] != '\0';
	tw_metrics_single(out, "tapwall_degraded_functions", "gauge",
		"Functions that do not work at present; tapwall status names them.", n_degraded);
}

static int add_packets(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	static const char name[] = "tapwall_packets_total";

	tw_metrics_family(out, name, "counter",
		"Packets that the fast path judged, by direction (out: from the guest) and reason.");
	for (uint32_t reason = TW_R_NONE + 1; reason < TW_R__MAX; reason++) {
		for (uint32_t dir = 0; dir < TW_DIR__MAX; dir++) {
			const char *const labels[] = {"direction", tw_dir_name(dir), "reason",
				tw_reason_name(reason), NULL};
			uint64_t n;
			int code = tw_counts_reason(ctx->host->kernel, reason, dir, &n);

			if (code < 0)
				return code;
			tw_metrics_add(out, name, labels, n);
		}
	}
	return 0;
}

/* One family of figures about ports. Its values come from the struct tw_port_count of each port. */
struct port_family {
	const char *name, *help;
	size_t all, denied; /* offsets of the counters of both directions */
};

static const struct port_family port_families[] = {
	{"tapwall_port_packets_total", "Packets at a port, by direction and verdict.",
		offsetof(struct tw_port_count, packets),
		offsetof(struct tw_port_count, denied_packets)},
	{"tapwall_port_bytes_total", "Bytes of the packets at a port, by direction and verdict.",
		offsetof(struct tw_port_count, bytes),
		offsetof(struct tw_port_count, denied_bytes)},
};

static uint64_t port_figure(const struct tw_port_count *count, size_t offset, uint32_t dir)
{
	return ((const __u64 *)((const char *)count + offset))[dir];
}

static void add_port(const struct port_family *family, const struct tw_agent_port *port,
	const struct tw_port_count *count, struct tw_buf *out)
{
	const char *workload = port->vnic ? port->vnic->workload : "";

	for (uint32_t dir = 0; dir < TW_DIR__MAX; dir++) {
		const char *labels[] = {"port", port->name, "workload", workload, "direction",
			tw_dir_name(dir), "verdict", "deny", NULL};
		uint64_t all = port_figure(count, family->all, dir);
		uint64_t denied = port_figure(count, family->denied, dir);

		tw_metrics_add(out, family->name, labels, denied);
		labels[7] = "allow";
		tw_metrics_add(out, family->name, labels, all > denied ? all - denied : 0);
	}
}

static void add_ports(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	for (size_t i = 0; i < sizeof(port_families) / sizeof(port_families[0]); i++) {
		tw_metrics_family(out, port_families[i].name, "counter", port_families[i].help);
		tw_vec_foreach (&ctx->host->ports->list, port) {
			struct tw_port_count count;

			if (!tw_counts_port(ctx->host->kernel, (*port)->id, &count))
				add_port(&port_families[i], *port, &count, out);
		}
	}
}

static int add_port_states(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	Tapwall__V1__Status status = TAPWALL__V1__STATUS__INIT;
	tw_autofree char **unfiltered = tw_alloc_array(
		ctx->host->ports->list.n + 1, sizeof(*unfiltered));

	if (!unfiltered)
		return -ENOMEM;
	status.unfiltered = unfiltered;
	tw_answer_count_ports(ctx, &status);
	const struct {
		const char *state;
		uint64_t n;
	} states[] = {{"protected", status.ports_protected}, {"observed", status.ports_observed},
		{"unclaimed", status.ports_unclaimed}, {"shut", status.ports_shut},
		{"unfiltered", status.ports_unfiltered}};

	tw_metrics_family(out, "tapwall_ports", "gauge", "Ports by state.");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		tw_metrics_add(out, "tapwall_ports",
			(const char *const[]){"state", states[i].state, NULL}, states[i].n);
	tw_metrics_single(out, "tapwall_programs_lost_total", "counter",
		"Times another tool removed a port's programs.", status.programs_lost);
	return 0;
}

static void add_policy(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	const struct tw_inforce *inforce = ctx->enforcement->inforce;

	tw_metrics_single(out, "tapwall_policy_refused", "gauge",
		"1 if the last policy was refused, and the one before is in force.",
		ctx->enforcement->policy_file->refused.source != NULL);
	tw_metrics_single(out, "tapwall_policy_in_force", "gauge", "1 if a policy is in force.",
		inforce != NULL);
	if (!inforce)
		return;
	tw_metrics_single(out, "tapwall_policy_generation", "gauge",
		"Generation of the policy in force.", inforce->generation);
	tw_metrics_single(out, "tapwall_policy_applied_time_seconds", "gauge",
		"Unix time when the policy in force was applied.",
		tw_clock_unix_ns(inforce->since_ns) / NS_PER_S);
	tw_metrics_single(out, "tapwall_policy_rules", "gauge", "Rules of the policy in force.",
		tw_policy_n_rules(inforce->policy));
	tw_metrics_single(out, "tapwall_policy_workloads", "gauge",
		"Workloads of the policy in force.", tw_policy_n_workloads(inforce->policy));
}

static void add_quarantines(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	static const char *const by[] = {"host", "slow-path"};
	uint64_t n[2] = {0};

	tw_vec_foreach (&ctx->enforcement->quarantines->list, q)
		n[q->change > 0] += !q->ended_s;
	tw_metrics_family(out, "tapwall_quarantines", "gauge",
		"Quarantines, by where they were made. A workload may be on another host.");
	for (size_t i = 0; i < 2; i++)
		tw_metrics_add(
			out, "tapwall_quarantines", (const char *const[]){"by", by[i], NULL}, n[i]);
}

static void add_connections(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	tw_metrics_single(out, "tapwall_connection_records", "gauge",
		"Records in the connection table at its last sweep.",
		ctx->telemetry->sweep->last_met);
	tw_metrics_single(out, "tapwall_connection_records_max", "gauge",
		"Size of the connection table.", tw_kernel_facts(ctx->host->kernel)->max_conns);
	tw_events_look(ctx->telemetry->events);
	tw_metrics_single(out, "tapwall_events_lost_total", "counter",
		"Events that the agent could not take from the kernel in time.",
		tw_events_lost(ctx->telemetry->events));
	tw_metrics_single(out, "tapwall_events_limited_total", "counter",
		"Denials that were not reported, because the port exceeded its rate of events.",
		tw_events_limited(ctx->telemetry->events));
}

static void add_asks(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	struct tw_asks_counts counts;

	tw_asks_count(ctx->telemetry->asks, &counts);
	tw_metrics_single(out, "tapwall_deciders", "gauge", "Connected deciders.", counts.deciders);
	tw_metrics_single(out, "tapwall_questions_open", "gauge",
		"Questions that wait for an answer.", counts.open);
	tw_metrics_single(
		out, "tapwall_questions_total", "counter", "Questions of ask rules.", counts.asked);
	tw_metrics_single(out, "tapwall_questions_answered_total", "counter",
		"Questions that a decider answered.", counts.answered);
	tw_metrics_single(out, "tapwall_questions_overdue_total", "counter",
		"Questions without an answer in time.", counts.overdue);
	tw_metrics_single(out, "tapwall_questions_dropped_total", "counter",
		"Questions that no decider was asked, as too many were open.", counts.dropped);
	tw_metrics_single(out, "tapwall_answers_refused_total", "counter",
		"Answers to no open question.", counts.refused);
}

static void add_slow_path(const struct tw_answer_ctx *ctx, struct tw_buf *out)
{
	Tapwall__V1__SlowPath slow_path;
	struct tw_spool_state spool = {0};

	if (!tw_dial_describe(ctx->dial, &slow_path))
		return;
	tw_metrics_single(out, "tapwall_slow_path_connected", "gauge",
		"1 if the slow path is connected.", slow_path.version[0] != '\0');
	if (!ctx->telemetry->spool)
		return;
	tw_spool_describe(ctx->telemetry->spool, &spool);
	tw_metrics_single(out, "tapwall_spool_events", "gauge",
		"Events that the slow path has not acknowledged.", spool.rows);
	tw_metrics_single(out, "tapwall_spool_memory_bytes", "gauge", "Memory of these events.",
		spool.memory);
	tw_metrics_single(out, "tapwall_spool_disk_bytes", "gauge", "Size of these events on disk.",
		spool.disk);
	tw_metrics_single(out, "tapwall_spool_dropped_total", "counter",
		"Events that were dropped before the slow path acknowledged them.", spool.dropped);
}

int tw_answer_metrics(void *context, struct tw_buf *out)
{
	const struct tw_answer_ctx *ctx = context;
	int code;

	add_program(ctx, out);
	code = add_port_states(ctx, out);
	if (!code)
		code = add_packets(ctx, out);
	add_ports(ctx, out);
	add_policy(ctx, out);
	add_quarantines(ctx, out);
	add_connections(ctx, out);
	add_asks(ctx, out);
	add_slow_path(ctx, out);
	return out->failed ? -ENOMEM : code;
}
