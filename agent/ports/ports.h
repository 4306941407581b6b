/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ports.h: the ports of this host, their ids, and the networks they are on.
 *
 * What:       a table; it changes no kernel state. The fast path identifies a port by (ifindex,
 *             epoch), users by name, connections and counters by id.
 * Invariants: 1. A port keeps its id and its entry while its interface exists, even if it is
 *             renamed.
 *             2. Ids and network numbers are reused as late as possible.
 *             3. An id with an entry in the kernel is not given to another port
 *             (tests/e2e/state).
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
	TW_PORT_SHUT,	   /* no policy, or its image could not be compiled */
	TW_PORT_UNCLAIMED, /* belongs to no workload; options.unclaimed decides */
	TW_PORT_PROTECTED,
};

/* Where a port's own MAC comes from. */
enum tw_mac_origin {
	TW_MAC_UNKNOWN, /* the kernel could not be asked */
	TW_MAC_RANDOM,	/* the kernel made it up */
	TW_MAC_GIVEN,	/* set by the program that created the interface */
};

/* How a port was matched to its vNIC. */
enum tw_bound { TW_BOUND_NOT, TW_BOUND_BY_NAME, TW_BOUND_BY_TAP_MAC, TW_BOUND_BY_SENDER };

/* Why a port is shut although a sign says that it is a workload's. */
enum tw_conflict {
	TW_CONFLICT_NONE,
	TW_CONFLICT_MAC,       /* its name is the workload's, but its MAC is another VM's */
	TW_CONFLICT_ELSEWHERE, /* its name is the workload's, which was found elsewhere by MAC */
	TW_CONFLICT_TWICE,     /* its MAC is the workload's, to which another port is bound */
	TW_CONFLICT_UNSURE,    /* its MAC may be that of several workloads */
	TW_CONFLICT_KIND,      /* it is a macvtap, whose hooks see frames in the wrong direction */
	TW_CONFLICT_NETWORK,   /* its bridge and VLAN are those of another address space */
};

/* Result of agent/publish/bind.h for a port. */
struct tw_binding {
	const struct tw_vnic *vnic; /* NULL: none */
	enum tw_bound by;
	enum tw_conflict conflict;
	const struct tw_vnic *about; /* for a conflict: the vNIC that it is not bound to */
};

/* First byte of a tap's MAC under libvirt. */
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
	uint8_t mac[6]; /* the tap's own MAC, not the guest's */
	bool has_mac;
	enum tw_mac_origin mac_origin;
	bool tap;	 /* a tun or tap device */
	bool local;	 /* the device's other end is on this host */
	bool macvtap;	 /* or ipvtap: its hooks see frames in the wrong direction */
	uint32_t bridge; /* ifindex, 0 = none */
	uint16_t id;
	uint16_t network;
	uint16_t pvid;	      /* its bridge's VLAN for untagged frames */
	bool filtering;	      /* its bridge filters VLANs */
	bool pvid_untagged;   /* frames of that VLAN leave by this port untagged */
	uint8_t bridge_state; /* BR_STATE_…; 0 also if unknown */
	bool isolated;	      /* its bridge isolates it from other isolated ports */
	bool looked_at;	      /* checked by hostwork.c */
	char hostwork[48];    /* hooks of the host at its ingress, as text; empty: none */
	bool moved;	      /* its bridge has seen its workload's MAC behind another port */
	bool asked;	      /* its bridge was asked where that MAC was when the port came up */
	uint32_t mtu;
	uint16_t vlan; /* pvid if the bridge filters VLANs, otherwise 0 */
	bool seen;     /* seen in the current dump */
	bool told;     /* reported by its bridge in the current dump */
	bool attached;
	bool let;	    /* let through by the latch */
	bool left;	    /* existed before any policy, and stays unfiltered until there is one */
	bool read_first;    /* found by the check of bypass.c that is going on */
	bool bypassed;	    /* its guest's frames are forwarded before the programs see them */
	bool suspect;	    /* its qdiscs or filters changed */
	char above[16];	    /* kind of its master, such as "bridge"; empty: none */
	char trouble[128];  /* why it is not attached; empty: attached, or about to be */
	uint64_t proved_ns; /* when both programs were last found in place; 0: never */
	uint64_t quiet_ns;  /* until then the host may still add its own qdiscs */
	uint32_t n_lost;    /* number of times its programs were found removed */
	uint32_t n_mended;  /* number of times its entry or image had to be rewritten */
	uint32_t before;    /* id of a program that runs before tapwall's; 0: none */
	bool awaited;	    /* protected, and its guest had sent nothing at the last look */
	uint64_t awaited_ns;  /* time of the last look */
	uint64_t sent_before; /* frames that its guest had sent when it became protected */
	bool learned;	      /* `learned_mac` was seen sending */
	uint8_t learned_mac[6];
	bool heard;	/* `heard_mac` is the last MAC that its bridge learned behind it */
	bool heard_now; /* `heard_mac` is new and not handled yet */
	uint8_t heard_mac[6];
	uint64_t told_ns; /* when the log last named the workload it resembles; 0: never */
	enum tw_port_state state;
	bool open;		    /* unclaimed, and frames pass unfiltered */
	bool quarantined;	    /* shut by a quarantine */
	const struct tw_vnic *vnic; /* its vNIC in the policy in force; NULL: none */
	struct tw_binding binding;  /* its full binding under the policy in force */
	struct tw_port entry[2];    /* its entries in the kernel, by parity of the epoch */
	bool has_entry[2];
	uint64_t prefixes; /* sum of the hashes of its rows of `addrs` and `grants`, 0 = none */
};

