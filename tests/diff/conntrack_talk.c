/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/diff/conntrack_talk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, URG = 0x20 };

#define FLIGHT_MAX 32

struct end {
	uint32_t una;	    /* first byte not acknowledged by the other end */
	uint32_t next;	    /* next sequence number to send */
	uint32_t edge;	    /* right edge of the other end's window */
	uint32_t got;	    /* end of what was received in order */
	uint32_t taken;	    /* right edge of the window that this end offered */
	uint32_t ooo[2];    /* start and end of data received beyond a hole; equal: none */
	uint32_t buffer;    /* largest window */
	int scale;	    /* window scale in this end's SYN */
	unsigned int shift; /* window scale in effect */
	bool fin_sent, fin_got, dead;
};

struct flight {
	struct tw_ct_segment segment;
	bool judged; /* the firewall has judged it */
};

struct talk {
	struct tw_random *random;
	tw_ct_judge_fn *judge;
	void *arg;
	struct end end[2];
	struct flight flight[FLIGHT_MAX];
	size_t n_flight;
	size_t n_judged;
	bool sack, stamps, shrinks;
	int failed;
};

static uint32_t below(struct talk *t, uint32_t n)
{
	return tw_random_below(t->random, n);
}

static bool one_in(struct talk *t, uint32_t n)
{
	return tw_random_one_in(t->random, n);
}

static bool after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0;
}

static uint32_t behind(const struct tw_ct_segment *s)
{
	return s->seq + s->len + !!(s->flags & SYN) + !!(s->flags & FIN);
}

static bool meets(struct talk *t, const struct tw_ct_segment *segment)
{
	int passes = t->judge(t->arg, segment);

	if (passes < 0)
		t->failed = passes;
	t->n_judged++;
	return passes > 0;
}

/* Sends a segment: lost, duplicated or neither. The firewall is near its sender or near its
 * receiver. */
static void launch(struct talk *t, const struct tw_ct_segment *segment)
{
	bool near = one_in(t, 2);

	if (near && !meets(t, segment))
		return;
	for (int copies = one_in(t, 12) ? 0 : one_in(t, 12) ? 2 : 1; copies; copies--)
		if (t->n_flight < FLIGHT_MAX)
			t->flight[t->n_flight++] = (struct flight){*segment, near};
}

/* Computes the window field and the right edge that it offers. The edge never moves back, except if
 * an end violates RFC 9293 §3.8.6 or the scale rounds it off (RFC 7323 §2.4). */
static uint16_t offer(struct talk *t, struct end *me)
{
	uint32_t window = one_in(t, 8) ? below(t, me->buffer + 1) : me->buffer, left = 0;

	if (one_in(t, 30))
		window = 0;
	if (after(me->taken, me->got))
		left = me->taken - me->got;
	if (window < left && !(t->shrinks && one_in(t, 4)))
		window = left;
	window = (window + (1u << me->shift) - 1) >> me->shift;
	if (window > 65535)
		window = 65535;
	if (after(me->got + (window << me->shift), me->taken))
		me->taken = me->got + (window << me->shift);
	return (uint16_t)window;
}

static struct tw_ct_segment segment_of(struct talk *t, int who, uint8_t flags, uint32_t len)
{
	struct end *me = &t->end[who];
	struct tw_ct_segment s = {.reply = who,
		.flags = flags,
		.seq = me->next,
		.ack = flags & ACK ? me->got : 0,
		.len = len,
		.scale = -1,
		.stamped = t->stamps};

	s.window = offer(t, me);
	if (t->sack && me->ooo[0] != me->ooo[1] && !(flags & (SYN | RST))) {
		s.n_sacks = 1;
		s.sack[0][0] = me->ooo[0];
		s.sack[0][1] = me->ooo[1];
	}
	return s;
}

static void acknowledge(struct talk *t, int who)
{
	struct tw_ct_segment s = segment_of(t, who, ACK, 0);

	launch(t, &s);
}

/* ---- receiving ---- */

