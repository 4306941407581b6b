/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* prove.h: verifies in the kernel that both programs are at every port.
 *
 * Why:        other tools change the same hooks: `tc qdisc del dev tap0 ingress` when a bandwidth
 *             limit changes, `bpftool link detach`, or an operator's command. A port without its
 *             programs is open. A port whose entry differs from the one the agent wrote is judged
 *             by another policy, or is shut.
 * How:        rtnetlink reports changes of qdiscs and filters; such a port is checked once all
 *             messages are read. Changes of BPF links are not reported, so a sweep checks every
 *             port within five seconds. If programs are missing, the latch shuts the port, and they
 *             are attached again, counted and logged. A wrong entry is written again.
 * Callers:    the agent, in its one thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/ports.h"

struct tw_enforcement;

/* Checks one port now. False if its programs were missing: the port is then marked as not attached
 * and is shut, and tw_attach_ports() is due. */
bool tw_prove_port(struct tw_enforcement *enforcement, struct tw_agent_port *port);
/* Checks the ports that netlink reported. */
void tw_prove_suspects(struct tw_enforcement *enforcement);
/* Checks the next few ports of the sweep. */
void tw_prove_tick(struct tw_enforcement *enforcement);

/* True if the port has no programs and nothing keeps it shut, or if its guest's frames bypass the programs. */
bool tw_prove_is_unfiltered(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* Returns the state that the kernel enforces at a port with programs, by its entry: shut if the
 * entry or its image is missing. */
enum tw_port_state tw_prove_enforced(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* True if the port is filtered in observe mode: rules and default deny nothing. */
bool tw_prove_observed(const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* Returns the state of a port for users, as read from the kernel: protected, observed, unclaimed,
 * shut, quarantined, or unfiltered (without programs, and not kept shut by the latch). */
const char *tw_prove_state(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
/* Returns the seconds since the port was last found to have its programs; negative: never. */
double tw_prove_age(const struct tw_agent_port *port);
