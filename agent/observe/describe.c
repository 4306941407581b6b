/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/describe.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/observe/journal.h"
#include "agent/observe/telemetry.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ports/uplinks.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "agent/state/slots.h"
#include "agent/ticks.h"
#include "base/clock.h"
#include "base/mac.h"
#include "fastpath/abi/names.h"

/* Messages in generated code have non-const strings, but these are only read. */
#define TEXT(text) ((char *)(uintptr_t)(text))

/* Returns a port of the network and VLAN of a key, or NULL. */
static const struct tw_agent_port *port_in(
	const struct tw_telemetry *telemetry, const struct tw_key *key)
{
	tw_vec_foreach (&telemetry->host->ports->list, port)
		if ((*port)->vnic && (*port)->network == key->network && (*port)->vlan == key->vlan)
			return *port;
	return NULL;
}

/* Returns the name of the workload that has an address in the network of a key. */
static const char *owner_of(
	const struct tw_telemetry *telemetry, const struct tw_key *key, const struct tw_addr *addr)
{
	const struct tw_inforce *inforce = telemetry->enforcement->inforce;
	const struct tw_agent_port *port;
	const struct tw_vnic *vnic;

	if (!inforce)
		return "";
	port = tw_policy_n_spaces(inforce->policy) > 1 ? port_in(telemetry, key) : NULL;
	vnic = port ? tw_policy_find_owner_in(inforce->policy, port->vnic->space, addr)
		    : tw_policy_find_owner(inforce->policy, addr);
	return vnic ? vnic->workload : "";
}

static const struct tw_addr *end_of(const struct tw_key *key, bool from_hi, enum tw_dir end)
{
	return from_hi == (end == TW_DIR_OUT) ? &key->hi : &key->lo;
}

/* Fills in both ends. `names` are the workloads of both. */
static void describe_ends(const struct tw_key *key, bool from_hi,
	const char *const names[TW_DIR__MAX], struct tw_described_ends *ret)
{
	bool icmp = key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6;
	const struct tw_addr *from = end_of(key, from_hi, TW_DIR_OUT);
	const struct tw_addr *to = end_of(key, from_hi, TW_DIR_IN);

	tapwall__v1__end__init(&ret->from);
	tapwall__v1__end__init(&ret->to);
	ret->from.address = TEXT(tw_addr_format(from, ret->from_text));
	ret->to.address = TEXT(tw_addr_format(to, ret->to_text));
	ret->from.workload = TEXT(names[TW_DIR_OUT]);
	ret->to.workload = TEXT(names[TW_DIR_IN]);
	ret->from.port = ntohs(from_hi ? key->hi_port : key->lo_port);
	/* For ICMP the key has type and code in this field; the message has its own field for
	 * them. */
	ret->to.port = icmp ? 0 : ntohs(from_hi ? key->lo_port : key->hi_port);
}

const char *tw_describe_rule(const struct tw_telemetry *telemetry, uint32_t decision)
{
	uint32_t number = tw_decision_rule(decision);
	const char *key = tw_slots_name(telemetry->enforcement->slots, number);
	long rule = tw_slots_rule(telemetry->enforcement->slots, number);

	if (rule >= 0 && telemetry->enforcement->inforce)
		return tw_policy_rule(telemetry->enforcement->inforce->policy, (size_t)rule)->name;
	return key ? key : "?";
}

/* Returns the name of a gate's rule, or NULL if it has none. */
static const char *gate_rule(const struct tw_telemetry *telemetry, uint64_t gate)
{
	uint32_t decision = tw_gate_decision(gate);

	return decision ? tw_describe_rule(telemetry, decision) : NULL;
}

static Tapwall__V1__Gate *describe_gate(uint64_t gate, const char *rule, Tapwall__V1__Gate *ret)
{
	uint32_t decision = tw_gate_decision(gate);

	if (!decision)
		return NULL;
	tapwall__v1__gate__init(ret);
	ret->verdict = TEXT(tw_verdict_name(tw_decision_report(decision)));
	ret->rule = TEXT(rule ? rule : "?");
	return ret;
}

