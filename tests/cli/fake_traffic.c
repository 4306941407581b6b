/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fake_traffic.c: the connections, denials, frames and rates that the agent of the tests tells, and the past
 * ones that tapwall-slowd would. */
#include "tests/cli/fake.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "fastpath/abi/types.h"
#include "link/event_writer.h"

static Tapwall__V1__End web_1 = {PROTOBUF_C_MESSAGE_INIT(&tapwall__v1__end__descriptor),
	.address = "10.0.0.11", .port = 40000, .workload = "web-1"};
static Tapwall__V1__End db_1 = {PROTOBUF_C_MESSAGE_INIT(&tapwall__v1__end__descriptor),
	.address = "10.0.0.21", .port = 5432, .workload = "db-1"};
static Tapwall__V1__End web_6 = {PROTOBUF_C_MESSAGE_INIT(&tapwall__v1__end__descriptor),
	.address = "fd00::11", .port = 443, .workload = "web-1"};
static Tapwall__V1__End user_6 = {PROTOBUF_C_MESSAGE_INIT(&tapwall__v1__end__descriptor),
	.address = "2001:db8:20::7", .port = 51515, .workload = ""};
static Tapwall__V1__End web_ping = {PROTOBUF_C_MESSAGE_INIT(&tapwall__v1__end__descriptor),
	.address = "10.0.0.11", .port = 7, .workload = "web-1"};
static Tapwall__V1__End gateway = {PROTOBUF_C_MESSAGE_INIT(&tapwall__v1__end__descriptor),
	.address = "10.0.0.1", .port = 0, .workload = ""};

/* ---- present ---- */

static void tell_flow(struct tw_fake *teller, Tapwall__V1__Flow *flow)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_FLOW;
	response.flow = flow;
	tw_fake_send(teller, &response, false);
}

void tw_fake_flows(struct tw_fake *teller)
{
	Tapwall__V1__Gate to_db = TAPWALL__V1__GATE__INIT, users = TAPWALL__V1__GATE__INIT;
	Tapwall__V1__Flow db = TAPWALL__V1__FLOW__INIT, user = TAPWALL__V1__FLOW__INIT,
			  ping = TAPWALL__V1__FLOW__INIT;

	to_db.verdict = users.verdict = "allow";
	to_db.rule = "web-to-db";
	users.rule = "users-to-web";
	db.proto = user.proto = "tcp";
	db.network = user.network = ping.network = "br0";
	db.from = &web_1;
	db.to = &db_1;
	db.state = "established";
	db.packets_out = 1200;
	db.packets_in = 1100;
	db.bytes_out = 98304;
	db.bytes_in = 1500000;
	db.age_s = 2 * HOUR;
	db.idle_s = 61;
	db.out = db.in = &to_db;
	db.vlan = 20;
	db.adopted = true;
	db.application = (char *)"postgresql";
	user.from = &user_6;
	user.to = &web_6;
	user.state = "syn-sent";
	user.packets_out = 1;
	user.bytes_out = 74;
	user.age_s = user.idle_s = 0.5;
	user.in = &users;
	ping.proto = "icmp";
	ping.from = &web_ping;
	ping.to = &gateway;
	ping.icmp_type = 8 << 8;
	ping.state = "icmp";
	ping.packets_out = ping.packets_in = 3;
	ping.bytes_out = ping.bytes_in = 294;
	ping.age_s = 3;
	ping.idle_s = 1;
	ping.out = &to_db;
	if (!teller->empty) {
		tell_flow(teller, &db);
		tell_flow(teller, &user);
		tell_flow(teller, &ping);
	}
	tw_fake_send_last(teller);
}

static void tell_rule(struct tw_fake *teller, Tapwall__V1__Rule *rule)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_RULE;
	response.rule = rule;
	tw_fake_send(teller, &response, false);
}

void tw_fake_rules(struct tw_fake *teller)
{
	Tapwall__V1__Rule first = TAPWALL__V1__RULE__INIT, last = TAPWALL__V1__RULE__INIT;

	first.name = "web-to-db";
	first.action = "allow";
	first.hits = 12345;
	first.packets = 9876543;
	first.bytes = 7000000000;
	first.last_hit_s = 0.2;
	first.line = 17;
	first.text = "from: web, to: db, service: tcp/5432";
	last.name = "default";
	last.action = "deny";
	last.last_hit_s = -1;
	if (!teller->empty) {
		tell_rule(teller, &first);
		tell_rule(teller, &last);
	}
	tw_fake_send_last(teller);
}