static void take_data(struct end *me, const struct tw_ct_segment *s)
{
	uint32_t from = s->seq, to = s->seq + s->len;

	if (after(to, me->taken))
		to = me->taken;
	if (after(from, me->got)) {
		if (s->len && me->ooo[0] == me->ooo[1]) {
			me->ooo[0] = from;
			me->ooo[1] = to;
		}
		return;
	}
	if (after(to, me->got))
		me->got = to;
	if (me->ooo[0] != me->ooo[1] && !after(me->ooo[0], me->got)) {
		if (after(me->ooo[1], me->got))
			me->got = me->ooo[1];
		me->ooo[0] = me->ooo[1] = 0;
	}
	if (s->flags & FIN && s->seq + s->len == me->got) {
		me->got++;
		me->fin_got = true;
	}
}

/* RFC 9293 §3.10.7.4 with RFC 5961. */
static void receive(struct talk *t, const struct tw_ct_segment *s)
{
	int who = !s->reply;
	struct end *me = &t->end[who];
	uint32_t room = after(me->taken, me->got) ? me->taken - me->got : 0;
	bool before = after(me->got, s->seq), beyond = after(s->seq, me->got + room);
	bool fits = !beyond && (s->len || s->flags & FIN ? after(behind(s), me->got) : !before);

	if (me->dead)
		return;
	if (s->flags & RST) {
		if (s->seq == me->got)
			me->dead = true;
		else if (!before && !beyond)
			acknowledge(t, who);
		return;
	}
	if (!fits || s->flags & SYN || after(s->ack, me->next) ||
		after(me->una, s->ack + 4 * me->buffer + 66000)) {
		acknowledge(t, who);
		return;
	}
	if (after(s->ack, me->una))
		me->una = s->ack;
	if (!after(me->una, s->ack) &&
		after(s->ack + ((uint32_t)s->window << t->end[!who].shift), me->edge))
		me->edge = s->ack + ((uint32_t)s->window << t->end[!who].shift);
	take_data(me, s);
	if ((s->len || s->flags & FIN) && !one_in(t, 3))
		acknowledge(t, who);
}

static void arrive(struct talk *t)
{
	size_t i = one_in(t, 3) ? below(t, (uint32_t)t->n_flight) : 0;
	struct flight f = t->flight[i];

	memmove(&t->flight[i], &t->flight[i + 1], (--t->n_flight - i) * sizeof(f));
	if (f.judged || meets(t, &f.segment))
		receive(t, &f.segment);
}

/* ---- sending ---- */

static void send_data(struct talk *t, int who)
{
	static const uint32_t sizes[] = {1, 100, 536, 1460, 9000, 60000};
	struct end *me = &t->end[who];
	uint32_t room = after(me->edge, me->next) ? me->edge - me->next : 0;
	uint32_t len = 1 + below(t, sizes[below(t, 6)]);
	struct tw_ct_segment s;

	if (me->fin_sent || !room)
		return;
	if (len > room)
		len = room;
	s = segment_of(
		t, who, (uint8_t)(ACK | (one_in(t, 2) ? PSH : 0) | (one_in(t, 20) ? URG : 0)), len);
	me->next += len;
	launch(t, &s);
}

static void send_again(struct talk *t, int who)
{
	struct end *me = &t->end[who];
	uint32_t flying = me->next - me->una - me->fin_sent;
	struct tw_ct_segment s = segment_of(t, who, ACK, 0);

	if (me->next == me->una)
		return;
	s.seq = me->una;
	s.len = flying ? 1 + below(t, flying < 1460 ? flying : 1460) : 0;
	if (me->fin_sent && s.seq + s.len + 1 == me->next)
		s.flags |= FIN;
	launch(t, &s);
}

/* RFC 9293 §3.8.4, and the probe of a closed window (§3.8.6.1). */
static void send_probe(struct talk *t, int who)
{
	struct end *me = &t->end[who];
	struct tw_ct_segment s = segment_of(t, who, ACK, below(t, 2));

	if (one_in(t, 2))
		s.seq = me->una - 1;
	else if (!after(me->edge, me->next) && !me->fin_sent && s.len)
		me->next++; /* one byte beyond the closed window */
	launch(t, &s);
}

