/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <string.h>
#include <unistd.h>

#include "agent/ports/entries.h"
#include "agent/ports/gone.h"
#include "agent/ports/host.h"
#include "agent/ports/latch.h"
#include "agent/ports/locals.h"
#include "agent/ports/netlink.h"
#include "agent/ports/ports.h"
#include "agent/ports/uplinks.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/pattern.h"
#include "fastpath/kernel/counts.h"
#include "fastpath/kernel/load.h"

/* NET_ADDR_RANDOM of <linux/netdevice.h>, which conflicts with <net/if.h>. */
#define MAC_RANDOM "1"
/* Pause after a new tap or a change of its qdiscs, during which the agent adds no qdisc. Tools that
 * limit a guest's bandwidth remove qdiscs and add their own in separate commands. The pause is
 * longer than libvirt and Proxmox take between two commands. */
#define QUIET_NS 500000000u

static void forget(struct tw_host *host, struct tw_agent_port *port, const char *why)
{
	tw_log(TW_LOG_INFO, "%s: %s", port->name, why);
	tw_host_about_to_change(host);
	tw_kernel_detach(host->kernel, port->ifindex, NULL);
	tw_gone_note(host, port);
	tw_entries_drop(host, port);
	/* An ifindex is not reused soon, so the latch may forget many of them at once later. */
	if (host->latch && tw_vec_push(&host->forgotten, port->ifindex) < 0)
		tw_latch_shut(host->latch, &port->ifindex, 1);
	tw_ports_network_gone(host->ports, port->ifindex);
	tw_ports_remove(host->ports, port);
	host->changed = true;
}

/* ---- netlink callbacks ---- */

/* Ends cut-through at a port that differs from its entry until the next plan, which may take a
 * while. Ports of an earlier agent are all checked together after the dump. */
static void doubt(struct tw_host *host, struct tw_agent_port *port)
{
	host->changed = true;
	if (!host->before)
		tw_entries_uncut(host, port);
}

/* Sets a port's network and the VLAN of its untagged frames. */
static void place(struct tw_host *host, struct tw_agent_port *port)
{
	const struct tw_network_row *row;
	uint32_t ifindex = port->bridge ? port->bridge : port->ifindex;
	char name[IFNAMSIZ] = "";
	uint16_t network, vlan;
	bool filtering, left;

	if (!port->bridge || !if_indextoname(port->bridge, name))
		snprintf(name, sizeof(name), "%s", port->name);
	network = tw_ports_network(host->ports, ifindex, name);
	row = port->bridge ? tw_ports_network_row(host->ports, port->bridge) : NULL;
	filtering = row && row->filtering;
	vlan = filtering ? port->pvid : 0;
	if (network == port->network && vlan == port->vlan && filtering == port->filtering)
		return;
	left = port->network && network != port->network;
	port->filtering = filtering;
	port->network = network;
	if (left)
		tw_gone_note_left(host, port);
	port->vlan = vlan;
	doubt(host, port);
}

static const struct tw_saved_port *find_saved(const struct tw_host *host, uint32_t ifindex)
{
	for (size_t i = 0; i < host->n_saved_ports; i++)
		if (host->saved_ports[i].ifindex == ifindex)
			return &host->saved_ports[i];
	return NULL;
}

static void take_entry(
	struct tw_host *host, struct tw_agent_port *port, const struct tw_adopted *adopted)
{
	const struct tw_port *entry = &adopted->entry;
	uint32_t parity = host->epoch & 1;

	port->entry[parity] = *entry;
	port->has_entry[parity] = true;
	port->prefixes = adopted->prefixes;
	port->open = entry->flags & TW_PORT_F_OPEN;
	port->state = entry->flags & TW_PORT_F_UNCLAIMED ? TW_PORT_UNCLAIMED
		      : entry->image			 ? TW_PORT_PROTECTED
							 : TW_PORT_SHUT;
}

/* Adds a port for a new interface or for one that an earlier agent knew. */
static struct tw_agent_port *meet(struct tw_host *host, const struct tw_link *link)
{
	const struct tw_saved_port *saved = find_saved(host, link->ifindex);
	struct tw_agent_port *port;
	struct tw_adopted before;
	bool adopted = tw_entries_take_adopted(host, link->ifindex, &before);
	uint32_t master = link->master ? link->master : link->ifindex;
	int ret = tw_ports_add(
		host->ports, link->ifindex, link->name, adopted ? before.entry.id : 0, &port);

