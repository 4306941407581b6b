/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/oracle/oracle.h"

#include <string.h>

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, ACK = 0x10 };
enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58 };

/* ---- rules ---- */

static bool in_prefix(const struct tw_oracle_prefix *prefix, const struct tw_addr *addr)
{
	int whole = prefix->len / 8, rest = prefix->len % 8;

	return !memcmp(&prefix->addr, addr, (size_t)whole) &&
	       (!rest || !((prefix->addr.b[whole] ^ addr->b[whole]) >> (8 - rest)));
}

static bool in_any(const struct tw_oracle_prefix *at, size_t n, const struct tw_addr *addr)
{
	for (size_t i = 0; i < n; i++)
		if (in_prefix(&at[i], addr))
			return true;
	return false;
}

static bool in_set(const struct tw_oracle_set *set, const struct tw_addr *addr)
{
	return (set->any || in_any(set->plus, set->n_plus, addr)) &&
	       !in_any(set->minus, set->n_minus, addr);
}

static bool is_service(const struct tw_oracle_service *s, const struct tw_oracle_tuple *t)
{
	return s->proto == t->proto && t->dport >= s->low && t->dport <= s->high &&
	       t->sport >= s->source_low && t->sport <= s->source_high;
}

static bool rule_matches(const struct tw_oracle_rule *rule, const struct tw_oracle_tuple *t)
{
	bool service = rule->n_services == 0;

	for (size_t i = 0; i < rule->n_services && !service; i++)
		service = is_service(&rule->services[i], t);
	return service && in_set(&rule->from, &t->from) && in_set(&rule->to, &t->to);
}

int tw_oracle_owner(const struct tw_oracle_policy *policy, const struct tw_addr *addr)
{
	int owner = -1, longest = -1;

	for (size_t n = 0; n < policy->n_nics; n++) {
		for (size_t i = 0; i < policy->nics[n].n_prefixes; i++) {
			const struct tw_oracle_prefix *prefix = &policy->nics[n].prefixes[i];

			if (prefix->len > longest && in_prefix(prefix, addr)) {
				longest = prefix->len;
				owner = (int)n;
			}
		}
	}
	return owner;
}

static void judge_end(const struct tw_oracle_policy *policy, const struct tw_oracle_tuple *t,
	enum tw_dir dir, struct tw_oracle_end *ret)
{
	ret->nic = tw_oracle_owner(policy, dir == TW_DIR_OUT ? &t->from : &t->to);
	ret->verdict = policy->fallback;
	ret->rule = policy->n_rules;
	for (size_t i = 0; i < policy->n_rules; i++) {
		const struct tw_oracle_rule *rule = &policy->rules[i];

		if (rule->disabled || !(dir == TW_DIR_OUT ? rule->at_out : rule->at_in) ||
			!rule_matches(rule, t))
			continue;
		ret->verdict = rule->action;
		ret->rule = i;
		break;
	}
	if (ret->nic >= 0 && policy->nics[ret->nic].observed && ret->verdict != TW_V_ALLOW)
		ret->verdict = TW_V_WOULD_DENY;
}

static bool passes(const struct tw_oracle_end *end)
{
	return end->verdict == TW_V_ALLOW || end->verdict == TW_V_WOULD_DENY;
}

void tw_oracle_judge(const struct tw_oracle_policy *policy, const struct tw_oracle_tuple *tuple,
	struct tw_oracle_answer *ret)
{
	struct tw_oracle_end *out = &ret->end[TW_DIR_OUT], *in = &ret->end[TW_DIR_IN];

	judge_end(policy, tuple, TW_DIR_OUT, out);
	judge_end(policy, tuple, TW_DIR_IN, in);
	/* The end that refuses decides, the `out` end first; then an end that would refuse; if both
	 * allow, the `in` end decides. */
	if (out->nic >= 0 &&
		(!passes(out) || (out->verdict == TW_V_WOULD_DENY && (in->nic < 0 || passes(in)))))
		ret->decider = TW_DIR_OUT;
	else if (in->nic >= 0)
		ret->decider = TW_DIR_IN;
	else
		ret->decider = out->nic >= 0 ? (int)TW_DIR_OUT : -1;
}

