/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* plan.h: what every port's entry in the kernel should be under a policy, and what that changes.
 *
 * Making a plan writes images to free slots, and nothing else that a packet could meet.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "agent/ports/ports.h"
#include "base/err.h"
#include "base/vec.h"

struct tw_enforcement;
struct tw_inforce;

struct tw_plan_row {
	struct tw_agent_port *port;
	const struct tw_vnic *vnic; /* NULL: unclaimed, or a conflict */
	struct tw_binding binding;
	enum tw_port_state state;
	struct tw_port entry;
	uint64_t prefixes; /* sum of the hashes of what belongs in `addrs`, 0 = nothing */
	bool changed;	   /* against the entry in force */
};

struct tw_plan {
	TW_VEC(struct tw_plan_row) rows; /* one for each port, in their order */
	bool *taken;			 /* by vNIC: a port was found */
	size_t n_changed;
	bool flip; /* some change must not be seen alone */
	struct tw_delta
		*delta; /* against the policy in force, NULL: it is the same, or there is none */
	const struct tw_members *members; /* the policy's; of its compiler */
	bool regroup;			  /* they are not those of the epoch in force */
	const struct tw_policy *policy;
	const struct tw_inforce *inforce; /* that it is for */
	uint64_t reserved;		  /* sum of the hashes of the policy's reserved addresses */
	bool rereserve;			  /* they are not those of the epoch in force */
};

/* Plans for all ports. `strict`: a port whose image cannot be compiled fails the plan; else that
 * port is planned shut, and told in `diags` as well. 0 or a negative errno with `err` filled. */
int tw_plan_make(struct tw_enforcement *enforcement, struct tw_inforce *inforce, bool strict,
	struct tw_plan *ret, struct tw_diags *diags, struct tw_err *err);
void tw_plan_done(struct tw_plan *plan);

/* What a prefix adds to the sum by which the content of `addrs` is compared. */
uint64_t tw_plan_hash_prefix(const struct tw_addr *addr, uint32_t len);
