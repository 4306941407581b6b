/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* charges.h: corrects what ports are charged if it differs from the records in the table.
 *
 * Why:        a wrong charge would reduce the guest's quota for ever. Each record has its kind of
 *             charge, so a walk of all records can find errors.
 * How:        each walk adds up the charges of its records. The table changes meanwhile. The sum is
 *             at least what was charged when the walk began less what was taken back since, and at
 *             most that and what was charged since; a sum beyond either bound proves that the count
 *             is wrong, by the distance at least. A count that came back to what it was proves
 *             nothing.
 * Invariants: 1. No count that is right is changed (tests/agent/charges.c). An operation under way, between a
 *                record and its count, is over within a tick: a walk starts a tick after begin_walk, and is
 *                judged a tick after its end. A CPU that loses its turn for longer would have to do so in
 *                two walks running.
 *             2. A correction is added to the count: the distance stays true whatever is charged meanwhile.
 */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_CHARGES_KINDS 3 /* enum tw_charge, but for TW_CHARGE_NONE */

struct tw_charges {
	struct tw_usage *usage; /* usage of all ports, shared with the programs */
	uint32_t met[TW_PORTS_MAX][TW_CHARGES_KINDS];
	uint64_t began[TW_PORTS_MAX][TW_CHARGES_KINDS]; /* counts at the start of the walk */
	int64_t off[TW_PORTS_MAX]
		   [TW_CHARGES_KINDS]; /* by how much the last walk proved each count too high */
};

/* Maps the usage of all ports from a map's fd. Returns 0 or a negative errno. */
int tw_charges_init(struct tw_charges *charges, int usage_fd);
void tw_charges_done(struct tw_charges *charges);
void tw_charges_begin_walk(struct tw_charges *charges); /* called a tick before the first record */
void tw_charges_meet(struct tw_charges *charges, const struct tw_conn *conn);
/* Returns how many counts were corrected. Called a tick after the last record. */
unsigned int tw_charges_end_walk(struct tw_charges *charges);
