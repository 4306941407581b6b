/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* host.h: what is known of this host, as the modules of agent/ports share it.
 *
 * Why:        each module owns a state of its own; this names them all, so that a module reads what another
 *             one keeps without including more than it uses.
 * Invariants: 1. The modules of this folder know nothing of a policy in force beyond the entries of ports.
 *             2. What is to follow from what they find is left in the flags; the turn (agent/turn.c) acts on
 *                them and clears them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/options.h"
#include "base/vec.h"
#include "fastpath/abi/types.h"

struct tw_gone;
struct tw_hostwork;
struct tw_kernel;
struct tw_latch;
struct tw_locals;
struct tw_netlink;
struct tw_patterns;
struct tw_ports;
struct tw_residents;
struct tw_rtnl;
struct tw_saved_port;
struct tw_uplinks;

/* An entry in the kernel whose interface has not been met yet. */
struct tw_adopted {
	uint32_t ifindex;
	struct tw_port entry;
	uint64_t prefixes; /* as in struct tw_agent_port */
};

struct tw_host {
	const struct tw_agent_options *options;
	const struct tw_patterns *patterns;
	const struct tw_patterns *uplink_patterns; /* none: no uplinks */
	struct tw_kernel *kernel;
	struct tw_latch *latch; /* NULL where netfilter has no bridge family */
	struct tw_netlink *netlink;
	struct tw_rtnl *rtnl;
	struct tw_ports *ports;
	struct tw_uplinks *uplinks;
	struct tw_hostwork *hostwork;
	struct tw_locals *locals;
	struct tw_residents *residents;
	struct tw_gone *gone;

	uint32_t epoch;			   /* that of the kernel's config */
	TW_VEC(struct tw_adopted) adopted; /* found in the kernel, not yet met as an interface */
	TW_VEC(uint32_t) forgotten;	   /* interfaces that the latch still lets through */
	bool before;			   /* the first dump: what it tells was here before us */
	struct tw_saved_port *saved_ports; /* of an earlier agent, during the first dump */
	size_t n_saved_ports;

	/* Flags for the turn. */
	bool changed;	    /* ports or uplinks: a plan is due */
	bool suspects;	    /* ports are marked: tw_prove_suspects() is due */
	bool heard;	    /* ports are marked: tw_bind_tell_heard() is due */
	bool renew;	    /* cut-through begins or ends: tw_locals_renew() is due at once */
	uint64_t survey_ns; /* when to look at all interfaces again; 0: no need */

	/* Called before the name of a port, an uplink, a workload or a rule changes. */
	void (*about_to_change)(void *arg);
	void *arg;
};

static inline void tw_host_about_to_change(const struct tw_host *host)
{
	if (host->about_to_change)
		host->about_to_change(host->arg);
}
