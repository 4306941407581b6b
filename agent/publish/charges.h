/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* charges.h: sets right what ports are charged, where it is not what stands in the table.
 *
 * Why:        what a port is charged for nothing is lost to its guest for good; and each record says what
 *             it is charged as, so that a walk through all of them can tell.
 * How:        each walk sums up what its records say. A walk meets a table that changes meanwhile, so only
 *             a port whose charges were the same when it began and when it ended is believed, and only
 *             when two walks running have found the same difference.
 */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_CHARGES_KINDS 3 /* enum tw_charge, but for TW_CHARGE_NONE */

struct tw_charges {
	struct tw_load *loads; /* of all ports, as the programs see them */
	uint32_t met[TW_PORTS_MAX][TW_CHARGES_KINDS];
	uint32_t began[TW_PORTS_MAX][TW_CHARGES_KINDS]; /* charges when the walk began */
	int32_t off[TW_PORTS_MAX][TW_CHARGES_KINDS];	/* what the last walk found too much */
};

/* Maps the loads behind a map's fd; 0 or negative errno. */
int tw_charges_init(struct tw_charges *charges, int loads_fd);
void tw_charges_done(struct tw_charges *charges);
void tw_charges_begin_walk(struct tw_charges *charges);
void tw_charges_meet(struct tw_charges *charges, const struct tw_conn *conn);
/* How many charges were set right. */
unsigned int tw_charges_end_walk(struct tw_charges *charges);
