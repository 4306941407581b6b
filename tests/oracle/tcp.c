/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/oracle/oracle.h"

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };

static bool beyond(uint32_t a, uint32_t b)
{
	return a != b && a - b < 0x80000000u;
}

/* Returns the first sequence number after the segment. */
static uint32_t behind(const struct tw_oracle_packet *packet)
{
	return packet->seq + packet->len + !!(packet->flags & SYN) + !!(packet->flags & FIN);
}

/* Updates the right edge of the window that the segment's sender offers the other end. */
static void offer(struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *peer = &c->tcp[!way];
	uint32_t window = packet->window;

	if (!(packet->flags & SYN) && c->tcp[way].scale > 0)
		window <<= c->tcp[way].scale;
	if (!(packet->flags & ACK)) { /* a SYN has no acknowledgement to count from */
		peer->edge = peer->una + window;
		return;
	}
	if (beyond(peer->una, packet->ack))
		return; /* older than a window already seen */
	peer->una = packet->ack;
	if (beyond(packet->ack + window, peer->edge))
		peer->edge = packet->ack + window;
}

/* An end's SYN (RFC 9293 §3.5, RFC 7323 §2.2). */
static void begin(struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];
	uint32_t offered = me->edge - me->una;

	me->una = packet->seq;
	me->next = behind(packet);
	me->edge = me->una + (me->heard ? offered : 0);
	me->scale = (int)packet->scale; /* NOLINT(bugprone-signed-char-misuse): -1 is a value */
	me->spoke = true;
	if (peer->spoke && (me->scale < 0 || peer->scale < 0))
		me->scale = peer->scale = -1;
	peer->heard = true;
	if (packet->flags & ACK) {
		peer->una = packet->ack;
		peer->edge = packet->ack;
	}
	offer(c, way, packet);
}

/* True if this segment acknowledges the other end's SYN. */
static bool answers(
	const struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	return packet->flags & ACK && beyond(packet->ack, c->tcp[!way].una) &&
	       !beyond(packet->ack, c->tcp[!way].next);
}

/* A segment when only one end has sent a SYN (RFC 9293 §3.10.7.3 and §3.5, RFC 5961 §4). */
static enum tw_reason unanswered(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	bool good = way == TW_WAY_REPLY && answers(c, way, packet);

	switch (packet->flags & (SYN | ACK | RST | FIN)) {
	case RST:
	case RST | ACK:
		if (way == TW_WAY_REPLY && !good)
			return TW_R_TCP_WINDOW;
		if (good || packet->seq == c->tcp[TW_WAY_ORIGINAL].next)
			c->state = TW_S_CLOSED;
		return TW_R_NONE;
	case SYN:
		if (way == TW_WAY_REPLY)
			c->state = TW_S_SYN_RECV;
		if (way == TW_WAY_REPLY || packet->seq != c->tcp[way].una ||
			beyond(behind(packet), c->tcp[way].next))
			begin(c, way, packet);
		return TW_R_NONE;
	case SYN | ACK:
		if (way == TW_WAY_ORIGINAL)
			return TW_R_TCP_STATE;
		if (good) {
			c->state = TW_S_SYN_RECV;
			begin(c, way, packet);
			c->tcp[!way].behind |= packet->ack != c->tcp[!way].next;
		}
		return TW_R_NONE;
	case ACK:
		return way == TW_WAY_REPLY ? TW_R_NONE : TW_R_TCP_STATE;
	default:
		return TW_R_TCP_STATE;
	}
}

/* Initializes both ends from this segment alone: its own numbers, without bounds. */
static void begin_both(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];

	me->scale = (int)packet->scale; /* NOLINT(bugprone-signed-char-misuse): -1 is a value */
	peer->scale = packet->scale < 0 ? -1 : 14;
	me->una = packet->seq;
	me->next = behind(packet);
	me->edge = me->una + (65535u << (peer->scale < 0 ? 0 : peer->scale));
	me->unbound = me->spoke = true;
	peer->una = peer->next = peer->edge = packet->ack;
	offer(c, way, packet);
}

