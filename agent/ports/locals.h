/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* locals.h: which MACs cut-through may go to, and the bridge's memory of them.
 *
 * What:       keeps the map `locals` equal to the ports whose entries have TW_PORT_F_CUT, and tells
 *             their bridges where these MACs are (extern_learn): a bridge that no longer sees a
 *             guest's frames would forget its MAC and flood what comes for it from elsewhere.
 * Invariants: 1. A MAC is vouched for only while its port's own entry allows it, so a late removal
 *                here sends no frame astray: cut.h looks at the entry too.
 *             2. Nothing is cut through when no agent has listened to netlink for a while: a port may
 *                have been moved or deleted then, and a MAC may be behind another.
 *             3. A port is fit only as a forwarding, not isolated port of a bridge, with one known
 *                MAC, whose untagged VLAN leaves untagged, and not while its MAC is seen elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/ports.h"
#include "base/vec.h"
#include "fastpath/abi/types.h"

/* How long approved frames are cut through without a word from the agent. */
#define TW_LOCALS_LEASE_NS 2000000000u

struct tw_host;

struct tw_locals_row {
	struct tw_local_key key;
	struct tw_local local;
	bool wanted;
	bool forgotten; /* by its bridge, which has to be told again */
};

struct tw_locals {
	TW_VEC(struct tw_locals_row) rows; /* what the map holds */
};

/* Takes back what an earlier agent vouched for; what still holds is about to be said again. */
void tw_locals_init(struct tw_host *host);
void tw_locals_done(struct tw_locals *locals);

/* Makes the bridges forget what any agent with these pins told them. */
void tw_locals_release(const char *bpffs);

/* Whether cut-through may start and end at a protected port that has this entry. */
bool tw_locals_fit(
	const struct tw_host *host, const struct tw_agent_port *port, const struct tw_port *entry);
/* The longest frame, in bytes, that a port's bridge would send there. */
uint32_t tw_locals_len_max(const struct tw_agent_port *port);
/* Brings map and bridges up to the entries in force. Troubles are logged: frames then go through
 * the vSwitch. */
void tw_locals_sync(struct tw_host *host);
/* A bridge was made to forget where `mac` is. True when it has to be told again. */
bool tw_locals_forgotten(struct tw_host *host, const uint8_t mac[6], uint32_t ifindex);
/* All that happened to ports is known: cut-through may go on for a while, and ends by itself
 * (TW_LOCALS_LEASE_NS) when this is not called again. */
void tw_locals_renew(struct tw_host *host);
/* A bridge has seen `mac` behind `ifindex`. True when that changes whether a port is fit. */
bool tw_locals_moved(struct tw_host *host, const uint8_t mac[6], uint32_t bridge, uint32_t ifindex);
