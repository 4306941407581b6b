/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/ports/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "agent/observe/counts.h"
#include "agent/observe/describe.h"
#include "agent/ports/bind.h"
#include "agent/ports/survey.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"

#define RETRY_NS 1000000000u

/* NET_ADDR_RANDOM of <linux/netdevice.h>, which <net/if.h> does not get on with. */
#define MAC_RANDOM "1"
/* A host that limits a guest's bandwidth removes qdiscs and adds its own, one command after the other,
 * when the tap is new and when the limit changes. For so long after the last of these events no qdisc is
 * made in the place of the host's; longer than libvirt and Proxmox take between two commands. */
#define QUIET_NS 500000000u

static void retry_at(struct tw_agent *agent, uint64_t when)
{
	if (!agent->retry_ns || when < agent->retry_ns)
		agent->retry_ns = when;
}

static void retry_later(struct tw_agent *agent)
{
	retry_at(agent, tw_clock_ns() + RETRY_NS);
}

/* ---- the latch ---- */

static bool is_passing(const struct tw_agent_port *port, bool attached_only)
{
	return port->attached || port->left || !attached_only;
}

static void install_latch(struct tw_agent *agent, bool attached_only)
{
	TW_VEC(uint32_t) live = {0};
	struct tw_err err = {0};
	int ret = 0;

	tw_vec_foreach (&agent->ports.list, port)
		if (!ret && is_passing(*port, attached_only))
			ret = tw_vec_push(&live, (*port)->ifindex);
	if (!ret)
		ret = tw_latch_install(agent->latch, live.at, live.n, &err);
	tw_vec_done(&live);
	if (ret < 0) {
		tw_log(TW_LOG_WARNING, "latch: %s; a new port is open until netlink has told of it",
			err.text);
		tw_latch_free(agent->latch);
		agent->latch = NULL;
	}
	tw_vec_foreach (&agent->ports.list, port)
		(*port)->let = agent->latch && is_passing(*port, attached_only);
}

/* Lets through whatever is attached and was not let through yet. */
static void let_through(struct tw_agent *agent)
{
	TW_VEC(uint32_t) live = {0};
	struct tw_err err = {0};
	int ret = 0;

	if (!agent->latch)
		return;
	tw_vec_foreach (&agent->ports.list, port)
		if (!ret && (*port)->attached && !(*port)->let)
			ret = tw_vec_push(&live, (*port)->ifindex);
	if (!ret)
		ret = tw_latch_let(agent->latch, live.at, live.n, &err);
	tw_vec_done(&live);
	if (ret < 0) {
		tw_log(TW_LOG_ERR, "latch: new ports stay shut: %s", err.text);
		retry_later(agent);
		return;
	}
	/* An interface that took the place of the attached one meanwhile has none of the programs. */
	tw_vec_foreach (&agent->ports.list, port) {
		bool fresh = (*port)->attached && !(*port)->let;

		(*port)->let = (*port)->attached || (*port)->left;
		if (fresh && !tw_prove_port(agent, *port))
			retry_later(agent);
	}
}

/* Whoever flushes all of netfilter takes the latch along. */
static void on_latch(void *arg, uint32_t events)
{
	struct tw_agent *agent = arg;

	bool deleted = tw_latch_read(agent->latch);

	agent->hostwork.next_ns = 0;
	if (!deleted || tw_latch_exists(agent->latch))
		return;
	tw_log(TW_LOG_WARNING, "latch: its table was deleted by somebody; putting it back");
	tw_loop_remove(&agent->loop, &agent->latch_watch);
	install_latch(agent, true);
	if (agent->latch)
		tw_loop_add(&agent->loop, &agent->latch_watch, tw_latch_fd(agent->latch), EPOLLIN,
			on_latch, agent);
}

/* ---- ports up and down ---- */

