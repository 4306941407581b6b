/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/residents.h"

#include <bpf/bpf.h>
#include <linux/if_bridge.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ports/uplinks.h"
#include "base/log.h"
#include "fastpath/abi/special.h"
#include "fastpath/kernel/load.h"
#include "fastpath/path/bytes.h"

#define HOST_BITS  128
#define TAGGED_MAX (TW_MEMBERS_MAX / 2) /* number of rows from which tagged VLANs are left out */

/* A map and its contents: elements of `size` bytes, each a key of `key_len` and a 32-bit value. */
struct table {
	int fd;
	size_t key_len;
	size_t size;
};

static int by_resident(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tw_resident_key));
}

static int by_foreign(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(__u32));
}

static int by_claimed(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tw_addr));
}

/* Sorts the contents of the maps. Two workloads may share an address. */
static void sort_all(struct tw_residents *r)
{
	size_t kept = 0;

	if (r->rows.n)
		qsort(r->rows.at, r->rows.n, sizeof(*r->rows.at), by_resident);
	if (r->foreign.n)
		qsort(r->foreign.at, r->foreign.n, sizeof(*r->foreign.at), by_foreign);
	if (r->workloads.n)
		qsort(r->workloads.at, r->workloads.n, sizeof(*r->workloads.at), by_claimed);
	tw_vec_foreach (&r->workloads, claimed)
		if (!kept || by_claimed(&r->workloads.at[kept - 1], claimed) != 0)
			r->workloads.at[kept++] = *claimed;
	r->workloads.n = kept;
}

static bool put_row(const struct table *t, const unsigned char *row)
{
	return !bpf_map_update_elem(t->fd, row, row + t->key_len, BPF_ANY);
}

/* Changes the map's contents from `old` to `now`, both sorted. False if they do not fit. */
static bool replace_rows(const struct table *t, const unsigned char *old, size_t n_old,
	const unsigned char *now, size_t n_now)
{
	size_t i = 0, j = 0;
	bool fits = true;

	while (i < n_old || j < n_now) {
		const unsigned char *a = old + i * t->size, *b = now + j * t->size;
		int order = i == n_old ? 1 : j == n_now ? -1 : memcmp(a, b, t->key_len);

		if (order < 0)
			bpf_map_delete_elem(t->fd, a);
		else if (order > 0 || memcmp(a, b, t->size) != 0)
			fits &= put_row(t, b);
		i += order <= 0;
		j += order >= 0;
	}
	return fits;
}

/* Reads the maps that an earlier agent filled. */
static void adopt_maps(const struct table *residents, const struct table *foreign,
	const struct table *workloads, struct tw_residents *ret)
{
	struct tw_claimed claimed = {.one = 1}, *last_claimed = NULL;
	struct tw_resident row = {0}, *last = NULL;
	struct tw_foreign other = {0}, *last_other = NULL;

	while (!bpf_map_get_next_key(residents->fd, last, &row.key)) {
		if (bpf_map_lookup_elem(residents->fd, &row.key, &row.ifindex) ||
			tw_vec_push(&ret->rows, row) < 0)
			break;
		last = &row;
	}
	while (!bpf_map_get_next_key(foreign->fd, last_other, &other.ifindex)) {
		if (bpf_map_lookup_elem(foreign->fd, &other.ifindex, &other.place) ||
			tw_vec_push(&ret->foreign, other) < 0)
			break;
		last_other = &other;
	}
	while (!bpf_map_get_next_key(workloads->fd, last_claimed, &claimed.addr)) {
		if (tw_vec_push(&ret->workloads, claimed) < 0)
			break;
		last_claimed = &claimed;
	}
	sort_all(ret);
	ret->adopted = true;
	/* The policy that the addresses come from is unknown. */
	if (ret->workloads.n)
		ret->generation = UINT64_MAX;
}

