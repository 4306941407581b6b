/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ends.h: the ends of rules as images see them from afar: what is fixed in them, and which groups a
 * table apart tells the members of.
 *
 * Why:        a workload that joins a group should change that table, and no image.
 * Told:       a group that some rule names in a list without `!`, as far as its members are single
 *             addresses of workloads. What its `networks` hold, the prefixes of routers, and lists
 *             that take something away stay fixed: a change of these changes images.
 * Exact:      an address is in an end when it is in `plain`, or the table has it in one of the end's
 *             groups (tests/policy/unit/members.c).
 * Bounds:     an address in more groups than a set of them holds is fixed in all of them; more
 *             addresses than the table takes, and everything is.
 */
#pragma once

#include "policy/model.h"

struct tw_end {
	const struct tw_set *all; /* what it stands for now, groups and all */
	const struct tw_set *plain;
	const uint16_t *groups; /* their numbers, ascending, from 1 on */
	size_t n_groups;
	uint32_t id;	 /* equal ends are one */
	uint32_t family; /* where it has, or may come to have, members */
	uint64_t digest[2];
};

struct tw_ends {
	struct tw_arena arena;
	struct tw_sets plain; /* ids from those of the policy's sets on */
	struct tw_members members;
	const struct tw_end **of;	   /* [rule * 2]: from, [rule * 2 + 1]: to */
	TW_VEC(const struct tw_end *) all; /* by id */
	struct tw_index index;
};

/* 0 or -ENOMEM; tw_ends_done() must be called either way. */
int tw_ends_make(struct tw_ends *ends, const struct tw_policy *policy);
void tw_ends_done(struct tw_ends *ends);
