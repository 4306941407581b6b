/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/gone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/host.h"
#include "agent/ports/ports.h"
#include "agent/ports/rtnl.h"
#include "agent/ticks.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mac.h"
#include "fastpath/kernel/walk.h"
#include "fastpath/path/conntrack/expiry.h"

#define EXPIRED_TICKS 2 /* ticks past expiry */

static void take_guest(struct tw_gone_port *row, const struct tw_port *entry)
{
	memcpy(row->mac, entry->mac, sizeof(row->mac));
	memcpy(row->addr, entry->addr, sizeof(row->addr));
	row->n_addrs = entry->n_addrs;
}

static void note(struct tw_host *host, const struct tw_gone_port *row)
{
	struct tw_gone_port *last;

	if (!row->id || row->id >= TW_PORTS_MAX || tw_vec_push(&host->gone->list, *row) < 0)
		return;
	last = &host->gone->list.at[host->gone->list.n - 1];
	last->since_ns = tw_clock_ns();
	host->ports->reserved[row->id] = true;
}

void tw_gone_note(struct tw_host *host, const struct tw_agent_port *port)
{
	struct tw_gone_port row = {.id = port->id, .pvid = port->vlan, .bridge = port->bridge};

	take_guest(&row, &port->entry[host->epoch & 1]);
	snprintf(row.name, sizeof(row.name), "%s", port->name);
	snprintf(row.workload, sizeof(row.workload), "%s", port->vnic ? port->vnic->workload : "");
	note(host, &row);
}

void tw_gone_note_entry(struct tw_host *host, const struct tw_port *entry)
{
	struct tw_gone_port row = {.id = entry->id, .pvid = entry->pvid, .name = "an earlier port"};

	take_guest(&row, entry);
	note(host, &row);
}

void tw_gone_note_left(struct tw_host *host, const struct tw_agent_port *port)
{
	host->gone->left_ns = tw_clock_ns();
	if (host->gone->networks)
		host->gone->networks[port->id % TW_PORTS_MAX] = port->network;
}

void tw_gone_done(struct tw_gone *gone)
{
	tw_vec_done(&gone->list);
	free(gone->networks);
	gone->networks = NULL;
}

static bool is_guest(const struct tw_gone_port *row, const struct tw_port *entry)
{
	if (tw_mac_is_set(row->mac))
		return !memcmp(entry->mac, row->mac, sizeof(row->mac));
	return row->n_addrs && row->n_addrs == entry->n_addrs &&
	       !memcmp(row->addr, entry->addr, sizeof(row->addr));
}

/* True if the guest of a removed port is at another port now. */
static bool is_back(const struct tw_host *host, const struct tw_gone_port *row)
{
	tw_vec_foreach (&host->ports->list, at) {
		const struct tw_agent_port *port = *at;
		const struct tw_port *entry = &port->entry[host->epoch & 1];

		if (!port->has_entry[host->epoch & 1])
			continue;
		if (is_guest(row, entry))
			return true;
		if (row->workload[0] && port->vnic && !strcmp(port->vnic->workload, row->workload))
			return true;
	}
	return false;
}

/* True if the bridge of a removed port has seen its guest behind another port: the guest has moved
 * to another host. */
static bool has_moved(const struct tw_host *host, const struct tw_gone_port *row)
{
	uint32_t ifindex;

	return row->bridge && tw_mac_is_set(row->mac) &&
	       !tw_rtnl_find_fdb(host->rtnl, row->bridge, row->mac, row->pvid, &ifindex);
}

static void forget_row(struct tw_host *host, size_t i)
{
	struct tw_gone *gone = host->gone;

	tw_ports_unreserve(host->ports, gone->list.at[i].id);
	gone->list.at[i] = gone->list.at[--gone->list.n];
}

/* If a port has left a bridge, notes which network each port is in. If memory is short, the next walk tries
 * again. */
static void note_networks(struct tw_host *host)
{
	struct tw_gone *gone = host->gone;

	free(gone->networks);
	gone->networks = NULL;
	gone->walked_ns = 0;
	if (!gone->left_ns || tw_clock_ns() - gone->left_ns < TW_LEFT_NS)
		return;
	gone->networks = tw_alloc_array(TW_PORTS_MAX, sizeof(*gone->networks));
	if (!gone->networks)
		return;
	gone->walked_ns = gone->left_ns;
	tw_vec_foreach (&host->ports->list, port)
		gone->networks[(*port)->id % TW_PORTS_MAX] = (*port)->network;
}

void tw_gone_begin_walk(struct tw_host *host)
{
	struct tw_gone *gone = host->gone;
	uint64_t now = tw_clock_ns();

	note_networks(host);
	gone->n_due = 0;
	for (size_t i = gone->list.n; i-- > 0;) {
		struct tw_gone_port *row = &gone->list.at[i];

		if (now - row->since_ns < TW_GONE_NS)
			continue;
		if (is_back(host, row) || has_moved(host, row)) {
			forget_row(host, i);
			continue;
		}
		row->due = true;
		gone->n_due++;
	}
}

static struct tw_gone_port *due_end(struct tw_gone *gone, const struct tw_conn *conn)
{
	tw_vec_foreach (&gone->list, row)
		if (row->due && (tw_ports_at(conn->ports, 0) == row->id ||
					tw_ports_at(conn->ports, 1) == row->id))
			return row;
	return NULL;
}

/* True if all ports of a record exist, and have left its bridge. */
static bool is_left(
	const struct tw_gone *gone, const struct tw_key *key, const struct tw_conn *conn)
{
	bool any = false;

	for (uint32_t end = 0; end < TW_DIR__MAX; end++) {
		uint16_t id = (uint16_t)(tw_ports_at(conn->ports, end) % TW_PORTS_MAX);

		if (!id)
			continue;
		if (!gone->networks[id] || gone->networks[id] == key->network)
			return false;
		any = true;
	}
	return any;
}

void tw_gone_meet(struct tw_host *host, const struct tw_config *config, struct tw_walk *walk,
	uint32_t row, size_t n)
{
	struct tw_gone *gone = host->gone;
	uint32_t now = tw_ticks_now();

	for (size_t i = 0; (gone->n_due || gone->networks) && i < n; i++) {
		const struct tw_conn *conn = &walk->conns[i];
		struct tw_gone_port *port = due_end(gone, conn);
		uint64_t ended = 0;

		if (!port && (!gone->networks || !is_left(gone, &walk->keys[i], conn)))
			continue;
		if (!tw_conn_expired(config, conn, now, 0))
			ended = tw_conns_expire(&walk->table, row, walk->bucket, conn,
				now - tw_conn_limit(config, conn) - EXPIRED_TICKS);
		if (port)
			port->n_ended += ended;
	}
}

void tw_gone_end_walk(struct tw_host *host)
{
	struct tw_gone *gone = host->gone;

	for (size_t i = gone->list.n; i-- > 0;) {
		const struct tw_gone_port *row = &gone->list.at[i];

		if (!row->due)
			continue;
		if (row->n_ended)
			tw_log(TW_LOG_INFO, "%s: its %llu connections ended with it", row->name,
				(unsigned long long)row->n_ended);
		forget_row(host, i);
	}
	gone->n_due = 0;
	if (gone->networks && gone->left_ns == gone->walked_ns)
		gone->left_ns = 0;
	free(gone->networks);
	gone->networks = NULL;
}
