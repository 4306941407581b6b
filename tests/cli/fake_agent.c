/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fake_agent MANNER COMMAND [ARGUMENT…]: runs the command with an agent at ./agent.sock that always
 * gives the same answers, so that the command's output can be compared; exits with the command's
 * exit code.
 *
 * Manners: good; calm (as good, but keeps the connection open after the last answer); empty (an
 * agent just started); refuse (every request fails); invalid (the policy has errors); garbage,
 * huge, half, mute (protocol violations).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/cleanup.h"
#include "fastpath/abi/types.h"
#include "link/event_writer.h"
#include "link/link.h"

#define SOCKET_NAME "agent.sock"
#define HOUR	    3600.0
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

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

/* ---- answers ---- */

struct teller {
	int fd;
	uint64_t id;
	bool empty;
	const Tapwall__V1__HistoryRequest *history; /* NULL: another request */
};

static void send_response(struct teller *teller, Tapwall__V1__Response *response, bool last)
{
	tw_auto_buf struct tw_buf out = {0};

	response->id = teller->id;
	response->last = last;
	if (tw_link_pack(&out, &response->base) < 0 ||
		send(teller->fd, out.data, out.len, MSG_NOSIGNAL) != (ssize_t)out.len)
		exit(1);
}

static void send_last(struct teller *teller)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	send_response(teller, &response, true);
}

static void tell_version(struct teller *teller)
{
	Tapwall__V1__Feature tcx = TAPWALL__V1__FEATURE__INIT;
	Tapwall__V1__Feature latch = TAPWALL__V1__FEATURE__INIT;
	Tapwall__V1__Feature *features[] = {&tcx, &latch};
	Tapwall__V1__Version version = TAPWALL__V1__VERSION__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	tcx.name = "tcx";
	tcx.found = tcx.used = true;
	latch.name = "nftables bridge";
	latch.note = "new ports are shut only once the agent has seen them";
	version.version = "0.1.0";
	version.protocol = 1;
	version.kernel = "6.1.0-32-amd64";
	version.features = features;
	version.n_features = COUNT(features);
	response.body_case = TAPWALL__V1__RESPONSE__BODY_VERSION;
	response.version = &version;
	send_response(teller, &response, true);
}

static void fill_slow_path(bool connected, Tapwall__V1__SlowPath *s)
{
	tapwall__v1__slow_path__init(s);
	if (connected) {
		s->address = "[fe80::1%br0]:7433";
		s->state = "connected";
		s->state_age_s = 90;
		s->version = "0.1.0";
		s->name = "slow-1";
		s->certificate_left_s = 30 * 24 * HOUR;
	} else {
		s->address = "slow.example:7433";
		s->state = "waiting";
		s->why = "the peer refuses: evil\033[31m";
		s->attempts = 3;
		s->events_kept = 1234567;
		s->events_memory_bytes = 32 << 20;
		s->events_disk_bytes = 20 << 20;
		s->events_dropped = 400;
		s->events_trouble = "cannot write: No space left on device\033[31m";
		s->certificate_left_s = -25 * HOUR;
	}
}

