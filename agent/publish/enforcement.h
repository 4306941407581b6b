/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* enforcement.h: the shared state of the modules of agent/publish: the policy in force on this
 * host.
 *
 * Why, invariants: see agent/ports/host.h, which is the layer below this one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/degraded.h"
#include "fastpath/kernel/load.h"

struct tw_agent_leases;
struct tw_applies;
struct tw_confirm;
struct tw_host;
struct tw_images;
struct tw_inforce;
struct tw_kept;
struct tw_policy_file;
struct tw_quarantines;
struct tw_macs;
struct tw_memberships;
struct tw_slots;
struct tw_store;
struct tw_tripwire;
struct tw_versions;

struct tw_enforcement {
	struct tw_host *host;
	struct tw_store *store;
	struct tw_slots *slots;
	struct tw_images *images;
	struct tw_memberships *memberships;
	struct tw_macs *macs;
	struct tw_policy_file *policy_file;
	struct tw_confirm *confirm;
	struct tw_tripwire *tripwire;
	struct tw_quarantines *quarantines;
	struct tw_agent_leases *leases;
	struct tw_kept *kept;
	struct tw_versions *versions;
	struct tw_applies *applies;  /* NULL: the loop does not run yet */
	struct tw_inforce *inforce;  /* NULL: no policy is in force, and all ports are shut */
	uint64_t generation;	     /* generation of the last policy in force */
	uint64_t adopt_until_ns;     /* end of an operator's adoption window for all ports */
	uint64_t flipped_ns;	     /* last flip; 0: the previous epoch's entries are cleared */
	uint64_t reserved;	     /* tw_plan.reserved of the policy in force */
	struct tw_policy_note found; /* the policy that the kernel enforced at the start */
	bool unstaged;		     /* the policy in force is not staged on disk */
	bool keeping;	     /* the policy in force is staged, and is being synced to disk */
	bool unkept;	     /* the policy in force is staged, but could not be kept on disk */
	uint64_t restage_ns; /* when to stage or keep it again */
	struct tw_degraded_state degraded;

	/* Ports. */
	bool latched;	   /* an earlier agent's latch existed at the start */
	uint32_t swept_to; /* the last port of prove.c's sweep */
	uint64_t n_lost;   /* number of times a port's programs were found removed */

	/* Flags for the turn. */
	bool settled;	     /* ports or their workloads changed: captures must be updated */
	bool attach_due;     /* a port has lost its programs: tw_attach_ports() is due */
	bool unsaved;	     /* ports changed: tw_saving_state() is due */
	uint64_t mend_ns;    /* when tw_mend_tick() is due */
	uint64_t save_ns;    /* when to retry saving; 0: nothing failed */
	uint64_t retry_ns;   /* when to retry a failed step; 0: none failed */
	uint64_t expire_ns;  /* when to try again to end rules */
	uint64_t reapply_ns; /* when to apply the file of --policy again; 0: never */
};
