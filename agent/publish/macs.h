/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* macs.h: the MACs of the policy's workloads, which an unclaimed port may not send from.
 *
 * Why:        `options: {unclaimed: ignore}` is meant for ports without a workload. If such a port
 *             sends from a workload's MAC, it is an impostor, or the workload's own port was not
 *             found. In both cases its frames must not pass unfiltered. With `bind: first-sender`
 *             it may be bound to the workload.
 * Invariants: when an agent starts, the map is not cleared: the rows of the earlier agent are
 *             compared with the new ones.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"

struct tw_enforcement;

/* A row of the map `macs`. */
struct tw_macs_row {
	struct tw_mac_key mac;
	uint32_t value; /* TW_MAC_… */
};

struct tw_macs {
	TW_VEC(struct tw_macs_row) rows; /* contents of the map, ascending by MAC */
};

void tw_macs_done(struct tw_macs *macs);
/* Reads the rows of an earlier agent. Returns 0 or -ENOMEM. */
int tw_macs_adopt(struct tw_enforcement *enforcement);
/* Updates the map to the policy in force. `taken` is true for each vNIC whose port was found. */
void tw_macs_sync(struct tw_enforcement *enforcement, const bool *taken);