static void tell_attached(const struct tw_agent_port *port)
{
	if (port->state == TW_PORT_PROTECTED && port->vnic)
		tw_log(TW_LOG_INFO, "%s: protects %s", port->name, port->vnic->workload);
	else if (port->open)
		tw_log(TW_LOG_WARNING, "%s: NOT FILTERED: belongs to no workload", port->name);
	else
		tw_log(TW_LOG_INFO, "%s: %s", port->name,
			port->state == TW_PORT_PROTECTED   ? "protected as it was before"
			: port->state == TW_PORT_UNCLAIMED ? "is shut: belongs to no workload"
							   : "is shut");
}

bool tw_watch_covers(const struct tw_agent *agent, const struct tw_agent_port *port)
{
	return agent->latch && tw_latch_covers(agent->latch, port->above);
}

bool tw_watch_is_unfiltered(const struct tw_agent *agent, const struct tw_agent_port *port)
{
	return !port->attached && (port->left || !tw_watch_covers(agent, port));
}

static void stay_shut(struct tw_agent *agent, struct tw_agent_port *port, const struct tw_err *err)
{
	char trouble[sizeof(port->trouble)];

	snprintf(trouble, sizeof(trouble), "%.*s", (int)sizeof(trouble) - 1, err->text);
	/* Once, and not at each try. */
	if (strcmp(port->trouble, trouble) != 0)
		tw_log(TW_LOG_ERR, "%s: cannot be attached, %s: %s%s%s", port->name,
			tw_watch_covers(agent, port) ? "stays shut" : "is NOT FILTERED", err->text,
			err->hint[0] ? "; " : "", err->hint);
	snprintf(port->trouble, sizeof(port->trouble), "%s", trouble);
	if (agent->latch)
		tw_latch_shut(agent->latch, &port->ifindex, 1);
	port->let = false;
	retry_later(agent);
}

static void attach(struct tw_agent *agent, struct tw_agent_port *port)
{
	struct tw_err err = {0};
	bool make;
	int ret;

	if (port->attached || port->left)
		return;
	tw_notify_alive();
	/* Where the latch keeps nothing shut, a host's command that fails is the lesser evil. */
	make = tw_clock_ns() >= port->quiet_ns || !tw_watch_covers(agent, port);
	ret = tw_kernel_attach(agent->kernel, port->ifindex, make, &err);
	/* Gone already: netlink is about to say so. */
	if (ret == -ENODEV)
		return;
	if (ret == -EAGAIN && !make) {
		retry_at(agent, port->quiet_ns);
		return;
	}
	if (ret < 0) {
		stay_shut(agent, port, &err);
		return;
	}
	port->attached = true;
	port->trouble[0] = '\0';
	tell_attached(port);
}

static void forget(struct tw_agent *agent, struct tw_agent_port *port, const char *why)
{
	tw_log(TW_LOG_INFO, "%s: %s", port->name, why);
	tw_events_settle(agent);
	tw_kernel_detach(agent->kernel, port->ifindex, NULL);
	tw_gone_note(agent, port);
	tw_publish_drop(agent, port);
	/* Its number is not given again soon, so the latch may hear of many at once. */
	if (agent->latch && tw_vec_push(&agent->forgotten, port->ifindex) < 0)
		tw_latch_shut(agent->latch, &port->ifindex, 1);
	tw_ports_network_gone(&agent->ports, port->ifindex);
	tw_ports_remove(&agent->ports, port);
	agent->dirty = true;
}

void tw_watch_attach(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->ports.list, port)
		attach(agent, *port);
	/* Before anything is let through: an interface may be forgotten and met again at once. */
	if (agent->latch)
		tw_latch_shut(agent->latch, agent->forgotten.at, agent->forgotten.n);
	agent->forgotten.n = 0;
	let_through(agent);
}

void tw_agent_ports_changed(struct tw_agent *agent)
{
	struct tw_err err = {0};

	tw_events_settle(agent);
	tw_hostwork_meet(agent);
	agent->dirty = false;
	agent->retry_ns = 0;
	if (tw_publish_refresh(agent, &err) < 0) {
		tw_log(TW_LOG_ERR, "%s: %s", err.place, err.text);
		retry_later(agent);
	}
	tw_watch_attach(agent);
	/* Not now: waiting for a disk would keep new ports shut for longer. */
	agent->unsaved = true;
}

