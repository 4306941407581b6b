/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* entries.h: the entries of ports in the kernel, as far as they change without a plan.
 *
 * Why:        a plan (agent/publish) writes entries as a policy asks for them. What happens to interfaces
 *             meanwhile can only take away: an entry goes with its port, and cut-through ends at once where
 *             something is in doubt.
 * Invariants: port->entry and port->has_entry are what the kernel holds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/host.h"

struct tw_agent_port;

/* Removes the port's entry of an epoch, if it has one. */
void tw_entries_remove(struct tw_host *host, struct tw_agent_port *port, uint32_t epoch);
/* Removes those of both epochs, before the port is forgotten. */
void tw_entries_drop(struct tw_host *host, struct tw_agent_port *port);
/* Cut-through no longer starts or ends at a port, from now on and until a plan says otherwise. */
void tw_entries_uncut(struct tw_host *host, struct tw_agent_port *port);
/* Writes an adoption window that is over as none, long before its tick comes round again. */
void tw_entries_end_adoption(struct tw_host *host, struct tw_agent_port *port);

/* Hands over the adopted entry of an interface, once; false if there is none, or if it was written for
 * another device of that number. */
bool tw_entries_take_adopted(struct tw_host *host, uint32_t ifindex, struct tw_adopted *ret);
/* Takes down what was adopted and no port came for. After the first dump. */
void tw_entries_forget_adopted(struct tw_host *host);