	if (ret < 0) {
		tw_log(TW_LOG_ERR, "%s: stays shut: %s", link->name,
			ret == -ENOSPC ? "too many ports" : strerror(-ret));
		return NULL;
	}
	port->quiet_ns = host->before ? 0 : tw_clock_ns() + QUIET_NS;
	if (adopted) {
		take_entry(host, port, &before);
		if (!tw_ports_network_row(host->ports, master))
			tw_ports_restore_network(
				host->ports, master, before.entry.network, link->name);
	} else {
		tw_counts_clear_port(host->kernel, port->id);
	}
	if (saved && saved->learned && saved->id == port->id) {
		port->learned = true;
		memcpy(port->learned_mac, saved->learned_mac, sizeof(port->learned_mac));
	}
	/* If ports.json is lost, the port's entry still has the MAC to which the port was bound. */
	if (adopted && !saved && before.entry.image && tw_mac_is_set(before.entry.mac)) {
		port->learned = true;
		memcpy(port->learned_mac, before.entry.mac, sizeof(port->learned_mac));
	}
	host->changed = true;
	return port;
}

/* Handles a bridge's report of itself, which changes the VLANs of its ports. */
static void on_bridge(struct tw_host *host, const struct tw_link *link)
{
	struct tw_network_row *row;

	if (!link->has_filtering)
		return;
	tw_ports_network(host->ports, link->ifindex, link->name);
	row = tw_ports_network_row(host->ports, link->ifindex);
	if (!row || row->filtering == link->filtering)
		return;
	row->filtering = link->filtering;
	tw_vec_foreach (&host->ports->list, port)
		if ((*port)->bridge == link->ifindex)
			place(host, *port);
}

/* Reads the first line of an interface's file in sysfs. False if there is none. */
static bool read_sysfs(const char *name, const char *file, char text[32])
{
	char path[64 + IFNAMSIZ];
	tw_autofd int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, text, 31);
	if (len <= 0)
		return false;
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

/* Reads the origin of a MAC from sysfs, because netlink does not report it. If /sys belongs to
 * another network namespace, the interface of this name has another MAC there or does not exist. */
static enum tw_mac_origin origin_of(const struct tw_link *link)
{
	char mac[18], text[32];

	tw_mac_format(link->mac, mac);
	if (!read_sysfs(link->name, "address", text) || strcmp(text, mac) != 0 ||
		!read_sysfs(link->name, "addr_assign_type", text))
		return TW_MAC_UNKNOWN;
	return !strcmp(text, MAC_RANDOM) ? TW_MAC_RANDOM : TW_MAC_GIVEN;
}

/* Sets the port's own MAC and its origin. */
static void take_mac(struct tw_host *host, struct tw_agent_port *port, const struct tw_link *link)
{
	enum tw_mac_origin origin;

	port->tap = !strcmp(link->kind, "tun");
	port->local = port->tap || !strcmp(link->kind, "veth");
	port->macvtap = !strcmp(link->kind, "macvtap") || !strcmp(link->kind, "ipvtap");
	if (!link->has_mac)
		return;
	origin = link->mac[0] == TW_TAP_MAC_FIRST ? origin_of(link) : TW_MAC_UNKNOWN;
	if (port->has_mac && port->mac_origin == origin &&
		!memcmp(port->mac, link->mac, sizeof(port->mac)))
		return;
	memcpy(port->mac, link->mac, sizeof(port->mac));
	port->has_mac = true;
	port->mac_origin = origin;
	host->changed = true;
}

