/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of the agent's patterns, leases, rule slots, ports, binding and log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/agent/test.h"
#include "agent/observe/journal.h"
#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/lease_map.h"
#include "agent/publish/leases.h"
#include "agent/state/slots.h"
#include "base/alloc.h"
#include "base/pattern.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/conns.h"

/* ---- patterns ---- */

static void test_patterns(void **state)
{
	static const char *const bad[] = {"", "tap*,", ",tap*", "t*p", "tap?", "a b", "tap\"*",
		"sixteen-letters-", "tap/1", "{tap}"};
	struct tw_patterns patterns;
	struct tw_err err;

	assert_int_equal(tw_patterns_parse("--ports", "tap*,vnet*,eth7", &patterns, &err), 0);
	assert_int_equal(patterns.n, 3);
	assert_true(tw_patterns_match(&patterns, "tap"));
	assert_true(tw_patterns_match(&patterns, "tap12"));
	assert_true(tw_patterns_match(&patterns, "eth7"));
	assert_false(tw_patterns_match(&patterns, "eth70"));
	assert_false(tw_patterns_match(&patterns, "ta"));
	assert_false(tw_patterns_match(&patterns, "mytap1"));
	assert_int_equal(tw_patterns_parse("--ports", "*", &patterns, &err), 0);
	assert_true(tw_patterns_match(&patterns, "anything"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(tw_patterns_parse("--ports", bad[i], &patterns, &err), -EINVAL);
		assert_string_equal(err.place, "--ports");
	}
	assert_int_equal(patterns.n, 1); /* unchanged by failures */
}

/* ---- leases ---- */

static void give(
	struct tw_agent_leases *all, uint16_t id, uint8_t mac, const char *addr, bool known)
{
	struct tw_leases *leases = &all->map[id];
	struct tw_lease *lease = &leases->at[0][leases->serial];

	memcpy(leases->mac, (uint8_t[6]){0x52, 0x54, 0, 0, 0, mac}, 6);
	assert_int_equal(tw_addr_parse(addr, &lease->addr), 0);
	lease->until_ns = UINT64_MAX;
	lease->serial = ++leases->serial;
	lease->known = known ? lease->serial : 0;
}

static void assert_learned(
	const struct tw_learned_list *list, size_t i, size_t vnic, const char *addr)
{
	struct tw_addr wanted;

	assert_int_equal(tw_addr_parse(addr, &wanted), 0);
	assert_true(i < list->n);
	assert_int_equal(list->at[i].vnic, vnic);
	assert_memory_equal(&list->at[i].addr, &wanted, sizeof(wanted));
}

/* Precedence for an address: a workload to which the policy gives it, then the present holder of
 * the lease. A prefix is not a claim; a lease of another MAC is ignored. */
static void test_leases(void **state)
{
	struct tw_inforce *inforce = inforce_of(
		"version: 1\n"
		"workloads:\n"
		"  a: {port: a, mac: 52:54:00:00:00:01, addresses: dhcp}\n"
		"  b: {port: b, mac: 52:54:00:00:00:02, addresses: dhcp}\n"
		"  c: {port: c, mac: 52:54:00:00:00:03, addresses: [10.0.0.3, 10.1.0.0/16]}\n");
	struct tw_agent_leases leases = {0};
	struct tw_ports ports;
	struct tw_host host = {.ports = &ports};
	struct tw_enforcement enforcement = {.host = &host, .inforce = inforce, .leases = &leases};
	struct tw_agent_port *port[3];
	struct tw_learned_list list = {0};

	leases.map = tw_alloc_array(TW_PORTS_MAX, sizeof(struct tw_leases));
	tw_ports_init(&ports);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(tw_ports_add(&ports, 10 + i, (const char *[]){"a", "b", "c"}[i], 0,
					 &port[i]),
			0);
	give(&leases, port[0]->id, 1, "10.0.0.50", false);
	give(&leases, port[1]->id, 2, "10.0.0.50", true);
	give(&leases, port[0]->id, 1, "10.0.0.3", false);
	give(&leases, port[0]->id, 1, "10.1.0.7", false);
	give(&leases, port[2]->id, 3, "10.0.0.60", false);
	assert_int_equal(tw_leases_gather(&enforcement, inforce, &list), 0);
	assert_int_equal(list.n, 2);
	assert_learned(&list, 0, 0, "10.1.0.7");
	assert_learned(&list, 1, 1, "10.0.0.50");
	list.n = 0;
	leases.map[port[1]->id].at[0][0].until_ns = 1;
	leases.map[port[0]->id].at[0][2].until_ns = 0;
	assert_int_equal(tw_leases_gather(&enforcement, inforce, &list), 0);
	assert_int_equal(list.n, 1);
	assert_learned(&list, 0, 0, "10.0.0.50");
	list.n = 0;
	leases.map[port[0]->id].mac[5] = 9;
	assert_int_equal(tw_leases_gather(&enforcement, inforce, &list), 0);
	assert_int_equal(list.n, 0);
	tw_vec_done(&list);
	tw_ports_done(&ports);
	tw_inforce_free(inforce);
	free(leases.map);
}

/* ---- rule slots ---- */

static void assign(struct tw_slots *slots, const char *rules, uint32_t *numbers)
{
	char text[512];
	struct tw_inforce *inforce;

	snprintf(text, sizeof(text), "version: 1\nrules: [%s]\n", rules);
	inforce = inforce_of(text);
	assert_int_equal(tw_slots_assign(slots, inforce->policy, numbers), 0);
	tw_slots_retire(slots, numbers, tw_policy_n_rules(inforce->policy) + 1);
	tw_inforce_free(inforce);
}

static void test_slots(void **state)
{
	uint32_t first[3], second[3], third[3];
	struct tw_slots slots;

	tw_slots_init(&slots, NULL);
	assign(&slots, RULE("a") "," RULE("b"), first);
	assign(&slots, RULE("b") "," RULE("c"), second);
	assert_int_equal(second[0], first[1]);	   /* b stays */
	assert_int_equal(second[2], first[2]);	   /* the default stays too */
	assert_int_not_equal(second[1], first[0]); /* c does not reuse a's slot */
	assert_string_equal(tw_slots_name(&slots, first[0]), "a");

	/* A connection still refers to a. */
	tw_slots_begin_walk(&slots);
	tw_slots_refer(&slots, first[0]);
	tw_slots_end_walk(&slots);
	assert_string_equal(tw_slots_name(&slots, first[0]), "a");
	/* A walk that began before b was retired does not free b. */
	tw_slots_begin_walk(&slots);
	assign(&slots, RULE("c") "," RULE("d"), third);
	tw_slots_end_walk(&slots);
	assert_null(tw_slots_name(&slots, first[0]));
	assert_string_equal(tw_slots_name(&slots, first[1]), "b");
	tw_slots_begin_walk(&slots);
	tw_slots_end_walk(&slots);
	assert_null(tw_slots_name(&slots, first[1]));
	assert_string_equal(tw_slots_name(&slots, third[0]), "c");
	assert_string_equal(tw_slots_name(&slots, third[1]), "d");
	tw_slots_done(&slots);
}

/* A rule without a name keeps its slot, and so its counters, whichever rules precede it. */
static void test_slots_without_name(void **state)
{
	static const char a[] = "{from: 10.0.0.1, action: allow}";
	static const char b[] = "{from: 10.0.0.2, action: allow}";
	uint32_t first[3], second[4], third[3], fourth[4], fifth[4];
	struct tw_slots slots;
	char text[256];

	tw_slots_init(&slots, NULL);
	snprintf(text, sizeof(text), "%s, %s", a, b);
	assign(&slots, text, first);
	snprintf(text, sizeof(text), "{action: deny, to: 10.0.0.9}, %s, %s", a, b);
	assign(&slots, text, second);
	assert_int_equal(second[1], first[0]);
	assert_int_equal(second[2], first[1]);
	assert_int_not_equal(second[0], first[0]);
	assert_int_not_equal(second[0], first[1]);
	assert_int_equal(tw_slots_rule(&slots, first[0]), 1);
	assert_int_equal(tw_slots_rule(&slots, first[1]), 2);
	/* Only the order changed. */
	snprintf(text, sizeof(text), "%s, %s", b, a);
	assign(&slots, text, third);
	assert_int_equal(third[0], first[1]);
	assert_int_equal(third[1], first[0]);
	assert_int_equal(tw_slots_rule(&slots, second[0]), -1);
	/* Two rules with the same text are two rules. */
	snprintf(text, sizeof(text), "%s, %s, %s", a, b, a);
	assign(&slots, text, fourth);
	assert_int_equal(fourth[0], first[0]);
	assert_int_equal(fourth[1], first[1]);
	assert_int_not_equal(fourth[2], first[0]);
	assign(&slots, text, fifth);
	assert_memory_equal(fifth, fourth, sizeof(fifth));
	tw_slots_done(&slots);
}

#define LINE(name) "  - {name: " name ", action: deny}\n"

/* Rules taken over from the previous policy keep their slots without a search. */
static void test_slots_like(void **state)
{
	static const char *const texts[] = {
		"version: 1\nrules:\n" LINE("a") LINE("b") LINE("c") LINE("d"),
		"version: 1\nrules:\n" LINE("a") LINE("x") LINE("b") LINE("c") LINE("d"),
		"version: 1\nrules:\n" LINE("a") LINE("x") LINE("c") LINE("d"),
		"version: 1\nrules:\n" LINE("a") LINE("d"),
		"version: 1\nrules:\n" LINE("d") LINE("a") LINE("b"),
	};
	struct tw_inforce *old = inforce_of(texts[0]);
	struct tw_slots slots;

	tw_slots_init(&slots, NULL);
	assert_int_equal(tw_slots_assign(&slots, old->policy, old->slots), 0);
	for (size_t i = 1; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct tw_inforce *now = NULL;
		struct tw_diags diags = {0};

		assert_int_equal(
			tw_inforce_new(texts[i], strlen(texts[i]), "t", old, 0, &diags, &now), 0);
		assert_int_equal(tw_slots_assign_like(
					 &slots, now->policy, old->policy, old->slots, now->slots),
			0);
		for (size_t k = 0; k <= tw_policy_n_rules(now->policy); k++)
			assert_string_equal(tw_slots_name(&slots, now->slots[k]),
				tw_policy_rule(now->policy, k)->name);
		tw_diags_done(&diags);
		tw_inforce_free(old);
		old = now;
	}
	tw_inforce_free(old);
	tw_slots_done(&slots);
}

static void test_slots_come_back(void **state)
{
	uint32_t first[2], second[2], third[2];
	struct tw_slots slots;

	tw_slots_init(&slots, NULL);
	assert_int_equal(tw_slots_restore(&slots, 7, "a"), 0);
	assert_int_equal(tw_slots_restore(&slots, 7, "b"), -EEXIST);
	assert_int_equal(tw_slots_restore(&slots, 8, "a"), -EEXIST);
	assert_int_equal(tw_slots_restore(&slots, TW_RULES_MAX, "c"), -EINVAL);
	assert_int_equal(tw_slots_restore(&slots, 9, ""), -EINVAL);
	assign(&slots, RULE("a"), first);
	assert_int_equal(first[0], 7);
	/* Removed and added again before any walk: the same rule. */
	assign(&slots, RULE("b"), second);
	assign(&slots, RULE("a"), third);
	assert_int_equal(third[0], 7);
	tw_slots_begin_walk(&slots);
	tw_slots_end_walk(&slots);
	assert_string_equal(tw_slots_name(&slots, 7), "a");
	tw_slots_done(&slots);
}

static void test_slots_without_memory(void **state)
{
	struct tw_inforce *inforce = inforce_of(
		"version: 1\nrules: [" RULE("a") "," RULE("b") "," RULE("c") "]\n");
	int ret = -ENOMEM;

	for (size_t n = 1; ret == -ENOMEM; n++) {
		struct tw_slots slots;
		uint32_t numbers[4];

		tw_slots_init(&slots, NULL);
		tw_alloc_fail_after(n);
		ret = tw_slots_assign(&slots, inforce->policy, numbers);
		tw_alloc_fail_after(0);
		assert_true(ret == 0 || ret == -ENOMEM);
		tw_slots_done(&slots);
	}
	tw_inforce_free(inforce);
}

/* ---- ports and networks ---- */

static void test_ports(void **state)
{
	static struct tw_ports ports;
	struct tw_agent_port *port, *again = NULL;
	uint16_t id;

	tw_ports_init(&ports);
	port = add_port(&ports, 30, "tap30");
	add_port(&ports, 10, "tap10");
	add_port(&ports, 20, "tap20");
	assert_int_equal(tw_ports_next(&ports, 0)->ifindex, 10);
	assert_int_equal(tw_ports_next(&ports, 10)->ifindex, 20);
	assert_int_equal(tw_ports_next(&ports, 20)->ifindex, 30);
	assert_null(tw_ports_next(&ports, 30));
	assert_ptr_equal(tw_ports_find(&ports, 30), port);
	assert_null(tw_ports_find(&ports, 25));
	assert_ptr_equal(tw_ports_by_name(&ports, "tap30"), port);
	assert_ptr_equal(tw_ports_by_id(&ports, port->id), port);
	assert_null(tw_ports_by_id(&ports, TW_PORTS_MAX));

	/* A freed id is reused as late as possible. */
	id = port->id;
	tw_ports_remove(&ports, port);
	assert_null(tw_ports_by_id(&ports, id));
	for (uint32_t i = 0; i < TW_PORTS_MAX - 4; i++)
		assert_int_not_equal(add_port(&ports, 100 + i, "tap")->id, id);
	assert_int_equal(add_port(&ports, 99999, "last")->id, id);
	assert_int_equal(tw_ports_add(&ports, 5, "more", 0, &again), -ENOSPC);
	assert_int_equal(tw_ports_add(&ports, 5, "more", id, &again), -EEXIST);
	assert_null(tw_ports_find(&ports, 5));
	tw_ports_done(&ports);
}

static void test_networks(void **state)
{
	static struct tw_ports ports;
	uint16_t first, second;

	tw_ports_init(&ports);
	first = tw_ports_network(&ports, 5, "br0");
	second = tw_ports_network(&ports, 6, "br1");
	assert_int_not_equal(first, second);
	assert_int_equal(tw_ports_network(&ports, 5, "renamed"), first);
	assert_string_equal(tw_ports_network_name(&ports, first), "renamed");
	tw_ports_network_gone(&ports, 5);
	assert_null(tw_ports_network_row(&ports, 5));
	/* Connections of a removed network may still be listed; a new bridge is another network. */
	assert_string_equal(tw_ports_network_name(&ports, first), "renamed");
	assert_int_not_equal(tw_ports_network(&ports, 5, "new"), first);
	for (uint32_t i = 100; i < 20000; i++) {
		assert_int_not_equal(tw_ports_network(&ports, i, "many"), 0);
		tw_ports_network_gone(&ports, i);
	}
	assert_true(ports.networks.n < 10000);
	assert_int_equal(tw_ports_network(&ports, 6, "br1"), second);
	tw_ports_done(&ports);
}

/* ---- binding ports to workloads ---- */

struct bindings {
	struct tw_ports ports;
	struct tw_binding at[8];
	bool taken[8];
};

static void bind_all(const char *text, struct bindings *b, struct tw_inforce **ret)
{
	tw_inforce_free(*ret);
	*ret = inforce_of(text);
	memset(b->taken, 0, sizeof(b->taken));
	assert_int_equal(tw_bind_ports(*ret, &b->ports, b->at, b->taken), 0);
}

static void assert_bound(const struct bindings *b, size_t i, const char *workload, enum tw_bound by)
{
	assert_non_null(b->at[i].vnic);
	assert_string_equal(b->at[i].vnic->workload, workload);
	assert_int_equal(b->at[i].by, by);
	assert_int_equal(b->at[i].conflict, TW_CONFLICT_NONE);
	assert_true(b->taken[b->at[i].vnic->index]);
}

static void assert_unbound(const struct bindings *b, size_t i, enum tw_conflict conflict)
{
	assert_null(b->at[i].vnic);
	assert_int_equal(b->at[i].by, TW_BOUND_NOT);
	assert_int_equal(b->at[i].conflict, conflict);
	assert_int_equal(b->at[i].about != NULL, conflict != TW_CONFLICT_NONE);
}

static void set_mac(struct tw_agent_port *port, uint8_t first, uint8_t last)
{
	const uint8_t mac[6] = {first, 0x54, 0, 0, 0, last};

	memcpy(port->mac, mac, sizeof(mac));
	port->has_mac = true;
	port->mac_origin = TW_MAC_GIVEN;
}

#define WORKLOADS                                                                 \
	"version: 1\n"                                                            \
	"workloads:\n"                                                            \
	"  a: {port: vnet0, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1]}\n" \
	"  b: {port: vnet1, mac: \"52:54:00:00:00:02\", addresses: [10.0.0.2]}\n" \
	"  by-mac: {mac: \"52:54:00:00:00:03\", addresses: [10.0.0.3]}\n"         \
	"  by-name: {port: vnet4, addresses: [10.0.0.4]}\n"

#define FIRST_SENDER "options: {bind: first-sender}\n"

static void begin(struct bindings *b, struct tw_agent_port *port[], size_t n)
{
	memset(b, 0, sizeof(*b));
	tw_ports_init(&b->ports);
	for (size_t i = 0; i < n; i++) {
		char name[IFNAMSIZ];

		snprintf(name, sizeof(name), "vnet%zu", i);
		port[i] = add_port(&b->ports, (uint32_t)(i + 1), name);
		port[i]->tap = true;
	}
}

/* Bound by name alone, by MAC alone, and taps whose numbers differ from the policy's. */
static void test_binding(void **state)
{
	static struct bindings b;
	struct tw_inforce *inforce = NULL;
	struct tw_agent_port *port[5];

	begin(&b, port, 5);
	set_mac(port[0], 0x06, 9);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 0, "a", TW_BOUND_BY_NAME);
	assert_bound(&b, 1, "b", TW_BOUND_BY_NAME);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);
	assert_bound(&b, 4, "by-name", TW_BOUND_BY_NAME);

	/* A tap's own MAC counts only if its first byte is fe. */
	set_mac(port[2], 0x52, 3);
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);
	set_mac(port[2], 0xfe, 3);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 2, "by-mac", TW_BOUND_BY_TAP_MAC);
	port[2]->mac_origin = TW_MAC_RANDOM;
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);

	/* a and b have exchanged their ports: the MACs determine whose port each is. */
	set_mac(port[0], 0xfe, 2);
	set_mac(port[1], 0xfe, 1);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 0, "b", TW_BOUND_BY_TAP_MAC);
	assert_bound(&b, 1, "a", TW_BOUND_BY_TAP_MAC);

	/* a has moved; its old port name now belongs to a VM that is not in the policy. */
	set_mac(port[0], 0xfe, 9);
	set_mac(port[1], 0xfe, 2);
	set_mac(port[3], 0xfe, 1);
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 0, TW_CONFLICT_NONE);
	assert_bound(&b, 1, "b", TW_BOUND_BY_TAP_MAC);
	assert_bound(&b, 3, "a", TW_BOUND_BY_TAP_MAC);

	/* For a workload without a MAC, a MAC that no workload has is not a contradiction. */
	set_mac(port[4], 0xfe, 9);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 4, "by-name", TW_BOUND_BY_NAME);
	set_mac(port[4], 0xfe, 3);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 4, "by-mac", TW_BOUND_BY_TAP_MAC);
	tw_ports_done(&b.ports);
	tw_inforce_free(inforce);
}

