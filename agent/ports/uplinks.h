/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* uplinks.h: the other ports of our ports' bridges: NICs, bonds, tunnels, containers' veths.
 *
 * What:       keeps the program tw_from_uplink at each of them, in every mode of forwarding: their bridge learns no
 *             guest's MAC there (path/beyond.h). Keeps the map `uplinks` of those which frames may be cut
 *             through to and from.
 * Invariants: Frames are cut through only
 *             1. at uplinks whose names --uplinks allows;
 *             2. where the programs can ask the bridge, for each frame, where a MAC is: what the agent knows of
 *                the world beyond is always late;
 *             3. not on bridges that tell VLANs apart: the programs do not know which tags an uplink wants.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/netlink.h"
#include "base/vec.h"

struct tw_host;

struct tw_uplink {
	uint32_t ifindex;
	uint32_t bridge; /* ifindex */
	char name[IFNAMSIZ];
	uint16_t pvid;	  /* the VLAN that its bridge has for untagged frames */
	uint16_t network; /* that frames may be cut through to and from; 0: none */
	bool attached;	  /* tw_from_uplink of this agent stands there */
	bool left;	  /* something of this agent's or an earlier one's may stand there */
	bool refused;	  /* could not be attached, which was told */
	bool seen;	  /* in the dump at hand */
	bool filtered;	  /* a tc filter stands at its ingress */
};

struct tw_uplinks {
	TW_VEC(struct tw_uplink) rows; /* ports of any bridge that are none of ours */
	uint64_t next_ns;	       /* when to look again for programs that were removed */
};

/* Takes down what an earlier agent attached to where nobody is any more. After the first dump. */
void tw_uplinks_adopt(struct tw_host *host);
void tw_uplinks_done(struct tw_uplinks *uplinks);

/* What netlink says of an interface that is no port of ours. */
void tw_uplinks_changed(struct tw_host *host, const struct tw_link *link);
/* What a bridge says of such a port. */
void tw_uplinks_place(struct tw_host *host, const struct tw_link *link);
/* An interface is gone, or is a port of ours now. */
void tw_uplinks_gone(struct tw_host *host, uint32_t ifindex);
/* Looks for filters of the host's. */
void tw_uplinks_look(struct tw_host *host);
/* Attaches and detaches what the ports in force ask for. Troubles are logged: frames then go through
 * the bridge. */
void tw_uplinks_sync(struct tw_host *host);
/* Qdiscs or filters of an interface changed: the next tick looks whether it is an uplink without its program. */
void tw_uplinks_suspect(struct tw_host *host, uint32_t ifindex);
/* Attaches again, every few seconds, what other tools removed or what could not be attached. */
void tw_uplinks_tick(struct tw_host *host);
