/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bypass.h: detects ports whose guests' frames are read before tapwall's programs see them.
 *
 * Why:        the userspace datapath of Open vSwitch reads a port by a packet socket. The kernel
 *             serves packet sockets before the tc hooks, so a frame that a program denies has
 *             already been forwarded. The latch has no hook there either. Frames from the guest can
 *             thus not be stopped, and the port is reported as unfiltered. Frames to the guest pass the
 *             hooks as usual.
 * Invariants: a port of a bridge is never reported: other programs, such as tcpdump, also read
 *             there, and its bridge forwards only what the programs let pass.
 * Callers:    the agent, in the network namespace of its ports.
 */
#pragma once

struct tw_host;

#define TW_BYPASS_WHY \
	"Open vSwitch's userspace datapath forwards the guest's frames before they are judged; use datapath_type=system"

/* Checks all ports, and logs each one whose bypass has begun or ended. */
void tw_bypass_look(struct tw_host *host);
/* Checks all ports if the last check was two seconds ago. */
void tw_bypass_tick(struct tw_host *host);
