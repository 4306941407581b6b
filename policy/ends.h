/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ends.h: the remote ends of rules in images: their fixed addresses, and the groups whose members
 * are in a separate table.
 *
 * Why:        a workload that joins a group should change only that table and no image.
 * Table:      it has the members of a group that a rule names in a list without `!`, if they are
 *             single addresses of workloads. Addresses in `networks`, prefixes of routers, and
 *             lists with `!` are fixed: if they change, images change.
 * Exact:      an address is in an end if it is in `plain`, or if the table has it in one of the
 *             end's groups (tests/policy/unit/members.c).
 *             In a view of an address space (spaces.c), all addresses are fixed.
 * Bounds:     an address in more groups than a group set can hold is fixed in all of them. If the
 *             table cannot hold all addresses, all are fixed.
 */
#pragma once

#include "policy/model.h"

struct tw_end {
	const struct tw_set *all; /* current addresses of the end, including group members */
	const struct tw_set *plain;
	const uint16_t *groups; /* group numbers, ascending, from 1 */
	size_t n_groups;
	uint32_t id;	 /* equal ends have the same id */
	uint32_t family; /* families of the current and possible members */
	uint64_t digest[2];
};

struct tw_ends {
	struct tw_arena arena;
	struct tw_sets plain; /* ids follow those of the policy's sets */
	struct tw_members members;
	const struct tw_end **of;	   /* [rule * 2]: from, [rule * 2 + 1]: to */
	TW_VEC(const struct tw_end *) all; /* ends by id */
	struct tw_index index;
};

/* Returns 0 or -ENOMEM. tw_ends_done() must be called in either case. */
int tw_ends_make(struct tw_ends *ends, const struct tw_policy *policy);
void tw_ends_done(struct tw_ends *ends);