/* Returns the application's name, or "". */
static const char *app_of(const __u64 gate[TW_DIR__MAX])
{
	uint32_t app = tw_decision_app(tw_gate_decision(gate[TW_DIR_OUT]));
	const char *name;

	if (!app)
		app = tw_decision_app(tw_gate_decision(gate[TW_DIR_IN]));
	name = tw_app_name(app);
	return name ? name : "";
}

void tw_describe_flow(const struct tw_telemetry *telemetry, const struct tw_key *key,
	const struct tw_conn *conn, uint32_t now_tick, struct tw_described_flow *ret)
{
	const char *network = tw_ports_network_name(telemetry->host->ports, key->network);
	bool from_hi = conn->progress.flags & TW_CONN_F_ORIGIN_HI;
	const char *names[TW_DIR__MAX] = {
		[TW_DIR_OUT] = owner_of(telemetry, key, end_of(key, from_hi, TW_DIR_OUT)),
		[TW_DIR_IN] = owner_of(telemetry, key, end_of(key, from_hi, TW_DIR_IN))};
	Tapwall__V1__Flow *flow = &ret->flow;

	tapwall__v1__flow__init(flow);
	describe_ends(key, from_hi, names, &ret->ends);
	flow->from = &ret->ends.from;
	flow->to = &ret->ends.to;
	flow->proto = TEXT(tw_event_row_proto(key->proto, ret->ends.proto));
	flow->state = TEXT(tw_state_name(conn->progress.state));
	flow->packets_out = conn->packets[TW_WAY_ORIGINAL];
	flow->packets_in = conn->packets[TW_WAY_REPLY];
	flow->bytes_out = conn->bytes[TW_WAY_ORIGINAL];
	flow->bytes_in = conn->bytes[TW_WAY_REPLY];
	flow->age_s = tw_ticks_seconds(tw_ticks_since(now_tick, conn->created));
	flow->idle_s = tw_ticks_seconds(tw_ticks_since(now_tick, conn->seen));
	flow->out = describe_gate(conn->gate[TW_DIR_OUT],
		gate_rule(telemetry, conn->gate[TW_DIR_OUT]), &ret->gate[TW_DIR_OUT]);
	flow->in = describe_gate(conn->gate[TW_DIR_IN], gate_rule(telemetry, conn->gate[TW_DIR_IN]),
		&ret->gate[TW_DIR_IN]);
	if (network)
		snprintf(ret->network, sizeof(ret->network), "%s", network);
	else
		snprintf(ret->network, sizeof(ret->network), "network %u", key->network);
	flow->network = ret->network;
	flow->vlan = (uint16_t)key->vlan;
	flow->application = TEXT(app_of(conn->gate));
	if (key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6)
		flow->icmp_type = conn->progress.icmp_type;
	else
		flow->adopted = conn->progress.flags & TW_CONN_F_ADOPTED;
}

void tw_describe_asked(const struct tw_telemetry *telemetry, const struct tw_ask_key *about,
	struct tw_described_flow *ret)
{
	struct tw_key key = {.lo = about->src,
		.hi = about->dst,
		.lo_port = about->sport,
		.hi_port = about->dport,
		.network = about->network};
	struct tw_conn conn = {.progress = {.icmp_type = ntohs(about->dport)}};

	key.w[TW_KEY_WORDS - 1] = about->tags;
	tw_describe_flow(telemetry, &key, &conn, tw_ticks_now(), ret);
}

static bool has_tuple(const struct tw_key *key)
{
	static const struct tw_key none;

	return memcmp(key, &none, sizeof(none)) != 0;
}

