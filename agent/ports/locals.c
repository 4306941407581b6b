/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/locals.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <string.h>

#include "agent/ports/entries.h"
#include "agent/ports/host.h"
#include "agent/ports/hostwork.h"
#include "agent/ports/ports.h"
#include "agent/ports/rtnl.h"
#include "base/clock.h"
#include "base/log.h"
#include "fastpath/abi/special.h"
#include "fastpath/kernel/load.h"

#define VLAN_BYTES 4 /* a bridge accepts a VLAN tag beyond the MTU, and so does cut-through */

static int map_fd(const struct tw_host *host)
{
	return tw_kernel_map_fd(host->kernel, TW_MAP_locals);
}

void tw_locals_init(struct tw_host *host)
{
	struct tw_local_key key;

	tw_locals_release(host->options->bpffs);
	while (!bpf_map_get_next_key(map_fd(host), NULL, &key) &&
		!bpf_map_delete_elem(map_fd(host), &key))
		continue;
}

void tw_locals_done(struct tw_locals *locals)
{
	tw_vec_done(&locals->rows);
}

static bool has_mac(const struct tw_port *entry)
{
	static const uint8_t none[6];

	return memcmp(entry->mac, none, sizeof(none)) != 0;
}

bool tw_locals_fit(
	const struct tw_host *host, const struct tw_agent_port *port, const struct tw_port *entry)
{
	return host->options->forwarding != TW_FORWARDING_VSWITCH && !*host->hostwork->why &&
	       !*port->hostwork && port->bridge && port->bridge_state == BR_STATE_FORWARDING &&
	       !port->isolated && !port->moved &&
	       (!port->filtering || (port->vlan && port->pvid_untagged)) && has_mac(entry) &&
	       !(entry->flags & TW_PORT_FOREIGN);
}

static struct tw_locals_row *find(struct tw_locals *locals, const struct tw_local_key *key)
{
	tw_vec_foreach (&locals->rows, row)
		if (!memcmp(&row->key, key, sizeof(*key)))
			return row;
	return NULL;
}

static void tell_bridge(struct tw_host *host, const struct tw_locals_row *row, bool there)
{
	uint32_t ifindex = row->local.ifindex;
	int ret;

	/* A bridge forgets the MACs of a removed port by itself. */
	if (!there) {
		tw_rtnl_remove_fdb(host->rtnl, ifindex, row->key.mac, row->key.vlan);
		return;
	}
	ret = tw_rtnl_add_fdb(host->rtnl, ifindex, row->key.mac, row->key.vlan);
	if (ret < 0)
		tw_log(TW_LOG_WARNING, "interface %u: cannot add its MAC to its bridge: %s",
			ifindex, strerror(-ret));
}

uint32_t tw_locals_len_max(const struct tw_agent_port *port)
{
	return port->mtu + ETH_HLEN + VLAN_BYTES;
}

static void want(struct tw_host *host, const struct tw_agent_port *port)
{
	const struct tw_port *entry = &port->entry[host->epoch & 1];
	struct tw_locals_row row =
				     {
					     .key = {.network = entry->network,
						     .vlan = entry->pvid},
					     .local = {port->ifindex, tw_locals_len_max(port)},
					     .wanted = true,
				     },
			     *old;

	memcpy(row.key.mac, entry->mac, sizeof(row.key.mac));
	old = find(host->locals, &row.key);
	if (old && !memcmp(&old->local, &row.local, sizeof(row.local))) {
		old->wanted = true;
		if (old->forgotten)
			tell_bridge(host, old, true);
		old->forgotten = false;
		return;
	}
	if (bpf_map_update_elem(map_fd(host), &row.key, &row.local, BPF_ANY) < 0 ||
		(!old && tw_vec_push(&host->locals->rows, row) < 0)) {
		tw_log(TW_LOG_WARNING, "%s: cannot record its MAC for cut-through", port->name);
		bpf_map_delete_elem(map_fd(host), &row.key);
		return;
	}
	if (old)
		*old = row;
	tell_bridge(host, &row, true);
}