static void tell_counter(
	struct tw_fake *teller, char *reason, char *text, uint64_t out, uint64_t in)
{
	Tapwall__V1__Counter counter = TAPWALL__V1__COUNTER__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	counter.reason = reason;
	counter.text = text;
	counter.out = out;
	counter.in = in;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_COUNTER;
	response.counter = &counter;
	tw_fake_send(teller, &response, false);
}

void tw_fake_counters(struct tw_fake *teller)
{
	bool some = !teller->empty;

	tell_counter(teller, "policy", "a rule, or the default, decided the connection",
		some * 1000, some * 23);
	tell_counter(teller, "truncated", "the frame ends inside a header", 0, 0);
	tell_counter(teller, "spoofed-mac", "source MAC is not the workload's", some * 5, 0);
	tw_fake_send_last(teller);
}

static void tell_log_state(struct tw_fake *teller)
{
	Tapwall__V1__LogState state = TAPWALL__V1__LOG_STATE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	state.since = 1700000000.25;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_LOG_STATE;
	response.log_state = &state;
	tw_fake_send(teller, &response, true);
}

static uint32_t name(struct tw_dictionary *names, const char *text)
{
	return tw_dictionary_intern(names, text);
}

static void tell_rows(struct tw_fake *teller, const struct tw_event_row *rows, size_t n,
	struct tw_dictionary *names)
{
	static struct tw_event_writer writer;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__EventBatch batch = TAPWALL__V1__EVENT_BATCH__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_EVENTS;
	response.events = &batch;
	for (size_t i = 0; i <= n; i++) {
		if (i < n && tw_event_writer_add(&writer, &rows[i]))
			continue;
		tw_event_writer_take(&writer, names, i + 1, &batch);
		tw_fake_send(teller, &response, i == n);
		if (i < n)
			tw_event_writer_add(&writer, &rows[i]);
	}
	tw_event_writer_done(&writer);
}

void tw_fake_events(struct tw_fake *teller)
{
	struct tw_dictionary names = {0};
	struct tw_event_row deny = {.number = 1,
		.kind = TW_EVENT_ROW_DENY,
		.time_ns = 1700000000250000000,
		.verdict = TW_V_REJECT,
		.reason = name(&names, "policy"),
		.rule = name(&names, "no-telnet"),
		.workload = name(&names, "web-1"),
		.port = name(&names, "tap-web1"),
		.has_ends = 1,
		.proto = IPPROTO_TCP,
		.from = {[10] = 0xff, 0xff, 10, 0, 0, 11},
		.from_port = 40000,
		.from_workload = name(&names, "web-1"),
		.to = {[10] = 0xff, 0xff, 10, 0, 0, 21},
		.to_port = 5432,
		.to_workload = name(&names, "db-1"),
		.out_verdict = TW_V_REJECT,
		.out_rule = name(&names, "no-telnet"),
		.src_mac = {0x52, 0x54, 0, 0, 0, 1},
		.dst_mac = {0x52, 0x54, 0, 0, 0, 2},
		.len = 74};
	struct tw_event_row kept_out = deny, close = deny, late = deny;
	const struct tw_event_row strange = {.number = 5,
		.kind = TW_EVENT_ROW_DENY,
		.time_ns = 1700000001000000000,
		.verdict = TW_V_DENY,
		.reason = name(&names, "not-ip"),
		.port = name(&names, "tap9"),
		.src_mac = {0x52, 0x54, 0, 0, 0, 9},
		.dst_mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		.ethertype = 0x88cc};

	kept_out.number = 2;
	kept_out.verdict = kept_out.in_verdict = TW_V_DENY;
	kept_out.rule = kept_out.in_rule = name(&names, "db-in");
	kept_out.workload = name(&names, "db-1");
	kept_out.port = name(&names, "tap-db1");
	kept_out.direction = TW_DIR_IN;
	kept_out.out_verdict = close.out_verdict = close.in_verdict = TW_V_ALLOW;
	kept_out.out_rule = close.out_rule = close.in_rule = name(&names, "web-to-db");
	close.number = 3;
	close.kind = TW_EVENT_ROW_CLOSE;
	close.verdict = TW_V_ALLOW;
	close.rule = name(&names, "web-to-db");
	close.state = name(&names, "time-wait");
	close.packets_out = 10;
	close.packets_in = 8;
	close.bytes_out = 2000;
	close.bytes_in = 64000;
	close.age_ns = 75000000000;
	close.lost_before = 12;
	late.number = 4;
	late.verdict = TW_V_DENY;
	late.reason = name(&names, "tcp-window");
	late.rule = late.out_verdict = 0;
	late.tcp_flags = 0x10;
	late.tcp_seq = 4294967295;
	late.tcp_ack = 7;
	late.tcp_window = 502;
	if (teller->empty)
		tell_log_state(teller);
	else
		tell_rows(teller,
			(const struct tw_event_row[]){deny, kept_out, close, late, strange}, 5,
			&names);
	tw_dictionary_clear(&names);
}

