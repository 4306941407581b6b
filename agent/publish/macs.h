/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* macs.h: the MACs of the policy's workloads, which an unclaimed port may not send from.
 *
 * Why:        `options: {unclaimed: ignore}` is about ports of no workload. One that sends from a
 *             workload's MAC is that workload, and not found, or an impostor. Either way it is not
 *             let pass unfiltered; with `bind: first-sender` it may be bound to the workload.
 * Invariants: the map is never empty in between: what an earlier agent left is compared, not cleared.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"

struct tw_enforcement;

/* A MAC as the map `macs` has it. */
struct tw_macs_row {
	struct tw_mac_key mac;
	uint32_t value; /* TW_MAC_… */
};

struct tw_macs {
	TW_VEC(struct tw_macs_row) rows; /* ascending by MAC; what the map holds */
};

void tw_macs_done(struct tw_macs *macs);
/* Takes note of what an earlier agent left. 0 or -ENOMEM. */
int tw_macs_adopt(struct tw_enforcement *enforcement);
/* Brings the map up to the policy in force; `taken` tells for each vNIC whether a port was found. */
void tw_macs_sync(struct tw_enforcement *enforcement, const bool *taken);