void tw_watch_save(struct tw_agent *agent)
{
	struct tw_err err = {0};
	int ret = 0;

	if (!agent->unsaved && !agent->images.changed)
		return;
	if (tw_clock_ns() < agent->save_ns)
		return;
	if (agent->unsaved)
		ret = tw_saved_write_ports(agent->store, &agent->ports, &err);
	if (!ret)
		agent->unsaved = false;
	if (!ret && agent->images.changed)
		ret = tw_saved_write_images(agent->store, &agent->images, &err);
	if (!ret)
		agent->images.changed = false;
	agent->save_ns = ret < 0 ? tw_clock_ns() + RETRY_NS : 0;
	if (ret < 0)
		tw_degrade(agent, TW_DEGRADED_STORE, "%s: %s", err.place, err.text);
	else
		tw_publish_store_works(agent);
}

/* ---- what netlink tells ---- */

/* Something about a port is not as its entry says: nothing is cut through there until a plan has
 * been made, which may take a while. What an earlier agent left is looked at all together. */
static void doubt(struct tw_agent *agent, struct tw_agent_port *port)
{
	agent->dirty = true;
	if (!agent->before)
		tw_publish_uncut(agent, port);
}

/* The network a port is on, and the VLAN of its untagged frames. */
static void place(struct tw_agent *agent, struct tw_agent_port *port)
{
	const struct tw_network_row *row;
	uint32_t ifindex = port->bridge ? port->bridge : port->ifindex;
	char name[IFNAMSIZ] = "";
	uint16_t network, vlan;
	bool filtering;

	if (!port->bridge || !if_indextoname(port->bridge, name))
		snprintf(name, sizeof(name), "%s", port->name);
	network = tw_ports_network(&agent->ports, ifindex, name);
	row = port->bridge ? tw_ports_network_row(&agent->ports, port->bridge) : NULL;
	filtering = row && row->filtering;
	vlan = filtering ? port->pvid : 0;
	if (network == port->network && vlan == port->vlan && filtering == port->filtering)
		return;
	port->filtering = filtering;
	port->network = network;
	port->vlan = vlan;
	doubt(agent, port);
}

static const struct tw_saved_port *find_saved(const struct tw_agent *agent, uint32_t ifindex)
{
	for (size_t i = 0; i < agent->n_saved_ports; i++)
		if (agent->saved_ports[i].ifindex == ifindex)
			return &agent->saved_ports[i];
	return NULL;
}

static void take_entry(
	struct tw_agent *agent, struct tw_agent_port *port, const struct tw_adopted *adopted)
{
	const struct tw_port *entry = &adopted->entry;
	uint32_t parity = agent->epoch & 1;

	port->entry[parity] = *entry;
	port->has_entry[parity] = true;
	port->prefixes = adopted->prefixes;
	port->open = entry->flags & TW_PORT_F_OPEN;
	port->state = entry->flags & TW_PORT_F_UNCLAIMED ? TW_PORT_UNCLAIMED
		      : entry->image			 ? TW_PORT_PROTECTED
							 : TW_PORT_SHUT;
}

/* A new interface, or one that an earlier agent knew. */
static struct tw_agent_port *meet(struct tw_agent *agent, const struct tw_link *link)
{
	const struct tw_saved_port *saved = find_saved(agent, link->ifindex);
	struct tw_agent_port *port;
	struct tw_adopted before;
	bool adopted = tw_publish_take_adopted(agent, link->ifindex, &before);
	uint32_t master = link->master ? link->master : link->ifindex;
	int ret = tw_ports_add(
		&agent->ports, link->ifindex, link->name, adopted ? before.entry.id : 0, &port);

