/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* near.h: finds the earlier rules that may match something that a rule matches.
 *
 * What:       compares hulls, the bounds of the rules' addresses and port keys. Rules whose hulls do not
 *             meet match nothing in common.
 * Why:        most of 100,000 rules have nothing in common. Lists by blocks of keys and addresses avoid
 *             comparing all pairs.
 * Callers:    shadow.c.
 */
#pragma once

#include "policy/model.h"

struct tw_near_hull;

struct tw_near {
	const struct tw_policy *policy;
	struct tw_near_hull *hulls;  /* by rule number */
	struct tw_near_hull *listed; /* by list, then by number */
	uint32_t *first;	     /* list i is listed[first[i] … first[i + 1]) */
	bool by_to;		     /* lists are by addresses of `to`, not of `from` */
	uint32_t n_bounds;	     /* number of lower bounds of addresses at that end */
	TW_VEC(uint32_t) found;	     /* result of tw_near_find() */
	size_t pairs;		     /* number of pairs of rules compared so far */
};

/* Prepares an empty `near` for the rules of a policy, which must outlive it. Returns 0 or -ENOMEM; in both
 * cases tw_near_done() frees what it holds. */
int tw_near_init(struct tw_near *near, const struct tw_policy *policy);
void tw_near_done(struct tw_near *near);

/* Puts into `found` the numbers of the earlier rules whose hulls meet that of a rule, ascending. Returns 0
 * or -ENOMEM. */
int tw_near_find(struct tw_near *near, uint32_t number);
