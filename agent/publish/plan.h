/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* plan.h: computes the kernel entry that each port needs under a policy, and finds the changed ones.
 *
 * A plan writes images to free slots. No packet uses them before the plan is executed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/ports.h"
#include "base/err.h"
#include "base/vec.h"

struct tw_enforcement;
struct tw_inforce;
struct tw_preparation;
struct tw_quarantine;

struct tw_plan_row {
	struct tw_agent_port *port;
	const struct tw_vnic *vnic; /* NULL: unclaimed, or a conflict */
	struct tw_binding binding;
	enum tw_port_state state;
	struct tw_port entry;
	uint64_t prefixes; /* sum of the hashes of its rows of `addrs` and `grants`; 0: none */
	bool changed;	   /* differs from the entry in force */
	bool shortens;	   /* its adoption window ends earlier than before */
	struct tw_quarantine *quarantine; /* NULL: none */
};

struct tw_plan {
	TW_VEC(struct tw_plan_row) rows; /* one for each port, in the same order */
	bool *taken;			 /* by vNIC: true if its port was found */
	size_t n_changed;
	size_t n_shortened;
	bool flip;			  /* the changes must take effect together */
	struct tw_preparation *prepared;  /* what was made beforehand; NULL: nothing */
	struct tw_delta *delta;		  /* difference from the policy in force; NULL: none */
	const struct tw_members *members; /* the policy's members, owned by its compiler */
	bool regroup;			  /* the members differ from those in force */
	const struct tw_policy *policy;
	const struct tw_inforce *inforce; /* the policy of this plan and its state */
	uint64_t reserved;		  /* sum of the hashes of the policy's reserved addresses */
	bool rereserve;			  /* the reserved addresses differ from those in force */
};

/* Makes a plan for all ports. If the image of a port cannot be compiled, a `strict` plan fails;
 * otherwise that port is planned to be shut, and reported in `diags`. What `prepared`, which may be NULL,
 * has is not made again. Returns 0, or a negative errno with `err` filled in. */
int tw_plan_make(struct tw_enforcement *enforcement, struct tw_inforce *inforce, bool strict,
	struct tw_preparation *prepared, struct tw_plan *ret, struct tw_diags *diags,
	struct tw_err *err);
void tw_plan_done(struct tw_plan *plan);

/* Returns the hash of a prefix. The sum of a port's hashes identifies its rows of `addrs`. */
uint64_t tw_plan_hash_prefix(const struct tw_addr *addr, uint32_t len);
/* Returns the hash of a port's row of `grants`. */
uint64_t tw_plan_hash_grants(const struct tw_grants *grants);