/* A port whose name and MAC contradict each other is bound to no workload. */
static void test_binding_conflicts(void **state)
{
	static struct bindings b;
	struct tw_inforce *inforce = NULL;
	struct tw_agent_port *port[4];

	/* The name is a's, the MAC another VM's. A MAC that LXC generated proves nothing. */
	begin(&b, port, 4);
	set_mac(port[0], 0xfe, 9);
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 0, TW_CONFLICT_MAC);
	port[0]->tap = false;
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 0, TW_CONFLICT_MAC);
	port[0]->mac[1] = 0x77;
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 0, "a", TW_BOUND_BY_NAME);
	port[0]->tap = true;
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 0, TW_CONFLICT_MAC);
	port[0]->mac_origin = TW_MAC_UNKNOWN;
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 0, "a", TW_BOUND_BY_NAME);
	port[0]->mac[1] = 0x54;
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 0, TW_CONFLICT_MAC);
	port[0]->mac_origin = TW_MAC_RANDOM;
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 0, "a", TW_BOUND_BY_NAME);

	/* a is elsewhere, and nothing identifies this port. */
	set_mac(port[3], 0xfe, 1);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 3, "a", TW_BOUND_BY_TAP_MAC);
	assert_unbound(&b, 0, TW_CONFLICT_ELSEWHERE);

	/* Two ports have a's MAC: the one whose name matches too is a's. */
	set_mac(port[0], 0xfe, 1);
	set_mac(port[1], 0xfe, 1);
	bind_all(WORKLOADS, &b, &inforce);
	assert_bound(&b, 0, "a", TW_BOUND_BY_TAP_MAC);
	assert_unbound(&b, 1, TW_CONFLICT_TWICE);
	assert_unbound(&b, 3, TW_CONFLICT_TWICE);

	/* Two workloads whose MACs differ only in the first byte. */
	bind_all("version: 1\n"
		 "workloads:\n"
		 "  x: {mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1]}\n"
		 "  y: {port: vnet1, mac: \"56:54:00:00:00:01\", addresses: [10.0.0.2]}\n",
		&b, &inforce);
	assert_unbound(&b, 0, TW_CONFLICT_UNSURE);
	assert_bound(&b, 1, "y", TW_BOUND_BY_TAP_MAC);
	tw_ports_done(&b.ports);
	tw_inforce_free(inforce);
}

