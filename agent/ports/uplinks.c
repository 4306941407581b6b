/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/uplinks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/hostwork.h"
#include "agent/ports/netlink.h"
#include "agent/ports/ports.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pattern.h"
#include "fastpath/kernel/load.h"

#define PROVE_NS 5000000000u

static struct tw_uplink *find(struct tw_uplinks *uplinks, uint32_t ifindex)
{
	tw_vec_foreach (&uplinks->rows, row)
		if (row->ifindex == ifindex)
			return row;
	return NULL;
}

static void detach(struct tw_host *host, struct tw_uplink *row)
{
	if (row->attached || row->left)
		tw_kernel_detach_uplink(host->kernel, row->ifindex);
	row->attached = row->left = false;
	row->network = 0;
}

struct left {
	TW_VEC(uint32_t) at; /* interfaces */
};

/* Lists the interfaces where an earlier agent attached a program. The map `foreign` has all of
 * them. */
static int list_left(const struct tw_host *host, struct left *ret)
{
	int fd = tw_kernel_map_fd(host->kernel, TW_MAP_foreign), code = 0;
	uint32_t ifindex, *previous = NULL;

	for (; !code && !bpf_map_get_next_key(fd, previous, &ifindex); previous = &ifindex)
		code = tw_vec_push(&ret->at, ifindex);
	return code;
}

void tw_uplinks_adopt(struct tw_host *host)
{
	int fd = tw_kernel_map_fd(host->kernel, TW_MAP_uplinks);
	struct left left = {0};
	uint32_t network;

	if (list_left(host, &left) < 0)
		tw_log(TW_LOG_ERR, "out of memory");
	tw_vec_foreach (&left.at, ifindex) {
		struct tw_uplink *row = find(host->uplinks, *ifindex);

		if (!row) {
			tw_kernel_detach_uplink(host->kernel, *ifindex);
			continue;
		}
		row->left = true;
		if (!bpf_map_lookup_elem(fd, ifindex, &network))
			row->network = (uint16_t)network;
	}
	tw_vec_done(&left.at);
}

void tw_uplinks_done(struct tw_uplinks *uplinks)
{
	tw_vec_done(&uplinks->rows);
}

void tw_uplinks_gone(struct tw_host *host, uint32_t ifindex)
{
	struct tw_uplink *row = find(host->uplinks, ifindex);

	if (!row)
		return;
	tw_host_about_to_change(host);
	detach(host, row);
	*row = host->uplinks->rows.at[--host->uplinks->rows.n];
	host->changed = true;
}

void tw_uplinks_changed(struct tw_host *host, const struct tw_link *link)
{
	struct tw_uplink *row = find(host->uplinks, link->ifindex);
	const struct tw_uplink fresh = {.ifindex = link->ifindex, .seen = true};

	if (!link->master || link->loopback) {
		tw_uplinks_gone(host, link->ifindex);
		return;
	}
	if (!row) {
		if (tw_vec_push(&host->uplinks->rows, fresh) < 0)
			return;
		row = &host->uplinks->rows.at[host->uplinks->rows.n - 1];
	}
	row->seen = true;
	if (row->bridge == link->master && !strcmp(row->name, link->name))
		return;
	tw_host_about_to_change(host);
	detach(host, row);
	row->bridge = link->master;
	row->refused = false;
	row->pvid = 0;
	snprintf(row->name, sizeof(row->name), "%s", link->name);
	host->changed = true;
}

void tw_uplinks_place(struct tw_host *host, const struct tw_link *link)
{
	struct tw_uplink *row = find(host->uplinks, link->ifindex);

	if (!row || !link->has_pvid || row->pvid == link->pvid ||
		(link->master && link->master != row->bridge))
		return;
	row->pvid = link->pvid;
	host->changed = true;
}

/* True if ports are on an uplink's bridge. */
static bool has_ports(const struct tw_host *host, const struct tw_uplink *row)
{
	if (!tw_ports_network_row(host->ports, row->bridge))
		return false;
	tw_vec_foreach (&host->ports->list, port)
		if ((*port)->bridge == row->bridge)
			return true;
	return false;
}

/* Returns the network whose frames may be cut through to and from an uplink, or 0. At least one
 * port there must allow it. */
static uint16_t serves(const struct tw_host *host, const struct tw_uplink *row)
{
	const struct tw_network_row *network = tw_ports_network_row(host->ports, row->bridge);
	uint32_t parity = host->epoch & 1;

	if (!network || network->filtering || !tw_kernel_facts(host->kernel)->uplinks ||
		host->options->forwarding == TW_FORWARDING_VSWITCH || row->filtered ||
		!tw_patterns_match(host->uplink_patterns, row->name))
		return 0;
	tw_vec_foreach (&host->ports->list, port)
		if ((*port)->bridge == row->bridge && (*port)->has_entry[parity] &&
			(*port)->entry[parity].flags & TW_PORT_F_CUT)
			return network->number;
	return 0;
}

void tw_uplinks_look(struct tw_host *host)
{
	tw_vec_foreach (&host->uplinks->rows, row) {
		bool filtered = tw_ports_network_row(host->ports, row->bridge) &&
				tw_hostwork_at(host->hostwork, row->ifindex);

		host->changed |= filtered != row->filtered;
		row->filtered = filtered;
	}
}

static void attach(struct tw_host *host, struct tw_uplink *row)
{
	struct tw_err err = {0};
	int ret = tw_kernel_attach_uplink(host->kernel, row->ifindex, &err);

	/* Removed meanwhile; netlink will report it. */
	if (ret == -ENODEV)
		return;
	if (ret < 0 && !row->refused)
		tw_log(TW_LOG_WARNING,
			"%s: its bridge may learn guests' MACs there, and frames go through the bridge: %s",
			row->name, err.text);
	row->refused = ret < 0;
	row->attached = !ret;
	row->left |= row->attached;
}

static void set_network(struct tw_host *host, struct tw_uplink *row, uint16_t network)
{
	if (network == row->network)
		return;
	if (tw_kernel_cut_uplink(host->kernel, row->ifindex, network) < 0)
		network = 0;
	if (network && !row->network)
		tw_log(TW_LOG_INFO, "%s: an uplink; frames are cut through to and from there",
			row->name);
	row->network = network;
}

void tw_uplinks_sync(struct tw_host *host)
{
	tw_vec_foreach (&host->uplinks->rows, row) {
		if (!has_ports(host, row)) {
			detach(host, row);
			continue;
		}
		if (!row->attached)
			attach(host, row);
		set_network(host, row, row->attached ? serves(host, row) : 0);
	}
}

void tw_uplinks_suspect(struct tw_host *host, uint32_t ifindex)
{
	if (find(host->uplinks, ifindex))
		host->uplinks->next_ns = 0;
}

void tw_uplinks_tick(struct tw_host *host)
{
	struct tw_uplinks *uplinks = host->uplinks;
	uint64_t now = tw_clock_ns();
	bool due = false;

	if (now < uplinks->next_ns)
		return;
	uplinks->next_ns = now + PROVE_NS;
	tw_vec_foreach (&uplinks->rows, row) {
		bool was = row->attached;

		if (was && !tw_kernel_uplink_is_attached(host->kernel, row->ifindex)) {
			tw_log(TW_LOG_ERR, "%s: another tool removed the program; attached again",
				row->name);
			row->attached = false;
		}
		due |= !row->attached;
	}
	if (due)
		tw_uplinks_sync(host);
}
