/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* splits.h: lists the shared addresses that two ports claim at once (split brain), for `status` and `ports`.
 *
 * Why:        while two guests announce the same address, its connections move back and forth between them. The
 *             log names the moment. `status` and `ports` show it to an operator who looks later.
 * What:       reads the map `holders`, which the programs fill, so a restart or a lost event changes nothing.
 * Invariants: 1. An entry lasts for TW_SPLIT_SECONDS after the last contested claim.
 *             2. Both ports exist.
 */
#pragma once

#include <stddef.h>

#include "agent/ports/host.h"
#include "fastpath/abi/types.h"

#define TW_SPLIT_SECONDS 60
#define TW_SPLITS_MAX	 16

struct tw_agent_port;

struct tw_split {
	struct tw_addr addr;
	const struct tw_agent_port *holder; /* announced the address last */
	const struct tw_agent_port *rival;  /* announced it before */
	double age_s;			    /* since both last claimed it */
};

/* Fills in at most TW_SPLITS_MAX entries and returns their number. The ports belong to `host`. */
size_t tw_splits_list(const struct tw_host *host, struct tw_split splits[TW_SPLITS_MAX]);

/* Returns the name of a port's workload, or the port's own name if it has none. */
const char *tw_split_member(const struct tw_agent_port *port);
