/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* slots.h: maps rules to rule slots, across policies.
 *
 * Why:        connections and counters in the kernel identify a rule by its slot. So a rule that
 *             stays keeps its slot, and a removed one keeps it until no connection refers to it.
 * Invariants: 1. A slot is reused only once a complete walk of the connection table has found no gate
 *                with that slot. The walk must have begun after the slot's rule left the policy in force.
 *             2. A slot that was assigned is not freed before tw_slots_retire() or tw_slots_release().
 * Callers:    the agent's loop. tw_slots_assign() and tw_slots_assign_like() may run in another thread, one at a
 *             time; the names that the loop has looked up stay valid meanwhile.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

struct tw_kernel;

struct tw_slot {
	const char *name; /* the rule's key (tw_policy_rule_key()); lies behind the struct */
	uint32_t number;
	uint32_t rule;	/* number in the policy in force, unless retired */
	uint32_t round; /* the last assignment in which a rule had this slot */
	bool retired;	/* its rule is not in the policy in force */
	bool pledged;	/* assigned to a policy that may take effect */
	bool old;	/* it was retired when the current walk began */
	bool referred;	/* the current walk found a record that refers to it */
};

struct tw_slots {
	pthread_mutex_t lock; /* guards all but counters_fd */
	bool done;	      /* an assignment that still runs fails with -ECANCELED */
	struct tw_slot **at;  /* by number; NULL: free */
	uint32_t n;	      /* larger than all slots in use */
	size_t max;
	uint32_t n_used;
	uint32_t next;	/* where the next search for a free slot starts */
	uint32_t round; /* counts assignments */
	void *by_name;	/* tsearch(3) tree of the slots by name */
	/* Its counters are cleared when a slot is reused; NULL: none. */
	const struct tw_kernel *kernel;
};

void tw_slots_init(struct tw_slots *slots, const struct tw_kernel *kernel);
void tw_slots_done(struct tw_slots *slots);

/* Returns the key of the slot's rule, or NULL if no rule has that slot. */
const char *tw_slots_name(struct tw_slots *slots, uint32_t number);
/* Returns the number of the slot's rule in the policy in force, or -1 if it is not there. */
long tw_slots_rule(struct tw_slots *slots, uint32_t number);

/* Assigns each rule of the policy the slot with its key, or a free one. Rules with equal keys have
 * a slot each. `ret_numbers` has n_rules + 1 elements. Existing slots do not change. Returns 0,
 * -ENOSPC, -ENOMEM, or -ECANCELED after tw_slots_done(). */
int tw_slots_assign(struct tw_slots *slots, const struct tw_policy *policy, uint32_t *ret_numbers);
/* Assigns slots as tw_slots_assign() does, with the help of another policy and its slots: a name
 * that both policies share in memory is not looked up. */
int tw_slots_assign_like(struct tw_slots *slots, const struct tw_policy *policy,
	const struct tw_policy *other, const uint32_t *numbers, uint32_t *ret_numbers);
/* Restores a slot that an earlier agent saved. Returns 0, -EINVAL, -EEXIST or -ENOMEM. */
int tw_slots_restore(struct tw_slots *slots, uint32_t number, const char *name);

/* Ends the pledge of slots whose policy does not take effect. */
void tw_slots_release(struct tw_slots *slots);
/* Retires all slots except these, and ends all pledges. Called after a publication. */
void tw_slots_retire(struct tw_slots *slots, const uint32_t *in_force, size_t n);

/* Begins a walk of the connection table. */
void tw_slots_begin_walk(struct tw_slots *slots);
void tw_slots_refer(struct tw_slots *slots, uint32_t number);
void tw_slots_end_walk(struct tw_slots *slots);