/* The guest's source MAC counts only if the policy allows it, and never against host data. */
static void test_binding_first_sender(void **state)
{
	static struct bindings b;
	struct tw_inforce *inforce = NULL;
	struct tw_agent_port *port[4];

	begin(&b, port, 4);
	learn(port[2], 3);
	bind_all(WORKLOADS, &b, &inforce);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);
	bind_all(WORKLOADS "options: {bind: tap-mac}\n", &b, &inforce);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);
	bind_all(WORKLOADS FIRST_SENDER, &b, &inforce);
	assert_bound(&b, 2, "by-mac", TW_BOUND_BY_SENDER);

	/* A workload has one port; the tap's own MAC takes precedence over a source MAC. */
	learn(port[3], 3);
	bind_all(WORKLOADS FIRST_SENDER, &b, &inforce);
	assert_unbound(&b, 3, TW_CONFLICT_NONE);
	set_mac(port[3], 0xfe, 3);
	bind_all(WORKLOADS FIRST_SENDER, &b, &inforce);
	assert_bound(&b, 3, "by-mac", TW_BOUND_BY_TAP_MAC);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);

	/* According to the host, these ports belong to other VMs. */
	set_mac(port[2], 0xfe, 9);
	set_mac(port[3], 0xfe, 8);
	bind_all(WORKLOADS FIRST_SENDER, &b, &inforce);
	assert_unbound(&b, 2, TW_CONFLICT_NONE);
	assert_unbound(&b, 3, TW_CONFLICT_NONE);
	port[3]->mac_origin = TW_MAC_RANDOM;
	bind_all(WORKLOADS FIRST_SENDER, &b, &inforce);
	assert_bound(&b, 3, "by-mac", TW_BOUND_BY_SENDER);

	/* A port bound by name stays bound, whatever its guest sends. */
	learn(port[0], 2);
	b.ports.list.at[1]->name[0] = 'x';
	bind_all(WORKLOADS FIRST_SENDER, &b, &inforce);
	assert_bound(&b, 0, "a", TW_BOUND_BY_NAME);
	tw_ports_done(&b.ports);
	tw_inforce_free(inforce);
}

