/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Unit tests of leases that outlive the kernel's maps: reading the file after some time, and
 * restoring the leases. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/agent/test.h"

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/kept.h"
#include "agent/publish/lease_map.h"
#include "agent/publish/leases.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "fastpath/abi/names.h"

#define NOW_NS	1000000000000ull
#define UNIX_S	1800000000
#define SECOND	1000000000ull
#define BRIDGE	5
#define NETWORK "br0"

static void add(struct tw_kept *kept, const char *workload, uint8_t mac, const char *addr,
	uint64_t until_ns)
{
	struct tw_kept_lease lease;

	memset(&lease, 0, sizeof(lease));
	strcpy(lease.network, NETWORK);
	strcpy(lease.workload, workload);
	memcpy(lease.mac, (uint8_t[6]){0x52, 0x54, 0, 0, 0, mac}, 6);
	assert_int_equal(tw_addr_parse(addr, &lease.addr), 0);
	lease.server = 0x0100000a;
	lease.until_ns = until_ns;
	assert_int_equal(tw_vec_push(&kept->list, lease), 0);
}

/* Writes three leases (100 s, 300 s, unlimited) and reads them `later_s` seconds later, after a
 * boot that restarted the monotonic clock. */
static int reread(struct tw_kept *ret, int64_t later_s, uint64_t now_ns)
{
	struct tw_kept kept = {0};
	json_t *root;
	int err;

	add(&kept, "a", 1, "10.0.0.1", NOW_NS + 100 * SECOND);
	add(&kept, "b", 2, "10.0.0.2", NOW_NS + 300 * SECOND);
	add(&kept, "c", 3, "2001:db8::3", UINT64_MAX);
	root = tw_kept_pack(&kept, NOW_NS, UNIX_S);
	assert_non_null(root);
	err = tw_kept_unpack(ret, root, now_ns, UNIX_S + later_s);
	json_decref(root);
	tw_kept_done(&kept);
	return err;
}

static void test_kept_clock(void **state)
{
	struct tw_kept kept = {0};

	assert_int_equal(reread(&kept, 60, 7 * SECOND), 0);
	assert_int_equal(kept.list.n, 3);
	assert_true(kept.list.at[0].until_ns == 47 * SECOND);
	assert_true(kept.list.at[1].until_ns == 247 * SECOND);
	assert_true(kept.list.at[2].until_ns == UINT64_MAX);
	assert_int_equal(kept.list.at[0].server, 0x0100000a);
	assert_string_equal(kept.list.at[0].workload, "a");
	assert_string_equal(kept.list.at[0].network, NETWORK);
	/* The first lease has expired. */
	assert_int_equal(reread(&kept, 100, 7 * SECOND), 0);
	assert_int_equal(kept.list.n, 2);
	/* A clock that steps back a little does not extend a lease; one that was set back far
	 * discards them. */
	assert_int_equal(reread(&kept, -30, 7 * SECOND), 0);
	assert_true(kept.list.at[0].until_ns == 107 * SECOND);
	assert_int_equal(reread(&kept, -61, 7 * SECOND), -ERANGE);
	tw_kept_done(&kept);
}

/* A lease longer than DHCP can express, and rows that are not leases. */
static void test_kept_nonsense(void **state)
{
	static const char *const text[] = {
		"{\"saved\":1800000000,\"leases\":[{\"mac\":\"525400000001\",\"address\":\"10.0.0.1\",\"left\":4294967296}]}",
		"{\"saved\":1800000000,\"leases\":[{\"mac\":\"525400000001\",\"address\":\"10.0.0.1\",\"left\":-2}]}",
		"{\"saved\":1800000000,\"leases\":[{\"mac\":\"52540000\",\"address\":\"10.0.0.1\",\"left\":9}]}",
		"{\"saved\":1800000000,\"leases\":[{\"mac\":\"525400000001\",\"address\":\"10.0.0\",\"left\":9}]}",
		"{\"saved\":1800000000,\"leases\":[7]}",
		"{\"saved\":1800000000,\"leases\":7}",
	};
	struct tw_kept kept = {0};

	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		json_t *root = json_loads(text[i], 0, NULL);

		assert_non_null(root);
		assert_int_equal(tw_kept_unpack(&kept, root, NOW_NS, UNIX_S), 0);
		assert_int_equal(kept.list.n, 0);
		json_decref(root);
	}
	tw_kept_done(&kept);
}

static const char two_guests[] = "version: 1\n"
				 "workloads:\n"
				 "  a: {port: a, mac: 52:54:00:00:00:01, addresses: dhcp}\n"
				 "  b: {port: b, mac: 52:54:00:00:00:02, addresses: dhcp}\n";

struct kept_place {
	struct tw_enforcement enforcement;
	struct tw_host host;
	struct tw_ports ports;
	struct tw_agent_leases leases;
	struct tw_kept kept;
	struct tw_inforce *inforce;
	struct tw_agent_port *port[2];
};

