/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* entries.h: changes of port entries in the kernel that need no plan.
 *
 * Why:        a plan (agent/publish) writes entries according to a policy. Between plans, changes
 *             of interfaces can only remove: an entry is removed with its port, and cut-through
 *             ends at once if anything is in doubt.
 * Invariants: port->entry and port->has_entry equal the kernel's state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/host.h"

struct tw_agent_port;

/* Removes the port's entry of an epoch, if it has one. */
void tw_entries_remove(struct tw_host *host, struct tw_agent_port *port, uint32_t epoch);
/* Removes the port's entries of both epochs, before the port is forgotten. */
void tw_entries_drop(struct tw_host *host, struct tw_agent_port *port);
/* Stops cut-through to and from a port until the next plan. */
void tw_entries_uncut(struct tw_host *host, struct tw_agent_port *port);
/* Clears an expired adoption window long before its tick wraps around. */
void tw_entries_end_adoption(struct tw_host *host, struct tw_agent_port *port);

/* Returns the adopted entry of an interface, once. False if there is none, or if it was written
 * for another device with that ifindex. */
bool tw_entries_take_adopted(struct tw_host *host, uint32_t ifindex, struct tw_adopted *ret);
/* Removes adopted entries without a port. Called after the first dump. */
void tw_entries_forget_adopted(struct tw_host *host);