static void send_fin(struct talk *t, int who)
{
	struct end *me = &t->end[who];
	struct tw_ct_segment s = segment_of(t, who, FIN | ACK, 0);

	if (me->fin_sent)
		return;
	me->fin_sent = true;
	me->next++;
	launch(t, &s);
}

static void send_reset(struct talk *t, int who)
{
	struct end *me = &t->end[who];
	struct tw_ct_segment s = segment_of(t, who, (uint8_t)(RST | (one_in(t, 2) ? ACK : 0)), 0);

	me->dead = true;
	launch(t, &s);
}

/* Sends a forged segment, from an attacker with more or less knowledge of the connection. */
static void forge(struct talk *t)
{
	static const uint8_t flags[] = {
		RST, RST, RST | ACK, SYN, SYN | ACK, ACK, ACK | PSH, FIN | ACK};
	static const int off[] = {-66001, -66000, -1000, -2, -1, 0, 1, 2, 1000, 66000};
	int who = (int)below(t, 2);
	struct end *me = &t->end[who], *peer = &t->end[!who];
	const uint32_t seqs[] = {me->una, me->next, me->edge, peer->got, peer->taken},
		       acks[] = {me->got, peer->una, peer->next, me->taken, peer->edge};
	struct tw_ct_segment s = segment_of(t, who, flags[below(t, sizeof(flags))], 0);

	s.forged = true;
	s.seq = seqs[below(t, 5)] + (uint32_t)off[below(t, 10)];
	if (one_in(t, 8))
		s.seq = one_in(t, 2) ? 0 : (uint32_t)tw_random_bits(t->random);
	if (s.flags & ACK && one_in(t, 2))
		s.ack = acks[below(t, 5)] + (uint32_t)off[below(t, 10)];
	if (s.flags & ACK && one_in(t, 8))
		s.ack = one_in(t, 2) ? 0 : (uint32_t)tw_random_bits(t->random);
	s.len = s.flags & (RST | SYN) || one_in(t, 2) ? 0 : 1 + below(t, 1460);
	if (meets(t, &s))
		receive(t, &s);
}

/* ---- a conversation ---- */

static void begin(struct talk *t)
{
	for (int who = 0; who < 2; who++) {
		struct end *me = &t->end[who];
		uint32_t first = one_in(t, 3) ? 0u - below(t, 100000)
					      : (uint32_t)tw_random_bits(t->random);

		*me = (struct end){.una = first, .next = first, .edge = first, .taken = 0};
		me->scale = (int)below(t, 12) - 1;
		me->buffer = 1000 + below(t, 200000);
	}
	t->sack = one_in(t, 2);
	t->stamps = one_in(t, 2);
	t->shrinks = one_in(t, 6);
}

static struct tw_ct_segment syn_of(struct talk *t, int who)
{
	struct end *me = &t->end[who];
	struct tw_ct_segment s = {.reply = who,
		.flags = who ? SYN | ACK : SYN,
		.seq = me->una,
		.ack = who ? me->got : 0,
		.window = (uint16_t)(me->buffer < 65535 ? me->buffer : 65535),
		.scale = who && t->end[0].scale < 0 ? -1 : me->scale,
		.sack_ok = t->sack,
		.stamped = t->stamps};

	return s;
}

/* Exchanges SYN, SYN-ACK and ACK, each possibly more than once, with data in the SYN for Fast
 * Open. */
