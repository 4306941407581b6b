/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* layout.h: which views a port's image has, and which local addresses each of them judges.
 *
 * Projection: of each rule only what can concern the port is kept. Local addresses that the policy's
 *             rules do not tell apart are of one local class, and a view of one class needs to know
 *             no local address at all: it holds just the rules that hold the class. Where a port's
 *             addresses fall into too many classes, as a router's do, one view takes them all and
 *             looks local addresses up.
 * Beyond:     addresses that a port cannot be met at (concern.c) get the default. Where that allows,
 *             refusing rules towards the guest still hold for them, so that a frame for somebody
 *             else is not let in by the cutting.
 * Sharing:    an image does not name its port's own addresses where it can do without; two ports
 *             whose rules come to the same have equal layouts, known by their keys, and one image.
 */
#pragma once

#include "policy/engine.h"

#define TW_LAYOUT_CLASSES_MAX 12 /* views of one class each, for own addresses and for others */

enum tw_view_kind {
	TW_VIEW_CLASS,	/* one local class */
	TW_VIEW_WIDE,	/* many, among `ranges` */
	TW_VIEW_BEYOND, /* what the port cannot be met at: refusing rules alone */
};

struct tw_layout_view {
	enum tw_view_kind kind;
	uint32_t family;
	uint32_t class;		 /* of the compiler's local partition */
	struct tw_ranges ranges; /* of WIDE */
	uint64_t key[2];	 /* of its entries */
};

/* One direction. */
struct tw_layout_side {
	TW_VEC(struct tw_layout_view) views; /* number i of these is view i + 1 */
	uint32_t own[2];
	uint8_t broadcast[TW_LOCAL_BITS_MAX + 8];
	TW_VEC(tw_u128)
	keys[2]; /* local tree of each family: from keys[i] on it is view values[i] */
	TW_VEC(uint32_t) values[2];
	bool near_known;  /* in the making: the rules that concern the port have been picked */
	size_t n_entries; /* that concern the port at all */
};

struct tw_layout {
	const struct tw_vnic *vnic;
	struct tw_layout_side side[TW_DIR__MAX];
	struct tw_image_key key;
};

/* The entries of a class in a direction are hashed once. */
struct tw_class_memo {
	bool known[TW_DIR__MAX];
	bool empty[TW_DIR__MAX];
	uint64_t key[TW_DIR__MAX][2];
};

/* What tells that a rule is not in a view, close together for all rules of a direction. */
struct tw_rule_at {
	uint32_t number;
	uint32_t local;	 /* number of the set of local addresses, in tw_compiler.locals */
	uint32_t family; /* that both ends have members of */
	bool allows;
	bool wide; /* it speaks of any remote address, protocol and port */
};

/* The rules of a direction, in order, and for each set of local addresses which of them have it. */
struct tw_rules_at {
	TW_VEC(struct tw_rule_at) all;
	uint32_t *first; /* by number of the set: of[first[i] … first[i + 1]) are places in `all` */
	uint32_t *of;
	uint64_t *picked; /* scratch: a bit for each in `all`, all 0 between uses */
	uint64_t *near; /* likewise, of those that concern the port whose layout is in the making */
};

struct tw_compiler {
	const struct tw_policy *policy;
	const uint32_t *slots;
	struct tw_ends ends;
	TW_VEC(const struct tw_set *) locals;  /* distinct sets in rules' from and to */
	struct tw_rules_at rules[TW_DIR__MAX]; /* enforced there */
	struct tw_partition local[2];	       /* by family */
	bool listed[2];			       /* whether these list the members of their classes */
	struct tw_class_memo *memo[2];
	struct tw_views *views; /* that were built, for this policy or one before; NULL: none yet */
	size_t n_words;		/* of the last image: the next one is likely to be as long */
	struct tw_sets cuts;	/* local sets, cut; their ids follow those of `ends` */
	uint32_t *local_of;	/* by id of a policy's set: 1 + its number in `locals` */
	const struct tw_set **cut; /* by id of a policy's set; NULL: not cut yet */
	struct tw_ranges scratch;
};

/* The entries of a view, in order of match. 0 or -ENOMEM. */
int tw_layout_entries(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view,
	struct tw_entries *ret);

static inline int tw_family_index(uint32_t family)
{
	return family == TW_FAMILY_V6;
}