static void tell_status(struct teller *teller)
{
	char *open[] = {"tap9"}, *sought[] = {"db-2", "evil\033[31m"};
	Tapwall__V1__Conflict conflict = TAPWALL__V1__CONFLICT__INIT, *conflicts[] = {&conflict};
	char *uplinks[] = {"eth0", "evil\033[31m"}, *unfiltered[] = {"tap-ovs", "evil\033[31m"};
	char *degraded[] = {"/var/lib/tapwall: cannot write ports.json: No space left on device"};
	Tapwall__V1__Status status = TAPWALL__V1__STATUS__INIT;
	Tapwall__V1__SplitBrain split = TAPWALL__V1__SPLIT_BRAIN__INIT, *splits[] = {&split};
	Tapwall__V1__SlowPath slow_path;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	status.version = "0.1.0";
	conflict.port = "tap8";
	conflict.name = "mac-twice";
	conflict.text = "its own MAC is another's";
	split.address = "10.0.0.100";
	split.holder = "lb-2";
	split.rival = "evil\033[31m";
	split.age_s = 12;
	status.pid = 4711;
	status.uptime_s = 26 * HOUR + 61;
	status.connections_max = 262144;
	status.connection_bytes = 176;
	status.attach = "tcx";
	status.bpffs = "/sys/fs/bpf/tapwall";
	status.latch = true;
	status.forwarding = "cut-through";
	status.asks_bridges = true;
	status.uplinks = uplinks;
	status.n_uplinks = sizeof(uplinks) / sizeof(uplinks[0]);
	status.proof_age_s = -1;
	status.file = "/etc/tapwall/policy.yaml";
	status.file_state = "differs";
	fill_slow_path(!teller->empty, &slow_path);
	status.slow_path = &slow_path;
	if (teller->empty) {
		status.ports_shut = 2;
		status.refused_source = "/etc/tapwall/evil\033[31m";
		status.refused_text = "line 2, column 25: evil\033[31m";
		status.refused_age_s = 90;
		status.unfiltered = unfiltered;
		status.n_unfiltered = COUNT(unfiltered);
		status.ports_unfiltered = COUNT(unfiltered);
	} else {
		status.policy_source = "/etc/tapwall/policy.yaml";
		status.policy_generation = 3;
		status.policy_age_s = 0.25 * HOUR;
		status.rules = 4;
		status.default_ = "deny";
		status.unclaimed = "ignore";
		status.workloads = 1;
		status.ports_protected = 2;
		status.proof_age_s = 4.5;
		status.programs_lost = 2;
		status.latch_every_kind = true;
		status.degraded = degraded;
		status.n_degraded = COUNT(degraded);
		status.split_brains = splits;
		status.n_split_brains = COUNT(splits);
		status.ports_unclaimed = 2;
		status.ports_open = 1;
		status.open = open;
		status.n_open = 1;
		status.ports_conflicting = 3;
		status.conflicts = conflicts;
		status.n_conflicts = 1;
		status.workloads_sought = 20;
		status.sought = sought;
		status.n_sought = 2;
		status.connections = 1234;
		status.connection_records = 1300;
		status.images = 2;
		status.image_bytes = 5504;
		status.image_bytes_per_rule = 688;
		status.events_limited = 20000;
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_STATUS;
	response.status = &status;
	send_response(teller, &response, true);
}

static void tell_applied(struct teller *teller)
{
	char *added[] = {"web-to-db", "evil\033[31m"}, *removed[] = {"old"}, *changed[] = {"db-1"};
	char *ports[] = {"tap-web1", "tap-db1"}, *open[] = {"tap-old", "tap9"};
	char *dangers[] = {"default: deny -> allow: frames that match no rule pass"};
	Tapwall__V1__Unprotected unprotected = TAPWALL__V1__UNPROTECTED__INIT;
	Tapwall__V1__Unprotected *all_unprotected[] = {&unprotected};
	Tapwall__V1__Applied applied = TAPWALL__V1__APPLIED__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	applied.generation = 4;
	applied.source = "/etc/tapwall/policy.yaml";
	applied.compile_ms = 1.25;
	applied.publish_ms = 0.5;
	applied.unchanged = teller->empty;
	if (!teller->empty) {
		applied.rules_added = added;
		applied.n_rules_added = COUNT(added);
		applied.rules_removed = removed;
		applied.n_rules_removed = COUNT(removed);
		applied.workloads_changed = changed;
		applied.n_workloads_changed = COUNT(changed);
		applied.ports_changed = ports;
		applied.n_ports_changed = COUNT(ports);
		unprotected.port = "tap-old";
		unprotected.workload = "evil\033[31m";
		applied.unprotected = all_unprotected;
		applied.n_unprotected = COUNT(all_unprotected);
		applied.open = open;
		applied.n_open = COUNT(open);
		applied.dangers = dangers;
		applied.n_dangers = COUNT(dangers);
	}
	response.body_case = TAPWALL__V1__RESPONSE__BODY_APPLIED;
	response.applied = &applied;
	send_response(teller, &response, true);
}

/* Sends the policy in force: the file policy.yaml in the current directory. */
static void tell_policy(struct teller *teller)
{
	Tapwall__V1__PolicyText policy = TAPWALL__V1__POLICY_TEXT__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	uint8_t text[16384];
	tw_autofile FILE *file = fopen("policy.yaml", "re");

	if (!file)
		exit(1);
	policy.text.len = teller->empty ? 0 : fread(text, 1, sizeof(text), file);
	policy.text.data = text;
	policy.source = "/etc/tapwall/policy.yaml";
	policy.generation = 3;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_POLICY;
	response.policy = &policy;
	send_response(teller, &response, true);
}

static void tell_port(struct teller *teller, Tapwall__V1__Port *port)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_PORT;
	response.port = port;
	send_response(teller, &response, false);
}