static int add_mac(const struct tw_port *entry, struct tw_resident row, struct tw_residents *ret)
{
	static const __u8 none[6];

	if (!memcmp(entry->mac, none, sizeof(none)))
		return 0;
	memset(&row.key.addr, 0, sizeof(row.key.addr));
	memcpy(row.key.addr.b + 10, entry->mac, sizeof(entry->mac));
	return tw_vec_push(&ret->rows, row);
}

/* Adds the guest's MAC and addresses in the VLAN of `row`. */
static int add_in_vlan(const struct tw_host *host, const struct tw_agent_port *port,
	struct tw_resident row, struct tw_residents *ret)
{
	const struct tw_port *entry = &port->entry[host->epoch & 1];
	int code = add_mac(entry, row, ret);

	if (entry->flags & TW_PORT_FOREIGN || port->isolated || host->options->hairpin ||
		!port->vnic)
		return code;
	for (size_t i = 0; i < port->vnic->n_prefixes && !code; i++) {
		/* A shared address may be in use by a vNIC on another host. */
		if (port->vnic->prefixes[i].len != HOST_BITS || tw_vnic_shares(port->vnic, i))
			continue;
		row.key.addr = port->vnic->prefixes[i].addr;
		code = tw_vec_push(&ret->rows, row);
	}
	return code;
}

/* Adds a port's guest in the VLAN of its untagged frames. */
static int add_port(
	const struct tw_host *host, const struct tw_agent_port *port, struct tw_residents *ret)
{
	const struct tw_port *entry = &port->entry[host->epoch & 1];

	return add_in_vlan(host, port,
		(struct tw_resident){
			{.network = entry->network, .vlan = entry->pvid}, port->ifindex},
		ret);
}

/* Adds a port's guest in the VLANs whose tags it may send, while there is room for them. */
static int add_tagged(
	const struct tw_host *host, const struct tw_agent_port *port, struct tw_residents *ret)
{
	const struct tw_port *entry = &port->entry[host->epoch & 1];
	const struct tw_grants *grants = port->vnic ? port->vnic->grants : NULL;
	struct tw_resident row = {{.network = entry->network}, port->ifindex};
	int code = 0;

	for (uint32_t vlan = 1; grants && vlan < 64 * TW_VLAN_WORDS && !code; vlan++) {
		if (!(grants->vlans[vlan / 64] >> vlan % 64 & 1) || vlan == entry->pvid)
			continue;
		ret->crowded |= ret->rows.n + port->vnic->n_prefixes >= TAGGED_MAX;
		if (ret->crowded)
			break;
		row.key.vlan = (__u16)vlan;
		code = add_in_vlan(host, port, row, ret);
	}
	return code;
}

/* True if a port's guest is on this host. */
static bool is_resident(const struct tw_host *host, const struct tw_agent_port *port)
{
	return port->bridge && port->has_entry[host->epoch & 1] &&
	       port->state == TW_PORT_PROTECTED && port->bridge_state != BR_STATE_DISABLED &&
	       !port->moved;
}

static int add_foreign(
	const struct tw_host *host, const struct tw_uplink *row, struct tw_residents *ret)
{
	const struct tw_network_row *network = tw_ports_network_row(host->ports, row->bridge);
	struct tw_foreign other = {.ifindex = row->ifindex};

	if (!network)
		return 0;
	other.place = network->number;
	if (network->filtering)
		other.place |= TW_FOREIGN_FILTERING | (__u32)row->pvid << TW_FOREIGN_VLAN_SHIFT;
	return tw_vec_push(&ret->foreign, other);
}

/* True if an unclaimed port that is not an uplink may send to protected ports. */
static bool has_local(const struct tw_host *host)
{
	const __u16 flags = TW_PORT_F_LOCAL | TW_PORT_F_OPEN;
	uint32_t parity = host->epoch & 1;

	tw_vec_foreach (&host->ports->list, port)
		if ((*port)->bridge && (*port)->has_entry[parity] &&
			((*port)->entry[parity].flags & flags) == flags)
			return true;
	return false;
}

