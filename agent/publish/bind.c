/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/publish/bind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/ports/ports.h"
#include "agent/state/inforce.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mac.h"

#define TELL_NS 60000000000u

struct binder {
	const struct tw_inforce *inforce;
	const struct tw_ports *ports;
	struct tw_binding *bindings;
	bool *taken; /* indexed by vNIC */
};

/* True if the port's own MAC may identify a VM: it begins with fe, as libvirt sets it, and is not a
 * random choice of the kernel. */
static bool mac_tells(const struct tw_agent_port *port)
{
	return !port->macvtap && port->has_mac && port->mac[0] == TW_TAP_MAC_FIRST &&
	       port->mac_origin != TW_MAC_RANDOM;
}

/* Returns the index of the first vNIC whose MAC has the same last five bytes. */
static size_t first_with_tail(const struct tw_inforce *inforce, uint64_t tail)
{
	size_t low = 0, high = inforce->n_macs;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (inforce->macs[middle].tail < tail)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Counts the vNICs that a tap's MAC may stand for. If one of them names this port, only that one
 * counts. *ret is that vNIC or the first one. */
static size_t count_owners(const struct tw_inforce *inforce, const struct tw_agent_port *port,
	const struct tw_vnic **ret)
{
	uint64_t tail = tw_mac_tail(port->mac);
	size_t first = first_with_tail(inforce, tail), n = 0;

	*ret = NULL;
	for (; first + n < inforce->n_macs && inforce->macs[first + n].tail == tail; n++) {
		const struct tw_vnic *vnic = inforce->macs[first + n].vnic;
		bool named = vnic->port && !strcmp(vnic->port, port->name);

		if (!*ret || named)
			*ret = vnic;
		if (named)
			return 1;
	}
	return n;
}

static void take(struct binder *b, size_t i, const struct tw_vnic *vnic, enum tw_bound by)
{
	b->bindings[i] = (struct tw_binding){.vnic = vnic, .by = by};
	b->taken[vnic->index] = true;
}

static void refuse(
	struct binder *b, size_t i, const struct tw_vnic *about, enum tw_conflict conflict)
{
	b->bindings[i] = (struct tw_binding){.about = about, .conflict = conflict};
}

/* Binds a port by the tap's own MAC. `agreeing`: only if its name agrees. */
static void bind_by_tap_mac(struct binder *b, size_t i, bool agreeing)
{
	const struct tw_agent_port *port = b->ports->list.at[i];
	const struct tw_vnic *vnic;
	size_t n;

	if (!mac_tells(port))
		return;
	n = count_owners(b->inforce, port, &vnic);
	if (!n || (agreeing && (!vnic->port || strcmp(vnic->port, port->name) != 0)))
		return;
	if (n > 1)
		refuse(b, i, vnic, TW_CONFLICT_UNSURE);
	else if (b->taken[vnic->index])
		refuse(b, i, vnic, TW_CONFLICT_TWICE);
	else
		take(b, i, vnic, TW_BOUND_BY_TAP_MAC);
}

/* True if the port's own MAC shows that it belongs to another VM. LXC gives the host end of a
 * container's veth a MAC of fe and random bytes, and the origin of a tap's MAC may be unknown. In
 * both cases the MAC counts only if its vendor bytes are the workload's. */
static bool says_other(const struct tw_agent_port *port, const struct tw_vnic *vnic)
{
	return mac_tells(port) && vnic->has_mac &&
	       tw_mac_tail(port->mac) != tw_mac_tail(vnic->mac) &&
	       ((port->tap && port->mac_origin == TW_MAC_GIVEN) ||
		       !memcmp(port->mac + 1, vnic->mac + 1, 2));
}

static void bind_by_name(struct binder *b, size_t i)
{
	const struct tw_agent_port *port = b->ports->list.at[i];
	const struct tw_vnic *vnic = tw_policy_find_port(b->inforce->policy, port->name);

	if (!vnic)
		return;
	if (!b->taken[vnic->index] && !says_other(port, vnic))
		take(b, i, vnic, TW_BOUND_BY_NAME);
	else if (!b->taken[vnic->index])
		refuse(b, i, vnic, TW_CONFLICT_MAC);
	else if (!says_other(port, vnic))
		refuse(b, i, vnic, TW_CONFLICT_ELSEWHERE);
	/* Otherwise the name is outdated: the workload was found by its MAC, and this port's MAC
	 * is of a VM that the policy does not have. */
}

static void bind_by_sender(struct binder *b, size_t i)
{
	const struct tw_agent_port *port = b->ports->list.at[i];
	const struct tw_vnic *vnic;

	if (!port->learned || tw_policy_bind(b->inforce->policy) != TW_BIND_FIRST_SENDER)
		return;
	vnic = tw_policy_find_mac(b->inforce->policy, port->learned_mac);
	if (vnic && !b->taken[vnic->index] && !says_other(port, vnic))
		take(b, i, vnic, TW_BOUND_BY_SENDER);
}

/* Refuses a macvtap, whose own MAC is its guest's: a guest's frames leave it by the egress hook and
 * reach the guest by the ingress hook, so each would be judged in the wrong direction. */
static void refuse_kind(struct binder *b, size_t i)
{
	const struct tw_agent_port *port = b->ports->list.at[i];
	const struct tw_vnic *vnic = tw_policy_find_port(b->inforce->policy, port->name);

	if (!port->macvtap)
		return;
	if (!vnic && port->has_mac)
		vnic = tw_policy_find_mac(b->inforce->policy, port->mac);
	if (vnic)
		refuse(b, i, vnic, TW_CONFLICT_KIND);
}

static bool is_settled(const struct binder *b, size_t i)
{
	return b->bindings[i].vnic || b->bindings[i].conflict || b->ports->list.at[i]->macvtap;
}

/* A bound port among those of a bridge. */
struct member {
	uint16_t network;
	bool stays;  /* it was protected there before */
	size_t port; /* index in the list of ports */
};

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->network != y->network)
		return x->network < y->network ? -1 : 1;
	if (x->stays != y->stays)
		return x->stays ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