static void tell_ports(struct teller *teller)
{
	char *addresses[] = {"10.0.0.11", "fd00::11", "dhcp"};
	Tapwall__V1__Lease known = TAPWALL__V1__LEASE__INIT, *leases[] = {&known};
	Tapwall__V1__Port web = TAPWALL__V1__PORT__INIT, lone = TAPWALL__V1__PORT__INIT;

	web.name = "tap-web1";
	web.ifindex = 12;
	web.workload = "web-1";
	web.state = "protected";
	web.found_by = "tap-mac";
	web.mac = "52:54:00:00:00:01";
	web.addresses = addresses;
	web.n_addresses = COUNT(addresses);
	known.address = "10.0.0.57";
	known.left_s = 3541.25;
	web.leases = leases;
	web.n_leases = 1;
	web.bridge = "br0";
	web.packets_out = 1234567;
	web.packets_in = 999;
	web.bytes_out = 1900000000;
	web.bytes_in = 64000;
	web.denied_in = 17;
	web.half_open = 12;
	web.established = 3400;
	web.quota_passed = 7;
	web.untracked = 5;
	web.rules = 5;
	web.image_bytes = 2752;
	web.tcp = "liberal";
	web.proof_age_s = 4.5;
	lone.name = "tap9";
	lone.ifindex = 13;
	lone.state = "unclaimed";
	lone.open = true;
	lone.proof_age_s = -1;
	lone.programs_lost = 1;
	lone.trouble = "cannot attach: evil\033[31m";
	lone.resembles = "db-1";
	if (!teller->empty) {
		tell_port(teller, &web);
		tell_port(teller, &lone);
	}
	send_last(teller);
}

static void tell_workload(struct teller *teller, Tapwall__V1__Workload *workload)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_WORKLOAD;
	response.workload = workload;
	send_response(teller, &response, false);
}

static void tell_workloads(struct teller *teller)
{
	char *addresses[] = {"10.0.0.11", "dhcp"};
	Tapwall__V1__Workload web = TAPWALL__V1__WORKLOAD__INIT, db = web;

	web.name = "web-1";
	web.port = "tap-web1";
	web.state = "protected";
	web.found_by = "tap-mac";
	web.mac = "52:54:00:00:00:01";
	web.addresses = addresses;
	web.n_addresses = COUNT(addresses);
	db.name = "db-2";
	db.named = "tap-db2";
	if (!teller->empty) {
		tell_workload(teller, &web);
		tell_workload(teller, &db);
	}
	send_last(teller);
}

static void tell_group(struct teller *teller, Tapwall__V1__Group *group)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_GROUP;
	response.group = group;
	send_response(teller, &response, false);
}

static void tell_agents(struct teller *teller)
{
	Tapwall__V1__Agent a = TAPWALL__V1__AGENT__INIT, b = a;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	a.name = "host-a";
	a.host = "hypervisor-1";
	a.version = "0.1.0";
	a.connected = true;
	a.address = "[fe80::2%br0]:41692";
	a.since_s = 26 * HOUR;
	a.contact_s = 0.5;
	a.policy_generation = 3;
	a.policy_source = "/etc/tapwall/policy.yaml";
	a.connects = 2;
	b.name = "host-b";
	b.host = "evil\033[31m";
	b.version = "0.1.0";
	b.address = "10.0.0.2:40000";
	b.since_s = 90;
	b.contact_s = 105;
	b.connects = 1;
	b.why = "sent nothing for 15 s";
	response.body_case = TAPWALL__V1__RESPONSE__BODY_AGENT;
	response.agent = &a;
	send_response(teller, &response, false);
	response.agent = &b;
	send_response(teller, &response, false);
	send_last(teller);
}

static void tell_history_rows(struct teller *teller)
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
	send_response(teller, &response, false);
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
	send_response(teller, &response, false);
}

static void tell_history_totals(struct teller *teller)
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
	send_response(teller, &response, false);
	total.others = true;
	total.name = total.address = total.proto = "";
	send_response(teller, &response, false);
}

static void tell_history_uses(struct teller *teller)
{
	Tapwall__V1__HistoryUse use = TAPWALL__V1__HISTORY_USE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	use.rule = "web-to-db";
	use.last_us = 1700000000250000;
	use.rows = 1234;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_HISTORY_USE;
	response.history_use = &use;
	send_response(teller, &response, false);
}

static void tell_history_state(struct teller *teller)
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
	send_response(teller, &response, false);
	source.agent = "host-b";
	source.followed = false;
	source.lost = 17;
	source.why = "it sent a malformed batch";
	send_response(teller, &response, false);
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
	send_response(teller, &response, true);
}

static void tell_history(struct teller *teller)
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
	send_response(teller, &response, true);
}

