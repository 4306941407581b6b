/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* charges.h: corrects the charges of ports that differ from the records in the table.
 *
 * Why:        a wrong charge would reduce the guest's quota for ever. Each record has its kind of
 *             charge, so a walk of all records can find errors.
 * How:        a walk counts the records of each port and kind while the table changes. Without an
 *             error, the sum lies between two bounds: the count at the start minus the charges
 *             removed since, and the count at the start plus the charges added since. A sum outside
 *             these bounds proves that the count is wrong by at least the distance to the nearer
 *             one. The correction is the smaller of the distances that two consecutive walks proved.
 * Invariants: 1. A correct count is never changed (tests/agent/charges.c). A program may have
 *                changed a record but not yet its count. It does so within a tick: therefore a walk
 *                starts a tick after tw_charges_begin_walk(), and is judged a tick after its end. A
 *                CPU that is delayed for longer would have to be so in two consecutive walks.
 *             2. A correction is added to the count, so charges made meanwhile are not lost.
 */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_CHARGES_KINDS 3 /* values of enum tw_charge without TW_CHARGE_NONE */

struct tw_charges {
	struct tw_usage *usage; /* usage of all ports, shared with the programs */
	uint32_t met[TW_PORTS_MAX][TW_CHARGES_KINDS];
	uint64_t began[TW_PORTS_MAX][TW_CHARGES_KINDS]; /* counts at the start of the walk */
	/* Distance by which the last walk proved each count too high, less what was corrected. */
	int64_t off[TW_PORTS_MAX][TW_CHARGES_KINDS];
};

/* Maps the usage of all ports into memory. `usage_fd` is the descriptor of the map `usage`. Returns 0
 * or a negative errno. */
int tw_charges_init(struct tw_charges *charges, int usage_fd);
void tw_charges_done(struct tw_charges *charges);
void tw_charges_begin_walk(struct tw_charges *charges); /* called a tick before the first record */
void tw_charges_meet(struct tw_charges *charges, const struct tw_conn *conn);
/* Returns the number of corrected counts. Called a tick after the last record. */
unsigned int tw_charges_end_walk(struct tw_charges *charges);
