/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/leases.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/publish/bind.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/kept.h"
#include "agent/publish/lease_map.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/abi/names.h"

#define REST 4 /* length of a rest, as a multiple of the turn before it */

/* A lease that the policy could include. */
struct candidate {
	struct tw_learned learned;
	uint32_t space; /* address space of the vNIC */
	bool formed;	/* by SLAAC */
	bool known;	/* already in force */
	bool restored;	/* from leases.json: no server was seen assigning it */
};

struct candidates {
	TW_VEC(struct candidate) list;
};

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

/* True if a guest may still form addresses in the prefix of this one. */
static bool is_announced(const struct tw_leases *leases, const struct tw_addr *addr, uint64_t now)
{
	for (size_t i = 0; i < TW_ANNOUNCED_MAX; i++)
		if (leases->announced[i].until_ns > now &&
			leases->announced[i].prefix == addr->d[0])
			return true;
	return false;
}

/* Context for checking addresses that a guest has formed. */
struct forming {
	const struct tw_enforcement *enforcement;
	const struct tw_inforce *inforce;
	const struct tw_agent_port *port;
	const struct tw_vnic *vnic;
	struct tw_leases *leases;
};

/* True if an interface of this host has the address; if unknown, true. */
static bool is_hosts(const struct tw_addr *addr)
{
	struct ifaddrs *list = NULL;
	bool found = false;

	if (getifaddrs(&list))
		return true;
	for (const struct ifaddrs *at = list; at && !found; at = at->ifa_next)
		found = at->ifa_addr && at->ifa_addr->sa_family == AF_INET6 &&
			!memcmp(&((const struct sockaddr_in6 *)at->ifa_addr)->sin6_addr, addr,
				sizeof(*addr));
	freeifaddrs(list);
	return found;
}

/* True if an address that the guest has formed is not its own. An address that is in force, or that
 * the guest had before, is only compared with those of the policy's vNICs. */
static bool is_others(const struct forming *of, const struct tw_lease *lease)
{
	if (is_taken(of->inforce, of->vnic, &lease->addr))
		return true;
	return lease->known != lease->serial && !lease->restored &&
	       (tw_policy_names_address(of->inforce->policy, &lease->addr) ||
		       is_hosts(&lease->addr) ||
		       tw_kept_has_other(of->enforcement, of->port, of->vnic, &lease->addr));
}

/* Refuses a formed address, or no longer refuses it. The program denies DAD for a refused address,
 * because that DAD could make the owner's fail. */