static void make_place(struct kept_place *place)
{
	memset(place, 0, sizeof(*place));
	place->enforcement.host = &place->host;
	place->enforcement.leases = &place->leases;
	place->enforcement.kept = &place->kept;
	place->host.ports = &place->ports;
	place->inforce = inforce_of(two_guests);
	place->leases.map = tw_alloc_array(TW_PORTS_MAX, sizeof(struct tw_leases));
	assert_non_null(place->leases.map);
	tw_ports_init(&place->ports);
	for (uint32_t i = 0; i < 2; i++) {
		place->port[i] = add_port(&place->ports, 10 + i, (const char *[]){"a", "b"}[i]);
		place->port[i]->bridge = BRIDGE;
		place->port[i]->network = tw_ports_network(&place->ports, BRIDGE, NETWORK);
	}
}

static void drop_place(struct kept_place *place)
{
	tw_kept_done(&place->kept);
	tw_ports_done(&place->ports);
	tw_inforce_free(place->inforce);
	free(place->leases.map);
}

static size_t n_learned(struct kept_place *place, struct tw_learned *ret_first)
{
	struct tw_learned_list list = {0};
	size_t n;

	assert_int_equal(tw_leases_gather(&place->enforcement, place->inforce, &list), 0);
	n = list.n;
	if (n)
		*ret_first = list.at[0];
	tw_vec_done(&list);
	return n;
}

/* A lease is restored only for its MAC, workload and network, and before it expires. */
static void test_kept_restore(void **state)
{
	uint64_t later = tw_clock_ns() + 1000 * SECOND;
	struct tw_kept_lease *last;
	struct kept_place place;
	struct tw_learned learned;
	struct tw_lease *lease;

	make_place(&place);
	add(&place.kept, "a", 1, "10.0.0.1", later);
	add(&place.kept, "a", 2, "10.0.0.2", later);
	add(&place.kept, "b", 1, "10.0.0.3", later);
	add(&place.kept, "a", 1, "10.0.0.4", tw_clock_ns() - 1);
	add(&place.kept, "a", 1, "10.0.0.5", later);
	last = &place.kept.list.at[4];
	strcpy(last->network, "br1");
	add(&place.kept, "a", 1, "10.0.0.6", later);
	place.kept.list.at[5].vlan = 7;
	assert_int_equal(tw_kept_restore(&place.enforcement, place.inforce), 0);
	assert_int_equal(n_learned(&place, &learned), 1);
	assert_int_equal(learned.vnic, 0);
	lease = &place.leases.map[place.port[0]->id].at[0][TW_LEASES_MAX - 1];
	assert_memory_equal(&learned.addr, &place.kept.list.at[0].addr, sizeof(learned.addr));
	assert_true(lease->until_ns == later);
	assert_int_equal(lease->known, 0);
	assert_int_equal(lease->restored, 1);
	assert_int_not_equal(lease->serial, 0);
	assert_int_equal(lease->server, 0x0100000a);
	drop_place(&place);
}

/* The map's entry for a MAC takes precedence, even if it is empty: the lease was released. */
static void test_kept_kernel_first(void **state)
{
	struct kept_place place;
	struct tw_learned learned;

	make_place(&place);
	add(&place.kept, "a", 1, "10.0.0.1", UINT64_MAX);
	memcpy(place.leases.map[place.port[0]->id].mac, (uint8_t[6]){0x52, 0x54, 0, 0, 0, 1}, 6);
	assert_int_equal(tw_kept_restore(&place.enforcement, place.inforce), 0);
	assert_int_equal(n_learned(&place, &learned), 0);
	drop_place(&place);
}

/* If a server has since given a restored lease's address to another guest, the address belongs to
 * that guest, although the policy still lists it for the first guest. */
static void test_kept_yields(void **state)
{
	struct kept_place place;
	struct tw_learned learned;
	struct tw_leases *a, *b;

	make_place(&place);
	a = &place.leases.map[place.port[0]->id];
	b = &place.leases.map[place.port[1]->id];
	add(&place.kept, "a", 1, "10.0.0.1", UINT64_MAX);
	assert_int_equal(tw_kept_restore(&place.enforcement, place.inforce), 0);
	a->at[0][TW_LEASES_MAX - 1].known = a->at[0][TW_LEASES_MAX - 1].serial;
	assert_int_equal(n_learned(&place, &learned), 1);
	assert_int_equal(learned.vnic, 0);
	memcpy(b->mac, (uint8_t[6]){0x52, 0x54, 0, 0, 0, 2}, 6);
	b->at[0][0].addr = a->at[0][TW_LEASES_MAX - 1].addr;
	b->at[0][0].serial = 1;
	b->at[0][0].until_ns = UINT64_MAX;
	assert_int_equal(n_learned(&place, &learned), 1);
	assert_int_equal(learned.vnic, 1);
	/* Once renewed, a restored lease is an ordinary one, and the policy has its address. */
	a->at[0][TW_LEASES_MAX - 1].restored = 0;
	assert_int_equal(n_learned(&place, &learned), 1);
	assert_int_equal(learned.vnic, 0);
	drop_place(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_clock),
		cmocka_unit_test(test_kept_nonsense),
		cmocka_unit_test(test_kept_restore),
		cmocka_unit_test(test_kept_kernel_first),
		cmocka_unit_test(test_kept_yields),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
