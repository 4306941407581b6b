/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/run/player.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"
#include "fastpath/abi/names.h"
#include "sim/scene.h"
#include "tests/run/draft_text.h"

static void print_place(struct tw_player *p, unsigned int line, const char *format, va_list args)
{
	fprintf(p->play->out, "%s:%u: ", p->name, line);
	vfprintf(p->play->out, format, args);
	fputc('\n', p->play->out);
}

int tw_player_wrong(struct tw_player *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_place(p, p->step->line, format, args);
	va_end(args);
	return -EINVAL;
}

int tw_player_fail(struct tw_player *p, const struct tw_step *step, const char *format, ...)
{
	va_list args;

	if (step->path)
		fprintf(p->play->out, "%s:%u: %s: %s\n", p->name, step->line, step->path,
			step->text);
	va_start(args, format);
	print_place(p, step->line, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- port NAME [network=N] [pvid=N] [adopt=SECONDS] [shut] [cut=LEN] [unclaimed=ignore|deny]
 * [watch] ---- */

static int vouch(
	struct tw_player *p, const struct tw_port_change *change, const struct tw_port *port)
{
	struct tw_local_key key = {.network = port->network, .vlan = port->pvid};
	const struct tw_local local = {change->ifindex, change->len_max};

	memcpy(key.mac, port->mac, sizeof(key.mac));
	return p->target->ops->add_local(p->target, &key, &local);
}

static int list_macs(struct tw_player *p)
{
	int err = 0;

	for (size_t i = 0; !err && i < tw_policy_n_vnics(p->policy); i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(p->policy, i);

		if (vnic->has_mac)
			err = p->target->ops->add_mac(p->target, vnic->mac);
	}
	return err;
}

static int apply_change(struct tw_player *p, const struct tw_port_change *change)
{
	struct tw_port port = {0};
	int err;

	if (change->shut)
		return p->target->ops->set_port(p->target, change->ifindex, p->epoch, NULL);
	if (change->has_flags) {
		port.id = (__u16)(1 + change->ifindex - tw_scene_ifindex(0));
		port.network = TW_SCENE_NETWORK;
		port.flags = change->flags;
	} else {
		err = p->target->ops->get_port(p->target, change->ifindex, p->epoch, &port);
		if (err)
			return err;
	}
	if (change->has_network)
		port.network = change->network;
	if (change->has_pvid)
		port.pvid = change->pvid;
	if (change->has_adopt)
		port.adopt_until = change->adopt_until;
	if (change->cut) {
		port.flags |= TW_PORT_F_CUT;
		port.len_max = change->len_max;
		err = vouch(p, change, &port);
		if (err)
			return err;
	}
	if (change->flags & TW_PORT_F_WATCH) {
		err = list_macs(p);
		if (err)
			return err;
	}
	return p->target->ops->set_port(p->target, change->ifindex, p->epoch, &port);
}

int tw_player_reapply(struct tw_player *p)
{
	for (size_t i = 0; i < p->n_changes; i++)
		if (apply_change(p, &p->changes[i]))
			return tw_player_wrong(p, "a port cannot be changed");
	return 0;
}

static int read_change(
	struct tw_player *p, const struct tw_step *step, char *word, struct tw_port_change *change)
{
	char *value = strchr(word, '=');
	uint64_t ns;
	uint32_t number;

	if (value)
		*value++ = '\0';
	if (!strcmp(word, "shut") && !value) {
		change->shut = true;
	} else if (!strcmp(word, "watch") && !value) {
		change->flags |= TW_PORT_F_WATCH;
	} else if (!strcmp(word, "quarantined") && !value) {
		change->has_flags = true;
		change->flags |= TW_PORT_F_QUARANTINED;
	} else if (!strcmp(word, "unclaimed") && value) {
		change->has_flags = true;
		change->flags |= TW_PORT_F_UNCLAIMED;
		if (!strcmp(value, "ignore"))
			change->flags |= TW_PORT_F_OPEN;
		else if (strcmp(value, "deny"))
			return tw_player_wrong(p, "unclaimed= must be ignore or deny");
	} else if (!strcmp(word, "adopt") && value && !tw_word_seconds(value, &ns)) {
		change->has_adopt = true;
		change->adopt_until = (uint32_t)((p->c->start_ns + step->at_ns + ns) >>
						 TW_TICK_SHIFT);
	} else if (!strcmp(word, "cut") && value && !tw_word_number(value, &number)) {
		change->cut = true;
		change->len_max = number;
	} else if (!strcmp(word, "network") && value && !tw_word_number(value, &number)) {
		change->has_network = true;
		change->network = (uint16_t)number;
	} else if (!strcmp(word, "pvid") && value && !tw_word_number(value, &number)) {
		change->has_pvid = true;
		change->pvid = (uint16_t)number;
	} else {
		return tw_player_wrong(p, "a port has no '%s'", word);
	}
	return 0;
}

static int do_port(struct tw_player *p, const struct tw_step *step, char *text)
{
	char *name = tw_word_next(&text);
	struct tw_port_change *change = NULL;
	uint32_t ifindex;
	char *word;
	int err = 0;

	if (!name || tw_player_find_port(p, name, &ifindex))
		return tw_player_wrong(p, "no space for another port");
	for (size_t i = 0; i < p->n_changes; i++)
		if (p->changes[i].ifindex == ifindex)
			change = &p->changes[i];
	if (!change) {
		if (p->n_changes == TW_TARGET_PORTS_MAX)
			return tw_player_wrong(p, "too many ports changed");
		change = &p->changes[p->n_changes++];
		*change = (struct tw_port_change){.ifindex = ifindex};
	}
	while (!err && (word = tw_word_next(&text)))
		err = read_change(p, step, word, change);
	if (!err && p->policy && apply_change(p, change))
		err = tw_player_wrong(p, "the port cannot be changed");
	return err;
}

/* ---- set timeout.STATE=SECONDS, reply-rate=N, reply-burst=N, event-rate=N, event-burst=N,
 * cut-through=0|1, cut-lease=SECONDS ---- */

static int set_timeout(
	struct tw_player *p, struct tw_config *config, const char *state, uint32_t seconds)
{
	for (unsigned int i = 0; i < TW_S__MAX; i++) {
		if (!strcmp(tw_state_name(i), state)) {
			config->timeout[i] = seconds * TW_TICKS_PER_SECOND;
			return 0;
		}
	}
	return tw_player_wrong(p, "no connection state is named '%s'", state);
}

static int do_set(struct tw_player *p, const struct tw_step *step, char *text)
{
	struct tw_config config;
	uint32_t number;
	char *word;

	if (p->target->ops->get_config(p->target, &config))
		return tw_player_wrong(p, "the settings cannot be read");
	while ((word = tw_word_next(&text))) {
		char *value = strchr(word, '=');

		if (!value || tw_word_number(value + 1, &number))
			return tw_player_wrong(p, "a setting must be NAME=NUMBER");
		*value = '\0';
		if (!strncmp(word, "timeout.", 8)) {
			if (set_timeout(p, &config, word + 8, number))
				return -EINVAL;
		} else if (!strcmp(word, "reply-rate")) {
			config.reply_rate = number;
		} else if (!strcmp(word, "reply-burst")) {
			config.reply_burst = number;
		} else if (!strcmp(word, "dhcp-rate")) {
			config.dhcp_rate = number;
		} else if (!strcmp(word, "event-rate")) {
			config.event_rate = number;
		} else if (!strcmp(word, "cut-through")) {
			config.cut_until_ns = number ? UINT64_MAX : 0;
		} else if (!strcmp(word, "cut-lease")) {
			config.cut_until_ns = p->c->start_ns + step->at_ns + number * 1000000000ull;
		} else if (!strcmp(word, "decider")) {
			config.ask_until = number ? (uint32_t)((p->c->start_ns + step->at_ns +
								       number * 1000000000ull) >>
							       TW_TICK_SHIFT) |
							    1
						  : 0;
		} else if (!strcmp(word, "ask-rate")) {
			config.ask_rate = number;
		} else if (!strcmp(word, "ask-quota")) {
			config.ask_quota = number;
		} else if (!strcmp(word, "event-burst")) {
			config.event_burst = number;
		} else {
			return tw_player_wrong(p, "no setting is named '%s'", word);
		}
	}
	return p->target->ops->set_config(p->target, &config)
		       ? tw_player_wrong(p, "the settings cannot be written")
		       : 0;
}

/* ---- check flow|flows|hits|packets|reason ---- */

struct flow_query {
	struct tw_addr from;
	struct tw_addr to;
	__be16 from_port;
	__be16 to_port;
	uint8_t proto;
	uint32_t now;
	struct tw_config config;
	size_t n_live;
	size_t n_found;
	struct tw_conn conn;
};

static void look_at_conn(void *arg, const struct tw_key *key, const struct tw_conn *conn)
{
	struct flow_query *q = arg;
	bool hi = conn->progress.flags & TW_CONN_F_ORIGIN_HI;

	if (q->now - conn->seen > q->config.timeout[conn->progress.state % 16])
		return;
	q->n_live++;
	if (key->proto != q->proto || memcmp(hi ? &key->hi : &key->lo, &q->from, 16) ||
		memcmp(hi ? &key->lo : &key->hi, &q->to, 16) ||
		(hi ? key->hi_port : key->lo_port) != q->from_port ||
		(hi ? key->lo_port : key->hi_port) != q->to_port)
		return;
	q->n_found++;
	q->conn = *conn;
}

/* ADDRESS:PORT, with an IPv6 address in brackets. */
static int read_endpoint(
	struct tw_player *p, char *word, struct tw_addr *ret_addr, __be16 *ret_port)
{
	char *colon = word ? strrchr(word, ':') : NULL;
	uint32_t port;

	if (!colon || tw_word_number(colon + 1, &port))
		return tw_player_wrong(p, "an end of a flow must be ADDRESS:PORT");
	*colon = '\0';
	if (*word == '[') {
		word++;
		word[strcspn(word, "]")] = '\0';
	}
	if (tw_addr_parse(word, ret_addr))
		return tw_player_wrong(p, "'%s' is not an address", word);
	*ret_port = htons((uint16_t)port);
	return 0;
}

static int query(struct tw_player *p, const struct tw_step *step, struct flow_query *q)
{
	q->now = (uint32_t)((p->c->start_ns + step->at_ns) >> TW_TICK_SHIFT);
	if (p->target->ops->get_config(p->target, &q->config) ||
		p->target->ops->each_conn(p->target, look_at_conn, q))
		return tw_player_wrong(p, "the connections cannot be read");
	return 0;
}

static int compare_flow(
	struct tw_player *p, const struct tw_step *step, const struct flow_query *q, char *word)
{
	char *value = strchr(word, '=');
	uint64_t got;
	uint32_t number;

	if (!value)
		return tw_player_wrong(p, "a flow has no '%s'", word);
	*value++ = '\0';
	if (!strcmp(word, "state"))
		return strcmp(tw_state_name(q->conn.progress.state), value)
			       ? tw_player_fail(p, step, "state is %s, expected %s",
					 tw_state_name(q->conn.progress.state), value)
			       : 0;
	if (tw_word_number(value, &number))
		return tw_player_wrong(p, "not a number: '%s'", value);
	if (!strcmp(word, "original"))
		got = q->conn.packets[TW_WAY_ORIGINAL];
	else if (!strcmp(word, "reply"))
		got = q->conn.packets[TW_WAY_REPLY];
	else if (!strcmp(word, "original-bytes"))
		got = q->conn.bytes[TW_WAY_ORIGINAL];
	else if (!strcmp(word, "reply-bytes"))
		got = q->conn.bytes[TW_WAY_REPLY];
	else if (!strcmp(word, "records"))
		got = q->n_found;
	else
		return tw_player_wrong(p, "a flow has no '%s'", word);
	if (got != number)
		return tw_player_fail(
			p, step, "%s is %llu, expected %u", word, (unsigned long long)got, number);
	return 0;
}

static int check_flow(struct tw_player *p, const struct tw_step *step, char *text)
{
	struct flow_query q = {0};
	char *proto = tw_word_next(&text);
	char *from = tw_word_next(&text);
	char *arrow = tw_word_next(&text);
	char *to = tw_word_next(&text);
	uint32_t number = 0;
	char *word;
	int err;

	if (!proto || !from || !arrow || strcmp(arrow, ">") || !to)
		return tw_player_wrong(p, "check flow PROTO A:P > B:P …");
	if (!strcmp(proto, "tcp"))
		number = 6;
	else if (!strcmp(proto, "udp"))
		number = 17;
	else if (tw_word_number(proto, &number))
		return tw_player_wrong(p, "not a protocol: '%s'", proto);
	q.proto = (uint8_t)number;
	if (read_endpoint(p, from, &q.from, &q.from_port) ||
		read_endpoint(p, to, &q.to, &q.to_port))
		return -EINVAL;
	err = query(p, step, &q);
	if (err)
		return err;
	word = tw_word_next(&text);
	if (word && !strcmp(word, "none"))
		return q.n_found ? tw_player_fail(p, step, "the connection exists") : 0;
	if (!q.n_found)
		return tw_player_fail(p, step, "no such connection");
	for (; word && !err; word = tw_word_next(&text))
		err = compare_flow(p, step, &q, word);
	return err;
}

static int compare_count(struct tw_player *p, const struct tw_step *step, const char *what,
	uint64_t got, const char *expected)
{
	uint32_t number;

	if (!expected || tw_word_number(expected, &number))
		return tw_player_wrong(p, "this line must end with a number");
	if (got != number)
		return tw_player_fail(
			p, step, "%s: %llu, expected %u", what, (unsigned long long)got, number);
	return 0;
}

static int check_rule(struct tw_player *p, const struct tw_step *step, const char *name, bool hits,
	const char *expected)
{
	for (size_t i = 0; i <= tw_policy_n_rules(p->policy); i++) {
		struct tw_rule_count count;

		if (strcmp(tw_policy_rule(p->policy, i)->name, name))
			continue;
		if (p->target->ops->rule_count(p->target, (uint32_t)i, &count) < 0)
			return tw_player_wrong(p, "the counters of '%s' cannot be read", name);
		return compare_count(p, step, name, hits ? count.hits : count.packets, expected);
	}
	return tw_player_wrong(p, "no rule is named '%s'", name);
}

static int do_check(struct tw_player *p, const struct tw_step *step, char *text)
{
	char *what = tw_word_next(&text);
	struct flow_query q = {0};
	char *name, *dir;

	if (!what)
		return tw_player_wrong(p, "check flow, flows, hits, packets or reason");
	if (!strcmp(what, "flow"))
		return check_flow(p, step, text);
	if (!strcmp(what, "flows"))
		return query(p, step, &q) ? -EINVAL
					  : compare_count(p, step, "live connections", q.n_live,
						    tw_word_next(&text));
	name = tw_word_next(&text);
	if (!name)
		return tw_player_wrong(p, "check flow, flows, hits, packets or reason");
	if (!strcmp(what, "hits") || !strcmp(what, "packets"))
		return check_rule(p, step, name, *what == 'h', tw_word_next(&text));
	dir = tw_word_next(&text);
	if (strcmp(what, "reason") || tw_reason_from_name(name) < 0 || !dir)
		return tw_player_wrong(p, "check reason NAME out|in N");
	return compare_count(p, step, name,
		p->target->ops->reason_count(p->target, (enum tw_reason)tw_reason_from_name(name),
			strcmp(dir, "out") ? TW_DIR_IN : TW_DIR_OUT),
		tw_word_next(&text));
}

/* ---- answer RULE allow|deny [connection|pair|policy] [SECONDS] ---- */

static long rule_index(const struct tw_player *p, const char *name)
{
	for (size_t i = 0; i <= tw_policy_n_rules(p->policy); i++)
		if (!strcmp(tw_policy_rule(p->policy, i)->name, name))
			return (long)i;
	return -1;
}

static int do_answer(struct tw_player *p, const struct tw_step *step, char *text)
{
	static const char *const scopes[] = {"connection", "pair", "policy"};
	uint32_t now = (uint32_t)((p->c->start_ns + step->at_ns) >> TW_TICK_SHIFT), seconds = 10;
	char *name = tw_word_next(&text), *verdict = tw_word_next(&text), *word;
	long rule = name ? rule_index(p, name) : -1;
	unsigned int scope = 0;
	int n;

	if (rule < 0 || !verdict || (strcmp(verdict, "allow") && strcmp(verdict, "deny")))
		return tw_player_wrong(
			p, "answer RULE allow|deny [connection|pair|policy] [SECONDS]");
	while ((word = tw_word_next(&text))) {
		for (unsigned int i = 0; i < TW_ASK__MAX; i++)
			if (!strcmp(word, scopes[i]))
				scope = i;
		if (strcmp(word, scopes[scope]) && tw_word_number(word, &seconds))
			return tw_player_wrong(p, "no scope and no number: '%s'", word);
	}
	n = p->target->ops->answer(p->target, (uint32_t)rule,
		strcmp(verdict, "allow") ? TW_V_DENY : TW_V_ALLOW, (enum tw_ask_scope)scope,
		&(struct tw_answer){.word = now,
			.until = now + seconds * TW_TICKS_PER_SECOND,
			.epoch = p->epoch});
	if (n == -EXDEV)
		return tw_player_fail(p, step, "the targets ask different questions");
	return n > 0 ? 0 : tw_player_fail(p, step, "no question of '%s' is open", name);
}

int tw_player_do(struct tw_player *p, const struct tw_step *step)
{
	tw_autofree char *text = tw_strdup(step->text);

	if (!text)
		return -ENOMEM;
	if (step->kind == TW_STEP_PORT)
		return do_port(p, step, text);
	if (!p->policy)
		return tw_player_wrong(p, "a policy must come first");
	if (step->kind == TW_STEP_ANSWER)
		return do_answer(p, step, text);
	return step->kind == TW_STEP_SET ? do_set(p, step, text) : do_check(p, step, text);
}