static void set_refused(struct tw_lease *slot, const struct tw_lease *read, bool refused)
{
	uint32_t known = read->known;

	if (refused != (known == ~read->serial))
		__atomic_compare_exchange_n(&slot->known, &known, refused ? ~read->serial : 0,
			false, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* True if the guest may have an address that it has formed. */
static bool may_form(
	const struct forming *of, struct tw_lease *slot, const struct tw_lease *lease, uint64_t now)
{
	bool refused = is_others(of, lease);

	if (of->inforce == of->enforcement->inforce)
		set_refused(slot, lease, refused);
	return !refused && (is_announced(of->leases, &lease->addr, now) ||
				   (lease->restored && !of->leases->named));
}

static int list_port(const struct forming *of, uint64_t now, struct candidates *ret)
{
	const struct tw_vnic *vnic = of->vnic;
	int err = 0;

	for (uint32_t i = 0; i < TW_LEASE_SLOTS && !err; i++) {
		struct tw_lease *slot = tw_lease_slot(of->leases, i), lease = *slot;
		bool formed = i >= 2 * TW_LEASES_MAX;
		struct candidate candidate = {{vnic->index, lease.addr}, vnic->space, formed,
			lease.known == lease.serial, lease.restored};

		if (lease.until_ns <= now || !(formed ? vnic->slaac : vnic->dhcp) ||
			(formed ? !may_form(of, slot, &lease, now)
				: is_taken(of->inforce, vnic, &lease.addr)))
			continue;
		err = tw_vec_push(&ret->list, candidate);
	}
	return err;
}

/* Returns the rank of a claim to an address; the claim with the lowest rank gets it. No server assigns
 * an address that a guest forms, so its first holder keeps it, also across a restart. */
static int rank_of(const struct candidate *candidate)
{
	if (candidate->formed)
		return candidate->known ? 1 : candidate->restored ? 4 : 5;
	return 2 * candidate->restored + !candidate->known;
}

/* Orders leases by address space and address, and leases of the same address by rank. If their ranks
 * are equal, those of DHCP come before those of SLAAC. */
static int compare_claims(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;
	int order = memcmp(&x->learned.addr, &y->learned.addr, sizeof(x->learned.addr));

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	if (order)
		return order;
	if (rank_of(x) != rank_of(y))
		return rank_of(x) - rank_of(y);
	if (x->formed != y->formed)
		return x->formed ? 1 : -1;
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
		const struct tw_agent_port *port = enforcement->host->ports->list.at[i];
		struct forming of = {enforcement, inforce, port, bindings[i].vnic,
			&enforcement->leases->map[port->id]};

		if (of.vnic && tw_lease_map_is_of(of.leases, of.vnic))
			err = list_port(&of, now, &candidates);
	}
	if (!err)
		err = settle_claims(&candidates, ret);
	tw_vec_done(&candidates.list);
	return err;
}

/* Copies the prefixes that routers have announced to another port of the same network and VLAN, until
 * this one hears an advertisement itself. */
static void copy_announced(const struct tw_enforcement *enforcement,
	const struct tw_agent_port *port, struct tw_leases *to, uint64_t now)
{
	tw_vec_foreach (&enforcement->host->ports->list, other) {
		const struct tw_leases *from = &enforcement->leases->map[(*other)->id];

		if (*other == port || (*other)->network != port->network ||
			(*other)->vlan != port->vlan || from->named || !(*other)->vnic ||
			!(*other)->vnic->slaac)
			continue;
		for (size_t i = 0; i < TW_ANNOUNCED_MAX; i++) {
			uint64_t until = __atomic_load_n(
				&from->announced[i].until_ns, __ATOMIC_ACQUIRE);

			if (until <= now ||
				is_announced(to,
					&(struct tw_addr){.d = {from->announced[i].prefix}}, now))
				continue;
			__atomic_store_n(&to->announced[i].until_ns, 0, __ATOMIC_SEQ_CST);
			__atomic_store_n(&to->announced[i].prefix, from->announced[i].prefix,
				__ATOMIC_SEQ_CST);
			__atomic_store_n(&to->announced[i].until_ns, until, __ATOMIC_SEQ_CST);
		}
	}
}

static bool hears_nothing(const struct tw_leases *leases, uint64_t now)
{
	for (size_t i = 0; i < TW_ANNOUNCED_MAX; i++)
		if (leases->announced[i].until_ns > now)
			return false;
	return true;
}

int tw_leases_prepare(struct tw_enforcement *enforcement, const struct tw_inforce *inforce)
{
	size_t n = enforcement->host->ports->list.n;
	tw_autofree struct tw_binding *bindings = tw_alloc_array(n, sizeof(*bindings));
	uint64_t now = tw_clock_ns();
	int err;

	if (!inforce->learns)
		return 0;
	err = bindings ? tw_bind_ports(inforce, enforcement->host->ports, bindings, NULL) : -ENOMEM;
	for (size_t i = 0; i < n && !err; i++) {
		const struct tw_agent_port *port = enforcement->host->ports->list.at[i];
		struct tw_leases *leases = &enforcement->leases->map[port->id];
		const struct tw_vnic *vnic = bindings[i].vnic;

		if (!vnic || !vnic->slaac)
			continue;
		if (memcmp(leases->mac, vnic->mac, sizeof(leases->mac)) != 0) {
			memset(leases->at, 0, sizeof(leases->at));
			memset(leases->formed, 0, sizeof(leases->formed));
			memset(leases->announced, 0, sizeof(leases->announced));
			leases->named = 0;
			memcpy(leases->mac, vnic->mac, sizeof(leases->mac));
		}
		tw_policy_fill_announced(vnic, leases);
		if (!leases->named && hears_nothing(leases, now))
			copy_announced(enforcement, port, leases, now);
	}
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

		if (!vnic || !tw_lease_map_is_of(leases, vnic))
			continue;
		for (uint32_t i = 0; i < TW_LEASE_SLOTS; i++) {
			struct tw_lease *lease = tw_lease_slot(leases, i);
			uint32_t serial = __atomic_load_n(&lease->serial, __ATOMIC_ACQUIRE);
			uint32_t known = __atomic_load_n(&lease->known, __ATOMIC_ACQUIRE);
			struct tw_learned learned = {vnic->index, lease->addr};

			/* If another address replaces this one meanwhile, the serial number
			 * differs. */
			if (serial != __atomic_load_n(&lease->serial, __ATOMIC_ACQUIRE))
				continue;
			if (is_in_force(enforcement->inforce, &learned))
				known = serial;
			else if (known != ~serial)
				known = 0;
			__atomic_store_n(&lease->known, known, __ATOMIC_RELEASE);
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
			tw_log(TW_LOG_INFO, "learned address: %s has %s",
				tw_policy_vnic(inforce->policy, now->at[i].vnic)->workload,
				tw_addr_format(&now->at[i].addr, text));
	for (size_t i = 0; i < inforce->n_learned; i++)
		if (!bsearch(&inforce->learned[i], now->at, now->n, sizeof(*now->at),
			    compare_learned))
			tw_log(TW_LOG_INFO, "learned address: %s no longer has %s",
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
		tw_log(TW_LOG_ERR, "learned addresses are not in force: %s", strerror(-ret));
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