	if (ret < 0) {
		tw_log(TW_LOG_ERR, "%s: stays shut: %s", link->name,
			ret == -ENOSPC ? "too many ports" : strerror(-ret));
		return NULL;
	}
	port->carried = agent->before && !adopted;
	port->quiet_ns = agent->before ? 0 : tw_clock_ns() + QUIET_NS;
	if (adopted) {
		take_entry(agent, port, &before);
		if (!tw_ports_network_row(&agent->ports, master))
			tw_ports_restore_network(
				&agent->ports, master, before.entry.network, link->name);
	} else {
		tw_counts_clear_port(agent, port->id);
	}
	if (saved && saved->learned && saved->id == port->id) {
		port->learned = true;
		memcpy(port->learned_mac, saved->learned_mac, sizeof(port->learned_mac));
	}
	/* What ports.json said of it is lost: its entry has the MAC that it was bound by. */
	if (adopted && !saved && before.entry.image && tw_mac_is_set(before.entry.mac)) {
		port->learned = true;
		memcpy(port->learned_mac, before.entry.mac, sizeof(port->learned_mac));
	}
	agent->dirty = true;
	return port;
}

/* What a bridge says of itself changes the VLANs of the ports on it. */
static void on_bridge(struct tw_agent *agent, const struct tw_link *link)
{
	struct tw_network_row *row;

	if (!link->has_filtering)
		return;
	tw_ports_network(&agent->ports, link->ifindex, link->name);
	row = tw_ports_network_row(&agent->ports, link->ifindex);
	if (!row || row->filtering == link->filtering)
		return;
	row->filtering = link->filtering;
	tw_vec_foreach (&agent->ports.list, port)
		if ((*port)->bridge == link->ifindex)
			place(agent, *port);
}

/* The first line of a file of an interface in sysfs; false: there is none. */
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

/* Netlink does not say it. What is mounted at /sys may be another network namespace's: then the
 * interface of this name has another MAC there, or there is none. */
static enum tw_mac_origin origin_of(const struct tw_link *link)
{
	char mac[18], text[32];

	tw_mac_format(link->mac, mac);
	if (!read_sysfs(link->name, "address", text) || strcmp(text, mac) != 0 ||
		!read_sysfs(link->name, "addr_assign_type", text))
		return TW_MAC_UNKNOWN;
	return !strcmp(text, MAC_RANDOM) ? TW_MAC_RANDOM : TW_MAC_GIVEN;
}

/* The port's own MAC, and what there is to know of where it comes from. */
static void take_mac(struct tw_agent *agent, struct tw_agent_port *port, const struct tw_link *link)
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
	agent->dirty = true;
}

static void on_changed(void *arg, const struct tw_link *link)
{
	struct tw_agent *agent = arg;
	struct tw_agent_port *port = tw_ports_find(&agent->ports, link->ifindex);
	bool match = tw_patterns_match(&agent->patterns, link->name) && !link->loopback &&
		     strcmp(link->kind, "bridge") != 0;

	on_bridge(agent, link);
	if (port && !match) {
		forget(agent, port, "has a new name that is no port's");
		port = NULL;
	}
	if (match)
		tw_uplinks_gone(agent, link->ifindex);
	else
		tw_uplinks_changed(agent, link);
	if (!port && match)
		port = meet(agent, link);
	if (!port)
		return;
	port->seen = true;
	snprintf(port->above, sizeof(port->above), "%s", link->above);
	if (strcmp(port->name, link->name) != 0) {
		tw_log(TW_LOG_INFO, "%s: is now called %s", port->name, link->name);
		snprintf(port->name, sizeof(port->name), "%s", link->name);
		agent->dirty = true;
	}
	take_mac(agent, port, link);
	if (port->mtu != link->mtu) {
		port->mtu = link->mtu;
		doubt(agent, port);
	}
	if (port->bridge != link->master) {
		port->bridge = link->master;
		port->pvid = 0;
		port->bridge_state = 0;
		port->moved = port->asked = false;
		doubt(agent, port);
	}
	place(agent, port);
}

