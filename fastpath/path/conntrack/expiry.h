/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* expiry.h: decides when a record of the connection table has expired.
 *
 * Callers:    the path and the agent, which must agree on which records are live.
 */
#pragma once

#include "fastpath/path/bytes.h"

tw_inline int tw_gate_refuses(__u64 gate)
{
	__u32 decision = tw_gate_decision(gate);

	return decision && tw_decision_verdict(decision) != TW_V_ALLOW;
}

tw_inline int tw_conn_refused(const struct tw_conn *c)
{
	return tw_gate_refuses(c->gate[TW_DIR_OUT]) || tw_gate_refuses(c->gate[TW_DIR_IN]);
}

/* True if the agent has ended the connection. */
tw_inline int tw_conn_gone(const struct tw_conn *c)
{
	return !!(c->progress.flags & TW_CONN_F_GONE);
}

/* Returns the number of ticks after its last packet at which a record expires. A connection that is
 * refused or was ended cannot continue, so its record lasts only as long as a closed one. */
tw_inline __u32 tw_conn_limit(const struct tw_config *config, const struct tw_conn *c)
{
	const int over = tw_conn_refused(c) | tw_conn_gone(c);

	return config->timeout[over ? TW_S_CLOSED : c->progress.state & 15];
}

/* True if a record expired at least `grace` ticks ago. Without a grace, a connection that the agent has
 * ended has expired, even if a packet that was under way then has changed `seen` since. */
tw_inline int tw_conn_expired(
	const struct tw_config *config, const struct tw_conn *c, __u32 now, __u32 grace)
{
	return (!grace && tw_conn_gone(c)) ||
	       tw_tick_age(now, c->seen) > tw_conn_limit(config, c) + grace + TW_TICKS_AHEAD;
}