/* Returns the name of a port or of another port of a bridge; "" for any other interface. */
static const char *interface_name(const struct tw_telemetry *telemetry, uint32_t ifindex)
{
	const struct tw_agent_port *port = tw_ports_find(telemetry->host->ports, ifindex);

	if (port)
		return port->name;
	tw_vec_foreach (&telemetry->host->uplinks->rows, row)
		if (row->ifindex == ifindex)
			return row->name;
	return "";
}

/* Returns the name of the connection's other port: the one for which the event was not reported. */
static uint32_t name_other_port(const struct tw_telemetry *telemetry, const struct tw_event *event)
{
	uint32_t id = tw_ports_at(event->ports, !event->outcome.dir);
	const struct tw_agent_port *port = id ? tw_ports_by_id(telemetry->host->ports, (uint16_t)id)
					      : NULL;

	return tw_journal_name(telemetry->journal, port ? port->name : NULL);
}

/* Returns the decision to report: one of either end that would deny; if there is none, that of the
 * event's port. */
static uint32_t decision_of(const struct tw_event *event)
{
	const struct tw_outcome *outcome = &event->outcome;

	for (int dir = 0; dir < TW_DIR__MAX && !(outcome->decision & TW_DECISION_OBSERVED); dir++) {
		uint32_t decision = tw_gate_decision(outcome->gate[dir]);

		if (outcome->verdict == TW_V_ALLOW && decision & TW_DECISION_OBSERVED)
			return decision;
	}
	return outcome->decision;
}

void tw_describe_names(const struct tw_telemetry *telemetry, const struct tw_event *event,
	struct tw_event_names *ret)
{
	uint32_t ifindex = event->kind == TW_EVENT_CLOSE ? 0 : event->ifindex;
	/* A shut port has no entry, and so no id in the event. */
	const struct tw_agent_port *port = event->port_id
						   ? tw_ports_by_id(
							     telemetry->host->ports, event->port_id)
						   : tw_ports_find(telemetry->host->ports, ifindex);
	bool from_hi = event->conn_flags & TW_CONN_F_ORIGIN_HI;
	struct tw_journal *journal = telemetry->journal;

	*ret = (struct tw_event_names){0};
	ret->port = tw_journal_name(
		journal, port ? port->name : interface_name(telemetry, ifindex));
	if (port && port->vnic)
		ret->workload = tw_journal_name(journal, port->vnic->workload);
	if (event->kind == TW_EVENT_CLOSE)
		ret->other_port = name_other_port(telemetry, event);
	if (event->kind == TW_EVENT_DENY && event->outcome.dir == TW_DIR_IN)
		ret->entered_by = tw_journal_name(
			journal, interface_name(telemetry, event->frame.origin));
	if (event->outcome.decision)
		ret->rule = tw_journal_name(
			journal, tw_describe_rule(telemetry, decision_of(event)));
	for (int dir = 0; dir < TW_DIR__MAX; dir++) {
		ret->gate_rule[dir] = tw_journal_name(
			journal, gate_rule(telemetry, event->outcome.gate[dir]));
		if (has_tuple(&event->key))
			ret->end[dir] = tw_journal_name(
				journal, owner_of(telemetry, &event->key,
						 end_of(&event->key, from_hi, dir)));
	}
}

const struct tw_event_names *tw_describe_names_of(
	const struct tw_telemetry *telemetry, uint64_t number)
{
	const struct tw_journal_record *record = tw_journal_at(telemetry->journal, number);
	struct tw_event_names names;

	if (!record->named) {
		tw_describe_names(telemetry, &record->event, &names);
		tw_journal_settle(telemetry->journal, number, &names);
	}
	return &record->names;
}

/* ---- rows ---- */

enum tw_event_row_kind tw_describe_kind(const struct tw_event *event)
{
	switch (event->kind) {
	case TW_EVENT_OPEN:
		return TW_EVENT_ROW_OPEN;
	case TW_EVENT_CLOSE:
		return TW_EVENT_ROW_CLOSE;
	default:
		return TW_EVENT_ROW_DENY;
	}
}

