/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/leases.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/abi/names.h"
#include "fastpath/kernel/load.h"

#define MAP_BYTES (TW_PORTS_MAX * sizeof(struct tw_leases))
#define REST	  4 /* length of the rest, in durations of the last turn */

/* A lease that the policy could include. */
struct candidate {
	struct tw_learned learned;
	uint32_t space; /* address space of the vNIC */
	bool known;	/* already in force */
	bool restored;	/* from leases.json: no server was seen assigning it */
};

struct candidates {
	TW_VEC(struct candidate) list;
};

_Static_assert(sizeof(struct tw_leases) % 8 == 0, "elements of an array map are 8 bytes apart");

int tw_leases_init(struct tw_enforcement *enforcement)
{
	int fd = tw_kernel_map_fd(enforcement->host->kernel, TW_MAP_leases);
	void *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	enforcement->leases->map = map;
	return 0;
}

void tw_leases_done(struct tw_enforcement *enforcement)
{
	if (enforcement->leases->map)
		munmap(enforcement->leases->map, MAP_BYTES);
	enforcement->leases->map = NULL;
}

static bool is_mac_of(const struct tw_leases *leases, const struct tw_vnic *vnic)
{
	return vnic->dhcp && !memcmp(leases->mac, vnic->mac, sizeof(leases->mac));
}

/* True if the policy's text gives this address to another vNIC. A prefix that contains it, such
 * as a router's, does not count. */
static bool is_taken(
	const struct tw_inforce *inforce, const struct tw_vnic *vnic, const struct tw_addr *addr)
{
	const struct tw_vnic *owner = tw_policy_find_owner_in(inforce->policy, vnic->space, addr);

	for (size_t i = 0; owner && owner != vnic && i < tw_vnic_n_given(owner); i++)
		if (owner->prefixes[i].len == 128 &&
			!memcmp(&owner->prefixes[i].addr, addr, sizeof(*addr)))
			return true;
	return false;
}

static int list_port(const struct tw_inforce *inforce, const struct tw_leases *leases,
	const struct tw_vnic *vnic, uint64_t now, struct candidates *ret)
{
	int err = 0;

	for (size_t i = 0; i < 2 * (size_t)TW_LEASES_MAX && !err; i++) {
		struct tw_lease lease = leases->at[i / TW_LEASES_MAX][i % TW_LEASES_MAX];
		struct candidate candidate = {{vnic->index, lease.addr}, vnic->space,
			lease.known == lease.serial, lease.restored};

		if (lease.until_ns > now && !is_taken(inforce, vnic, &lease.addr))
			err = tw_vec_push(&ret->list, candidate);
	}
	return err;
}

/* Orders leases by address space and address. For the same address, one that a server was seen assigning comes first,
 * then the one in force. */
static int compare_claims(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(&x->learned.addr, &y->learned.addr, sizeof(x->learned.addr));

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (order)
		return order;
	if (x->restored != y->restored)
		return x->restored ? 1 : -1;
	if (x->known != y->known)
		return x->known ? -1 : 1;
	return (x->learned.vnic > y->learned.vnic) - (x->learned.vnic < y->learned.vnic);
}

