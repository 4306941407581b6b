/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* uplinks.h: the other ports of the ports' bridges: NICs, bonds, tunnels, containers' veths.
 *
 * What:       keeps the program tw_from_uplink attached to each of them, in every mode of
 *             forwarding, so that their bridge learns no guest's MAC there (path/beyond.h). Keeps
 *             the map `uplinks`, which lists the uplinks of cut-through.
 * Invariants: Frames are cut through only
 *             1. at uplinks whose names --uplinks allows;
 *             2. if the programs can look up each frame's MAC in the bridge, because the agent
 *                learns too late where stations outside are;
 *             3. not on bridges that filter VLANs, because the programs do not know the uplink's
 *             tags.
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
	uint16_t pvid;	  /* its bridge's VLAN for untagged frames */
	uint16_t network; /* network of cut-through; 0: none */
	bool attached;	  /* this agent's tw_from_uplink is attached */
	bool left;	  /* a program of this agent or an earlier one may be attached */
	bool refused;	  /* could not be attached, and that was logged */
	bool seen;	  /* seen in the current dump */
	bool filtered;	  /* tc has a filter at its ingress */
};

struct tw_uplinks {
	TW_VEC(struct tw_uplink) rows; /* other ports of any bridge */
	uint64_t next_ns;	       /* when to check again for removed programs */
};

/* Detaches programs of an earlier agent from interfaces that are no longer uplinks. Called after
 * the first dump. */
void tw_uplinks_adopt(struct tw_host *host);
void tw_uplinks_done(struct tw_uplinks *uplinks);

/* Handles netlink's report of an interface that is not a port. */
void tw_uplinks_changed(struct tw_host *host, const struct tw_link *link);
/* Handles a bridge's report of such an interface as its port. */
void tw_uplinks_place(struct tw_host *host, const struct tw_link *link);
/* Forgets an interface that is gone or has become a port. */
void tw_uplinks_gone(struct tw_host *host, uint32_t ifindex);
/* Checks for the host's filters. */
void tw_uplinks_look(struct tw_host *host);
/* Attaches and detaches programs as the ports require. Errors are logged; frames then go through
 * the bridge. */
void tw_uplinks_sync(struct tw_host *host);
/* Handles a change of an interface's qdiscs or filters: the next tick checks for a missing
 * program. */
void tw_uplinks_suspect(struct tw_host *host, uint32_t ifindex);
/* Attaches again, every few seconds, programs that other tools removed or that could not be
 * attached. */
void tw_uplinks_tick(struct tw_host *host);
