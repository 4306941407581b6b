/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prove.h: holds against the kernel that both programs sit at every port.
 *
 * Why:        other tools change the same hooks: `tc qdisc del dev tap0 ingress` when a bandwidth limit
 *             changes, `bpftool link detach`, whatever an operator tries. A port without its programs
 *             is open.
 *             A port whose entry differs from what the agent wrote is judged by another
 *             policy, or is shut.
 * How:        rtnetlink tells of qdiscs and filters that come and go; such a port is looked at when
 *             all that was told is read. Links tell nothing, so a sweep looks at every port within
 *             five seconds. What is lost is shut by the latch, attached again, counted and logged. An entry
 *             that is not as it should be is written again.
 * Callers:    the agent, in its one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/ports.h"

struct tw_enforcement;

/* Looks at one port now. False if its programs were gone: it is then marked as not attached and shut,
 * and tw_attach_ports() is due. */
bool tw_prove_port(struct tw_enforcement *enforcement, struct tw_agent_port *port);
/* Looks at the ports that netlink spoke of. */
void tw_prove_suspects(struct tw_enforcement *enforcement);
/* Looks at the next few ports of the sweep. */
void tw_prove_tick(struct tw_enforcement *enforcement);

/* True if the port has no programs, and nothing keeps it shut. */
bool tw_prove_is_unfiltered(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* What the kernel does at a port that has the programs, by the entry that packets meet: shut without one,
 * or without its image. */
enum tw_port_state tw_prove_enforced(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* What people are told of a port: protected, unclaimed, shut, or unfiltered: without programs, and not
 * kept shut by the latch either. It is asked of the kernel. */
const char *tw_prove_state(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* How long ago the port was looked at last, in seconds; negative: never. */
double tw_prove_age(const struct tw_agent_port *port);
