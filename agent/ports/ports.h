/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ports.h: the ports of this host, their ids, and the networks they are on.
 *
 * What:       a table; it changes no kernel state. port.h of the fast path knows a port by
 *             (ifindex, epoch); people know it by name; connections and counters by id.
 * Invariants: 1. A port keeps its id and its entry while its interface lives, whatever its name.
 *             2. Ids and network numbers go round: one is given again as late as possible.
 *             3. An id that the kernel has an entry for is given to no other port (tests/e2e/state).
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/ports/netlink.h"
#include "base/vec.h"
#include "policy/policy.h"

enum tw_port_state {
	TW_PORT_SHUT,	   /* no policy, or none that could be compiled for it */
	TW_PORT_UNCLAIMED, /* belongs to no workload; options.unclaimed decides */
	TW_PORT_PROTECTED,
};

/* Where a port's own MAC comes from. */
enum tw_mac_origin {
	TW_MAC_UNKNOWN, /* the kernel was not to be asked */
	TW_MAC_RANDOM,	/* the kernel made it up */
	TW_MAC_GIVEN,	/* by the program that made the interface */
};

/* By what a port belongs to its vNIC. */
enum tw_bound { TW_BOUND_NOT, TW_BOUND_BY_NAME, TW_BOUND_BY_TAP_MAC, TW_BOUND_BY_SENDER };

/* Why a port that something says is a workload's is shut. */
enum tw_conflict {
	TW_CONFLICT_NONE,
	TW_CONFLICT_MAC,       /* its name is the workload's, its MAC another VM's */
	TW_CONFLICT_ELSEWHERE, /* its name is the workload's, which was found at another port by MAC */
	TW_CONFLICT_TWICE,     /* its MAC is the workload's, which another port is bound to */
	TW_CONFLICT_UNSURE,    /* its MAC may be that of several workloads */
	TW_CONFLICT_KIND, /* a workload's, but an interface whose hooks see frames the wrong way round */
};

/* What agent/publish/bind.h found for a port. */
struct tw_binding {
	const struct tw_vnic *vnic; /* NULL: none */
	enum tw_bound by;
	enum tw_conflict conflict;
	const struct tw_vnic *about; /* of a conflict: the vNIC that it does not get */
};

/* The first byte that libvirt gives to the MAC of a tap. */
#define TW_TAP_MAC_FIRST 0xfe

/* A port as an earlier agent knew it. */
struct tw_saved_port {
	uint32_t ifindex;
	uint16_t id;
	char name[IFNAMSIZ];
	bool learned;
	uint8_t learned_mac[6];
};

/* One port. Filled from netlink and by publish.c. */
struct tw_agent_port {
	uint32_t ifindex;
	char name[IFNAMSIZ];
	uint8_t mac[6]; /* the tap's own, not the guest's */
	bool has_mac;
	enum tw_mac_origin mac_origin;
	bool tap;	 /* a tun or tap device */
	bool local;	 /* a device whose other end is on this host */
	bool macvtap;	 /* or ipvtap: its hooks see frames the wrong way round */
	uint32_t bridge; /* ifindex, 0 = none */
	uint16_t id;
	uint16_t network;
	uint16_t pvid;	      /* the VLAN that its bridge has for untagged frames */
	bool filtering;	      /* its bridge tells VLANs apart */
	bool pvid_untagged;   /* and that leaves by this port without a tag */
	uint8_t bridge_state; /* BR_STATE_…; 0 also while no bridge has said */
	bool isolated;	      /* its bridge keeps it apart from other such ports */
	bool looked_at;	      /* by hostwork.c */
	char hostwork[48];    /* what the host does at its ingress; empty: nothing */
	bool moved;	      /* its bridge has seen its workload's MAC elsewhere */
	bool asked;	      /* its bridge, where that MAC was when the port came up */
	uint32_t mtu;
	uint16_t vlan; /* the same, if that bridge tells VLANs apart, else 0 */
	bool seen;     /* in the dump at hand */
	bool told;     /* … and its bridge told of it */
	bool attached;
	bool let;     /* through the latch */
	bool left;    /* ran before there was any policy, and stays as it was until there is one */
	bool suspect; /* qdiscs or filters there changed */
	char above[16]; /* kind of what it belongs to: "bridge", "openvswitch", …; empty: nothing */
	char trouble[128];  /* why it is not attached; empty: it is, or is about to be */
	uint64_t proved_ns; /* when both programs were last seen at it; 0: never */
	uint64_t quiet_ns;  /* until then the host may be about to add qdiscs of its own */
	uint32_t n_lost;    /* times that its programs were found removed */
	uint32_t n_mended;  /* times that its entry or its image was found to be another */
	uint32_t before;    /* a program that runs ahead of ours, 0: none */
	bool carried;	    /* carried traffic before anyone protected it */
	bool learned;	    /* `learned_mac` was seen sending */
	uint8_t learned_mac[6];
	bool heard;	/* its bridge has learned `heard_mac` behind it, most recently */
	bool heard_now; /* … and what follows from that is not told yet */
	uint8_t heard_mac[6];
	uint64_t told_ns; /* when the log last said that it resembles a workload; 0: never */
	enum tw_port_state state;
	bool open;		    /* unclaimed, and frames pass unfiltered */
	const struct tw_vnic *vnic; /* of the policy in force, or NULL */
	struct tw_binding binding;  /* the same in full; of the policy in force */
	struct tw_port entry[2];    /* what the kernel has for it, by parity of the epoch */
	bool has_entry[2];
	uint64_t prefixes; /* sum of the hashes of what `addrs` holds for it, 0 = nothing */
};

