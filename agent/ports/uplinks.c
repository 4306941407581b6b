/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/uplinks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "agent/agent.h"
#include "base/clock.h"
#include "base/log.h"

#define PROVE_NS 5000000000u

static struct tw_uplink *find(struct tw_uplinks *uplinks, uint32_t ifindex)
{
	tw_vec_foreach (&uplinks->rows, row)
		if (row->ifindex == ifindex)
			return row;
	return NULL;
}

static void detach(struct tw_agent *agent, struct tw_uplink *row)
{
	if (row->attached || row->left)
		tw_kernel_detach_uplink(agent->kernel, row->ifindex);
	row->attached = row->left = false;
	row->network = 0;
}

struct left {
	TW_VEC(uint32_t) at; /* interfaces */
};

/* Finds out where an earlier agent attached something. `foreign` lists all these places. */
static int list_left(const struct tw_agent *agent, struct left *ret)
{
	int fd = tw_kernel_map_fd(agent->kernel, TW_MAP_foreign), code = 0;
	uint32_t ifindex, *previous = NULL;

	for (; !code && !bpf_map_get_next_key(fd, previous, &ifindex); previous = &ifindex)
		code = tw_vec_push(&ret->at, ifindex);
	return code;
}

void tw_uplinks_adopt(struct tw_agent *agent)
{
	int fd = tw_kernel_map_fd(agent->kernel, TW_MAP_uplinks);
	struct left left = {0};
	uint32_t network;

	if (list_left(agent, &left) < 0)
		tw_log(TW_LOG_ERR, "out of memory");
	tw_vec_foreach (&left.at, ifindex) {
		struct tw_uplink *row = find(&agent->uplinks, *ifindex);

		if (!row) {
			tw_kernel_detach_uplink(agent->kernel, *ifindex);
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

void tw_uplinks_gone(struct tw_agent *agent, uint32_t ifindex)
{
	struct tw_uplink *row = find(&agent->uplinks, ifindex);

	if (!row)
		return;
	tw_events_settle(agent);
	detach(agent, row);
	*row = agent->uplinks.rows.at[--agent->uplinks.rows.n];
	agent->dirty = true;
}

void tw_uplinks_changed(struct tw_agent *agent, const struct tw_link *link)
{
	struct tw_uplink *row = find(&agent->uplinks, link->ifindex);
	const struct tw_uplink fresh = {.ifindex = link->ifindex, .seen = true};

	if (!link->master || link->loopback) {
		tw_uplinks_gone(agent, link->ifindex);
		return;
	}
	if (!row) {
		if (tw_vec_push(&agent->uplinks.rows, fresh) < 0)
			return;
		row = &agent->uplinks.rows.at[agent->uplinks.rows.n - 1];
	}
	row->seen = true;
	if (row->bridge == link->master && !strcmp(row->name, link->name))
		return;
	tw_events_settle(agent);
	detach(agent, row);
	row->bridge = link->master;
	row->refused = false;
	row->pvid = 0;
	snprintf(row->name, sizeof(row->name), "%s", link->name);
	agent->dirty = true;
}

void tw_uplinks_place(struct tw_agent *agent, const struct tw_link *link)
{
	struct tw_uplink *row = find(&agent->uplinks, link->ifindex);

	if (!row || !link->has_pvid || row->pvid == link->pvid ||
		(link->master && link->master != row->bridge))
		return;
	row->pvid = link->pvid;
	agent->dirty = true;
}

/* True if ports of ours are on an uplink's bridge. */
static bool has_ports(const struct tw_agent *agent, const struct tw_uplink *row)
{
	if (!tw_ports_network_row(&agent->ports, row->bridge))
		return false;
	tw_vec_foreach (&agent->ports.list, port)
		if ((*port)->bridge == row->bridge)
			return true;
	return false;
}

/* The network that frames may be cut through to and from an uplink of: one with ports where they may be. */
static uint16_t serves(const struct tw_agent *agent, const struct tw_uplink *row)
{
	const struct tw_network_row *network = tw_ports_network_row(&agent->ports, row->bridge);
	uint32_t parity = agent->epoch & 1;

	if (!network || network->filtering || !tw_kernel_facts(agent->kernel)->uplinks ||
		agent->options->forwarding == TW_FORWARDING_VSWITCH || row->filtered ||
		!tw_patterns_match(&agent->uplink_patterns, row->name))
		return 0;
	tw_vec_foreach (&agent->ports.list, port)
		if ((*port)->bridge == row->bridge && (*port)->has_entry[parity] &&
			(*port)->entry[parity].flags & TW_PORT_F_CUT)
			return network->number;
	return 0;
}

bool tw_uplinks_look(struct tw_agent *agent)
{
	bool changed = false;

	tw_vec_foreach (&agent->uplinks.rows, row) {
		bool filtered = tw_ports_network_row(&agent->ports, row->bridge) &&
				tw_hostwork_at(&agent->hostwork, row->ifindex);

		changed |= filtered != row->filtered;
		row->filtered = filtered;
	}
	return changed;
}

static void attach(struct tw_agent *agent, struct tw_uplink *row)
{
	struct tw_err err = {0};
	int ret = tw_kernel_attach_uplink(agent->kernel, row->ifindex, &err);

	/* Gone already: netlink is about to say so. */
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

static void set_network(struct tw_agent *agent, struct tw_uplink *row, uint16_t network)
{
	if (network == row->network)
		return;
	if (tw_kernel_cut_uplink(agent->kernel, row->ifindex, network) < 0)
		network = 0;
	if (network && !row->network)
		tw_log(TW_LOG_INFO, "%s: an uplink; frames are cut through to and from there",
			row->name);
	row->network = network;
}

void tw_uplinks_sync(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->uplinks.rows, row) {
		if (!has_ports(agent, row)) {
			detach(agent, row);
			continue;
		}
		if (!row->attached)
			attach(agent, row);
		set_network(agent, row, row->attached ? serves(agent, row) : 0);
	}
}

void tw_uplinks_suspect(struct tw_agent *agent, uint32_t ifindex)
{
	if (find(&agent->uplinks, ifindex))
		agent->uplinks.next_ns = 0;
}

void tw_uplinks_tick(struct tw_agent *agent)
{
	struct tw_uplinks *uplinks = &agent->uplinks;
	uint64_t now = tw_clock_ns();
	bool due = false;

	if (now < uplinks->next_ns)
		return;
	uplinks->next_ns = now + PROVE_NS;
	tw_vec_foreach (&uplinks->rows, row) {
		bool was = row->attached;

		if (was && !tw_kernel_uplink_is_attached(agent->kernel, row->ifindex)) {
			tw_log(TW_LOG_ERR, "%s: another tool removed the program; attached again",
				row->name);
			row->attached = false;
		}
		due |= !row->attached;
	}
	if (due)
		tw_uplinks_sync(agent);
}
