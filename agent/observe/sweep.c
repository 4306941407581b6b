/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/sweep.h"

#include <string.h>

#include "agent/observe/events.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/gone.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/charges.h"
#include "agent/publish/enforcement.h"
#include "agent/state/slots.h"
#include "agent/ticks.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/kernel/load.h"
#include "fastpath/kernel/walk.h"
#include "fastpath/path/conntrack/expiry.h"

#define NS_PER_S     1000000000u
#define PAUSE_NS     5000000000u /* pause between two walks */
#define STEPS	     8		 /* steps per tick */
#define OVERFLOWS    2048	 /* sets per tick */
#define STEPS_FILLED 64		 /* steps per tick if the table was over 3/4 full */

int tw_sweep_init(struct tw_sweep *sweep, struct tw_telemetry *telemetry)
{
	int ret;

	memset(sweep, 0, sizeof(*sweep));
	sweep->telemetry = telemetry;
	sweep->snapshot.telemetry = telemetry;
	sweep->snapshot.interval_ns = (uint64_t)telemetry->host->options->snapshot_s * NS_PER_S;
	/* Tells the programs that an agent sweeps, so that opening a connection does not have
	 * to. */
	tw_kernel_sweep(telemetry->host->kernel, 0, tw_ticks_now());
	ret = tw_charges_init(
		&sweep->charges, tw_kernel_map_fd(telemetry->host->kernel, TW_MAP_usage));
	return ret ? ret : tw_walk_init(&sweep->walk, telemetry->host->kernel);
}

void tw_sweep_done(struct tw_sweep *sweep)
{
	tw_walk_done(&sweep->walk);
	tw_charges_done(&sweep->charges);
}

/* Ends expired records in the next buckets of the walk, and marks the rules that the records there
 * refer to. */
static int step(struct tw_sweep *sweep, const struct tw_config *config)
{
	struct tw_telemetry *telemetry = sweep->telemetry;
	uint32_t now = tw_ticks_now(), bucket = sweep->walk.bucket;
	size_t n = tw_walk_step(&sweep->walk);
	int ret = tw_kernel_sweep(telemetry->host->kernel, sweep->walk.bucket - bucket, now);

	tw_gone_meet(telemetry->host, config, &sweep->walk, bucket, n);
	for (size_t i = 0; i < n; i++) {
		const struct tw_conn *conn = &sweep->walk.conns[i];

		tw_charges_meet(&sweep->charges, conn);
		if (!tw_conn_expired(config, conn, now, 0)) {
			sweep->met++;
			tw_snapshot_meet(&sweep->snapshot, &sweep->walk.keys[i], conn);
		}
		for (size_t dir = 0; dir < TW_DIR__MAX; dir++)
			if (tw_gate_decision(conn->gate[dir]))
				tw_slots_refer(telemetry->enforcement->slots,
					tw_decision_rule(tw_gate_decision(conn->gate[dir])));
	}
	return ret;
}

static void begin_walk(struct tw_sweep *sweep)
{
	tw_walk_rewind(&sweep->walk);
	tw_slots_begin_walk(sweep->telemetry->enforcement->slots);
	tw_gone_begin_walk(sweep->telemetry->host);
	tw_charges_begin_walk(&sweep->charges);
	tw_snapshot_begin_walk(&sweep->snapshot);
	sweep->walking = true;
	sweep->met = 0;
}

static void end_walk(struct tw_sweep *sweep)
{
	struct tw_telemetry *telemetry = sweep->telemetry;

	sweep->last_met = sweep->met;
	tw_events_settle(telemetry);
	tw_slots_end_walk(telemetry->enforcement->slots);
	tw_gone_end_walk(telemetry->host);
}

/* Called a tick after the end of a walk (agent/publish/charges.h). */
static void judge_charges(struct tw_sweep *sweep)
{
	unsigned int n_off = tw_charges_end_walk(&sweep->charges);

	sweep->walking = false;
	if (n_off)
		tw_log(TW_LOG_WARNING,
			"%u connection counts of ports were wrong and have been corrected", n_off);
}

/* True if a port remembers connections without a record. */
static bool any_overflows(const struct tw_sweep *sweep, uint32_t now)
{
	tw_vec_foreach (&sweep->telemetry->host->ports->list, port) {
		const struct tw_usage *usage = &sweep->charges.usage[(*port)->id % TW_PORTS_MAX];

		if (usage->overflow_until && (int32_t)(usage->overflow_until - now) >= 0)
			return true;
	}
	return false;
}

/* A failure is retried at the next tick. */
static void sweep_overflows(struct tw_sweep *sweep)
{
	uint32_t now = tw_ticks_now();

	if (tw_overflow_walk_due(&sweep->overflows, any_overflows(sweep, now), now))
		tw_kernel_sweep_overflows(
			sweep->telemetry->host->kernel, &sweep->overflows, OVERFLOWS, now);
}

void tw_sweep_tick(struct tw_sweep *sweep)
{
	struct tw_telemetry *telemetry = sweep->telemetry;
	uint64_t now = tw_clock_ns(), max = tw_kernel_facts(telemetry->host->kernel)->max_conns;
	bool filled = sweep->last_met > max - max / 4;
	struct tw_config config;

	sweep_overflows(sweep);
	if (tw_kernel_get_config(telemetry->host->kernel, &config) < 0)
		return;
	if (sweep->walking && sweep->walk.ended)
		judge_charges(sweep);
	if (!sweep->walking) {
		if (now < sweep->next_ns && !filled)
			return;
		begin_walk(sweep);
		sweep->next_ns = now + PAUSE_NS;
		return; /* the first record is read a tick later (agent/publish/charges.h) */
	}
	for (int i = 0; i < (filled ? STEPS_FILLED : STEPS) && !sweep->walk.ended; i++)
		if (step(sweep, &config) < 0)
			break;
	if (sweep->walk.ended)
		end_walk(sweep);
}

void tw_sweep_name_unknown(struct tw_telemetry *telemetry)
{
	struct tw_walk walk;
	char name[32];

	if (tw_walk_init(&walk, telemetry->host->kernel) < 0)
		return;
	while (!walk.ended) {
		size_t n = tw_walk_step(&walk);

		for (size_t i = 0; i < TW_DIR__MAX * n; i++) {
			uint32_t decision = tw_gate_decision(walk.conns[i / 2].gate[i % 2]);
			uint32_t rule = tw_decision_rule(decision);

			if (!decision || tw_slots_name(telemetry->enforcement->slots, rule))
				continue;
			snprintf(name, sizeof(name), "(unknown-%u)", rule);
			tw_slots_restore(telemetry->enforcement->slots, rule, name);
		}
	}
	tw_walk_done(&walk);
}