/* True if the kernel has an entry with an image for the port where it is now, perhaps from an earlier
 * agent. */
static bool stays(const struct tw_agent_port *port)
{
	bool known = false;

	for (int parity = 0; parity < 2; parity++)
		known |= port->has_entry[parity] && port->entry[parity].image &&
			 port->entry[parity].network == port->network &&
			 port->entry[parity].pvid == port->vlan;
	return known;
}

static bool may_tag(const struct tw_vnic *vnic, uint16_t vlan)
{
	return vnic->grants && vnic->grants->vlans[vlan / 64 % TW_VLAN_WORDS] >> vlan % 64 & 1;
}

/* True if guests of two ports of a bridge can reach each other: in a VLAN, tagged or untagged, or
 * because the bridge does not filter VLANs. */
static bool share_segment(const struct binder *b, size_t i, size_t k)
{
	const struct tw_agent_port *x = b->ports->list.at[i], *y = b->ports->list.at[k];
	const struct tw_vnic *of_x = b->bindings[i].vnic, *of_y = b->bindings[k].vnic;
	bool share = !x->filtering || x->vlan == y->vlan || may_tag(of_x, y->vlan) ||
		     may_tag(of_y, x->vlan);

	for (size_t w = 0; of_x->grants && of_y->grants && w < TW_VLAN_WORDS; w++)
		share |= (of_x->grants->vlans[w] & of_y->grants->vlans[w]) != 0;
	return share;
}

/* Refuses each port of a bridge that shares a segment with an earlier port of another address space.
 * Their guests could reach each other past all routers, and each would be taken for the workload that
 * has its address in the other space. */
