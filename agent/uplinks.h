/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* uplinks.h: the other ports of our ports' bridges, which frames may be cut through to and from.
 *
 * What:       keeps the map `uplinks`, and the program from_uplink at each of them. An uplink is any
 *             interface on a bridge that has ports of ours, is none of them, and whose name --uplinks
 *             allows: a NIC, a bond, a tunnel, a container's veth.
 * Invariants: 1. Only where the programs can ask the bridge, for each frame, where a MAC is: what the
 *                agent knows of the world beyond is always late.
 *             2. Not on bridges that tell VLANs apart: the programs do not know which tags an uplink
 *                wants.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "agent/netlink.h"
#include "base/vec.h"

struct tw_agent;

struct tw_uplink {
	uint32_t ifindex;
	uint32_t bridge; /* ifindex */
	char name[IFNAMSIZ];
	uint16_t network; /* as attached; 0: it is not */
	bool refused;	  /* could not be attached, which was told */
	bool seen;	  /* in the dump at hand */
	bool filtered;	  /* a tc filter stands at its ingress */
};

struct tw_uplinks {
	TW_VEC(struct tw_uplink) rows; /* ports of any bridge that are none of ours */
};

/* Takes down what an earlier agent attached to where nobody is any more. After the first dump. */
void tw_uplinks_adopt(struct tw_agent *agent);
void tw_uplinks_done(struct tw_uplinks *uplinks);

/* What netlink says of an interface that is no port of ours. */
void tw_uplinks_changed(struct tw_agent *agent, const struct tw_link *link);
/* An interface is gone, or is a port of ours now. */
void tw_uplinks_gone(struct tw_agent *agent, uint32_t ifindex);
/* Looks for filters of the host's; true if anything is to be attached or detached. */
bool tw_uplinks_look(struct tw_agent *agent);
/* Attaches and detaches what the ports in force ask for. Troubles are logged: frames then go through
 * the bridge. */
void tw_uplinks_sync(struct tw_agent *agent);