static int collect_workloads(const struct tw_policy *policy, struct tw_residents *ret)
{
	size_t n = policy ? tw_policy_n_vnics(policy) : 0;
	int code = 0;

	for (size_t i = 0; i < n && !code; i++) {
		const struct tw_vnic *vnic = tw_policy_vnic(policy, i);

		for (size_t j = 0; j < tw_vnic_n_given(vnic) && !code; j++) {
			const struct tw_claimed claimed = {vnic->prefixes[j].addr, 1};

			/* A link-local address belongs to a different station on each network. */
			if (vnic->prefixes[j].len == HOST_BITS &&
				!tw_addr_is_link_local(&claimed.addr))
				code = tw_vec_push(&ret->workloads, claimed);
		}
	}
	return code;
}

static int collect(struct tw_host *host, const struct tw_policy *policy, uint64_t wanted,
	struct tw_residents *ret)
{
	int code = 0;

	tw_vec_foreach (&host->ports->list, port)
		if (!code && is_resident(host, *port))
			code = add_port(host, *port, ret);
	tw_vec_foreach (&host->ports->list, port)
		if (!code && is_resident(host, *port))
			code = add_tagged(host, *port, ret);
	tw_vec_foreach (&host->uplinks->rows, row)
		if (!code)
			code = add_foreign(host, row, ret);
	if (!code && wanted != host->residents->generation)
		code = collect_workloads(wanted ? policy : NULL, ret);
	sort_all(ret);
	return code;
}

void tw_residents_sync(struct tw_host *host, const struct tw_policy *policy, uint64_t generation)
{
	const struct table residents = {tw_kernel_map_fd(host->kernel, TW_MAP_residents),
		sizeof(struct tw_resident_key), sizeof(struct tw_resident)};
	const struct table foreign = {tw_kernel_map_fd(host->kernel, TW_MAP_foreign), sizeof(__u32),
		sizeof(struct tw_foreign)};
	const struct table workloads = {tw_kernel_map_fd(host->kernel, TW_MAP_workloads),
		sizeof(struct tw_addr), sizeof(struct tw_claimed)};
	bool wants = !host->options->hairpin && policy && has_local(host);
	struct tw_residents now = {.adopted = true}, *old = host->residents;
	bool fits;

	if (!old->adopted)
		adopt_maps(&residents, &foreign, &workloads, old);
	now.generation = wants ? generation : 0;
	fits = !collect(host, policy, now.generation, &now);
	if (!fits)
		now.generation = UINT64_MAX;
	fits &= replace_rows(&residents, (const unsigned char *)old->rows.at, old->rows.n,
		(const unsigned char *)now.rows.at, now.rows.n);
	fits &= replace_rows(&foreign, (const unsigned char *)old->foreign.at, old->foreign.n,
		(const unsigned char *)now.foreign.at, now.foreign.n);
	if (now.generation != old->generation) {
		fits &= replace_rows(&workloads, (const unsigned char *)old->workloads.at,
			old->workloads.n, (const unsigned char *)now.workloads.at, now.workloads.n);
	} else {
		tw_vec_done(&now.workloads);
		memcpy(&now.workloads, &old->workloads, sizeof(now.workloads));
		memset(&old->workloads, 0, sizeof(old->workloads));
	}
	if (!fits)
		tw_log(TW_LOG_WARNING,
			"too many guest addresses: frames from an uplink may use the ones that did not fit");
	if (now.crowded && !old->crowded)
		tw_log(TW_LOG_WARNING,
			"workloads list too many VLANs: in some, frames from an uplink may use a guest's address; list only the VLANs that each guest needs");
	tw_residents_done(old);
	*old = now;
}

void tw_residents_done(struct tw_residents *residents)
{
	tw_vec_done(&residents->rows);
	tw_vec_done(&residents->foreign);
	tw_vec_done(&residents->workloads);
}
