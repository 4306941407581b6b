/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/uplinks.h"

#include <bpf/bpf.h>
#include <string.h>

#include "agent/agent.h"
#include "base/log.h"

static struct tw_uplink *find(struct tw_uplinks *uplinks, uint32_t ifindex)
{
	tw_vec_foreach (&uplinks->rows, row)
		if (row->ifindex == ifindex)
			return row;
	return NULL;
}

static void detach(struct tw_agent *agent, struct tw_uplink *row)
{
	if (row->network)
		tw_kernel_detach_uplink(agent->kernel, row->ifindex);
	row->network = 0;
}

void tw_uplinks_adopt(struct tw_agent *agent)
{
	int fd = tw_kernel_map_fd(agent->kernel, TW_MAP_uplinks);
	uint32_t ifindex, *previous = NULL, next;

	while (!bpf_map_get_next_key(fd, previous, &next)) {
		ifindex = next;
		previous = &ifindex;
		if (!find(&agent->uplinks, ifindex)) {
			tw_kernel_detach_uplink(agent->kernel, ifindex);
			previous = NULL;
		}
	}
	/* The others are attached anew, in place, or detached. */
	tw_vec_foreach (&agent->uplinks.rows, row)
		if (!bpf_map_lookup_elem(fd, &row->ifindex, &next))
			row->network = (uint16_t)next;
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
	detach(agent, row);
	row->bridge = link->master;
	row->refused = false;
	snprintf(row->name, sizeof(row->name), "%s", link->name);
	agent->dirty = true;
}

/* The network that an uplink serves: one with ports that frames are cut through at. */
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

static void attach(struct tw_agent *agent, struct tw_uplink *row, uint16_t network)
{
	struct tw_err err = {0};

	if (tw_kernel_attach_uplink(agent->kernel, row->ifindex, network, &err) < 0) {
		if (!row->refused)
			tw_log(TW_LOG_WARNING,
				"%s: frames to and from there go through the bridge: %s", row->name,
				err.text);
		row->refused = true;
		return;
	}
	if (!row->network)
		tw_log(TW_LOG_INFO, "%s: an uplink; frames are cut through to and from there",
			row->name);
	row->network = network;
	row->refused = false;
}

void tw_uplinks_sync(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->uplinks.rows, row) {
		uint16_t network = serves(agent, row);

		if (network == row->network)
			continue;
		if (network)
			attach(agent, row, network);
		else
			detach(agent, row);
	}
}