/* True if the number is beyond neither the receiver's window nor what the end has sent (RFC 9293
 * §3.10.7.4, first check). */
static bool within(const struct tw_oracle_conn *c, enum tw_way way, uint32_t seq)
{
	return !beyond(seq, c->tcp[way].edge) || !beyond(seq, c->tcp[way].next);
}

/* RFC 4987 §3.6: a stateless server may answer a repeated SYN with a different number. */
static void begin_twice(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way];

	if (!beyond(packet->seq, me->una)) {
		me->edge -= me->una - packet->seq;
		me->una = packet->seq;
	} else if (beyond(behind(packet), me->next)) {
		me->next = behind(packet);
	}
	me->twice = true;
	offer(c, way, packet);
}

/* The ACK determines which of the server's numbers counts. */
static void settle(struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];

	me->una = packet->seq;
	me->next = behind(packet);
	me->edge = me->una + (65535u << (peer->scale < 0 ? 0 : peer->scale));
	me->unbound = true;
	peer->twice = false;
	peer->una = peer->next = peer->edge = packet->ack;
	offer(c, way, packet);
}

static enum tw_reason syn_known(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];
	const struct tw_oracle_end_state *origin = &c->tcp[TW_WAY_ORIGINAL],
					 *server = &c->tcp[TW_WAY_REPLY];
	bool outside = !within(c, way, packet->seq) || beyond(packet->ack, peer->next) ||
		       (int32_t)(origin->una - packet->ack) > 1 << 24 ||
		       (int32_t)(server->una - packet->seq) > 1 << 24;

	if (!(packet->flags & ACK)) {
		if (way == TW_WAY_ORIGINAL && packet->seq != me->una - 1)
			c->syn_again = true;
		return TW_R_NONE;
	}
	if (c->state == TW_S_SYN_RECV && !beyond(peer->una, packet->ack) &&
		!beyond(packet->ack, peer->next)) {
		bool again = way == TW_WAY_REPLY ? packet->seq == me->una
						 : !beyond(behind(packet), me->next);

		if (again) {
			if (beyond(behind(packet), me->next))
				me->next = behind(packet);
			offer(c, way, packet);
		} else if (way == TW_WAY_REPLY) {
			begin_twice(c, way, packet);
		}
		return TW_R_NONE;
	}
	if (way == TW_WAY_ORIGINAL)
		return c->state == TW_S_SYN_RECV ? TW_R_NONE : TW_R_TCP_STATE;
	if (c->syn_again && outside && c->state != TW_S_TIME_WAIT && c->state != TW_S_CLOSED) {
		c->adopted = c->syn_again = c->fin[TW_WAY_ORIGINAL] = c->fin[TW_WAY_REPLY] = false;
		c->state = TW_S_SYN_RECV;
		begin_both(c, way, packet);
	}
	return TW_R_NONE;
}

static void close_down(struct tw_oracle_conn *c)
{
	c->state = TW_S_CLOSED;
	c->tcp[0].cut = c->tcp[1].cut = false;
	c->tcp[0].twice = c->tcp[1].twice = false;
}

/* A RST (RFC 5961 §3.2). */
static enum tw_reason reset(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way];
	bool refused = c->syn_again && way == TW_WAY_REPLY && packet->flags & ACK && !packet->seq;

	if (packet->seq == me->una || packet->seq == me->next) {
		/* The receiver has never acknowledged less than was sent. */
		if (packet->seq != me->next && !me->behind && !c->adopted)
			return TW_R_TCP_WINDOW;
		close_down(c);
		me->cut = packet->seq == me->next;
		return TW_R_NONE;
	}
	if (!beyond(me->una, packet->seq) && !beyond(packet->seq, me->edge))
		return TW_R_NONE;
	if (refused)
		close_down(c);
	return refused || c->adopted ? TW_R_NONE : TW_R_TCP_WINDOW;
}

