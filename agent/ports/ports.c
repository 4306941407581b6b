/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/ports.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define NETWORKS_KEPT 4096 /* maximum number of rows of removed networks */

void tw_ports_init(struct tw_ports *ports)
{
	*ports = (struct tw_ports){.next_id = 1, .next_network = 1};
}

void tw_ports_done(struct tw_ports *ports)
{
	tw_vec_foreach (&ports->list, port)
		free(*port);
	tw_vec_done(&ports->list);
	tw_vec_done(&ports->networks);
}

/* Returns the index of the port with this ifindex, or the index where it would be inserted. */
static size_t place_of(const struct tw_ports *ports, uint32_t ifindex)
{
	size_t low = 0, high = ports->list.n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ports->list.at[middle]->ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct tw_agent_port *tw_ports_find(const struct tw_ports *ports, uint32_t ifindex)
{
	size_t place = place_of(ports, ifindex);

	if (place < ports->list.n && ports->list.at[place]->ifindex == ifindex)
		return ports->list.at[place];
	return NULL;
}

struct tw_agent_port *tw_ports_next(const struct tw_ports *ports, uint32_t after)
{
	size_t place = place_of(ports, after + 1);

	return place < ports->list.n ? ports->list.at[place] : NULL;
}

struct tw_agent_port *tw_ports_by_id(const struct tw_ports *ports, uint16_t id)
{
	return id < TW_PORTS_MAX ? ports->by_id[id] : NULL;
}

struct tw_agent_port *tw_ports_by_name(const struct tw_ports *ports, const char *name)
{
	tw_vec_foreach (&ports->list, port)
		if (!strcmp((*port)->name, name))
			return *port;
	return NULL;
}

static uint16_t take_id(struct tw_ports *ports)
{
	for (uint16_t i = 1; i < TW_PORTS_MAX; i++) {
		uint16_t id = ports->next_id;

		ports->next_id = id + 1 < TW_PORTS_MAX ? (uint16_t)(id + 1) : 1;
		if (!ports->by_id[id] && !ports->reserved[id])
			return id;
	}
	return 0;
}

void tw_ports_reserve(struct tw_ports *ports, uint16_t id)
{
	if (!id || id >= TW_PORTS_MAX)
		return;
	ports->reserved[id] = true;
	if (ports->next_id <= id)
		ports->next_id = id + 1 < TW_PORTS_MAX ? (uint16_t)(id + 1) : 1;
}

void tw_ports_unreserve(struct tw_ports *ports, uint16_t id)
{
	if (id < TW_PORTS_MAX)
		ports->reserved[id] = false;
}

int tw_ports_add(struct tw_ports *ports, uint32_t ifindex, const char *name, uint16_t id,
	struct tw_agent_port **ret)
{
	tw_autofree struct tw_agent_port *port = tw_alloc(sizeof(*port));
	size_t place = place_of(ports, ifindex);

	if (!port || tw_vec_push(&ports->list, NULL) < 0)
		return -ENOMEM;
	ports->list.n--;
	if (id >= TW_PORTS_MAX || ports->by_id[id])
		return -EEXIST;
	port->id = id ? id : take_id(ports);
	if (!port->id)
		return -ENOSPC;
	port->ifindex = ifindex;
	snprintf(port->name, sizeof(port->name), "%s", name);
	ports->by_id[port->id] = port;
	memmove(&ports->list.at[place + 1], &ports->list.at[place],
		(ports->list.n - place) * sizeof(*ports->list.at));
	ports->list.at[place] = port;
	ports->list.n++;
	*ret = TW_TAKE_PTR(port);
	return 0;
}

void tw_ports_remove(struct tw_ports *ports, struct tw_agent_port *port)
{
	size_t place = place_of(ports, port->ifindex);

	ports->list.n--;
	memmove(&ports->list.at[place], &ports->list.at[place + 1],
		(ports->list.n - place) * sizeof(*ports->list.at));
	ports->by_id[port->id] = NULL;
	free(port);
}

struct tw_network_row *tw_ports_network_row(const struct tw_ports *ports, uint32_t ifindex)
{
	tw_vec_foreach (&ports->networks, row)
		if (row->ifindex == ifindex && !row->gone)
			return row;
	return NULL;
}

static struct tw_network_row *find_number(const struct tw_ports *ports, uint16_t number)
{
	tw_vec_foreach (&ports->networks, row)
		if (row->number == number)
			return row;
	return NULL;
}

const char *tw_ports_network_name(const struct tw_ports *ports, uint16_t number)
{
	const struct tw_network_row *row = find_number(ports, number);

	return row ? row->name : NULL;
}

/* Drops the oldest removed networks once there are too many. */
static void trim_networks(struct tw_ports *ports)
{
	if (ports->networks.n < NETWORKS_KEPT)
		return;
	tw_vec_foreach (&ports->networks, row)
		if (row->gone) {
			ports->networks.n--;
			memmove(row, row + 1,
				(size_t)(ports->networks.at + ports->networks.n - row) *
					sizeof(*row));
			return;
		}
}

int tw_ports_restore_network(
	struct tw_ports *ports, uint32_t ifindex, uint16_t number, const char *name)
{
	struct tw_network_row row = {.ifindex = ifindex, .number = number};

	if (!number || find_number(ports, number) || tw_ports_network_row(ports, ifindex))
		return -EEXIST;
	snprintf(row.name, sizeof(row.name), "%s", name);
	trim_networks(ports);
	return tw_vec_push(&ports->networks, row);
}

uint16_t tw_ports_network(struct tw_ports *ports, uint32_t ifindex, const char *name)
{
	struct tw_network_row *row = tw_ports_network_row(ports, ifindex);

	if (row) {
		snprintf(row->name, sizeof(row->name), "%s", name);
		return row->number;
	}
	for (uint32_t i = 0; i < UINT16_MAX; i++) {
		uint16_t number = ports->next_network;

		ports->next_network = number < UINT16_MAX ? (uint16_t)(number + 1) : 1;
		if (!find_number(ports, number))
			return tw_ports_restore_network(ports, ifindex, number, name) < 0 ? 0
											  : number;
	}
	return 0;
}

void tw_ports_network_gone(struct tw_ports *ports, uint32_t ifindex)
{
	struct tw_network_row *row = tw_ports_network_row(ports, ifindex);

	if (row)
		row->gone = true;
}
