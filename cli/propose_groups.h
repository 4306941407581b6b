/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* propose_groups.h: names sets of workloads by groups.
 *
 * How:        a group of the policy that has exactly these workloads; otherwise a new group of the tag, or of
 *             two tags, that exactly these have; otherwise, from three workloads on, a new group of their
 *             names. A group by tag also includes workloads that get the tag later.
 * Callers:    propose_print.c.
 */
#pragma once

#include "cli/propose.h"

/* A set of workloads with a name. */
struct tw_groups_set {
	char *name;	   /* name of the group */
	uint32_t *members; /* indexes of workloads, ascending */
	size_t n;
};

struct tw_groups_drafted {
	const struct tw_policy *policy;
	TW_VEC(struct tw_groups_set) sets; /* groups of the policy, then the new ones */
	TW_VEC(struct tw_groups_set) tags; /* `name` is the tag */
	struct tw_buf text;		   /* lines of the new groups */
	const char *guests; /* group of all workloads but routers, if it is needed and has any */
};

/* Makes the groups that the rules need. Returns 0 or -ENOMEM; done() must be called in either case. */
int tw_groups_drafted_make(struct tw_groups_drafted *groups, const struct tw_propose *propose);
void tw_groups_drafted_done(struct tw_groups_drafted *groups);
/* Returns the name of the group of the workloads at a rule's end; NULL if they are listed. */
const char *tw_groups_drafted_of(const struct tw_groups_drafted *groups,
	const struct tw_propose_rule *rule, enum tw_dir dir);