/* Each end's FIN and its acknowledgement (RFC 9293 §3.6). */
static void closes(struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	const struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];

	if (packet->flags & FIN) {
		c->fin[way] = true;
		if (!c->fin[!way])
			c->state = TW_S_FIN_WAIT;
		else if (c->state != TW_S_TIME_WAIT)
			c->state = TW_S_LAST_ACK;
	} else if (packet->ack == peer->next) {
		if (c->state == TW_S_FIN_WAIT && !c->fin[way])
			c->state = TW_S_CLOSE_WAIT;
		else if (c->state == TW_S_LAST_ACK && me->una == me->next)
			c->state = TW_S_TIME_WAIT;
	}
}

/* True if a receiver accepts the segment's acknowledgement (RFC 5961 §5.2). */
static bool current(const struct tw_oracle_end_state *peer, uint32_t ack)
{
	uint32_t window = peer->edge - peer->una;

	return !beyond(peer->una, ack + (window > 66000 ? window : 66000));
}

/* True if a segment after a RST shows that its sender did not accept the RST. */
static bool goes_on(const struct tw_oracle_end_state *peer, uint32_t ack)
{
	return peer->cut ? ack != peer->next && !beyond(peer->una, ack) : beyond(ack, peer->una);
}

static void revive(struct tw_oracle_conn *c)
{
	c->tcp[0].cut = c->tcp[1].cut = false;
	c->state = TW_S_ESTABLISHED;
	if (c->fin[0] || c->fin[1])
		c->state = c->fin[0] && c->fin[1] ? TW_S_LAST_ACK : TW_S_FIN_WAIT;
}

enum tw_reason tw_oracle_tcp(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet)
{
	struct tw_oracle_end_state *me = &c->tcp[way], *peer = &c->tcp[!way];
	bool syn_answered = answers(c, way, packet), outside;
	bool empty = behind(packet) == packet->seq, settles = false;

	if (c->adopted && (c->state == TW_S_SYN_SENT || c->state == TW_S_SYN_RECV))
		return packet->flags & RST ? reset(c, way, packet)
					   : tw_oracle_half_seen(c, way, packet);
	if (c->state == TW_S_SYN_SENT)
		return unanswered(c, way, packet);
	if (c->state == TW_S_CLOSED && !c->tcp[TW_WAY_REPLY].spoke)
		return way == TW_WAY_REPLY || packet->flags & RST ? TW_R_NONE : TW_R_TCP_STATE;
	if (packet->flags & SYN)
		return syn_known(c, way, packet);
	if (packet->flags & RST)
		return reset(c, way, packet);
	outside = !within(c, way, packet->seq) || beyond(packet->ack, peer->next);
	if (outside && !c->adopted)
		return TW_R_TCP_WINDOW;
	if (outside	? false
		: empty ? beyond(me->una, packet->seq)
			: !beyond(behind(packet), me->una))
		return TW_R_NONE; /* a keep-alive, or a retransmission of data that has arrived */
	if (outside || current(peer, packet->ack)) {
		if (way == TW_WAY_REPLY)
			c->syn_again = false;
		if (c->state == TW_S_CLOSED && goes_on(peer, packet->ack))
			revive(c);
		if (c->state == TW_S_SYN_RECV) {
			if (way == TW_WAY_ORIGINAL && !syn_answered) {
				if (packet->flags & FIN)
					closes(c, way, packet);
				return TW_R_NONE;
			}
			if (way == TW_WAY_ORIGINAL || me->una == me->next)
				c->state = TW_S_ESTABLISHED;
			settles = c->state == TW_S_ESTABLISHED && c->tcp[TW_WAY_REPLY].twice;
		}
		if (c->state != TW_S_CLOSED && !settles && packet->ack != peer->next)
			peer->behind = true;
		if (c->state != TW_S_CLOSED &&
			(c->state != TW_S_ESTABLISHED || packet->flags & FIN))
			closes(c, way, packet);
	}
	if (settles) {
		settle(c, way, packet);
		return TW_R_NONE;
	}
	if (beyond(behind(packet), me->next))
		me->next = behind(packet);
	offer(c, way, packet);
	return TW_R_NONE;
}

void tw_oracle_tcp_open(struct tw_oracle_conn *c, const struct tw_oracle_packet *packet)
{
	begin(c, TW_WAY_ORIGINAL, packet);
}