static void part_bridge(struct binder *b, const struct member *at, size_t n)
{
	bool same = true;

	for (size_t i = 1; i < n; i++)
		same &= b->bindings[at[i].port].vnic->space == b->bindings[at->port].vnic->space;
	for (size_t i = 1; i < n && !same; i++) {
		const struct tw_vnic *vnic = b->bindings[at[i].port].vnic;

		for (size_t k = 0; k < i && b->bindings[at[i].port].vnic; k++)
			if (b->bindings[at[k].port].vnic &&
				b->bindings[at[k].port].vnic->space != vnic->space &&
				share_segment(b, at[i].port, at[k].port))
				refuse(b, at[i].port, vnic, TW_CONFLICT_NETWORK);
	}
}

static int part_spaces(struct binder *b)
{
	size_t n_ports = b->ports->list.n, n = 0;
	tw_autofree struct member *members = tw_alloc_array(n_ports + 1, sizeof(*members));

	if (!members)
		return -ENOMEM;
	for (size_t i = 0; i < n_ports; i++) {
		const struct tw_agent_port *port = b->ports->list.at[i];

		if (b->bindings[i].vnic)
			members[n++] = (struct member){port->network, stays(port), i};
	}
	if (n)
		qsort(members, n, sizeof(*members), compare_members);
	for (size_t first = 0, next; first < n; first = next) {
		next = first + 1;
		while (next < n && members[next].network == members[first].network)
			next++;
		part_bridge(b, &members[first], next - first);
	}
	return 0;
}

int tw_bind_ports(const struct tw_inforce *inforce, const struct tw_ports *ports,
	struct tw_binding *ret, bool *ret_taken)
{
	size_t n = ports->list.n;
	tw_autofree bool *own = NULL;
	struct binder b = {inforce, ports, ret, NULL};

	b.taken = ret_taken;
	if (!b.taken)
		b.taken = own = tw_alloc_array(tw_policy_n_vnics(inforce->policy), sizeof(*own));
	if (!b.taken)
		return -ENOMEM;
	memset(ret, 0, n * sizeof(*ret));
	for (size_t i = 0; i < n; i++)
		refuse_kind(&b, i);
	/* Each method is tried for all ports before the next one, so that the result does not
	 * depend on their order. */
	for (size_t i = 0; i < n; i++)
		bind_by_tap_mac(&b, i, true);
	for (size_t i = 0; i < n; i++)
		if (!is_settled(&b, i))
			bind_by_tap_mac(&b, i, false);
	for (size_t i = 0; i < n; i++)
		if (!is_settled(&b, i))
			bind_by_name(&b, i);
	for (size_t i = 0; i < n; i++)
		if (!is_settled(&b, i))
			bind_by_sender(&b, i);
	return tw_policy_n_spaces(inforce->policy) > 1 ? part_spaces(&b) : 0;
}

const struct tw_vnic *tw_bind_resembles(
	const struct tw_inforce *inforce, const struct tw_agent_port *port)
{
	const struct tw_vnic *vnic;

	if (!inforce || !port->heard || port->state == TW_PORT_PROTECTED)
		return NULL;
	vnic = tw_policy_find_mac(inforce->policy, port->heard_mac);
	return vnic != port->vnic ? vnic : NULL;
}

bool tw_bind_is_open(const struct tw_agent_port *port)
{
	return port->attached && port->open;
}

const char *tw_bind_bound_name(enum tw_bound by)
{
	static const char *const names[] = {"", "name", "tap-mac", "first-sender"};

	return names[by];
}

const char *tw_bind_conflict_name(enum tw_conflict conflict)
{
	static const char *const names[] = {"", "mac-of-another", "workload-elsewhere", "mac-twice",
		"mac-ambiguous", "macvtap", "network-of-another"};

	return names[conflict];
}

