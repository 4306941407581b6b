/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/oracle/oracle.h"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

/* docs/policy.md, `tcp: liberal`: only if no end at a port of this host is strict. */
bool tw_oracle_liberal(const struct tw_oracle_policy *policy, const struct tw_oracle_tuple *tuple)
{
	int from = tw_oracle_owner(policy, &tuple->from), to = tw_oracle_owner(policy, &tuple->to);

	return (from >= 0 || to >= 0) && (from < 0 || policy->nics[from].liberal) &&
	       (to < 0 || policy->nics[to].liberal);
}

/* Takes all numbers from this segment. Its sender's window is unknown, and both scales are. */
static void take_numbers(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];
	uint32_t window = packet->flags & SYN ? packet->window : (uint32_t)packet->window << 14;

	me->una = packet->seq;
	me->next = packet->seq + packet->len + !!(packet->flags & SYN) + !!(packet->flags & FIN);
	me->edge = me->una + (65535u << 14);
	peer->una = peer->next = packet->ack;
	peer->edge = packet->ack + window;
	me->scale = peer->scale = 14;
	me->spoke = peer->spoke = me->heard = peer->heard = true;
	me->behind = peer->behind = me->cut = peer->cut = me->twice = peer->twice = false;
	c->adopted = true;
}

enum tw_way tw_oracle_pick_up(struct tw_oracle_conn *c, const struct tw_oracle_packet *packet)
{
	const struct tw_oracle_tuple *t = &packet->tuple;
	bool refusal = packet->flags & RST && packet->flags & ACK && !packet->seq;
	bool answers = packet->flags & SYN || refusal || t->sport < t->dport;

	if (answers)
		c->tuple = (struct tw_oracle_tuple){t->to, t->from, t->proto, t->dport, t->sport};
	c->state = packet->flags & RST ? TW_S_CLOSED : answers ? TW_S_SYN_RECV : TW_S_SYN_SENT;
	take_numbers(c, answers ? TW_WAY_REPLY : TW_WAY_ORIGINAL, packet);
	return answers ? TW_WAY_REPLY : TW_WAY_ORIGINAL;
}

/* The other direction shows: until then, the connection is half-open. */
static bool is_other_way(const struct tw_oracle_conn *c, enum tw_way way)
{
	return way == TW_WAY_REPLY ? c->state == TW_S_SYN_SENT : c->state == TW_S_SYN_RECV;
}

enum tw_reason tw_oracle_half_seen(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	bool other = is_other_way(c, way);

	if (packet->flags & SYN && way == TW_WAY_ORIGINAL)
		return TW_R_TCP_STATE;
	take_numbers(c, way, packet);
	if (!other)
		return TW_R_NONE;
	c->state = packet->flags & FIN ? TW_S_FIN_WAIT : TW_S_ESTABLISHED;
	c->fin[way] |= !!(packet->flags & FIN);
	return TW_R_NONE;
}

enum tw_reason tw_oracle_misfit(struct tw_oracle_conn *c, enum tw_way way,
	const struct tw_oracle_packet *packet, enum tw_reason reason)
{
	if (packet->flags & SYN)
		return reason;
	if (packet->flags & RST || c->state == TW_S_CLOSED || c->state == TW_S_TIME_WAIT)
		return TW_R_NONE; /* its receiver decides */
	if (is_other_way(c, way))
		c->state = TW_S_ESTABLISHED;
	take_numbers(c, way, packet);
	return TW_R_NONE;
}
