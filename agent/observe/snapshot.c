/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/snapshot.h"

#include <netinet/in.h>
#include <string.h>

#include "agent/observe/describe.h"
#include "agent/observe/spool.h"
#include "agent/observe/telemetry.h"
#include "agent/ticks.h"
#include "base/clock.h"
#include "fastpath/path/conntrack/expiry.h"

#define NS_PER_S 1000000000ull

void tw_snapshot_begin_walk(struct tw_snapshot *snapshot)
{
	const struct tw_spool *spool = snapshot->telemetry->spool;
	uint64_t now = tw_clock_ns();

	snapshot->active = snapshot->interval_ns && spool && tw_spool_is_read(spool) &&
			   now >= snapshot->next_ns;
	if (snapshot->active)
		snapshot->next_ns = now + snapshot->interval_ns;
}

/* Fills the event that would be reported if the connection ended now. */
static void make_event(
	const struct tw_key *key, const struct tw_conn *conn, uint64_t now_ns, struct tw_event *ret)
{
	uint32_t now = (uint32_t)(now_ns >> TW_TICK_SHIFT);
	enum tw_dir end = tw_ports_at(conn->ports, TW_DIR_IN) ? TW_DIR_IN : TW_DIR_OUT;

	*ret = (struct tw_event){.time_ns = now_ns,
		.ports = conn->ports,
		.port_id = (uint16_t)tw_ports_at(conn->ports, end),
		.kind = TW_EVENT_CLOSE,
		.conn_flags = conn->progress.flags,
		.key = *key,
		.vlan = (uint16_t)key->vlan,
		.sums = {.age = tw_ticks_since(now, conn->created),
			.idle = tw_ticks_since(now, conn->seen)},
		.outcome = {.gate = {conn->gate[TW_DIR_OUT], conn->gate[TW_DIR_IN]},
			.dir = (uint8_t)end,
			.decision = tw_gate_decision(conn->gate[end]),
			.verdict = TW_V_ALLOW,
			.reason = TW_R_ESTABLISHED,
			.state = conn->progress.state,
			.tracked = 1}};
	memcpy(ret->sums.packets, conn->packets, sizeof(ret->sums.packets));
	memcpy(ret->sums.bytes, conn->bytes, sizeof(ret->sums.bytes));
	if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6)
		ret->icmp_type = conn->progress.icmp_type;
}

void tw_snapshot_meet(
	struct tw_snapshot *snapshot, const struct tw_key *key, const struct tw_conn *conn)
{
	uint64_t interval = snapshot->interval_ns >> TW_TICK_SHIFT;
	uint64_t age_min = TW_SNAPSHOT_AGE_S * NS_PER_S >> TW_TICK_SHIFT;
	struct tw_event_row row;
	struct tw_event event;

	if (!snapshot->active || tw_conn_refused(conn))
		return;
	make_event(key, conn, tw_clock_ns(), &event);
	if (event.sums.age < (interval < age_min ? interval : age_min) ||
		((int32_t)event.sums.idle > 0 && event.sums.idle > interval))
		return;
	tw_describe_live(snapshot->telemetry, &event, (int64_t)tw_clock_unix_ns(0), &row);
	tw_spool_add(snapshot->telemetry->spool, &row);
	snapshot->telemetry->told = true;
	snapshot->reported++;
}