static void tell_groups(struct teller *teller)
{
	char *workloads[] = {"web-1", "evil\033[31m"}, *networks[] = {"office", "2001:db8::/32"};
	Tapwall__V1__Group web = TAPWALL__V1__GROUP__INIT, all = web, none = web;

	web.name = "web";
	web.addresses = 65537;
	web.workloads = workloads;
	web.n_workloads = COUNT(workloads);
	all.name = "all";
	all.addresses = UINT64_MAX;
	all.networks = networks;
	all.n_networks = COUNT(networks);
	none.name = "none";
	if (!teller->empty) {
		tell_group(teller, &web);
		tell_group(teller, &all);
		tell_group(teller, &none);
	}
	send_last(teller);
}

static void tell_flow(struct teller *teller, Tapwall__V1__Flow *flow)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_FLOW;
	response.flow = flow;
	send_response(teller, &response, false);
}

static void tell_flows(struct teller *teller)
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
	send_last(teller);
}

static void tell_rule(struct teller *teller, Tapwall__V1__Rule *rule)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_RULE;
	response.rule = rule;
	send_response(teller, &response, false);
}

static void tell_rules(struct teller *teller)
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
	send_last(teller);
}

static void tell_counter(struct teller *teller, char *reason, char *text, uint64_t out, uint64_t in)
{
	Tapwall__V1__Counter counter = TAPWALL__V1__COUNTER__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	counter.reason = reason;
	counter.text = text;
	counter.out = out;
	counter.in = in;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_COUNTER;
	response.counter = &counter;
	send_response(teller, &response, false);
}

static void tell_counters(struct teller *teller)
{
	bool some = !teller->empty;

	tell_counter(teller, "policy", "a rule, or the default, decided the connection",
		some * 1000, some * 23);
	tell_counter(teller, "truncated", "the frame ends inside a header", 0, 0);
	tell_counter(teller, "spoofed-mac", "source MAC is not the workload's", some * 5, 0);
	send_last(teller);
}

static void tell_log_state(struct teller *teller)
{
	Tapwall__V1__LogState state = TAPWALL__V1__LOG_STATE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	state.since = 1700000000.25;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_LOG_STATE;
	response.log_state = &state;
	send_response(teller, &response, true);
}

static uint32_t name(struct tw_dictionary *names, const char *text)
{
	return tw_dictionary_intern(names, text);
}

static void tell_rows(struct teller *teller, const struct tw_event_row *rows, size_t n,
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
		send_response(teller, &response, i == n);
		if (i < n)
			tw_event_writer_add(&writer, &rows[i]);
	}
	tw_event_writer_done(&writer);
}

static void tell_events(struct teller *teller)
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

static void tell_frame(struct teller *teller, Tapwall__V1__CapturedFrame *frame)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_FRAME;
	response.frame = frame;
	send_response(teller, &response, false);
}

static void tell_capture_state(struct teller *teller, size_t n_ports, uint64_t lost, bool last)
{
	Tapwall__V1__CaptureState state = TAPWALL__V1__CAPTURE_STATE__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;
	char *ports[] = {"tap-web1"};

	state.ports = ports;
	state.n_ports = n_ports;
	state.lost = lost;
	response.body_case = TAPWALL__V1__RESPONSE__BODY_CAPTURE;
	response.capture = &state;
	send_response(teller, &response, last);
}

/* Sends two captured frames: a SYN from web-1 to db-1's telnet port, and an ARP request that
 * reaches web-1. */
static void tell_capture(struct teller *teller)
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

static void tell_top_row(struct teller *teller, Tapwall__V1__TopRow *row)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_TOP;
	response.top = row;
	send_response(teller, &response, false);
}

static void tell_top_ports(struct teller *teller)
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

static void tell_top_rest(struct teller *teller)
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
static void tell_top(struct teller *teller)
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
		send_response(teller, &response, false);
	}
}

static void tell_refusal(struct teller *teller)
{
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	error.code = EPERM;
	error.place = "tap-web1";
	error.text = "cannot attach: Operation not permitted";
	error.hint = "give the agent CAP_BPF and CAP_NET_ADMIN";
	response.error = &error;
	send_response(teller, &response, true);
}