static void on_port(void *arg, const struct tw_link *link)
{
	struct tw_agent *agent = arg;
	struct tw_agent_port *port = tw_ports_find(&agent->ports, link->ifindex);

	if (!port)
		tw_uplinks_place(agent, link);
	if (!port || (link->master && link->master != port->bridge))
		return;
	port->told = true;
	if (link->has_bridge_port && link->bridge_state == BR_STATE_DISABLED)
		port->asked = false;
	if (link->has_bridge_port &&
		(port->bridge_state != link->bridge_state || port->isolated != link->isolated)) {
		port->bridge_state = link->bridge_state;
		port->isolated = link->isolated;
		doubt(agent, port);
	}
	if (!link->has_pvid)
		return;
	if (port->pvid_untagged != link->pvid_untagged)
		doubt(agent, port);
	port->pvid_untagged = link->pvid_untagged;
	port->pvid = link->pvid;
	place(agent, port);
}

/* Takes note of what a port sends from, so that one which resembles a workload can be told of. */
static void hear_mac(struct tw_agent *agent, const uint8_t mac[6], uint32_t ifindex)
{
	tw_vec_foreach (&agent->ports.list, at) {
		struct tw_agent_port *port = *at;

		if (port->ifindex != ifindex) {
			port->heard &= memcmp(port->heard_mac, mac, sizeof(port->heard_mac)) != 0;
			continue;
		}
		/* A bridge also lists the MAC of the port itself. */
		if (memcmp(port->mac, mac, sizeof(port->mac)) != 0)
			tw_bind_hear(agent->inforce, port, mac);
	}
}

static void on_learned(void *arg, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex)
{
	struct tw_agent *agent = arg;

	agent->dirty |= tw_locals_moved(agent, mac, bridge, ifindex);
	hear_mac(agent, mac, ifindex);
}

void tw_watch_gone(struct tw_agent *agent, uint32_t ifindex)
{
	struct tw_agent_port *port = tw_ports_find(&agent->ports, ifindex);

	tw_uplinks_gone(agent, ifindex);
	if (port)
		forget(agent, port, "is gone");
	else
		tw_ports_network_gone(&agent->ports, ifindex);
}

static void on_gone(void *arg, uint32_t ifindex)
{
	tw_watch_gone(arg, ifindex);
}

static void on_hooks(void *arg, uint32_t ifindex, bool went)
{
	struct tw_agent *agent = arg;
	struct tw_agent_port *port = tw_ports_find(&agent->ports, ifindex);

	if (!port) {
		tw_uplinks_suspect(agent, ifindex);
		return;
	}
	if (went)
		port->quiet_ns = tw_clock_ns() + QUIET_NS;
	port->suspect = agent->suspects = true;
}

static void on_forgotten(void *arg, const uint8_t mac[6], uint32_t ifindex)
{
	struct tw_agent *agent = arg;

	agent->dirty |= tw_locals_forgotten(agent, mac, ifindex);
}

/* Takes what has come; cut-through may go on when that is all there is to know. */
static void hear(struct tw_agent *agent)
{
	int ret = tw_netlink_read(agent->netlink);

	tw_survey_tick(agent);
	if (ret == -ENOBUFS) {
		tw_log(TW_LOG_INFO, "netlink could not keep up; looking at all interfaces");
		ret = tw_survey(agent);
		tw_vec_foreach (&agent->ports.list, port)
			(*port)->suspect = agent->suspects = true;
	}
	if (ret < 0)
		tw_log(TW_LOG_ERR, "netlink: %s", strerror(-ret));
	tw_prove_suspects(agent);
	if (agent->dirty)
		tw_agent_ports_changed(agent);
	if (!ret && !agent->survey_ns)
		tw_locals_renew(agent);
}

static void on_netlink(void *arg, uint32_t events)
{
	hear(arg);
}

void tw_watch_tick(struct tw_agent *agent)
{
	hear(agent);
	if (agent->retry_ns && tw_clock_ns() >= agent->retry_ns)
		tw_agent_ports_changed(agent);
}

/* ---- start ---- */

