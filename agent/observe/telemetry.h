/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* telemetry.h: the shared state of the modules of agent/observe: events, captures, the sweep.
 *
 * Why, invariants: see agent/ports/host.h. agent/publish/enforcement.h is the layer below this one.
 */
#pragma once

#include <stdbool.h>

struct tw_asks;
struct tw_captures;
struct tw_enforcement;
struct tw_events;
struct tw_host;
struct tw_journal;
struct tw_loop;
struct tw_spool;
struct tw_sweep;

struct tw_telemetry {
	struct tw_host *host;
	struct tw_enforcement *enforcement;
	struct tw_loop *loop;
	struct tw_journal *journal;
	struct tw_sweep *sweep;
	struct tw_events *events;
	struct tw_spool *spool; /* NULL: no slow path is configured, or nothing is kept for it */
	struct tw_captures *captures;
	struct tw_asks *asks;

	/* Flags for the turn. */
	bool told;    /* streams that wait have something new to send */
	bool claimed; /* a port sent from a workload's MAC: a plan is due */
	bool leased;  /* a DHCP server assigned an address: tw_leases_look() is due */
};