/* ---- connections without a record ---- */

/* Overflow maps that hold no set are not searched at every tick. */
static void test_overflow_walk(void **state)
{
	struct tw_overflow_walk *walk = calloc(1, sizeof(*walk));

	assert_non_null(walk);
	walk->ended = 1000;
	assert_false(tw_overflow_walk_due(walk, false, 1001));
	assert_true(tw_overflow_walk_due(walk, true, 1001));
	assert_true(tw_overflow_walk_due(walk, false, 1000 + TW_OVERFLOW_TICKS));
	walk->map = 1;
	assert_true(tw_overflow_walk_due(walk, false, 1001));
	walk->map = 0;
	walk->begun = true;
	assert_true(tw_overflow_walk_due(walk, false, 1001));
	walk->begun = false;
	walk->found = true;
	assert_true(tw_overflow_walk_due(walk, false, 1001));
	free(walk);
}

/* ---- the log ---- */

static void test_journal(void **state)
{
	const struct tw_journal_record *got;
	struct tw_journal journal;
	struct tw_event event = {0};

	assert_int_equal(tw_journal_init(&journal), 0);
	assert_null(tw_journal_at(&journal, 1));
	tw_journal_lose(&journal, 3);
	for (uint32_t i = 1; i <= TW_JOURNAL_ENTRIES + 10; i++) {
		event.frame.len = i;
		tw_journal_add(&journal, &event, 7, i & 1);
		assert_int_equal(tw_journal_at(&journal, i)->lost_before, i == 1 ? 3 : 0);
	}
	assert_int_equal(tw_journal_oldest(&journal), 11);
	assert_null(tw_journal_at(&journal, 10));
	got = tw_journal_at(&journal, 11);
	assert_non_null(got);
	assert_int_equal(got->event.frame.len, 11);
	assert_int_equal(got->unix_ns, 7);
	assert_true(got->notable);
	assert_null(tw_journal_at(&journal, TW_JOURNAL_ENTRIES + 11));
	tw_journal_done(&journal);
}