/* ---- connections ---- */

static uint64_t idle_limit_s(enum tw_state state)
{
	switch (state) {
	case TW_S_SYN_SENT:
	case TW_S_FIN_WAIT:
	case TW_S_TIME_WAIT:
	case TW_S_UDP_REPLIED:
		return 120;
	case TW_S_SYN_RECV:
	case TW_S_CLOSE_WAIT:
		return 60;
	case TW_S_ESTABLISHED:
		return 432000;
	case TW_S_CLOSED:
		return 10;
	default:
		return 30;
	}
}

static bool same_tuple(
	const struct tw_oracle_tuple *a, const struct tw_oracle_tuple *b, bool turned)
{
	return a->proto == b->proto && !memcmp(&a->from, turned ? &b->to : &b->from, 16) &&
	       !memcmp(&a->to, turned ? &b->from : &b->to, 16) &&
	       a->sport == (turned ? b->dport : b->sport) &&
	       a->dport == (turned ? b->sport : b->dport);
}

static struct tw_oracle_conn *find(
	struct tw_oracle_host *host, const struct tw_oracle_packet *packet, enum tw_way *ret_way)
{
	for (size_t i = 0; i < TW_ORACLE_CONNS_MAX; i++) {
		struct tw_oracle_conn *c = &host->conns[i];

		if (!c->alive)
			continue;
		if (packet->now_ns - c->seen_ns > idle_limit_s(c->state) * 1000000000)
			c->alive = false;
		for (int turned = 0; c->alive && turned < 2; turned++) {
			if (same_tuple(&c->tuple, &packet->tuple, turned)) {
				*ret_way = turned ? TW_WAY_REPLY : TW_WAY_ORIGINAL;
				return c;
			}
		}
	}
	return NULL;
}

/* Returns the reason for which a TCP segment without a connection is denied: how its former
 * connection ended. */
static enum tw_reason lost(const struct tw_oracle_host *host, const struct tw_oracle_tuple *tuple)
{
	for (size_t i = 0; i < TW_ORACLE_CONNS_MAX; i++) {
		const struct tw_oracle_conn *c = &host->conns[i];

		if (!same_tuple(&c->tuple, tuple, false) && !same_tuple(&c->tuple, tuple, true))
			continue;
		switch (c->state) {
		case TW_S_SYN_SENT:
		case TW_S_SYN_RECV:
			return TW_R_TCP_UNANSWERED;
		case TW_S_TIME_WAIT:
			return TW_R_TCP_CLOSED;
		case TW_S_CLOSED:
			return c->tcp[TW_WAY_REPLY].spoke ? TW_R_TCP_RESET : TW_R_TCP_REFUSED;
		default:
			return TW_R_TCP_EXPIRED;
		}
	}
	return TW_R_TCP_MIDSTREAM;
}

static bool is_syn(uint8_t flags)
{
	return (flags & (SYN | ACK | RST | FIN)) == SYN;
}

static enum tw_reason moves(struct tw_oracle_conn *c, enum tw_way way,
	const struct tw_oracle_packet *packet, bool liberal)
{
	const struct tw_oracle_conn before = *c;
	enum tw_reason reason;

	switch (packet->tuple.proto) {
	case TCP:
		reason = tw_oracle_tcp(c, way, packet);
		if (!reason || !liberal)
			return reason;
		*c = before;
		return tw_oracle_misfit(c, way, packet, reason);
	case UDP:
		if (way == TW_WAY_REPLY)
			c->state = TW_S_UDP_REPLIED;
		return TW_R_NONE;
	default: /* only the originator sends echoes, only the other end replies */
		return packet->answer == (way == TW_WAY_REPLY) ? TW_R_NONE : TW_R_NO_CONNECTION;
	}
}

static enum tw_reason opens(const struct tw_oracle_host *host,
	const struct tw_oracle_packet *packet, enum tw_state *ret)
{
	switch (packet->tuple.proto) {
	case TCP:
		*ret = TW_S_SYN_SENT;
		if (is_syn(packet->flags))
			return TW_R_NONE;
		return packet->flags & (SYN | RST) ? TW_R_NO_CONNECTION
						   : lost(host, &packet->tuple);
	case UDP:
		*ret = TW_S_UDP_UNREPLIED;
		return TW_R_NONE;
	default:
		*ret = TW_S_ICMP;
		return packet->answer ? TW_R_NO_CONNECTION : TW_R_NONE;
	}
}

