/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* slots.h: which rule slot is which rule's, across policies.
 *
 * Why:        connections and counters in the kernel name a rule by its slot, so a rule that stays
 *             keeps its slot, and one that went keeps it until no connection speaks of it.
 * Invariants: a slot is given away only after a whole walk of the connection table, begun after
 *             its rule had left the policy in force, met no gate with that slot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

struct tw_slot {
	const char *name; /* the rule's key (tw_policy_rule_key()); lies behind the struct */
	uint32_t number;
	uint32_t rule;	/* its number in the policy in force, unless retired */
	uint32_t round; /* the last assignment that gave it to a rule */
	bool retired;	/* its rule is not in the policy in force */
	bool old;	/* it was retired when the walk at hand began */
	bool referred;	/* met in the walk at hand */
};

struct tw_slots {
	struct tw_slot **at; /* by number, NULL where free */
	uint32_t n;	     /* all slots in use are below */
	size_t max;
	uint32_t n_used;
	uint32_t next;	 /* where the search for a free one goes on */
	uint32_t round;	 /* counts assignments */
	void *by_name;	 /* tsearch(3) tree of the same */
	int counters_fd; /* map of hits by slot, zeroed when a slot is given away; -1: none */
};

void tw_slots_init(struct tw_slots *slots, int counters_fd);
void tw_slots_done(struct tw_slots *slots);

/* The key of the slot's rule; NULL when no rule has that slot. */
const char *tw_slots_name(const struct tw_slots *slots, uint32_t number);
/* The number of the slot's rule in the policy in force, -1 when it has none there. */
long tw_slots_rule(const struct tw_slots *slots, uint32_t number);

/* Gives every rule of the policy the slot that its key has, or else a free one; rules of one key have
 * a slot each. `ret_numbers` has room for n_rules + 1. 0, -ENOSPC or -ENOMEM. What existed does not
 * change. */
int tw_slots_assign(struct tw_slots *slots, const struct tw_policy *policy, uint32_t *ret_numbers);
/* The same when the slots of another policy are known, which this one may share names with: one that
 * lies at the same place in memory is not looked for. */
int tw_slots_assign_like(struct tw_slots *slots, const struct tw_policy *policy,
	const struct tw_policy *other, const uint32_t *numbers, uint32_t *ret_numbers);
/* Takes a slot as an earlier agent saved it; 0, -EINVAL, -EEXIST or -ENOMEM. */
int tw_slots_restore(struct tw_slots *slots, uint32_t number, const char *name);

/* After a publication: these are in force, all others are retired. */
void tw_slots_retire(struct tw_slots *slots, const uint32_t *in_force, size_t n);

/* Around a walk of the connection table. */
void tw_slots_begin_walk(struct tw_slots *slots);
void tw_slots_refer(struct tw_slots *slots, uint32_t number);
void tw_slots_end_walk(struct tw_slots *slots);