static void on_changed(void *arg, const struct tw_link *link)
{
	struct tw_host *host = arg;
	struct tw_agent_port *port = tw_ports_find(host->ports, link->ifindex);
	bool match = tw_patterns_match(host->patterns, link->name) && !link->loopback &&
		     strcmp(link->kind, "bridge") != 0;

	on_bridge(host, link);
	if (port && !match) {
		forget(host, port, "was renamed to a name that matches no port");
		port = NULL;
	}
	if (match)
		tw_uplinks_gone(host, link->ifindex);
	else
		tw_uplinks_changed(host, link);
	if (!port && match)
		port = meet(host, link);
	if (!port)
		return;
	port->seen = true;
	snprintf(port->above, sizeof(port->above), "%s", link->above);
	if (strcmp(port->name, link->name) != 0) {
		tw_log(TW_LOG_INFO, "%s: renamed to %s", port->name, link->name);
		snprintf(port->name, sizeof(port->name), "%s", link->name);
		host->changed = true;
	}
	take_mac(host, port, link);
	if (port->mtu != link->mtu) {
		port->mtu = link->mtu;
		doubt(host, port);
	}
	if (port->bridge != link->master) {
		port->bridge = link->master;
		port->pvid = 0;
		port->bridge_state = 0;
		port->moved = port->asked = false;
		doubt(host, port);
	}
	place(host, port);
}

static void on_port(void *arg, const struct tw_link *link)
{
	struct tw_host *host = arg;
	struct tw_agent_port *port = tw_ports_find(host->ports, link->ifindex);

	if (!port)
		tw_uplinks_place(host, link);
	if (!port || (link->master && link->master != port->bridge))
		return;
	port->told = true;
	if (link->has_bridge_port && link->bridge_state == BR_STATE_DISABLED)
		port->asked = false;
	if (link->has_bridge_port &&
		(port->bridge_state != link->bridge_state || port->isolated != link->isolated)) {
		port->bridge_state = link->bridge_state;
		port->isolated = link->isolated;
		doubt(host, port);
	}
	if (!link->has_pvid)
		return;
	if (port->pvid_untagged != link->pvid_untagged)
		doubt(host, port);
	port->pvid_untagged = link->pvid_untagged;
	port->pvid = link->pvid;
	place(host, port);
}

/* Records the MAC that a port sends from, to report ports that resemble a workload. */
static void hear_mac(struct tw_host *host, const uint8_t mac[6], uint32_t ifindex)
{
	tw_vec_foreach (&host->ports->list, at) {
		struct tw_agent_port *port = *at;

		if (port->ifindex != ifindex) {
			port->heard &= memcmp(port->heard_mac, mac, sizeof(port->heard_mac)) != 0;
			continue;
		}
		/* A bridge also reports the port's own MAC. */
		if (!memcmp(port->mac, mac, sizeof(port->mac)))
			continue;
		memcpy(port->heard_mac, mac, sizeof(port->heard_mac));
		port->heard = port->heard_now = host->heard = true;
	}
}

static void on_learned(void *arg, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex)
{
	struct tw_host *host = arg;

	host->changed |= tw_locals_moved(host, mac, bridge, ifindex);
	hear_mac(host, mac, ifindex);
}

void tw_watch_gone(struct tw_host *host, uint32_t ifindex)
{
	struct tw_agent_port *port = tw_ports_find(host->ports, ifindex);

	tw_uplinks_gone(host, ifindex);
	if (port)
		forget(host, port, "is gone");
	else
		tw_ports_network_gone(host->ports, ifindex);
}

static void on_gone(void *arg, uint32_t ifindex)
{
	tw_watch_gone(arg, ifindex);
}

static void on_hooks(void *arg, uint32_t ifindex, bool went)
{
	struct tw_host *host = arg;
	struct tw_agent_port *port = tw_ports_find(host->ports, ifindex);

	if (!port) {
		tw_uplinks_suspect(host, ifindex);
		return;
	}
	if (went)
		port->quiet_ns = tw_clock_ns() + QUIET_NS;
	port->suspect = host->suspects = true;
}

static void on_forgotten(void *arg, const uint8_t mac[6], uint32_t ifindex)
{
	struct tw_host *host = arg;

	host->changed |= tw_locals_forgotten(host, mac, ifindex);
}

/* ---- start ---- */

int tw_watch_open(struct tw_host *host)
{
	const struct tw_netlink_handler handler = {
		on_changed, on_port, on_learned, on_forgotten, on_gone, on_hooks, host};

	return tw_netlink_open(&handler, &host->netlink);
}