/* Returns the rules' decision on a connection, from its first packet. */
static enum tw_reason rules_say(const struct tw_oracle_host *host, struct tw_oracle_tuple tuple)
{
	struct tw_oracle_answer answer;

	if (tuple.proto == ICMP || tuple.proto == ICMPV6) {
		tuple.sport = 0;
		tuple.dport = tuple.proto == ICMP ? 8 << 8 : 128 << 8;
	}
	tw_oracle_judge(host->policy, &tuple, &answer);
	if (answer.decider < 0 || answer.end[answer.decider].verdict == TW_V_ALLOW)
		return TW_R_NONE;
	return answer.end[answer.decider].verdict == TW_V_ASK ? TW_R_ASK_UNAVAILABLE : TW_R_POLICY;
}

bool tw_oracle_refuses(const struct tw_oracle_host *host, const struct tw_oracle_packet *packet)
{
	const struct tw_oracle_tuple *t = &packet->tuple;
	const struct tw_oracle_tuple back = {t->to, t->from, t->proto, t->dport, t->sport};

	return rules_say(host, *t) || rules_say(host, back);
}

/* Returns the entry for a new connection: the one with the same ports, else a free one. */
static struct tw_oracle_conn *place(
	struct tw_oracle_host *host, const struct tw_oracle_tuple *tuple)
{
	struct tw_oracle_conn *empty = NULL;

	for (size_t i = 0; i < TW_ORACLE_CONNS_MAX; i++) {
		struct tw_oracle_conn *c = &host->conns[i];

		if (same_tuple(&c->tuple, tuple, false) || same_tuple(&c->tuple, tuple, true))
			return c;
		if (!empty && !c->tuple.proto)
			empty = c;
	}
	return empty;
}

/* RFC 6191: a SYN may reopen the ports of a closed connection. One of which the opening was not seen
 * is none that the SYN belongs to. */
static bool reopens(const struct tw_oracle_conn *c, enum tw_way way)
{
	return c->state == TW_S_TIME_WAIT || c->state == TW_S_CLOSED ||
	       (c->adopted && (way == TW_WAY_REPLY || c->state == TW_S_SYN_SENT ||
				      c->state == TW_S_SYN_RECV));
}

bool tw_oracle_passes(struct tw_oracle_host *host, const struct tw_oracle_packet *packet,
	enum tw_reason *ret_reason)
{
	struct tw_oracle_conn fresh = {.tuple = packet->tuple, .alive = true}, moved, *c,
			      *old = NULL;
	enum tw_way way = TW_WAY_ORIGINAL;
	bool liberal = tw_oracle_liberal(host->policy, &packet->tuple);

	c = find(host, packet, &way);
	if (c && packet->tuple.proto == TCP && is_syn(packet->flags) && reopens(c, way)) {
		old = c;
		c = NULL;
	}
	moved = c ? *c : fresh;
	*ret_reason = c ? moves(&moved, way, packet, liberal) : opens(host, packet, &moved.state);
	if (!c && packet->tuple.proto == TCP && *ret_reason && liberal) {
		tw_oracle_pick_up(&moved, packet);
		*ret_reason = TW_R_NONE;
	} else if (!c && packet->tuple.proto == TCP) {
		tw_oracle_tcp_open(&moved, packet);
	}
	if (!*ret_reason)
		*ret_reason = rules_say(host, moved.tuple);
	if (*ret_reason)
		return false;
	if (!c && moved.state == TW_S_CLOSED)
		return true; /* a RST opens nothing */
	c = c ? c : old;
	c = c ? c : place(host, &moved.tuple);
	if (!c)
		return false;
	if (!c->alive || moved.state != TW_S_CLOSED ||
		c->state != TW_S_CLOSED) /* not a late packet */
		moved.seen_ns = packet->now_ns;
	*c = moved;
	return true;
}