/* The meaning of a network number: a bridge, or a port without a bridge. */
struct tw_network_row {
	uint32_t ifindex;
	uint16_t number;
	bool filtering; /* a bridge that filters VLANs */
	bool gone;	/* removed, but kept for its name */
	char name[IFNAMSIZ];
};

struct tw_ports {
	TW_VEC(struct tw_agent_port *) list; /* ascending by ifindex */
	struct tw_agent_port *by_id[TW_PORTS_MAX];
	bool reserved[TW_PORTS_MAX]; /* by id: kept for an adopted entry or a removed port */
	TW_VEC(struct tw_network_row) networks;
	uint16_t next_id;
	uint16_t next_network;
};

void tw_ports_init(struct tw_ports *ports);
void tw_ports_done(struct tw_ports *ports);

struct tw_agent_port *tw_ports_find(const struct tw_ports *ports, uint32_t ifindex);
struct tw_agent_port *tw_ports_by_id(const struct tw_ports *ports, uint16_t id);
struct tw_agent_port *tw_ports_by_name(const struct tw_ports *ports, const char *name);
/* Returns the first port with an ifindex above `after`, or NULL. */
struct tw_agent_port *tw_ports_next(const struct tw_ports *ports, uint32_t after);

/* Adds a port. `id` 0 takes the next free id. Returns 0; -ENOSPC if all ids are taken; -EEXIST
 * if this one is; -ENOMEM. */
int tw_ports_add(struct tw_ports *ports, uint32_t ifindex, const char *name, uint16_t id,
	struct tw_agent_port **ret);
void tw_ports_remove(struct tw_ports *ports, struct tw_agent_port *port);
/* Reserves an id: tw_ports_add() gives it only to a caller that asks for this number. New ids
 * continue after it, so that they do not repeat early if the state directory is lost. */
void tw_ports_reserve(struct tw_ports *ports, uint16_t id);
void tw_ports_unreserve(struct tw_ports *ports, uint16_t id);

/* Returns the number of the network of a bridge (or of a port without one); 0 if out of memory. */
uint16_t tw_ports_network(struct tw_ports *ports, uint32_t ifindex, const char *name);
/* Restores a network with an earlier agent's number. */
int tw_ports_restore_network(
	struct tw_ports *ports, uint32_t ifindex, uint16_t number, const char *name);
struct tw_network_row *tw_ports_network_row(const struct tw_ports *ports, uint32_t ifindex);
/* Returns the network's name, even after its removal; NULL if unknown. */
const char *tw_ports_network_name(const struct tw_ports *ports, uint16_t number);
void tw_ports_network_gone(struct tw_ports *ports, uint32_t ifindex);
