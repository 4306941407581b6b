/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Units of the agent that need no kernel: names and numbers, what is bound to what, what is kept. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/test.h"

#include "agent/agent.h"
#include "agent/inforce.h"
#include "agent/journal.h"
#include "agent/pattern.h"
#include "agent/ports.h"
#include "agent/slots.h"
#include "agent/store.h"
#include "base/alloc.h"
#include "fastpath/abi/names.h"

static struct tw_inforce *inforce_of(const char *text)
{
	struct tw_inforce *inforce = NULL;
	struct tw_diags diags = {0};

	assert_int_equal(tw_inforce_new(text, strlen(text), "test", NULL, &diags, &inforce), 0);
	tw_diags_done(&diags);
	return inforce;
}

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
	assert_int_equal(patterns.n, 1); /* untouched by failures */
}

/* ---- leases ---- */

static void give(struct tw_agent *agent, uint16_t id, uint8_t mac, const char *addr, bool known)
{
	struct tw_leases *leases = &agent->leases.map[id];
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

/* Who has an address by the policy keeps it, then who has it already; a prefix is no claim; what was
 * given to another MAC does not count. */
static void test_leases(void **state)
{
	struct tw_inforce *inforce = inforce_of(
		"version: 1\n"
		"workloads:\n"
		"  a: {port: a, mac: 52:54:00:00:00:01, addresses: dhcp}\n"
		"  b: {port: b, mac: 52:54:00:00:00:02, addresses: dhcp}\n"
		"  c: {port: c, mac: 52:54:00:00:00:03, addresses: [10.0.0.3, 10.1.0.0/16]}\n");
	struct tw_agent agent = {.inforce = inforce};
	struct tw_agent_port *port[3];
	struct tw_learned_list list = {0};

	agent.leases.map = tw_alloc_array(TW_PORTS_MAX, sizeof(struct tw_leases));
	tw_ports_init(&agent.ports);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(tw_ports_add(&agent.ports, 10 + i,
					 (const char *[]){"a", "b", "c"}[i], 0, &port[i]),
			0);
	give(&agent, port[0]->id, 1, "10.0.0.50", false);
	give(&agent, port[1]->id, 2, "10.0.0.50", true);
	give(&agent, port[0]->id, 1, "10.0.0.3", false);
	give(&agent, port[0]->id, 1, "10.1.0.7", false);
	give(&agent, port[2]->id, 3, "10.0.0.60", false);
	assert_int_equal(tw_leases_gather(&agent, inforce, &list), 0);
	assert_int_equal(list.n, 2);
	assert_learned(&list, 0, 0, "10.1.0.7");
	assert_learned(&list, 1, 1, "10.0.0.50");
	list.n = 0;
	agent.leases.map[port[1]->id].at[0][0].until_ns = 1;
	agent.leases.map[port[0]->id].at[0][2].until_ns = 0;
	assert_int_equal(tw_leases_gather(&agent, inforce, &list), 0);
	assert_int_equal(list.n, 1);
	assert_learned(&list, 0, 0, "10.0.0.50");
	list.n = 0;
	agent.leases.map[port[0]->id].mac[5] = 9;
	assert_int_equal(tw_leases_gather(&agent, inforce, &list), 0);
	assert_int_equal(list.n, 0);
	tw_vec_done(&list);
	tw_ports_done(&agent.ports);
	tw_inforce_free(inforce);
	free(agent.leases.map);
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

#define RULE(name) "{name: " name ", from: any, to: any, action: allow}"

static void test_slots(void **state)
{
	uint32_t first[3], second[3], third[3];
	struct tw_slots slots;

	tw_slots_init(&slots, -1);
	assign(&slots, RULE("a") "," RULE("b"), first);
	assign(&slots, RULE("b") "," RULE("c"), second);
	assert_int_equal(second[0], first[1]);	   /* b stays */
	assert_int_equal(second[2], first[2]);	   /* and so does the default */
	assert_int_not_equal(second[1], first[0]); /* c has not taken a's */
	assert_string_equal(tw_slots_name(&slots, first[0]), "a");

	/* A connection still speaks of a. */
	tw_slots_begin_walk(&slots);
	tw_slots_refer(&slots, first[0]);
	tw_slots_end_walk(&slots);
	assert_string_equal(tw_slots_name(&slots, first[0]), "a");
	/* One walk that began before b retired does not free it. */
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

static void test_slots_come_back(void **state)
{
	uint32_t first[2], second[2], third[2];
	struct tw_slots slots;

	tw_slots_init(&slots, -1);
	assert_int_equal(tw_slots_restore(&slots, 7, "a"), 0);
	assert_int_equal(tw_slots_restore(&slots, 7, "b"), -EEXIST);
	assert_int_equal(tw_slots_restore(&slots, 8, "a"), -EEXIST);
	assert_int_equal(tw_slots_restore(&slots, TW_RULES_MAX, "c"), -EINVAL);
	assert_int_equal(tw_slots_restore(&slots, 9, ""), -EINVAL);
	assign(&slots, RULE("a"), first);
	assert_int_equal(first[0], 7);
	/* Gone and back before any walk: the same rule. */
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

		tw_slots_init(&slots, -1);
		tw_alloc_fail_after(n);
		ret = tw_slots_assign(&slots, inforce->policy, numbers);
		tw_alloc_fail_after(0);
		assert_true(ret == 0 || ret == -ENOMEM);
		tw_slots_done(&slots);
	}
	tw_inforce_free(inforce);
}

/* ---- ports and networks ---- */

static struct tw_agent_port *add_port(struct tw_ports *ports, uint32_t ifindex, const char *name)
{
	struct tw_agent_port *port = NULL;

	assert_int_equal(tw_ports_add(ports, ifindex, name, 0, &port), 0);
	return port;
}

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

	/* An id is given again as late as can be. */
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
	/* Connections of it may still be listed; a new bridge is another network. */
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

/* ---- whose port is it ---- */

static const char *bound(const struct tw_inforce *inforce, struct tw_ports *ports, size_t i)
{
	const struct tw_vnic *vnics[8];

	assert_int_equal(tw_inforce_bind(inforce, ports, vnics, NULL), 0);
	return vnics[i] ? vnics[i]->workload : "";
}

static void set_mac(struct tw_agent_port *port, uint8_t first, uint8_t last)
{
	const uint8_t mac[6] = {first, 0x54, 0, 0, 0, last};

	memcpy(port->mac, mac, sizeof(mac));
	port->has_mac = true;
}

static void learn(struct tw_agent_port *port, uint8_t last)
{
	const uint8_t mac[6] = {0x52, 0x54, 0, 0, 0, last};

	memcpy(port->learned_mac, mac, sizeof(mac));
	port->learned = true;
}

static void test_binding(void **state)
{
	static struct tw_ports ports;
	struct tw_inforce *inforce = inforce_of(
		"version: 1\n"
		"workloads:\n"
		"  named: {port: tap1, mac: \"52:54:00:00:00:01\", addresses: [10.0.0.1]}\n"
		"  by-mac: {mac: \"52:54:00:00:00:02\", addresses: [10.0.0.2]}\n"
		"  other: {mac: \"52:54:00:00:00:03\", addresses: [10.0.0.3]}\n");
	struct tw_agent_port *one, *two, *three;

	tw_ports_init(&ports);
	one = add_port(&ports, 1, "tap1");
	two = add_port(&ports, 2, "tap2");
	three = add_port(&ports, 3, "tap3");
	assert_string_equal(bound(inforce, &ports, 0), "named");
	assert_string_equal(bound(inforce, &ports, 1), "");

	/* A name is the surest; a tap's own MAC counts only behind fe. */
	set_mac(one, 0xfe, 2);
	set_mac(two, 0xfe, 2);
	assert_string_equal(bound(inforce, &ports, 0), "named");
	assert_string_equal(bound(inforce, &ports, 1), "by-mac");
	set_mac(two, 0x52, 2);
	assert_string_equal(bound(inforce, &ports, 1), "");

	/* A workload with a port's name is not to be had by MAC. */
	set_mac(two, 0xfe, 1);
	assert_string_equal(bound(inforce, &ports, 1), "");
	learn(two, 1);
	assert_string_equal(bound(inforce, &ports, 1), "");

	/* Who was heard gets it, unless a surer way says otherwise; nobody gets it twice. */
	learn(two, 2);
	assert_string_equal(bound(inforce, &ports, 1), "by-mac");
	learn(three, 2);
	assert_string_equal(bound(inforce, &ports, 2), "");
	set_mac(three, 0xfe, 2);
	assert_string_equal(bound(inforce, &ports, 1), "");
	assert_string_equal(bound(inforce, &ports, 2), "by-mac");
	tw_ports_done(&ports);
	tw_inforce_free(inforce);
}

/* ---- the log ---- */

static void test_journal(void **state)
{
	struct tw_journal journal;
	Tapwall__V1__LogEntry entry = TAPWALL__V1__LOG_ENTRY__INIT, *got;
	bool notable = false;

	assert_int_equal(tw_journal_init(&journal), 0);
	assert_null(tw_journal_get(&journal, 1, &notable));
	tw_journal_lose(&journal, 3);
	for (uint32_t i = 1; i <= TW_JOURNAL_ENTRIES + 10; i++) {
		entry.len = i;
		tw_journal_add(&journal, &entry, i & 1);
	}
	assert_int_equal(tw_journal_oldest(&journal), 11);
	assert_null(tw_journal_get(&journal, 10, &notable));
	got = tw_journal_get(&journal, 11, &notable);
	assert_non_null(got);
	assert_int_equal(got->len, 11);
	assert_true(notable);
	tapwall__v1__log_entry__free_unpacked(got, NULL);
	assert_null(tw_journal_get(&journal, TW_JOURNAL_ENTRIES + 11, &notable));

	/* An entry for which there was no memory is told as lost with the next. */
	tw_alloc_fail_after(1);
	tw_journal_add(&journal, &entry, true);
	tw_alloc_fail_after(0);
	tw_journal_add(&journal, &entry, true);
	got = tw_journal_get(&journal, TW_JOURNAL_ENTRIES + 11, &notable);
	assert_non_null(got);
	assert_int_equal(got->lost_before, 1);
	tapwall__v1__log_entry__free_unpacked(got, NULL);
	tw_journal_done(&journal);
}

/* ---- what is kept ---- */

struct store_place {
	char path[64];
	struct tw_store *store;
};

static int open_store(void **state)
{
	static struct store_place place;
	struct tw_err err;

	snprintf(place.path, sizeof(place.path), "/tmp/tw-agent-unit.XXXXXX");
	if (!mkdtemp(place.path))
		return -1;
	strcat(place.path, "/state/deep");
	if (tw_store_open(place.path, &place.store, &err) < 0)
		return -1;
	tw_store_set_mark(place.store, 42);
	*state = &place;
	return 0;
}

static int close_store(void **state)
{
	struct store_place *place = *state;
	struct stat info;

	tw_store_remove(place->store);
	tw_store_free(place->store);
	if (!stat(place->path, &info))
		return -1; /* nothing of ours may be left */
	for (int i = 0; i < 2; i++) {
		*strrchr(place->path, '/') = '\0';
		rmdir(place->path);
	}
	return 0;
}

static void test_store_lock(void **state)
{
	const struct store_place *place = *state;
	struct tw_store *second = NULL;
	struct tw_err err;

	assert_int_equal(tw_store_open(place->path, &second, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err.text, "an agent is running here (process "));
	assert_int_equal(tw_store_open("/proc/nowhere", &second, &err), -ENOENT);
}

static void test_store_rules(void **state)
{
	const struct store_place *place = *state;
	struct tw_inforce *inforce = inforce_of("version: 1\nrules: [" RULE("a") "]\n");
	struct tw_saved_rules saved = {0};
	struct tw_slots slots;

	tw_slots_init(&slots, -1);
	assert_int_equal(tw_store_load_rules(place->store, &slots, &saved), -ENOENT);
	assert_int_equal(tw_slots_assign(&slots, inforce->policy, inforce->slots), 0);
	inforce->generation = 12;
	assert_int_equal(tw_store_stage(place->store, &slots, inforce, 1, NULL), 0);
	assert_int_equal(tw_store_keep(place->store, NULL), 0);
	tw_slots_done(&slots);

	tw_slots_init(&slots, -1);
	tw_store_set_mark(place->store, 43); /* another boot's maps */
	assert_int_equal(tw_store_load_rules(place->store, &slots, &saved), -ENOENT);
	tw_store_set_mark(place->store, 42);
	assert_int_equal(tw_store_load_rules(place->store, &slots, &saved), 0);
	assert_int_equal(saved.generation, 12);
	assert_int_equal(saved.since_ns, inforce->since_ns);
	assert_string_equal(saved.source, "test");
	assert_string_equal(tw_slots_name(&slots, inforce->slots[0]), "a");
	assert_string_equal(tw_slots_name(&slots, inforce->slots[1]), "default");
	free(saved.source);
	tw_slots_done(&slots);
	tw_inforce_free(inforce);
}

/* Whether this text is what an agent would start with. */
static bool has_policy(struct tw_store *store, const struct tw_inforce *inforce)
{
	tw_autofree char *text = NULL;
	size_t len;

	return !tw_store_read(store, TW_STORE_POLICY, &text, &len) && len == inforce->text_len &&
	       !memcmp(text, inforce->text, len);
}

static bool has_rule(struct tw_store *store, const char *name)
{
	struct tw_saved_rules saved = {0};
	struct tw_slots slots;
	bool found = false;

	tw_slots_init(&slots, -1);
	if (!tw_store_load_rules(store, &slots, &saved))
		for (uint32_t i = 0; i < slots.n; i++)
			found |= tw_slots_name(&slots, i) &&
				 !strcmp(tw_slots_name(&slots, i), name);
	free(saved.source);
	tw_slots_done(&slots);
	return found;
}

/* An agent that dies between the writing of a policy and the end of it leaves the policy that the
 * kernel enforces. */
static void test_store_staged(void **state)
{
	const struct store_place *place = *state;
	struct tw_store *store = place->store;
	struct tw_inforce *old = inforce_of("version: 1\nrules: [" RULE("old") "]\n");
	struct tw_inforce *now = inforce_of("version: 1\nrules: [" RULE("now") "]\n");
	char from[160], to[160];
	struct tw_slots slots;

	tw_slots_init(&slots, -1);
	assert_int_equal(tw_slots_assign(&slots, old->policy, old->slots), 0);
	assert_int_equal(tw_store_stage(store, &slots, old, 6, NULL), 0);
	assert_int_equal(tw_store_keep(store, NULL), 0);
	assert_int_equal(tw_slots_assign(&slots, now->policy, now->slots), 0);

	assert_int_equal(tw_store_stage(store, &slots, now, 7, NULL), 0);
	assert_true(has_policy(store, old));
	tw_store_recover(store, 6); /* it never came to the flip */
	assert_true(has_policy(store, old) && !has_rule(store, "now"));
	tw_store_recover(store, 7); /* nothing is left of it */
	assert_true(has_policy(store, old) && !has_rule(store, "now"));

	assert_int_equal(tw_store_stage(store, &slots, now, 7, NULL), 0);
	tw_store_recover(store, 7);
	assert_true(has_policy(store, now) && has_rule(store, "now"));

	/* It came as far as to the first of the two files. */
	assert_int_equal(tw_store_stage(store, &slots, old, 8, NULL), 0);
	snprintf(from, sizeof(from), "%s/%s.new", place->path, TW_STORE_POLICY);
	snprintf(to, sizeof(to), "%s/%s", place->path, TW_STORE_POLICY);
	assert_int_equal(rename(from, to), 0);
	tw_store_recover(store, 8);
	assert_true(has_policy(store, old) && has_rule(store, "old"));

	/* The text that goes with the rules did not make it. */
	assert_int_equal(tw_store_stage(store, &slots, now, 9, NULL), 0);
	assert_int_equal(truncate(from, 5), 0);
	tw_store_recover(store, 9);
	assert_true(has_policy(store, old));
	assert_int_not_equal(access(from, F_OK), 0);
	tw_slots_done(&slots);
	tw_inforce_free(old);
	tw_inforce_free(now);
}

static void test_store_ports(void **state)
{
	const struct store_place *place = *state;
	static struct tw_ports ports;
	struct tw_saved_port *saved = NULL;
	struct tw_agent_port *port;
	uint16_t network, next_id, next_network;
	size_t n = 0;

	tw_ports_init(&ports);
	port = add_port(&ports, 17, "tap17");
	learn(port, 9);
	add_port(&ports, 18, "odd\xff\xfename"); /* no UTF-8: not kept, and no reason to fail */
	network = tw_ports_network(&ports, 5, "br0");
	next_id = ports.next_id;
	next_network = ports.next_network;
	assert_int_equal(tw_store_save_ports(place->store, &ports, NULL), 0);
	tw_ports_done(&ports);

	tw_ports_init(&ports);
	assert_int_equal(tw_store_load_ports(place->store, &ports, &saved, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(saved[0].ifindex, 17);
	assert_string_equal(saved[0].name, "tap17");
	assert_true(saved[0].learned);
	assert_int_equal(saved[0].learned_mac[5], 9);
	assert_int_equal(tw_ports_network(&ports, 5, "br0"), network);
	assert_int_equal(ports.next_id, next_id);
	assert_int_equal(ports.next_network, next_network);
	free(saved);
	tw_ports_done(&ports);
}

static void test_store_images(void **state)
{
	const struct store_place *place = *state;
	static struct tw_image_slot slots[TW_IMAGES_MAX];
	struct tw_images images = {.slots = slots};

	slots[3] = (struct tw_image_slot){
		.used = true, .bytes = 640, .n_entries = 5, .key = {{UINT64_MAX, 1}}};
	slots[4] = (struct tw_image_slot){.saved = true};
	assert_int_equal(tw_store_save_images(place->store, &images, NULL), 0);
	assert_true(slots[3].saved);
	assert_false(slots[4].saved); /* what the file no longer tells of may be taken */
	memset(slots, 0, sizeof(slots));
	tw_store_load_images(place->store, &images);
	assert_true(slots[3].saved);
	assert_false(slots[3].used);
	assert_int_equal(slots[3].bytes, 640);
	assert_int_equal(slots[3].n_entries, 5);
	assert_true(slots[3].key.word[0] == UINT64_MAX && slots[3].key.word[1] == 1);
}

/* A state folder is root's own, but a disk may lie: nothing in it is believed. */
static void test_store_damaged(void **state)
{
	static const char *const texts[] = {"", "{", "[]", "null", "{\"mark\": 42}",
		"{\"mark\": 42, \"rules\": [1, [], [0], [\"a\", \"b\"], [-1, \"x\"], [9e9, \"y\"]]}",
		"{\"mark\": 42, \"rules\": {\"a\": 1}, \"source\": 7}",
		"{\"mark\": 42, \"ports\": [7, {}, {\"ifindex\": -3, \"id\": 99999, \"name\": 5}]}",
		"{\"mark\": 42, \"networks\": [{\"ifindex\": 1, \"number\": 70000}, 3]}",
		"{\"mark\": 42, \"images\": [[0], [8192, 1, 1, 1, 1], [-5], {}, \"x\"]}"};
	const struct store_place *place = *state;
	static struct tw_image_slot image_slots[TW_IMAGES_MAX];
	struct tw_images images = {.slots = image_slots};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		static struct tw_ports ports;
		struct tw_saved_rules rules = {0};
		struct tw_saved_port *saved = NULL;
		struct tw_slots slots;
		size_t n = 0, len = strlen(texts[i]);

		assert_int_equal(
			tw_store_write(place->store, TW_STORE_RULES, texts[i], len, NULL), 0);
		assert_int_equal(
			tw_store_write(place->store, TW_STORE_PORTS, texts[i], len, NULL), 0);
		assert_int_equal(
			tw_store_write(place->store, TW_STORE_IMAGES, texts[i], len, NULL), 0);
		tw_slots_init(&slots, -1);
		tw_ports_init(&ports);
		tw_store_load_rules(place->store, &slots, &rules);
		tw_store_load_ports(place->store, &ports, &saved, &n);
		tw_store_load_images(place->store, &images);
		assert_int_equal(slots.n_used, 0);
		assert_int_equal(ports.networks.n, 0);
		for (size_t j = 0; j < n; j++)
			assert_true(saved[j].id < TW_PORTS_MAX);
		free(saved);
		free(rules.source);
		tw_slots_done(&slots);
		tw_ports_done(&ports);
	}
}

static void test_store_files(void **state)
{
	const struct store_place *place = *state;
	tw_autofree char *text = NULL;
	char path[128];
	struct stat info;
	size_t len = 0;

	assert_int_equal(tw_store_read(place->store, TW_STORE_POLICY, &text, &len), -ENOENT);
	assert_int_equal(tw_store_write(place->store, TW_STORE_POLICY, "one", 3, NULL), 0);
	assert_int_equal(tw_store_write(place->store, TW_STORE_POLICY, "seven", 5, NULL), 0);
	assert_int_equal(tw_store_read(place->store, TW_STORE_POLICY, &text, &len), 0);
	assert_int_equal(len, 5);
	assert_string_equal(text, "seven");
	snprintf(path, sizeof(path), "%s/%s", place->path, TW_STORE_POLICY);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 077, 0); /* a policy tells an attacker where to knock */
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, open_store, close_store)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_leases),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slots_come_back),
		cmocka_unit_test(test_slots_without_memory),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_journal),
		WITH_STORE(test_store_lock),
		WITH_STORE(test_store_rules),
		WITH_STORE(test_store_staged),
		WITH_STORE(test_store_ports),
		WITH_STORE(test_store_images),
		WITH_STORE(test_store_damaged),
		WITH_STORE(test_store_files),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