static bool shake_hands(struct talk *t)
{
	struct end *a = &t->end[0], *b = &t->end[1];
	struct tw_ct_segment s = syn_of(t, 0);

	if (one_in(t, 8))
		s.len = below(t, 1000);
	for (int i = one_in(t, 4) ? 2 : 1; i; i--)
		meets(t, &s);
	a->next = a->una + 1 + s.len;
	b->got = one_in(t, 2) ? a->next : a->una + 1;
	b->edge = b->una + 1 + s.window;
	a->taken = b->edge;
	s = syn_of(t, 1);
	if (one_in(t, 8))
		s.len = below(t, 1000);
	for (int i = one_in(t, 4) ? 2 : 1; i; i--)
		meets(t, &s);
	b->next = b->una + 1 + s.len;
	a->una = b->got;
	a->next = a->una; /* retransmits the SYN's data that was not accepted */
	a->edge = a->una + s.window;
	b->taken = a->edge;
	a->got = b->una + 1 + s.len;
	if (a->scale >= 0 && b->scale >= 0) {
		a->shift = (unsigned int)a->scale;
		b->shift = (unsigned int)b->scale;
	}
	s = segment_of(t, 0, ACK, 0);
	b->una = b->next;
	b->edge = a->taken;
	return meets(t, &s);
}

static void step(struct talk *t)
{
	int who = (int)below(t, 2);

	if (t->n_flight && one_in(t, 2)) {
		arrive(t);
		return;
	}
	if (one_in(t, 6)) {
		forge(t);
		return;
	}
	if (t->end[who].dead)
		return;
	switch (below(t, 40)) {
	case 0:
	case 1:
		send_fin(t, who);
		break;
	case 2:
		if (one_in(t, 4))
			send_reset(t, who);
		break;
	case 3:
	case 4:
		send_probe(t, who);
		break;
	case 5:
	case 6:
	case 7:
	case 8:
		send_again(t, who);
		break;
	case 9:
	case 10:
	case 11:
		acknowledge(t, who);
		break;
	default:
		send_data(t, who);
	}
}

int tw_ct_converse(struct tw_random *random, size_t n, tw_ct_judge_fn *judge, void *arg)
{
	struct talk t = {.random = random, .judge = judge, .arg = arg};

	begin(&t);
	if (!shake_hands(&t))
		return t.failed;
	for (size_t i = 0; i < 4 * n && t.n_judged < n && !t.failed; i++)
		step(&t);
	return t.failed;
}

/* ---- scenarios ---- */

static uint8_t read_flags(const char *text)
{
	static const char letters[] = "FSRPAU";
	uint8_t flags = 0;

	for (; *text; text++) {
		const char *at = strchr(letters, *text);

		if (at)
			flags |= (uint8_t)(1 << (at - letters));
	}
	return flags;
}

static int read_line(const char *line, const uint32_t first[2], struct tw_ct_segment *ret)
{
	char way, flags[8], seq[16];
	unsigned int number;
	int ack, used;

	*ret = (struct tw_ct_segment){.window = 65535, .scale = -1};
	if (sscanf(line, " %c %7[A-Z] %15s %d%n", &way, flags, seq, &ack, &used) != 4 ||
		(way != '>' && way != '<'))
		return -EINVAL;
	ret->reply = way == '<';
	ret->flags = read_flags(flags);
	ret->seq = strcmp(seq, "zero") ? first[ret->reply] + (uint32_t)strtol(seq, NULL, 10) : 0;
	ret->ack = ret->flags & ACK ? first[!ret->reply] + (uint32_t)ack : 0;
	for (line += used; *line == ' '; line += used) {
		if (sscanf(line, " w=%u%n", &number, &used) == 1)
			ret->window = (uint16_t)number;
		else if (sscanf(line, " s=%u%n", &number, &used) == 1)
			ret->scale = (int)number;
		else if (sscanf(line, " %u%n", &number, &used) == 1)
			ret->len = number;
		else
			return -EINVAL;
	}
	return *line && *line != '\n' ? -EINVAL : 0;
}

int tw_ct_recite(const char *text, const uint32_t first[2], tw_ct_judge_fn *judge, void *arg)
{
	struct tw_ct_segment segment;
	int passes;

	for (; text && *text; text = strchr(text, '\n'), text += text ? 1 : 0) {
		if (read_line(text, first, &segment))
			return -EINVAL;
		passes = judge(arg, &segment);
		if (passes < 0)
			return passes;
	}
	return 0;
}