/* True if a port of an ended connection is gone, or if all its ports have left its bridge. */
static bool has_lost_port(const struct tw_telemetry *telemetry, const struct tw_event *event)
{
	bool left = true;

	for (unsigned int end = 0; end < TW_DIR__MAX; end++) {
		uint16_t id = (uint16_t)tw_ports_at(event->ports, end);
		const struct tw_agent_port *port = id ? tw_ports_by_id(telemetry->host->ports, id)
						      : NULL;

		if (id && !port)
			return true;
		left &= !id || port->network != event->key.network;
	}
	return left;
}

/* Returns why a frame was judged as it was, or why a connection ended. */
static __u32 reason_of(const struct tw_telemetry *telemetry, const struct tw_event *event)
{
	if (event->kind != TW_EVENT_CLOSE || !(event->conn_flags & TW_CONN_F_GONE))
		return tw_outcome_reason(&event->outcome);
	return has_lost_port(telemetry, event) ? TW_R_PORT_GONE : TW_R_REMOVED;
}

/* Returns the state of the connection in words; "" if there is none. */
static const char *state_of(const struct tw_event *event)
{
	if (event->outcome.tracked)
		return tw_state_name(event->outcome.state);
	return event->kind == TW_EVENT_OPEN ? "untracked" : "";
}

static void fill_ends(
	struct tw_journal *journal, const struct tw_event *event, struct tw_event_row *ret)
{
	const struct tw_key *key = &event->key;
	bool from_hi = event->conn_flags & TW_CONN_F_ORIGIN_HI;
	bool icmp = key->proto == IPPROTO_ICMP || key->proto == IPPROTO_ICMPV6;

	if (!has_tuple(key))
		return;
	ret->has_ends = 1;
	ret->proto = (uint8_t)key->proto;
	memcpy(ret->from, end_of(key, from_hi, TW_DIR_OUT), sizeof(ret->from));
	memcpy(ret->to, end_of(key, from_hi, TW_DIR_IN), sizeof(ret->to));
	ret->from_port = ntohs(from_hi ? key->hi_port : key->lo_port);
	/* For ICMP the key has type and code in this field; the row has its own field for them. */
	ret->to_port = icmp ? 0 : ntohs(from_hi ? key->lo_port : key->hi_port);
	ret->state = tw_journal_name(journal, state_of(event));
}

static void fill_frame(const struct tw_event *event, struct tw_event_row *ret)
{
	const struct tw_event_frame *frame = &event->frame;

	memcpy(ret->src_mac, frame->src_mac, sizeof(ret->src_mac));
	memcpy(ret->dst_mac, frame->dst_mac, sizeof(ret->dst_mac));
	ret->len = frame->len;
	/* A frame refused before TCP was parsed has no flags. */
	if (event->kind != TW_EVENT_DENY || event->key.proto != IPPROTO_TCP || !event->tcp_flags)
		return;
	ret->tcp_flags = event->tcp_flags;
	ret->tcp_seq = frame->seq;
	ret->tcp_ack = frame->ack;
	ret->tcp_window = frame->window;
}

static void fill_sums(
	const struct tw_event *event, const struct tw_event_names *names, struct tw_event_row *ret)
{
	const struct tw_event_sums *sums = &event->sums;
	/* The time of the last packet is lost if the agent ended the connection (tw_conns_expire()). */
	bool ended = event->conn_flags & TW_CONN_F_GONE;
	uint32_t idle = (int32_t)sums->idle < 0 || ended ? 0 : sums->idle;
	bool in = event->outcome.dir == TW_DIR_IN;

	ret->packets_out = sums->packets[TW_WAY_ORIGINAL];
	ret->packets_in = sums->packets[TW_WAY_REPLY];
	ret->bytes_out = sums->bytes[TW_WAY_ORIGINAL];
	ret->bytes_in = sums->bytes[TW_WAY_REPLY];
	ret->age_ns = (uint64_t)sums->age << TW_TICK_SHIFT;
	ret->first_ns = ret->time_ns - ret->age_ns;
	ret->last_ns = ret->time_ns - ((uint64_t)idle << TW_TICK_SHIFT);
	ret->out_port = in ? names->other_port : names->port;
	ret->in_port = in ? names->port : names->other_port;
}