static void tell_frame(struct tw_fake *teller, Tapwall__V1__CapturedFrame *frame)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_FRAME;
	response.frame = frame;
	tw_fake_send(teller, &response, false);
}

static void tell_capture_state(struct tw_fake *teller, size_t n_ports, uint64_t lost, bool last)
{
	Tapwall__V1__CaptureState state = TAPWALL__V1__CAPTURE_STATE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	char *ports[] = {"tap-web1"};

	state.ports = ports;
	state.n_ports = n_ports;
	state.lost = lost;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_CAPTURE;
	response.capture = &state;
	tw_fake_send(teller, &response, last);
}

/* Sends two captured frames: a SYN from web-1 to db-1's telnet port, and an ARP request that
 * reaches web-1. */
void tw_fake_capture(struct tw_fake *teller)
{
	static uint8_t syn[] = "\x52\x54\0\0\0\x02\x52\x54\0\0\0\x01\x08\0"
			       "\x45\0\0\x28\0\0\0\0\x40\x06\x66\xb1\x0a\0\0\x0b\x0a\0\0\x15"
			       "\x9c\x40\0\x17\0\0\0\0\0\0\0\0\x50\x02\xff\xff\0\0\0";
	static uint8_t arp[] = "\xff\xff\xff\xff\xff\xff\x52\x54\0\0\0\x02\x08\x06"
			       "\0\x01\x08\0\x06\x04\0\x01\x52\x54\0\0\0\x02\x0a\0\0\x15"
			       "\0\0\0\0\0\0\x0a\0\0\x0b";
	uint8_t tagged[sizeof(syn) + 4];
	Tapwall__V1__CapturedFrame refused = TAPWALL__V1__CAPTURED_FRAME__INIT, query = refused;

	memcpy(tagged, syn, 12); /* NOLINT(bugprone-not-null-terminated-result): bytes, not text */
	memcpy(tagged + 12, (const uint8_t[]){0x81, 0, 0x60, 0x14}, 4);
	memcpy(tagged + 16, syn + 12, sizeof(syn) - 12);
	refused.time_ns = 1700000000250001000;
	refused.port = query.port = "tap-web1";
	refused.workload = query.workload = "web-1";
	refused.direction = "out";
	refused.verdict = "reject";
	refused.reason = "policy";
	refused.rule = "no-telnet";
	refused.stage = "classify";
	refused.data.data = syn;
	refused.data.len = sizeof(syn);
	refused.len = 54;
	query.time_ns = 1700000001000000000;
	query.direction = "in";
	query.verdict = "allow";
	query.reason = "neighbour";
	query.stage = "guard";
	query.data.data = arp;
	query.data.len = sizeof(arp) - 1;
	query.len = 60;
	query.lost_before = 3;
	tell_capture_state(teller, !teller->empty, 0, false);
	if (!teller->empty) {
		tell_frame(teller, &refused);
		tell_frame(teller, &query);
		refused.data.data = tagged;
		refused.data.len = sizeof(tagged);
		refused.len = 58;
		tell_frame(teller, &refused);
	}
	tell_capture_state(teller, !teller->empty, teller->empty ? 0 : 3, true);
}