static void tell_invalid(struct teller *teller)
{
	Tapwall__V1__Diagnostic first = TAPWALL__V1__DIAGNOSTIC__INIT, second = first;
	Tapwall__V1__Diagnostic *diagnostics[] = {&first, &second};
	Tapwall__V1__Error error = TAPWALL__V1__ERROR__INIT;
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	first.line = 3;
	first.column = 21;
	first.text = "there is no group, workload or network nobody";
	first.hint = "define it";
	second.severity = TAPWALL__V1__DIAGNOSTIC__SEVERITY__WARNING;
	second.line = 9;
	second.column = 5;
	second.text = "this rule can never match";
	error.code = EINVAL;
	error.text = "the policy is invalid";
	response.diagnostics = diagnostics;
	response.n_diagnostics = COUNT(diagnostics);
	response.error = &error;
	send_response(teller, &response, true);
}

/* ---- serving ---- */

static void answer(struct teller *teller, const Tapwall__V1__Request *request)
{
	static void (*const tellers[])(struct teller *) = {
		[TAPWALL__V1__REQUEST__BODY_VERSION] = tell_version,
		[TAPWALL__V1__REQUEST__BODY_STATUS] = tell_status,
		[TAPWALL__V1__REQUEST__BODY_APPLY] = tell_applied,
		[TAPWALL__V1__REQUEST__BODY_RELOAD] = tell_applied,
		[TAPWALL__V1__REQUEST__BODY_POLICY] = tell_policy,
		[TAPWALL__V1__REQUEST__BODY_PORTS] = tell_ports,
		[TAPWALL__V1__REQUEST__BODY_WORKLOADS] = tell_workloads,
		[TAPWALL__V1__REQUEST__BODY_AGENTS] = tell_agents,
		[TAPWALL__V1__REQUEST__BODY_HISTORY] = tell_history,
		[TAPWALL__V1__REQUEST__BODY_GROUPS] = tell_groups,
		[TAPWALL__V1__REQUEST__BODY_FLOWS] = tell_flows,
		[TAPWALL__V1__REQUEST__BODY_RULES] = tell_rules,
		[TAPWALL__V1__REQUEST__BODY_COUNTERS] = tell_counters,
		[TAPWALL__V1__REQUEST__BODY_EVENTS] = tell_events,
		[TAPWALL__V1__REQUEST__BODY_CAPTURE] = tell_capture,
		[TAPWALL__V1__REQUEST__BODY_TOP] = tell_top,
	};

	teller->id = request->id;
	if (request->body_case == TAPWALL__V1__REQUEST__BODY_HISTORY)
		teller->history = request->history;
	tellers[request->body_case](teller);
}

static Tapwall__V1__Request *receive(int fd)
{
	tw_auto_buf struct tw_buf in = {0};
	const uint8_t *body;
	size_t body_len;

	for (;;) {
		char chunk[4096];
		ssize_t n = recv(fd, chunk, sizeof(chunk), 0);

		if (n <= 0)
			return NULL;
		tw_buf_add(&in, chunk, (size_t)n);
		if (tw_link_frame((const uint8_t *)in.data, in.len, &body, &body_len) > 0)
			return tapwall__v1__request__unpack(NULL, body_len, body);
	}
}

static void serve(int fd, const char *manner)
{
	static const char garbage[] = "\0\0\0\4HTTP/1.1 400 Bad Request",
			  huge[] = "\xff\xff\xff\xff";
	Tapwall__V1__Request *request = receive(fd);
	struct teller teller = {.fd = fd, .empty = !strcmp(manner, "empty")};

	if (!request)
		return;
	teller.id = request->id;
	if (!strcmp(manner, "garbage"))
		send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL);
	else if (!strcmp(manner, "huge"))
		send(fd, huge, sizeof(huge), MSG_NOSIGNAL);
	else if (!strcmp(manner, "half"))
		send(fd, "\0\0\1\0half", 8, MSG_NOSIGNAL);
	else if (!strcmp(manner, "refuse"))
		tell_refusal(&teller);
	else if (!strcmp(manner, "invalid"))
		tell_invalid(&teller);
	else if (strcmp(manner, "mute"))
		answer(&teller, request);
	if (!strcmp(manner, "calm"))
		while (recv(fd, request, sizeof(*request), 0) > 0)
			continue;
	tapwall__v1__request__free_unpacked(request, NULL);
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
		listen(fd, 8) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	int listener, status = 0;
	pid_t server;

	if (argc < 3)
		return 2;
	listener = listen_at(SOCKET_NAME);
	server = fork();
	if (server < 0)
		return 1;
	if (!server) {
		for (;;) {
			tw_autofd int fd = accept(listener, NULL, NULL);

			if (fd < 0)
				return 1;
			serve(fd, argv[1]);
		}
	}
	if (!fork()) {
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	while (wait(&status) == server)
		;
	kill(server, SIGTERM);
	waitpid(server, NULL, 0);
	unlink(SOCKET_NAME);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