static void fill_names(const struct tw_event_names *names, struct tw_event_row *ret)
{
	ret->rule = names->rule;
	ret->port = names->port;
	ret->workload = names->workload;
	ret->from_workload = names->end[TW_DIR_OUT];
	ret->to_workload = names->end[TW_DIR_IN];
	ret->out_rule = names->gate_rule[TW_DIR_OUT];
	ret->in_rule = names->gate_rule[TW_DIR_IN];
	ret->entered_by = names->entered_by;
}

static uint8_t gate_verdict(uint64_t gate)
{
	return (uint8_t)tw_decision_report(tw_gate_decision(gate));
}

static void fill_row(const struct tw_telemetry *telemetry, const struct tw_event *event,
	const struct tw_event_names *names, int64_t unix_ns, struct tw_event_row *ret)
{
	const struct tw_outcome *outcome = &event->outcome;

	*ret = (struct tw_event_row){
		.time_ns = event->time_ns + (uint64_t)unix_ns,
		.kind = (uint8_t)tw_describe_kind(event),
		.verdict = (uint8_t)tw_outcome_report(outcome),
		.direction = outcome->dir,
		.reason = tw_journal_name(
			telemetry->journal, tw_reason_name(reason_of(telemetry, event))),
		.icmp_type = event->icmp_type,
		.ethertype = ntohs(event->ethertype),
		.vlan = event->vlan,
		.out_verdict = gate_verdict(outcome->gate[TW_DIR_OUT]),
		.in_verdict = gate_verdict(outcome->gate[TW_DIR_IN]),
	};
	fill_names(names, ret);
	fill_ends(telemetry->journal, event, ret);
	if (event->kind == TW_EVENT_CLOSE)
		fill_sums(event, names, ret);
	else
		fill_frame(event, ret);
}

void tw_describe_row(
	const struct tw_telemetry *telemetry, uint64_t number, struct tw_event_row *ret)
{
	const struct tw_journal_record *record = tw_journal_at(telemetry->journal, number);
	const struct tw_event_names *names = tw_describe_names_of(telemetry, number);

	fill_row(telemetry, &record->event, names, record->unix_ns, ret);
	ret->number = number;
	ret->lost_before = record->lost_before;
	ret->notable = record->notable;
}

void tw_describe_live(const struct tw_telemetry *telemetry, const struct tw_event *event,
	int64_t unix_ns, struct tw_event_row *ret)
{
	struct tw_event_names names;

	tw_describe_names(telemetry, event, &names);
	fill_row(telemetry, event, &names, unix_ns, ret);
	ret->kind = TW_EVENT_ROW_LIVE;
}

/* True if the rule that decided says `log: false`. */
static bool is_quiet(const struct tw_telemetry *telemetry, uint32_t decision)
{
	long rule = decision && telemetry->enforcement->inforce
			    ? tw_slots_rule(
				      telemetry->enforcement->slots, tw_decision_rule(decision))
			    : -1;

	return rule >= 0 &&
	       tw_policy_rule(telemetry->enforcement->inforce->policy, (size_t)rule)->quiet;
}

bool tw_describe_is_notable(const struct tw_telemetry *telemetry, const struct tw_event *event)
{
	const struct tw_outcome *outcome = &event->outcome;

	if (event->kind == TW_EVENT_DENY ||
		(event->kind == TW_EVENT_OPEN && tw_outcome_report(outcome) == TW_V_WOULD_DENY))
		return !is_quiet(telemetry, decision_of(event));
	return (outcome->decision | tw_gate_decision(outcome->gate[TW_DIR_OUT]) |
		       tw_gate_decision(outcome->gate[TW_DIR_IN])) &
	       TW_DECISION_LOG;
}