int tw_watch_open(struct tw_agent *agent, struct tw_err *err)
{
	const struct tw_netlink_handler handler = {
		on_changed, on_port, on_learned, on_forgotten, on_gone, on_hooks, agent};
	int ret;

	tw_saved_read_ports(
		agent->store, &agent->ports, &agent->saved_ports, &agent->n_saved_ports);
	if (tw_latch_new(agent->options->bpffs, &agent->patterns, &agent->latch, err) < 0)
		tw_log(TW_LOG_WARNING, "latch: %s", err->text);
	ret = tw_rtnl_open(&agent->rtnl);
	if (!ret)
		ret = tw_netlink_open(&handler, &agent->netlink);
	if (!ret) {
		agent->before = true;
		ret = tw_survey(agent);
		agent->before = false;
	}
	if (ret < 0)
		return tw_err_set(err, ret, "netlink", NULL, "%s", strerror(-ret));
	/* An older latch stays until all is attached; without one, what is here now was open until
	 * now, and what comes from here on is shut. */
	agent->latched = agent->latch && tw_latch_exists(agent->latch);
	if (agent->latch && !agent->latched)
		install_latch(agent, false);
	return 0;
}

/* Without any policy, now or before, guests that run are left as they are: nothing is attached to their
 * ports, and the latch lets them through. What an earlier agent filtered or kept shut is not among them. */
static void leave_running(struct tw_agent *agent)
{
	tw_vec_foreach (&agent->ports.list, at) {
		struct tw_agent_port *port = *at;

		if (port->has_entry[agent->epoch & 1] ||
			tw_kernel_is_attached(agent->kernel, port->ifindex) ||
			(agent->latched && !tw_latch_lets(agent->latch, port->ifindex)))
			continue;
		port->left = true;
		snprintf(port->trouble, sizeof(port->trouble),
			"no policy is in force, and it ran before");
		tw_log(TW_LOG_WARNING,
			"%s: NOT FILTERED: stays as it was until a policy is in force", port->name);
	}
}

void tw_watch_take_left(struct tw_agent *agent)
{
	bool any = false;

	tw_vec_foreach (&agent->ports.list, port) {
		any |= (*port)->left;
		(*port)->trouble[0] = (*port)->left ? '\0' : (*port)->trouble[0];
		(*port)->left = false;
	}
	if (any)
		tw_watch_attach(agent);
}

/* Every port has the programs of this start: what another --max-connections began can be ended. */
static void settle(struct tw_agent *agent)
{
	const struct tw_kernel_facts *facts = tw_kernel_facts(agent->kernel);
	struct tw_err err = {0};

	if (tw_kernel_settle(agent->kernel, &err) < 0) {
		tw_log(TW_LOG_ERR, "%s: %s; the next start tries again", err.place, err.text);
		return;
	}
	if (facts->resized_from)
		tw_log(TW_LOG_INFO, "room for %u connections instead of %u: took over %u",
			facts->max_conns, facts->resized_from, facts->taken_over);
	if (facts->not_taken_over)
		tw_log(TW_LOG_WARNING, "no room was left for %u connections that opened meanwhile",
			facts->not_taken_over);
}

int tw_watch_begin(struct tw_agent *agent)
{
	char name[IFNAMSIZ];
	int ret;

	if (!agent->inforce)
		leave_running(agent);
	tw_uplinks_adopt(agent);
	tw_hostwork_look(agent);
	tw_agent_ports_changed(agent);
	tw_uplinks_sync(agent);
	settle(agent);
	tw_locals_renew(agent);
	tw_publish_forget_adopted(agent);
	tw_vec_foreach (&agent->ports.networks, row)
		row->gone = !if_indextoname(row->ifindex, name);
	free(agent->saved_ports);
	agent->saved_ports = NULL;
	agent->n_saved_ports = 0;
	if (agent->latch)
		install_latch(agent, true);
	if (agent->latch && tw_latch_fd(agent->latch) >= 0) {
		ret = tw_loop_add(&agent->loop, &agent->latch_watch, tw_latch_fd(agent->latch),
			EPOLLIN, on_latch, agent);
		if (ret < 0)
			return ret;
	}
	return tw_loop_add(&agent->loop, &agent->netlink_watch, tw_netlink_fd(agent->netlink),
		EPOLLIN, on_netlink, agent);
}