/* Entries keep the names that they were settled with for as long as they exist. */
static void test_journal_names(void **state)
{
	const struct tw_journal_record *kept;
	const struct tw_event event = {0};
	struct tw_event_names names = {0};
	struct tw_journal journal;
	char workload[] = "web-1";

	assert_int_equal(tw_journal_init(&journal), 0);
	assert_int_equal(tw_journal_unsettled(&journal), 0);
	tw_journal_add(&journal, &event, 0, true);
	tw_journal_add(&journal, &event, 0, true);
	names.workload = tw_journal_name(&journal, workload);
	names.gate_rule[TW_DIR_IN] = tw_journal_name(&journal, "to-db");
	assert_int_equal(tw_journal_name(&journal, NULL), 0);
	assert_int_equal(tw_journal_name(&journal, ""), 0);
	assert_int_equal(tw_journal_unsettled(&journal), 1);
	tw_journal_settle(&journal, 1, &names);
	assert_int_equal(tw_journal_unsettled(&journal), 2);
	assert_int_equal(tw_journal_unsettled(&journal), 0);
	kept = tw_journal_at(&journal, 1);
	assert_true(kept->named);
	/* A different text in the same buffer is a different name. */
	workload[0] = 'W';
	assert_int_not_equal(tw_journal_name(&journal, workload), kept->names.workload);
	assert_string_equal(tw_dictionary_text(&journal.names, kept->names.workload), "web-1");
	for (uint32_t i = 0; i < TW_JOURNAL_ENTRIES; i++)
		tw_journal_add(&journal, &event, 0, true);
	assert_false(tw_journal_at(&journal, TW_JOURNAL_ENTRIES + 1)->named);
	assert_int_equal(tw_journal_unsettled(&journal), 3); /* the oldest unsettled entry */
	tw_journal_done(&journal);
}

