/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ledger.h: the slow path's list of quarantines, as a table of policies.db.
 *
 * Why:        an agent that was away must learn which quarantines have ended. An operator wants to see
 *             who began and ended each. So an ended quarantine stays in the list for a while.
 * Invariants: 1. Each change has a number, which is at least the time in microseconds. So numbers grow
 *                even over restarts, and after an older copy of the file was restored. An agent
 *                ignores a change that is older than what it has.
 *             2. A change is stored (synchronous=FULL) before it is sent to an agent.
 *             3. A workload has at most one row in force.
 * Bounds:     TW_LEDGER_MAX rows in force; TW_LEDGER_ENDED_MAX ended ones, beyond which the oldest is
 *             dropped. An agent that was away until then keeps its quarantine, and `tapwall
 *             quarantine` shows it as that agent's only.
 * Callers:    slowpath/; one thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "slowpath/policies/policies.h"

#define TW_LEDGER_MAX	     1000
#define TW_LEDGER_ENDED_MAX  4096
#define TW_LEDGER_REASON_MAX 256
#define TW_LEDGER_NAME_MAX   128

struct tw_ledger;

struct tw_ledger_row {
	uint64_t change; /* number of the change that ended it or, if it is in force, began it */
	char workload[TW_LEDGER_NAME_MAX];
	char reason[TW_LEDGER_REASON_MAX];
	char who[64];
	uint64_t since_s;  /* Unix time */
	uint64_t until_s;  /* Unix time; 0: until it is lifted */
	uint64_t ended_s;  /* Unix time; 0: in force */
	char ended_by[64]; /* empty: its time was over */
};

/* Reads the list. `policies` must outlive it. Returns 0, or a negative errno with `err` filled. */
int tw_ledger_open(struct tw_policies *policies, struct tw_ledger **ret, struct tw_err *err);
void tw_ledger_free(struct tw_ledger *ledger); /* NULL is fine */
TW_DEFINE_AUTO(tw_ledger)

/* Begins a quarantine, which replaces the one of its workload. Reads workload, reason, who, since_s
 * and until_s of `row`, and sets its `change`. Returns 0, or a negative errno with `err` filled, and
 * then nothing has changed. */
int tw_ledger_begin(struct tw_ledger *ledger, struct tw_ledger_row *row, struct tw_err *err);
/* Ends the quarantine of a workload. If the list has none, but `unknown` is true, adds an ended row,
 * so that agents end theirs. Returns 0 and the ended row, or a negative errno with `err` filled:
 * -ENOENT if there is none. */
int tw_ledger_end(struct tw_ledger *ledger, const char *workload, const char *who, bool unknown,
	struct tw_ledger_row *ret, struct tw_err *err);
/* Ends the quarantines whose time is over. */
void tw_ledger_tick(struct tw_ledger *ledger);

/* Returns row `index`, ascending by `change`, or NULL. */
const struct tw_ledger_row *tw_ledger_at(const struct tw_ledger *ledger, size_t index);
/* Returns the row in force of a workload, or NULL. */
const struct tw_ledger_row *tw_ledger_find(const struct tw_ledger *ledger, const char *workload);
size_t tw_ledger_count(const struct tw_ledger *ledger);	   /* number of rows in force */
uint64_t tw_ledger_newest(const struct tw_ledger *ledger); /* number of the last change; 0: none */
