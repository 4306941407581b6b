/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* host.h: the shared state of the modules of agent/ports: the interfaces of this host.
 *
 * Why:        each module owns its state. This struct points to all of them, so that a module can
 *             read another one's state without including more than it uses.
 * Invariants: 1. The modules of this directory know nothing of the policy in force except the
 *             entries of ports.
 *             2. They set flags for what follows from their findings. The turn (agent/turn.c)
 *                acts on the flags and clears them.
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

/* An entry in the kernel whose interface has not been seen yet. */
struct tw_adopted {
	uint32_t ifindex;
	struct tw_port entry;
	uint64_t prefixes; /* see struct tw_agent_port */
};

struct tw_host {
	const struct tw_agent_options *options;
	const struct tw_patterns *patterns;
	const struct tw_patterns *uplink_patterns; /* none: no uplinks */
	struct tw_kernel *kernel;
	struct tw_latch *latch; /* NULL if netfilter has no bridge family */
	struct tw_netlink *netlink;
	struct tw_rtnl *rtnl;
	struct tw_ports *ports;
	struct tw_uplinks *uplinks;
	struct tw_hostwork *hostwork;
	struct tw_locals *locals;
	struct tw_residents *residents;
	struct tw_gone *gone;

	uint32_t epoch; /* epoch of the kernel's config */
	TW_VEC(struct tw_adopted)
	adopted; /* entries in the kernel whose interface has not been seen yet */
	TW_VEC(uint32_t) forgotten; /* removed interfaces that the latch still lets through */
	bool before; /* during the first dump: interfaces existed before this agent */
	struct tw_saved_port *saved_ports; /* ports of an earlier agent, during the first dump */
	size_t n_saved_ports;

	/* Flags for the turn. */
	bool changed;	    /* ports or uplinks: a plan is due */
	bool suspects;	    /* ports are marked: tw_prove_suspects() is due */
	bool heard;	    /* ports are marked: tw_bind_tell_heard() is due */
	bool renew;	    /* cut-through begins or ends: tw_locals_renew() is due now */
	uint64_t bypass_ns; /* when to check again for bypassed ports (bypass.h) */
	uint64_t survey_ns; /* when to list all interfaces again; 0: not needed */

	/* Called before the name of a port, an uplink, a workload or a rule changes. */
	void (*about_to_change)(void *arg);
	void *arg;
};

static inline void tw_host_about_to_change(const struct tw_host *host)
{
	if (host->about_to_change)
		host->about_to_change(host->arg);
}
