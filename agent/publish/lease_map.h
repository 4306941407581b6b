/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* lease_map.h: the map `leases` of the fast path, in the agent's memory. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fastpath/abi/types.h"

struct tw_agent_port;
struct tw_enforcement;
struct tw_vnic;

struct tw_agent_leases {
	struct tw_leases *map; /* indexed by port id, shared with the fast path */
	uint64_t rest_ns;      /* no address is added before this time */
	uint64_t began_ns;     /* start of the current check */
};

int tw_lease_map_init(struct tw_enforcement *enforcement); /* returns 0 or a negative errno */
void tw_lease_map_done(struct tw_enforcement *enforcement);

/* True if the leases are those of the vNIC's guest: they have its MAC. */
bool tw_lease_map_is_of(const struct tw_leases *leases, const struct tw_vnic *vnic);
/* Returns the leases of a port's guest with their ends, or NULL. */
struct tw_leases *tw_lease_map_at(
	const struct tw_enforcement *enforcement, const struct tw_agent_port *port);
