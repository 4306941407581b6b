/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* locals.h: the MACs to which cut-through may deliver, and their entries in bridges.
 *
 * What:       keeps the map `locals` equal to the ports whose entries have TW_PORT_F_CUT, and adds
 *             their MACs to their bridges (extern_learn). Otherwise a bridge that no longer sees a
 *             guest's frames would forget its MAC, and flood frames for it.
 * Invariants: 1. A late removal here misdirects no frame, because cut.h checks the port's entry
 *                too.
 *             2. Cut-through ends if no agent has read netlink for a while, because a port may have
 *                been moved or deleted, and a MAC may be behind another port.
 *             3. A port is fit only if it is a forwarding, not isolated port of a bridge and has one
 *                known MAC that is not seen elsewhere. The VLAN of its untagged frames must also
 *                leave it untagged.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/ports.h"
#include "base/vec.h"
#include "fastpath/abi/types.h"

/* How long cut-through continues after the agent's last renewal. */
#define TW_LOCALS_LEASE_NS 2000000000u

struct tw_host;

struct tw_locals_row {
	struct tw_local_key key;
	struct tw_local local;
	bool wanted;
	bool forgotten; /* its bridge has forgotten it and must be told again */
};

struct tw_locals {
	TW_VEC(struct tw_locals_row) rows; /* contents of the map */
};

/* Clears the map of an earlier agent. tw_locals_sync() writes the entries that are still valid
 * again. */
void tw_locals_init(struct tw_host *host);
void tw_locals_done(struct tw_locals *locals);

/* Removes the bridge entries of every agent with these pins. */
void tw_locals_release(const char *bpffs);

/* True if cut-through may start and end at a protected port with this entry. */
bool tw_locals_fit(
	const struct tw_host *host, const struct tw_agent_port *port, const struct tw_port *entry);
/* Returns the length in bytes of the longest frame that a port's bridge would send there. */
uint32_t tw_locals_len_max(const struct tw_agent_port *port);
/* Updates map and bridges to the entries in force. Errors are logged; frames then go through the
 * vSwitch. */
void tw_locals_sync(struct tw_host *host);
/* Handles a bridge's loss of `mac`. True if the bridge must be told again. */
bool tw_locals_forgotten(struct tw_host *host, const uint8_t mac[6], uint32_t ifindex);
/* Renews the lease of cut-through, if all changes of ports are known. Without a renewal it ends
 * after TW_LOCALS_LEASE_NS. */
void tw_locals_renew(struct tw_host *host);
/* Handles a bridge's report of `mac` behind `ifindex`. True if that changes a port's fitness. */
bool tw_locals_moved(struct tw_host *host, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex);