/* What a network number stands for: a bridge, or a port that is on none. */
struct tw_network_row {
	uint32_t ifindex;
	uint16_t number;
	bool filtering; /* a bridge that tells VLANs apart */
	bool gone;	/* kept for its name */
	char name[IFNAMSIZ];
};

struct tw_ports {
	TW_VEC(struct tw_agent_port *) list; /* by ifindex, ascending */
	struct tw_agent_port *by_id[TW_PORTS_MAX];
	bool reserved
		[TW_PORTS_MAX]; /* by id: of an adopted entry whose interface was not met yet */
	TW_VEC(struct tw_network_row) networks;
	uint16_t next_id;
	uint16_t next_network;
};

void tw_ports_init(struct tw_ports *ports);
void tw_ports_done(struct tw_ports *ports);

struct tw_agent_port *tw_ports_find(const struct tw_ports *ports, uint32_t ifindex);
struct tw_agent_port *tw_ports_by_id(const struct tw_ports *ports, uint16_t id);
struct tw_agent_port *tw_ports_by_name(const struct tw_ports *ports, const char *name);
/* The first port with an ifindex above `after`, or NULL. */
struct tw_agent_port *tw_ports_next(const struct tw_ports *ports, uint32_t after);

/* Adds a port; `id` 0 takes the next free one. 0; -ENOSPC when all ids are taken; -EEXIST when
 * this one is; -ENOMEM. */
int tw_ports_add(struct tw_ports *ports, uint32_t ifindex, const char *name, uint16_t id,
	struct tw_agent_port **ret);
void tw_ports_remove(struct tw_ports *ports, struct tw_agent_port *port);
/* Keeps an id from being given to a new port; asking for it by number takes it all the same. The next id
 * that is given is at least the one behind it, so that what was lost with the state folder does not make
 * an id come round early. */
void tw_ports_reserve(struct tw_ports *ports, uint16_t id);
void tw_ports_unreserve(struct tw_ports *ports, uint16_t id);

/* The number of the network that a bridge (or a port that is on none) makes; 0: no memory. */
uint16_t tw_ports_network(struct tw_ports *ports, uint32_t ifindex, const char *name);
/* As an earlier agent numbered it. */
int tw_ports_restore_network(
	struct tw_ports *ports, uint32_t ifindex, uint16_t number, const char *name);
struct tw_network_row *tw_ports_network_row(const struct tw_ports *ports, uint32_t ifindex);
/* Its name, also after it went; NULL when nobody remembers. */
const char *tw_ports_network_name(const struct tw_ports *ports, uint16_t number);
void tw_ports_network_gone(struct tw_ports *ports, uint32_t ifindex);
