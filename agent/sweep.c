/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/sweep.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/clock.h"

#define PAUSE_NS     5000000000u /* between two walks */
#define STEPS	     4		 /* a tick */
#define STEPS_FILLED 16		 /* … when the table was over three quarters full */

static bool refuses(uint64_t gate)
{
	uint32_t decision = tw_gate_decision(gate);

	return decision && tw_decision_verdict(decision) != TW_V_ALLOW;
}

bool tw_conn_has_expired(
	const struct tw_config *config, const struct tw_conn *conn, uint32_t now, uint32_t grace)
{
	bool refused = refuses(conn->gate[TW_DIR_OUT]) || refuses(conn->gate[TW_DIR_IN]);
	uint32_t limit = config->timeout[refused ? TW_S_CLOSED : conn->state & 15];

	return (int32_t)(now - (conn->seen + limit + grace)) > 0;
}

int tw_sweep_init(struct tw_sweep *sweep, struct tw_agent *agent)
{
	*sweep = (struct tw_sweep){.agent = agent};
	return tw_walk_init(&sweep->walk, tw_kernel_map_fd(agent->kernel, TW_MAP_conns));
}

void tw_sweep_done(struct tw_sweep *sweep)
{
	tw_walk_done(&sweep->walk);
}

static void tell_closed(
	struct tw_agent *agent, const struct tw_key *key, const struct tw_conn *conn, uint32_t now)
{
	enum tw_dir end = conn->port[TW_DIR_IN] ? TW_DIR_IN : TW_DIR_OUT;
	struct tw_event event = {
		.time_ns = tw_clock_ns(),
		.port_id = conn->port[end],
		.kind = TW_EVENT_CLOSE,
		.key = *key,
		.age = now - conn->created,
		.conn_flags = conn->flags,
		.icmp_type = conn->icmp_type,
		.vlan = key->vlan,
	};

	memcpy(event.packets, conn->packets, sizeof(event.packets));
	memcpy(event.bytes, conn->bytes, sizeof(event.bytes));
	memcpy(event.outcome.gate, conn->gate, sizeof(event.outcome.gate));
	event.outcome.dir = (uint8_t)end;
	event.outcome.decision = tw_gate_decision(conn->gate[end]);
	event.outcome.verdict = (uint8_t)tw_decision_verdict(event.outcome.decision);
	event.outcome.reason = TW_R_ESTABLISHED;
	event.outcome.state = conn->state;
	event.outcome.tracked = 1;
	tw_events_tell(agent, &event);
}

static void take(struct tw_sweep *sweep, const struct tw_config *config, const struct tw_key *key,
	uint32_t now)
{
	struct tw_conn conn;
	int fd = sweep->walk.map_fd;

	if (bpf_map_lookup_and_delete_elem(fd, key, &conn) < 0)
		return;
	if (!tw_conn_has_expired(config, &conn, now, TW_SWEEP_GRACE)) {
		/* Came to life between the two looks; unless opened anew meanwhile, it goes back. */
		bpf_map_update_elem(fd, key, &conn, BPF_NOEXIST);
		return;
	}
	sweep->swept++;
	if (!refuses(conn.gate[TW_DIR_OUT]) && !refuses(conn.gate[TW_DIR_IN]))
		tell_closed(sweep->agent, key, &conn, now);
}

static void step(struct tw_sweep *sweep, const struct tw_config *config)
{
	struct tw_agent *agent = sweep->agent;
	uint32_t now = tw_clock_tick();
	size_t n;

	if (tw_walk_step(&sweep->walk, &n) < 0) {
		sweep->walking = false;
		return;
	}
	sweep->met += n;
	for (size_t i = 0; i < n; i++) {
		const struct tw_conn *conn = &sweep->walk.conns[i];

		if (tw_conn_has_expired(config, conn, now, TW_SWEEP_GRACE)) {
			take(sweep, config, &sweep->walk.keys[i], now);
			continue;
		}
		for (size_t dir = 0; dir < TW_DIR__MAX; dir++)
			if (tw_gate_decision(conn->gate[dir]))
				tw_slots_refer(&agent->slots,
					tw_decision_rule(tw_gate_decision(conn->gate[dir])));
	}
	if (!sweep->walk.ended)
		return;
	sweep->walking = false;
	sweep->last_met = sweep->met;
	tw_slots_end_walk(&agent->slots);
}

void tw_sweep_tick(struct tw_sweep *sweep)
{
	struct tw_agent *agent = sweep->agent;
	uint64_t now = tw_clock_ns(), max = tw_kernel_facts(agent->kernel)->max_conns;
	bool filled = sweep->last_met > max - max / 4;
	struct tw_config config;

	if (tw_kernel_get_config(agent->kernel, &config) < 0)
		return;
	if (!sweep->walking) {
		if (now < sweep->next_ns && !filled)
			return;
		tw_walk_rewind(&sweep->walk);
		tw_slots_begin_walk(&agent->slots);
		sweep->walking = true;
		sweep->met = 0;
		sweep->next_ns = now + PAUSE_NS;
	}
	for (int i = 0; i < (filled ? STEPS_FILLED : STEPS) && sweep->walking; i++)
		step(sweep, &config);
}
