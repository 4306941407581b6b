/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.h: the agent of one host (or one network namespace): what its modules share.
 *
 *	netlink ──► ports ──► publish ──► kernel maps      events ◄── ring buffer
 *	                        ▲   └───► latch              └─► journal ──► server ──► clients
 *	       policy, store ───┘                 sweep ◄── connection table ──► answer
 *
 * Order:      tw_agent_init() in the order of the fields below, tw_agent_done() in the reverse.
 * Invariants: 1. One thread; no module blocks.
 *             2. Ending the agent, in any way, changes nothing that is enforced.
 */
#pragma once

#include "agent/degraded.h"
#include "agent/observe/captures.h"
#include "agent/observe/events.h"
#include "agent/observe/journal.h"
#include "agent/observe/kept.h"
#include "agent/observe/leases.h"
#include "agent/observe/sweep.h"
#include "agent/ports/gone.h"
#include "agent/ports/hostwork.h"
#include "agent/ports/locals.h"
#include "agent/ports/macs.h"
#include "agent/ports/memberships.h"
#include "agent/ports/netlink.h"
#include "agent/ports/ports.h"
#include "agent/ports/residents.h"
#include "agent/ports/rtnl.h"
#include "agent/ports/uplinks.h"
#include "agent/ports/watch.h"
#include "agent/publish/images.h"
#include "agent/publish/inforce.h"
#include "agent/publish/latch.h"
#include "agent/publish/loads.h"
#include "agent/publish/prove.h"
#include "agent/publish/publish.h"
#include "agent/publish/slots.h"
#include "agent/publish/saved.h"
#include "agent/publish/store.h"
#include "base/loop.h"
#include "base/pattern.h"
#include "fastpath/kernel/load.h"
#include "link/server.h"

/* Past what the host itself does at its bridges: never, in both cases, or in the last one alone. */
enum tw_forwarding {
	TW_FORWARDING_VSWITCH,
	TW_FORWARDING_CUT_THROUGH,
	TW_FORWARDING_INSISTS,
};

/* The command line. Strings point into argv or the table of options. */
struct tw_agent_options {
	const char *ports;
	const char *policy; /* NULL: the one saved */
	uint32_t max_conns;
	unsigned int forwarding; /* enum tw_forwarding */
	const char *uplinks;	 /* patterns */
	bool hairpin;		 /* guests' addresses may come from beyond the ports */
	const char *socket;
	const char *bpffs;
	const char *state_dir;
	bool force_clsact;
	bool verbose;
	bool release;
};

struct tw_agent {
	const struct tw_agent_options *options;
	struct tw_patterns patterns;
	struct tw_patterns uplink_patterns; /* none: no uplinks */
	uint64_t started_ns;
	struct tw_store *store;
	struct tw_kernel *kernel;
	struct tw_loop loop;
	struct tw_slots slots;
	struct tw_images images;
	struct tw_memberships memberships;
	struct tw_ports ports;
	struct tw_journal journal;
	struct tw_events *events;
	struct tw_captures *captures;
	struct tw_sweep sweep;
	struct tw_latch *latch; /* NULL where netfilter has no bridge family */
	struct tw_netlink *netlink;
	struct tw_rtnl *rtnl;
	struct tw_server *server;

	struct tw_loads loads;
	struct tw_locals locals;
	struct tw_residents residents;
	struct tw_uplinks uplinks;
	struct tw_hostwork hostwork;
	struct tw_agent_leases leases;
	struct tw_kept kept;
	struct tw_gone gone;

	/* publish.c */
	struct tw_inforce *inforce; /* NULL: nothing is in force, all ports are shut */
	uint64_t generation;	    /* of the last policy that was in force */
	uint32_t epoch;		    /* that of the kernel's config */
	uint64_t flipped_ns;	    /* 0: no entries of the epoch before are left */
	char degraded[TW_DEGRADED__MAX][TW_DEGRADED_TEXT]; /* empty: it is not */
	bool unstaged;	     /* the policy in force could not be written to the state folder */
	uint64_t restage_ns; /* when to try that again */
	uint64_t reapply_ns; /* when to try the policy file of the options again; 0: not */
	uint64_t text_mark;  /* of the policy that the kernel enforced at start; 0: unknown */
	bool unkept; /* the policy in force is staged, and could not be brought to the disk */
	struct tw_macs macs;
	uint64_t reserved;		   /* in force: tw_plan.reserved */
	TW_VEC(struct tw_adopted) adopted; /* found in the kernel, not yet met as an interface */

	/* watch.c, agent.c */
	bool before;			   /* the first dump: what it tells was here before us */
	bool latched;			   /* an earlier agent's latch was there at start */
	bool dirty;			   /* ports changed, and tw_agent_ports_changed() is due */
	bool unsaved;			   /* … and tw_watch_save() */
	uint64_t save_ns;		   /* when to try again after that failed; 0: it did not */
	bool suspects;			   /* ports are marked, and tw_prove_suspects() is due */
	uint32_t swept_to;		   /* the port that the sweep of prove.c was at last */
	uint64_t survey_ns;		   /* when to look at all interfaces again; 0: no need */
	uint64_t n_lost;		   /* times that a port's programs were found removed */
	TW_VEC(uint32_t) forgotten;	   /* interfaces that the latch still lets through */
	struct tw_saved_port *saved_ports; /* of an earlier agent, during the first dump */
	size_t n_saved_ports;
	struct tw_watch netlink_watch;
	struct tw_watch latch_watch;
	struct tw_watch signal_watch;
	struct tw_watch tick_watch;
	int signal_fd;
	int tick_fd;
	int bpffs_fd;	   /* its lock */
	uint64_t retry_ns; /* when to try again what failed; 0: nothing did */
};

/* Sets everything up and runs until told to stop; returns the exit code. Speaks on stderr. */
int tw_agent_run(const struct tw_agent_options *options);
/* Takes down all that an agent with these options left in the kernel; returns the exit code. */
int tw_agent_release(const struct tw_agent_options *options);

/* A policy to be put in force, with all that is to be told of it. */
struct tw_agent_load {
	struct tw_apply_order order;
	struct tw_diags diags;
	struct tw_applied applied;
	struct tw_err err;
};

/* Puts a policy in force, logs what came of it, and keeps a refusal for `status`. 0 or a negative errno,
 * with `err` and `diags` saying why. tw_agent_load_done() is due in both cases. */
int tw_agent_load(struct tw_agent *agent, struct tw_agent_load *load);
/* The same with the file of --policy; *ret_text, which the order points to, is freed by the caller. */
int tw_agent_load_file(struct tw_agent *agent, struct tw_agent_load *load, char **ret_text);
void tw_agent_load_done(struct tw_agent_load *load);
