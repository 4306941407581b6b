/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* compiler.h: the state of a compiler, shared by the modules that project rules on ports.
 *
 * Callers:    compile.c makes it; layout.c, named.c and pick.c read it, and use its scratch
 *             memory; one thread.
 */
#pragma once

#include "policy/engine.h"

/* Limit of views for one class, separately for own and for other addresses. */
#define TW_LAYOUT_CLASSES_MAX 12

enum tw_view_kind {
	TW_VIEW_CLASS,	/* one local class */
	TW_VIEW_WIDE,	/* many classes, in `ranges` */
	TW_VIEW_BEYOND, /* addresses that cannot be local at the port: refusing rules only */
};

struct tw_layout_view {
	enum tw_view_kind kind;
	uint32_t family;
	uint32_t class;		 /* class of the compiler's local partition */
	struct tw_ranges ranges; /* ranges of a WIDE view */
	uint64_t key[2];	 /* hash of its entries */
};

/* Hash of a class's entries in one direction, computed once. */
struct tw_class_memo {
	bool known[TW_DIR__MAX];
	bool empty[TW_DIR__MAX];
	uint64_t key[TW_DIR__MAX][2];
};

/* The fields that exclude a rule from a view, stored together for all rules of a direction to
 * save cache misses. */
struct tw_rule_at {
	uint32_t number;
	uint32_t local;	 /* index of the set of local addresses in tw_compiler.locals */
	uint32_t family; /* families that both ends have */
	bool allows;
	bool named; /* true if the other end names its multicast addresses (TW_DECISION_NAMED) */
	bool wide;  /* true if the rule matches any remote address, protocol and port */
};

/* The ordered rules of a direction, and for each set of local addresses the rules that use it. */
struct tw_rules_at {
	TW_VEC(struct tw_rule_at) all;
	uint32_t *first; /* by set index: of[first[i] … first[i + 1]) are indexes in `all` */
	uint32_t *of;
	uint64_t *picked; /* scratch: a bit for each rule in `all`; all 0 between uses */
	uint64_t *near;	  /* scratch: bits of the rules that concern the current port */
};

/* A rule's mention of a workload or group with `any` (named.h). */
struct tw_mention {
	uint32_t name;
	uint32_t rule; /* index in tw_rules_at.all */
};

/* The rules of a direction whose own end names workloads with `any`. */
struct tw_named {
	TW_VEC(struct tw_mention) mentions; /* ascending */
	TW_VEC(uint32_t) rules;		    /* rules that name the current port's workload */
	const struct tw_set **local;	    /* by rule: its local set at the current port; NULL: as
					     * at every port */
};

struct tw_compiler {
	const struct tw_policy *policy;
	const uint32_t *slots;
	struct tw_ends ends;
	TW_VEC(const struct tw_set *) locals;  /* distinct sets in the rules' from and to */
	struct tw_rules_at rules[TW_DIR__MAX]; /* rules enforced in each direction */
	struct tw_named named[TW_DIR__MAX];
	bool *is_name; /* by name of named.c: a name of the current port's workload */
	struct tw_partition local[2]; /* partition of each family */
	bool listed[2];		      /* true if the partition lists the members of its classes */
	struct tw_class_memo *memo[2];
	struct tw_views *views;	   /* views of this policy or an earlier one, or NULL */
	size_t n_words;		   /* length of the last image, an estimate for the next */
	struct tw_sets cuts;	   /* restricted local sets; their ids follow those of `ends` */
	uint32_t *local_of;	   /* by set id of the policy: 1 + its index in `locals` */
	const struct tw_set **cut; /* by set id of the policy; NULL: not yet restricted */
	struct tw_ranges scratch;
	/* With several address spaces: the compiler of each one's view. Of the rest of this struct,
	 * only `policy` and `slots` are then in use. */
	struct tw_compiler **spaces;
	size_t n_spaces;
};

/* Returns the compiler for the ports of an address space. */
static inline struct tw_compiler *tw_compiler_of(const struct tw_compiler *c, uint32_t space)
{
	return c->spaces ? c->spaces[space] : (struct tw_compiler *)(uintptr_t)c;
}

static inline int tw_family_index(uint32_t family)
{
	return family == TW_FAMILY_V6;
}
