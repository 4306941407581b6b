/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* bind.h: finds the vNIC of the policy that each port belongs to.
 *
 * Why:        a port gets the rights of the workload that it is bound to, so only facts of the host
 *             count: its name and the tap's own MAC. A guest can choose neither. The frames of a
 *             guest count only with `options: {bind: first-sender}`.
 * Order:      1. the tap's own MAC, if it is a workload's MAC with first byte fe, as libvirt sets
 *             it; 2. the port's name; 3. the first source MAC seen. A port whose name and MAC agree
 *             is bound first, then the one with the lower interface index.
 * Invariants: 1. A vNIC has at most one port.
 *             2. A port whose name and MAC contradict each other gets no workload's rights: it is
 *                shut, and `conflict` says why. There is one exception: if the MAC is that of
 *                another workload, the port is bound to that one.
 *             3. A MAC that the kernel chose at random is ignored (one in 64 begins with fe).
 */
#pragma once

#include <stdbool.h>

#include "agent/ports/ports.h"
#include "agent/state/inforce.h"

/* Finds the binding of each port: ret[i] belongs to ports->list.at[i]. `ret_taken`, which may be
 * NULL, is set to true for each vNIC whose port was found. Returns 0 or -ENOMEM. */
int tw_bind_ports(const struct tw_inforce *inforce, const struct tw_ports *ports,
	struct tw_binding *ret, bool *ret_taken);

/* Returns the workload whose MAC a port's guest sends from, if the port is not bound to it;
 * otherwise NULL. */
const struct tw_vnic *tw_bind_resembles(
	const struct tw_inforce *inforce, const struct tw_agent_port *port);

/* True if the port belongs to no workload, and frames pass it unfiltered. */
bool tw_bind_is_open(const struct tw_agent_port *port);

/* Return the names that JSON uses. */
const char *tw_bind_bound_name(enum tw_bound by);
const char *tw_bind_conflict_name(enum tw_conflict conflict);

#define TW_CONFLICT_TEXT_MAX 512
/* Writes a sentence with the conflict and its remedy; empty without a conflict. */
void tw_bind_conflict_text(
	const struct tw_binding *binding, const struct tw_agent_port *port, char *text, size_t max);

/* Logs how a new binding and state change a port, before they are stored in the port. The workload
 * of a port that is not attached yet is logged when it is attached. */
void tw_bind_tell(const struct tw_agent_port *port, const struct tw_binding *binding,
	enum tw_port_state state, bool open);
/* Records a MAC that a port's guest sends from. */
void tw_bind_hear(
	const struct tw_inforce *inforce, struct tw_agent_port *port, const uint8_t mac[6]);
/* Logs the workloads that ports resemble, for the MACs that netlink reported. */
void tw_bind_tell_heard(const struct tw_inforce *inforce, const struct tw_ports *ports);
/* Logs which workload a port resembles, at most once a minute, because a guest chooses what it
 * sends. */
void tw_bind_tell_resembling(const struct tw_inforce *inforce, struct tw_agent_port *port);
