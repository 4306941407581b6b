/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* agent.h: the state of the agent of one host (or one network namespace).
 *
 *	answer    ──►  observe   ──►  publish      ──►  state        ──►  ports
 *	clients'       events,        enforcement       the policy        interfaces of this host,
 *	requests       counters       in the kernel     in force          and their state in the kernel
 *
 * Why:        the modules of each directory share one struct: tw_host (ports), tw_enforcement
 *             (publish and state), tw_telemetry (observe), tw_answer_ctx (answer). A directory uses
 *             only the directories to its right. A module that finds a change sets a flag in its
 *             directory's struct. turn.c acts on the flags, in a fixed order.
 * Order:      daemon.c sets everything up from right to left, and ends it in reverse.
 * Invariants: 1. One thread; no module blocks. A second thread only moves events from the kernel's buffer into a
 *                queue (observe/ring.h), a third one writes and reads the spool's files (observe/spool_disk.h), a
 *                fourth one reads policies that are to be applied (publish/apply.h).
 *             2. Ending the agent, in any way, changes nothing that is enforced.
 *             3. No cycle of files (tests/lint/structure).
 */
#pragma once

#include "agent/answer/answer.h"
#include "agent/dial.h"
#include "agent/observe/captures.h"
#include "agent/observe/asks.h"
#include "agent/observe/events.h"
#include "agent/observe/journal.h"
#include "agent/observe/logfile.h"
#include "agent/observe/spool.h"
#include "agent/observe/sweep.h"
#include "agent/observe/telemetry.h"
#include "agent/options.h"
#include "agent/ports/gone.h"
#include "agent/ports/host.h"
#include "agent/ports/hostwork.h"
#include "agent/ports/latch.h"
#include "agent/ports/locals.h"
#include "agent/ports/netlink.h"
#include "agent/ports/ports.h"
#include "agent/ports/residents.h"
#include "agent/ports/rtnl.h"
#include "agent/ports/uplinks.h"
#include "agent/publish/confirm.h"
#include "agent/publish/enforcement.h"
#include "agent/publish/kept.h"
#include "agent/publish/lease_map.h"
#include "agent/publish/macs.h"
#include "agent/publish/quarantine.h"
#include "agent/publish/tripwire.h"
#include "agent/state/images.h"
#include "agent/state/inforce.h"
#include "agent/state/memberships.h"
#include "agent/state/policy_file.h"
#include "agent/state/saved.h"
#include "agent/state/slots.h"
#include "agent/state/store.h"
#include "agent/state/versions.h"
#include "base/loop.h"
#include "base/pattern.h"
#include "fastpath/kernel/load.h"
#include "link/server.h"

struct tw_agent {
	const struct tw_agent_options *options;
	struct tw_loop loop;

	struct tw_host host;
	struct tw_patterns patterns;
	struct tw_patterns uplink_patterns;
	struct tw_ports ports;
	struct tw_uplinks uplinks;
	struct tw_hostwork hostwork;
	struct tw_locals locals;
	struct tw_residents residents;
	struct tw_gone gone;

	struct tw_enforcement enforcement;
	struct tw_slots slots;
	struct tw_images images;
	struct tw_memberships memberships;
	struct tw_macs macs;
	struct tw_policy_file policy_file;
	struct tw_confirm confirm;
	struct tw_tripwire tripwire;
	struct tw_quarantines quarantines;
	struct tw_agent_leases leases;
	struct tw_kept kept;
	struct tw_versions versions;

	struct tw_telemetry telemetry;
	struct tw_journal journal;
	struct tw_logfile logfile;
	struct tw_sweep sweep;
	char *spool_dir;

	struct tw_answer_ctx answers;
	struct tw_server *server;
	struct tw_metrics *metrics; /* NULL: none */
	struct tw_dial dial;	    /* slow path; its requests are answered like a client's */

	struct tw_watch netlink_watch;
	struct tw_watch latch_watch;
	struct tw_watch signal_watch;
	struct tw_watch tick_watch;
	struct tw_watch spool_watch;
	int signal_fd;
	int tick_fd;
	int bpffs_fd; /* holds the lock on the BPF directory */

	/* Flags for the turn. The two _ready flags: the descriptor was readable. */
	bool ticked;
	bool netlink_ready;
	bool latch_ready;
	bool reload; /* SIGHUP was received */
};
