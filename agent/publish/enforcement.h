/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* enforcement.h: what is enforced on this host, as the modules of agent/publish share it.
 *
 * Why, invariants: those of agent/ports/host.h, which is the room below this one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/degraded.h"
#include "fastpath/kernel/load.h"

struct tw_agent_leases;
struct tw_host;
struct tw_images;
struct tw_inforce;
struct tw_kept;
struct tw_loads;
struct tw_macs;
struct tw_memberships;
struct tw_slots;
struct tw_store;

struct tw_enforcement {
	struct tw_host *host;
	struct tw_store *store;
	struct tw_slots *slots;
	struct tw_images *images;
	struct tw_memberships *memberships;
	struct tw_macs *macs;
	struct tw_loads *loads;
	struct tw_agent_leases *leases;
	struct tw_kept *kept;
	struct tw_inforce *inforce;  /* NULL: nothing is in force, all ports are shut */
	uint64_t generation;	     /* of the last policy that was in force */
	uint64_t flipped_ns;	     /* 0: no entries of the epoch before are left */
	uint64_t reserved;	     /* in force: tw_plan.reserved */
	struct tw_policy_note found; /* the policy that the kernel enforced at start */
	bool unstaged; /* the policy in force could not be written to the state folder */
	bool unkept;   /* the policy in force is staged, and could not be brought to the disk */
	uint64_t restage_ns; /* when to try that again */
	struct tw_degraded_state degraded;

	/* Ports. */
	bool latched;	   /* an earlier agent's latch was there at start */
	uint32_t swept_to; /* the port that the sweep of prove.c was at last */
	uint64_t n_lost;   /* times that a port's programs were found removed */

	/* Flags for the turn. */
	bool settled;	     /* ports or what they belong to are others: captures look again */
	bool attach_due;     /* a port has lost its programs: tw_attach_ports() is due */
	bool unsaved;	     /* ports changed: tw_keep_ports() is due */
	uint64_t mend_ns;    /* when tw_mend_tick() is due */
	uint64_t save_ns;    /* when to try again after that failed; 0: it did not */
	uint64_t retry_ns;   /* when to try again what failed; 0: nothing did */
	uint64_t reapply_ns; /* when to try the policy file of the options again; 0: not */
};
