/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/metrics.h"

#include <errno.h>

#include "base/clock.h"
#include "link/metrics.h"
#include "slowpath/export/export.h"
#include "slowpath/slow.h"

#define NS_PER_S 1000000000u

static uint64_t is_connected(const struct tw_agents_row *row)
{
	return row->peer != NULL;
}

static uint64_t generation_of(const struct tw_agents_row *row)
{
	return row->generation;
}

static uint64_t connects_of(const struct tw_agents_row *row)
{
	return row->connects;
}

static uint64_t contact_of(const struct tw_agents_row *row)
{
	uint64_t ns = row->peer ? tw_peer_heard_ns(row->peer) : row->contact_ns;

	return tw_clock_unix_ns(ns) / NS_PER_S;
}

static uint64_t expiry_of(const struct tw_agents_row *row)
{
	return row->expires > 0 ? (uint64_t)row->expires : 0;
}

/* Families with one figure for each agent. */
static const struct {
	const char *name, *type, *help;
	uint64_t (*figure)(const struct tw_agents_row *row);
} agent_families[] = {
	{"tapwall_slowd_agent_connected", "gauge", "1 if the agent is connected.", is_connected},
	{"tapwall_slowd_agent_policy_generation", "gauge",
		"Generation of the policy in force at the agent.", generation_of},
	{"tapwall_slowd_agent_connects_total", "counter", "Connections of the agent.", connects_of},
	{"tapwall_slowd_agent_contact_time_seconds", "gauge",
		"Unix time of the last bytes from the agent.", contact_of},
	{"tapwall_slowd_agent_certificate_expiry_time_seconds", "gauge",
		"Unix time when the agent's certificate expires; 0: unknown.", expiry_of},
};

static uint64_t is_followed(const struct tw_feed_row *row)
{
	return row->followed;
}

static uint64_t rows_of(const struct tw_feed_row *row)
{
	return row->facts.rows;
}

static uint64_t lost_of(const struct tw_feed_row *row)
{
	return row->facts.lost;
}

static uint64_t unusable_of(const struct tw_feed_row *row)
{
	return row->facts.unusable;
}

/* Families with one figure for each stream of events. */
static const struct {
	const char *name, *type, *help;
	uint64_t (*figure)(const struct tw_feed_row *row);
} feed_families[] = {
	{"tapwall_slowd_agent_followed", "gauge", "1 if the agent's events are being received.",
		is_followed},
	{"tapwall_slowd_agent_events_total", "counter",
		"Events received from the agent since tapwall-slowd started.", rows_of},
	{"tapwall_slowd_agent_events_lost_total", "counter",
		"Events that the agent had lost before they were received.", lost_of},
	{"tapwall_slowd_agent_events_unusable_total", "counter",
		"Events with values that this version does not know.", unusable_of},
};

static void add_feed(const struct tw_slow *slow, struct tw_buf *out)
{
	struct tw_feed_row row;

	for (size_t i = 0; i < sizeof(feed_families) / sizeof(feed_families[0]); i++) {
		tw_metrics_family(
			out, feed_families[i].name, feed_families[i].type, feed_families[i].help);
		for (unsigned int n = 0; tw_feed_row_at(slow->feed, n, &row); n++)
			tw_metrics_add(out, feed_families[i].name,
				(const char *const[]){"agent", row.agent, NULL},
				feed_families[i].figure(&row));
	}
}

static void add_quarantines(const struct tw_slow *slow, struct tw_buf *out)
{
	const struct tw_spread_row *row = slow->spread ? tw_spread_first(slow->spread) : NULL;

	if (!slow->ledger)
		return;
	tw_metrics_single(out, "tapwall_slowd_quarantines", "gauge",
		"Workloads that the slow path has put into quarantine.",
		tw_ledger_count(slow->ledger));
	tw_metrics_family(out, "tapwall_slowd_agent_quarantines_accepted", "gauge",
		"1 if the agent has accepted all changes of the list of quarantines.");
	for (; row; row = row->next)
		tw_metrics_add(out, "tapwall_slowd_agent_quarantines_accepted",
			(const char *const[]){"agent", row->agent->name, NULL},
			row->known >= tw_ledger_newest(slow->ledger));
}

int tw_slow_metrics(void *context, struct tw_buf *out)
{
	const struct tw_slow *slow = context;

	tw_metrics_family(out, "tapwall_slowd_build_info", "gauge", "Version of tapwall-slowd.");
	tw_metrics_add(out, "tapwall_slowd_build_info",
		(const char *const[]){"version", TW_VERSION, NULL}, 1);
	tw_metrics_single(out, "tapwall_slowd_start_time_seconds", "gauge",
		"Unix time when tapwall-slowd started.",
		tw_clock_unix_ns(slow->started_ns) / NS_PER_S);
	tw_metrics_single(out, "tapwall_slowd_deciders", "gauge",
		"Connections of deciders with a certificate.",
		tw_agents_load(slow->agents).deciders);
	for (size_t i = 0; i < sizeof(agent_families) / sizeof(agent_families[0]); i++) {
		tw_metrics_family(out, agent_families[i].name, agent_families[i].type,
			agent_families[i].help);
		for (const struct tw_agents_row *row = tw_agents_first(slow->agents); row;
			row = row->next)
			tw_metrics_add(out, agent_families[i].name,
				(const char *const[]){"agent", row->name, NULL},
				agent_families[i].figure(row));
	}
	add_quarantines(slow, out);
	add_feed(slow, out);
	tw_export_add_metrics(slow->export, out);
	return out->failed ? -ENOMEM : 0;
}