/* A dictionary that is too large keeps the names that entries have, under other ids. */
static void test_journal_tidy(void **state)
{
	const struct tw_journal_record *kept;
	const struct tw_event event = {0};
	struct tw_event_names names = {0};
	struct tw_journal journal;
	char name[16];

	assert_int_equal(tw_journal_init(&journal), 0);
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "rule-%d", i);
		names.rule = tw_journal_name(&journal, name);
	}
	tw_journal_add(&journal, &event, 0, true);
	tw_journal_settle(&journal, 1, &names);
	tw_journal_tidy(&journal, 101);
	assert_int_equal(journal.generation, 1);
	tw_journal_tidy(&journal, 100);
	assert_int_equal(journal.generation, 2);
	kept = tw_journal_at(&journal, 1);
	assert_int_equal(kept->names.rule, 1);
	assert_string_equal(tw_dictionary_text(&journal.names, 1), "rule-99");
	assert_int_equal(tw_journal_name(&journal, "rule-0"), 2);
	tw_journal_done(&journal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slots_without_name),
		cmocka_unit_test(test_slots_like),
		cmocka_unit_test(test_slots_come_back),
		cmocka_unit_test(test_slots_without_memory),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_binding_conflicts),
		cmocka_unit_test(test_binding_first_sender),
		cmocka_unit_test(test_overflow_walk),
		cmocka_unit_test(test_journal),
		cmocka_unit_test(test_journal_names),
		cmocka_unit_test(test_journal_tidy),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