static void tell_top_row(struct tw_fake *teller, Tapwall__V1__TopRow *row)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_TOP;
	response.top = row;
	tw_fake_send(teller, &response, false);
}

static void tell_top_ports(struct tw_fake *teller)
{
	Tapwall__V1__Port web = TAPWALL__V1__PORT__INIT, db = web;
	Tapwall__V1__TopRow row = TAPWALL__V1__TOP_ROW__INIT;

	web.name = "tap-web1";
	web.workload = "web-1";
	db.name = "tap-db1";
	db.workload = "db-1";
	web.state = db.state = "protected";
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_PORT;
	row.port = &web;
	row.packets_out = 1250;
	row.packets_in = 980.4;
	row.bytes_out = 81250;
	row.bytes_in = 1400000;
	row.opened_out = 12.5;
	row.denied_out = 3;
	tell_top_row(teller, &row);
	row.port = &db;
	row.packets_out = 30000;
	row.packets_in = 0.5;
	row.bytes_out = 2000;
	row.bytes_in = 33;
	row.opened_out = row.denied_out = 0;
	row.opened_in = 0.5;
	tell_top_row(teller, &row);
}

static void tell_top_rest(struct tw_fake *teller)
{
	Tapwall__V1__Gate to_db = TAPWALL__V1__GATE__INIT;
	Tapwall__V1__Flow flow = TAPWALL__V1__FLOW__INIT;
	Tapwall__V1__Rule rule = TAPWALL__V1__RULE__INIT;
	Tapwall__V1__Counter reason = TAPWALL__V1__COUNTER__INIT;
	Tapwall__V1__TopRow row = TAPWALL__V1__TOP_ROW__INIT;

	to_db.verdict = "allow";
	to_db.rule = "web-to-db";
	rule.name = "no-telnet";
	rule.action = "reject";
	rule.hits = 12345;
	rule.line = 21;
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_RULE;
	row.rule = &rule;
	row.packets_out = row.opened_out = row.denied_out = 3;
	row.bytes_out = 222;
	tell_top_row(teller, &row);
	reason.reason = "policy";
	reason.text = "a rule, or the default, decided the connection";
	row = (Tapwall__V1__TopRow)TAPWALL__V1__TOP_ROW__INIT;
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_REASON;
	row.reason = &reason;
	row.packets_out = 15.5;
	tell_top_row(teller, &row);
	flow.proto = "tcp";
	flow.network = "br0";
	flow.from = &web_1;
	flow.to = &db_1;
	flow.state = "established";
	flow.age_s = 2 * HOUR;
	flow.out = flow.in = &to_db;
	row = (Tapwall__V1__TopRow)TAPWALL__V1__TOP_ROW__INIT;
	row.what_case = TAPWALL__V1__TOP_ROW__WHAT_FLOW;
	row.flow = &flow;
	row.packets_out = 1000;
	row.packets_in = 950;
	row.bytes_out = 66000;
	row.bytes_in = 1380000;
	tell_top_row(teller, &row);
}

/* Sends two intervals, then closes the connection. */
void tw_fake_top(struct tw_fake *teller)
{
	Tapwall__V1__TopSample sample = TAPWALL__V1__TOP_SAMPLE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	sample.connections_max = 262144;
	for (int i = 0; i < 2; i++) {
		sample.time = 1700000000 + i;
		sample.seconds = 1.004;
		if (!teller->empty) {
			tell_top_ports(teller);
			tell_top_rest(teller);
			sample.connections = 1234;
			sample.moved = 56;
			sample.opened = 12.5;
		}
		response.body_case = TAPWALL__V1__RESPONSE__BODY_SAMPLE;
		response.sample = &sample;
		tw_fake_send(teller, &response, false);
	}
}

/* ---- past ---- */