static int compare_learned(const void *a, const void *b)
{
	const struct tw_learned *x = a, *y = b;

	if (x->vnic != y->vnic)
		return x->vnic < y->vnic ? -1 : 1;
	return memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

/* Picks one holder for each address. */
static int settle_claims(struct candidates *candidates, struct tw_learned_list *ret)
{
	const struct candidate *at = candidates->list.at;
	int err = 0;

	if (candidates->list.n)
		qsort(candidates->list.at, candidates->list.n, sizeof(*at), compare_claims);
	for (size_t i = 0; i < candidates->list.n && !err; i++)
		if (!i || at[i].space != at[i - 1].space ||
			memcmp(&at[i].learned.addr, &at[i - 1].learned.addr,
				sizeof(at[i].learned.addr)))
			err = tw_vec_push(ret, at[i].learned);
	if (ret->n)
		qsort(ret->at, ret->n, sizeof(*ret->at), compare_learned);
	return err;
}

int tw_leases_gather(struct tw_enforcement *enforcement, const struct tw_inforce *inforce,
	struct tw_learned_list *ret)
{
	size_t n = enforcement->host->ports->list.n;
	tw_autofree struct tw_binding *bindings = tw_alloc_array(n, sizeof(*bindings));
	struct candidates candidates = {0};
	uint64_t now = tw_clock_ns();
	int err;

	if (!inforce->learns)
		return 0;
	err = bindings ? tw_bind_ports(inforce, enforcement->host->ports, bindings, NULL) : -ENOMEM;

	for (size_t i = 0; i < n && !err; i++) {
		const struct tw_leases *leases =
			&enforcement->leases->map[enforcement->host->ports->list.at[i]->id];

		if (bindings[i].vnic && is_mac_of(leases, bindings[i].vnic))
			err = list_port(inforce, leases, bindings[i].vnic, now, &candidates);
	}
	if (!err)
		err = settle_claims(&candidates, ret);
	tw_vec_done(&candidates.list);
	return err;
}

static bool is_in_force(const struct tw_inforce *inforce, const struct tw_learned *learned)
{
	return bsearch(learned, inforce->learned, inforce->n_learned, sizeof(*learned),
		       compare_learned) != NULL;
}

void tw_leases_know(struct tw_enforcement *enforcement)
{
	tw_vec_foreach (&enforcement->host->ports->list, port) {
		const struct tw_vnic *vnic = (*port)->vnic;
		struct tw_leases *leases = &enforcement->leases->map[(*port)->id];

		if (!vnic || !is_mac_of(leases, vnic))
			continue;
		for (size_t i = 0; i < 2 * (size_t)TW_LEASES_MAX; i++) {
			struct tw_lease *lease = &leases->at[i / TW_LEASES_MAX][i % TW_LEASES_MAX];
			uint32_t serial = __atomic_load_n(&lease->serial, __ATOMIC_ACQUIRE);
			struct tw_learned learned = {vnic->index, lease->addr};

			/* If another address replaces this one meanwhile, the serial number
			 * differs. */
			if (serial == __atomic_load_n(&lease->serial, __ATOMIC_ACQUIRE))
				__atomic_store_n(&lease->known,
					is_in_force(enforcement->inforce, &learned) ? serial : 0,
					__ATOMIC_RELEASE);
		}
	}
}

static void tell_changes(
	const struct tw_enforcement *enforcement, const struct tw_learned_list *now)
{
	const struct tw_inforce *inforce = enforcement->inforce;
	char text[64];

	for (size_t i = 0; i < now->n; i++)
		if (!is_in_force(inforce, &now->at[i]))
			tw_log(TW_LOG_INFO, "dhcp: %s has %s",
				tw_policy_vnic(inforce->policy, now->at[i].vnic)->workload,
				tw_addr_format(&now->at[i].addr, text));
	for (size_t i = 0; i < inforce->n_learned; i++)
		if (!bsearch(&inforce->learned[i], now->at, now->n, sizeof(*now->at),
			    compare_learned))
			tw_log(TW_LOG_INFO, "dhcp: %s no longer has %s",
				tw_policy_vnic(inforce->policy, inforce->learned[i].vnic)->workload,
				tw_addr_format(&inforce->learned[i].addr, text));
}

bool tw_leases_look(struct tw_enforcement *enforcement)
{
	const struct tw_inforce *inforce = enforcement->inforce;
	struct tw_learned_list now = {0};
	bool due = false;
	int ret;

	if (!inforce || !inforce->learns || tw_clock_ns() < enforcement->leases->rest_ns)
		return false;
	enforcement->leases->began_ns = tw_clock_ns();
	ret = tw_leases_gather(enforcement, inforce, &now);
	due = !ret && !tw_inforce_has_learned(inforce, now.at, now.n);
	if (due)
		tell_changes(enforcement, &now);
	else if (!ret && now.n)
		tw_leases_know(enforcement);
	if (ret < 0)
		tw_log(TW_LOG_ERR, "dhcp: learned addresses are not in force: %s", strerror(-ret));
	if (!due)
		tw_leases_rest(enforcement);
	tw_vec_done(&now);
	return due;
}

void tw_leases_rest(struct tw_enforcement *enforcement)
{
	uint64_t now = tw_clock_ns();

	enforcement->leases->rest_ns = now + REST * (now - enforcement->leases->began_ns);
}

const struct tw_leases *tw_leases_of_port(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port)
{
	const struct tw_leases *leases = &enforcement->leases->map[port->id];

	return port->vnic && is_mac_of(leases, port->vnic) ? leases : NULL;
}