static void note_moved(struct tw_host *host, struct tw_agent_port *port, bool moved)
{
	tw_log(TW_LOG_INFO, "%s: its MAC %s", port->name,
		moved ? "is seen behind another port; cut-through waits" : "is back");
	port->moved = moved;
	tw_entries_uncut(host, port);
}

/* A live migration first creates the tap on the new host. Until the guest sends there, the
 * bridge knows it behind the uplink and must not be told otherwise. */
static void ask_bridge(struct tw_host *host, struct tw_agent_port *port)
{
	const struct tw_port *entry = &port->entry[host->epoch & 1];
	uint32_t ifindex;

	if (port->asked || port->state != TW_PORT_PROTECTED || !port->bridge || port->moved ||
		!port->has_entry[host->epoch & 1] || !has_mac(entry))
		return;
	port->asked = true;
	if (!tw_rtnl_find_fdb(host->rtnl, port->bridge, entry->mac, entry->pvid, &ifindex) &&
		ifindex != port->ifindex && ifindex != port->bridge)
		note_moved(host, port, true);
}

void tw_locals_sync(struct tw_host *host)
{
	struct tw_locals *locals = host->locals;
	uint32_t parity = host->epoch & 1;
	size_t kept = 0;

	tw_vec_foreach (&host->ports->list, port)
		ask_bridge(host, *port);
	tw_vec_foreach (&locals->rows, row)
		row->wanted = false;
	tw_vec_foreach (&host->ports->list, port)
		if ((*port)->has_entry[parity] && (*port)->entry[parity].flags & TW_PORT_F_CUT)
			want(host, *port);
	for (size_t i = 0; i < locals->rows.n; i++) {
		struct tw_locals_row *row = &locals->rows.at[i];

		if (row->wanted) {
			locals->rows.at[kept++] = *row;
			continue;
		}
		bpf_map_delete_elem(map_fd(host), &row->key);
		tell_bridge(host, row, false);
	}
	locals->rows.n = kept;
}

bool tw_locals_forgotten(struct tw_host *host, const uint8_t mac[6], uint32_t ifindex)
{
	bool changed = false;

	tw_vec_foreach (&host->locals->rows, row)
		if (row->local.ifindex == ifindex &&
			!memcmp(row->key.mac, mac, sizeof(row->key.mac)))
			changed = row->forgotten = true;
	return changed;
}

void tw_locals_renew(struct tw_host *host)
{
	bool cut = host->options->forwarding != TW_FORWARDING_VSWITCH && !*host->hostwork->why;

	tw_kernel_set_cut(host->kernel, cut ? tw_clock_ns() + TW_LOCALS_LEASE_NS : 0);
}

bool tw_locals_moved(struct tw_host *host, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex)
{
	bool changed = false;

	tw_vec_foreach (&host->ports->list, at) {
		struct tw_agent_port *port = *at;
		const struct tw_port *entry = &port->entry[host->epoch & 1];
		bool moved = port->ifindex != ifindex;

		if (port->state != TW_PORT_PROTECTED || port->bridge != bridge ||
			memcmp(entry->mac, mac, sizeof(entry->mac)) != 0 || port->moved == moved)
			continue;
		note_moved(host, port, moved);
		changed = true;
	}
	return changed;
}

void tw_locals_release(const char *bpffs)
{
	tw_auto(tw_rtnl) struct tw_rtnl *rtnl = NULL;
	struct tw_local_key key, *previous = NULL;
	char path[PATH_MAX];
	struct tw_local local;
	tw_autofd int fd = -1;

	snprintf(path, sizeof(path), "%s/maps/%s", bpffs, tw_kernel_pin_name(TW_MAP_locals));
	fd = bpf_obj_get(path);
	if (fd < 0 || tw_rtnl_open(&rtnl) < 0)
		return;
	while (!bpf_map_get_next_key(fd, previous, &key)) {
		previous = &key;
		if (!bpf_map_lookup_elem(fd, &key, &local))
			tw_rtnl_remove_fdb(rtnl, local.ifindex, key.mac, key.vlan);
	}
}