void tw_bind_conflict_text(
	const struct tw_binding *binding, const struct tw_agent_port *port, char *text, size_t max)
{
	const char *name = binding->about ? binding->about->workload : "";
	char mac[18];

	tw_mac_format(port->mac, mac);
	switch (binding->conflict) {
	case TW_CONFLICT_NONE:
		*text = '\0';
		break;
	case TW_CONFLICT_MAC:
		snprintf(text, max,
			"the policy gives it to %s, but its MAC %s is another VM's; correct the port of %s",
			name, mac, name);
		break;
	case TW_CONFLICT_ELSEWHERE:
		snprintf(text, max,
			"the policy gives it to %s, but another port has that workload's MAC; correct the port of %s",
			name, name);
		break;
	case TW_CONFLICT_TWICE:
		snprintf(text, max,
			"its MAC %s is that of %s, which has another port already; give each tap its own MAC",
			mac, name);
		break;
	case TW_CONFLICT_UNSURE:
		snprintf(text, max,
			"its MAC %s matches several workloads, such as %s; name the port of each",
			mac, name);
		break;
	case TW_CONFLICT_KIND:
		snprintf(text, max,
			"it is a macvtap, which cannot be protected; connect the guest of %s by a tap on a bridge",
			name);
		break;
	case TW_CONFLICT_NETWORK:
		snprintf(text, max,
			"%s is in %s%s, but its bridge or VLAN has ports of another network; give each network its own bridge or VLAN",
			name, binding->about && binding->about->network ? "network " : "no network",
			binding->about && binding->about->network ? binding->about->network : "");
		break;
	}
}

void tw_bind_tell(const struct tw_agent_port *port, const struct tw_binding *binding,
	enum tw_port_state state, bool open)
{
	char text[TW_CONFLICT_TEXT_MAX];

	if (binding->conflict && binding->conflict != port->binding.conflict) {
		tw_bind_conflict_text(binding, port, text, sizeof(text));
		tw_log(TW_LOG_ERR, "%s: is shut: %s", port->name, text);
	} else if (port->attached && binding->vnic &&
		   (port->state != state || port->binding.by != binding->by)) {
		tw_log(TW_LOG_INFO, "%s: protects %s, found by %s", port->name,
			binding->vnic->workload, tw_bind_bound_name(binding->by));
	} else if (port->attached && open && !port->open) {
		tw_log(TW_LOG_WARNING, "%s: NOT FILTERED from now on: belongs to no workload",
			port->name);
	} else if (port->attached && state == TW_PORT_UNCLAIMED &&
		   (port->state != state || port->open != open)) {
		tw_log(TW_LOG_WARNING, "%s: is shut: belongs to no workload", port->name);
	}
}

void tw_bind_hear(
	const struct tw_inforce *inforce, struct tw_agent_port *port, const uint8_t mac[6])
{
	memcpy(port->heard_mac, mac, sizeof(port->heard_mac));
	port->heard = true;
	tw_bind_tell_resembling(inforce, port);
}

void tw_bind_tell_heard(const struct tw_inforce *inforce, const struct tw_ports *ports)
{
	tw_vec_foreach (&ports->list, port) {
		if ((*port)->heard_now && (*port)->heard)
			tw_bind_tell_resembling(inforce, *port);
		(*port)->heard_now = false;
	}
}

void tw_bind_tell_resembling(const struct tw_inforce *inforce, struct tw_agent_port *port)
{
	const struct tw_vnic *vnic = tw_bind_resembles(inforce, port);
	uint64_t now = tw_clock_ns();
	char mac[18];

	if (!vnic || (port->told_ns && now - port->told_ns < TELL_NS))
		return;
	port->told_ns = now;
	tw_mac_format(port->heard_mac, mac);
	tw_log(TW_LOG_WARNING,
		"%s: sends from %s, the MAC of %s, but is not bound to it; to bind it, set its port to %s in the policy",
		port->name, mac, vnic->workload, port->name);
}