static void tell_history_rows(struct tw_fake *teller)
{
	Tapwall__V1__HistoryRow row = TAPWALL__V1__HISTORY_ROW__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	Tapwall__V1__End from = TAPWALL__V1__END__INIT, to = from;
	Tapwall__V1__Gate gate = TAPWALL__V1__GATE__INIT;

	from.workload = "web-1";
	from.address = "10.0.0.11";
	from.port = 40000;
	to.workload = "evil\033[31m";
	to.address = "fd00::21";
	to.port = 5432;
	gate.verdict = "allow";
	gate.rule = "web-to-db";
	row.time_us = 1700000000250000;
	row.event = "close";
	row.verdict = "allow";
	row.reason = "policy";
	row.rule = "web-to-db";
	row.proto = "tcp";
	row.from = &from;
	row.to = &to;
	row.out = &gate;
	row.out_port = "tap-web1";
	row.state = "time-wait";
	row.packets_out = 1200;
	row.packets_in = 1100;
	row.bytes_out = 98304;
	row.bytes_in = 1500000;
	row.duration_s = 61;
	row.idle_s = 2;
	row.agent = "host-a";
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_ROW;
	response.history_row = &row;
	tw_fake_send(teller, &response, false);
	row.event = "deny";
	row.verdict = "reject";
	row.reason = "foreign-source";
	row.rule = row.state = "";
	row.proto = "icmp";
	row.icmp_type = 8 << 8;
	row.out = NULL;
	row.direction = "out";
	row.packets_out = 1;
	row.bytes_out = 98;
	row.packets_in = row.bytes_in = 0;
	row.duration_s = row.idle_s = 0;
	tw_fake_send(teller, &response, false);
}

static void tell_history_totals(struct tw_fake *teller)
{
	Tapwall__V1__HistoryTotal total = TAPWALL__V1__HISTORY_TOTAL__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	if (teller->history->about == TAPWALL__V1__HISTORY_REQUEST__ABOUT__SERVICES) {
		total.proto = "tcp";
		total.port = 5432;
	} else {
		total.name = "web-1";
		total.address = "10.0.0.11";
	}
	total.connections = 1234;
	total.denials = 5;
	total.packets_out = 1200;
	total.bytes_out = 98304;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_TOTAL;
	response.history_total = &total;
	tw_fake_send(teller, &response, false);
	total.others = true;
	total.name = total.address = total.proto = "";
	tw_fake_send(teller, &response, false);
}

static void tell_history_uses(struct tw_fake *teller)
{
	Tapwall__V1__HistoryUse use = TAPWALL__V1__HISTORY_USE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	use.rule = "web-to-db";
	use.last_us = 1700000000250000;
	use.rows = 1234;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_USE;
	response.history_use = &use;
	tw_fake_send(teller, &response, false);
}

static void tell_history_state(struct tw_fake *teller)
{
	Tapwall__V1__HistorySource source = TAPWALL__V1__HISTORY_SOURCE__INIT;
	Tapwall__V1__HistoryState state = TAPWALL__V1__HISTORY_STATE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	source.agent = "host-a";
	source.followed = true;
	source.rows = 1234;
	source.last_us = 1700000000250000;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_SOURCE;
	response.history_source = &source;
	tw_fake_send(teller, &response, false);
	source.agent = "host-b";
	source.followed = false;
	source.lost = 17;
	source.why = "it sent a malformed batch";
	tw_fake_send(teller, &response, false);
	state.path = "/var/lib/tapwall-slowd/history.db";
	state.rows = 32000;
	state.bytes = 900000;
	state.blocks = 3;
	state.oldest_us = 1699990000000000;
	state.newest_us = 1700000000250000;
	state.recorded = 33000;
	state.pending = 7;
	state.dropped = 1000;
	state.failing = "No space left on device";
	state.failing_s = 12;
	state.bytes_max = (uint64_t)10 << 30;
	state.age_max_s = 90 * 24 * HOUR;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_STATE;
	response.history_state = &state;
	tw_fake_send(teller, &response, true);
}

void tw_fake_history(struct tw_fake *teller)
{
	Tapwall__V1__HistoryEnd end = TAPWALL__V1__HISTORY_END__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	switch (teller->history->about) {
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__STATE:
		tell_history_state(teller);
		return;
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__ROWS:
		tell_history_rows(teller);
		end.more = true;
		end.at_us = 1700000000250001;
		end.skip = 2;
		end.matched = 4711;
		break;
	case TAPWALL__V1__HISTORY_REQUEST__ABOUT__USES:
		tell_history_uses(teller);
		break;
	default:
		tell_history_totals(teller);
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_END;
	response.history_end = &end;
	tw_fake_send(teller, &response, true);
}
