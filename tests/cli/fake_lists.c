/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* fake_lists.c: what the agent of the tests says about itself, its policy and its workloads. */
#include "tests/cli/fake.h"

#include <errno.h>
#include <stdint.h>

void tw_fake_version(struct tw_fake *teller)
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
	tw_fake_send(teller, &response, true);
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

struct orders {
	Tapwall__V1__ApplyOrder rows[2], *list[2];
};

/* A policy that is being read, and one that waits. */
static void fill_orders(struct orders *ret, Tapwall__V1__Status *status)
{
	for (size_t i = 0; i < COUNT(ret->list); i++) {
		ret->list[i] = &ret->rows[i];
		tapwall__v1__apply_order__init(&ret->rows[i]);
	}
	ret->rows[0].source = "/etc/tapwall/large.yaml";
	ret->rows[0].author = "alice";
	ret->rows[0].step = "reading";
	ret->rows[0].age_s = 2.5;
	ret->rows[0].bytes = 12300322;
	ret->rows[1].source = "evil\033[31m";
	ret->rows[1].step = "waiting";
	ret->rows[1].age_s = 0.5;
	ret->rows[1].dry_run = true;
	status->orders = ret->list;
	status->n_orders = COUNT(ret->list);
	status->longest_pause_s = 1.25;
	status->longest_pause_age_s = 0.5 * HOUR;
}

void tw_fake_status(struct tw_fake *teller)
{
	char *open[] = {"tap9"}, *sought[] = {"db-2", "evil\033[31m"};
	Tapwall__V1__Conflict conflict = TAPWALL__V1__CONFLICT__INIT, *conflicts[] = {&conflict};
	char *uplinks[] = {"eth0", "evil\033[31m"}, *unfiltered[] = {"tap-ovs", "evil\033[31m"};
	char *degraded[] = {"/var/lib/tapwall: cannot write ports.json: No space left on device"};
	Tapwall__V1__Status status = TAPWALL__V1__STATUS__INIT;
	Tapwall__V1__SplitBrain split = TAPWALL__V1__SPLIT_BRAIN__INIT, *splits[] = {&split};
	Tapwall__V1__SlowPath slow_path;
	struct orders orders;
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
		fill_orders(&orders, &status);
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
	tw_fake_send(teller, &response, true);
}

void tw_fake_applied(struct tw_fake *teller)
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
	tw_fake_send(teller, &response, true);
}

/* Sends the policy in force: the file policy.yaml in the current directory. */
void tw_fake_policy(struct tw_fake *teller)
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
	tw_fake_send(teller, &response, true);
}

static void tell_port(struct tw_fake *teller, Tapwall__V1__Port *port)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_PORT;
	response.port = port;
	tw_fake_send(teller, &response, false);
}

void tw_fake_ports(struct tw_fake *teller)
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
	tw_fake_send_last(teller);
}

static void tell_workload(struct tw_fake *teller, Tapwall__V1__Workload *workload)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_WORKLOAD;
	response.workload = workload;
	tw_fake_send(teller, &response, false);
}

void tw_fake_workloads(struct tw_fake *teller)
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
	tw_fake_send_last(teller);
}

static void tell_group(struct tw_fake *teller, Tapwall__V1__Group *group)
{
	Tapwall__V1__Response response = TAPWALL__V1__RESPONSE__INIT;

	response.body_case = TAPWALL__V1__RESPONSE__BODY_GROUP;
	response.group = group;
	tw_fake_send(teller, &response, false);
}

void tw_fake_agents(struct tw_fake *teller)
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
	tw_fake_send(teller, &response, false);
	response.agent = &b;
	tw_fake_send(teller, &response, false);
	tw_fake_send_last(teller);
}

void tw_fake_groups(struct tw_fake *teller)
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
	tw_fake_send_last(teller);
}
