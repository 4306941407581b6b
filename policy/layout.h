/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* layout.h: the views of a port's image, and the local addresses that each of them judges.
 *
 * Projection: only the part of each rule that can concern the port is kept. Local addresses that no
 *             rule distinguishes form one local class. A view of one class stores no local address;
 *             it holds the rules that contain the class. If a port's addresses fall into too many
 *             classes, as a router's do, one view judges all of them and looks up local addresses.
 * Beyond:     addresses that cannot be local at a port (concern.c) get the default. If the default
 *             allows, refusing rules towards the guest still apply to them, so that projection does
 *             not let in a frame for another host.
 * Sharing:    an image names its port's own addresses only where it must. Two ports with the
 *             same projected rules have equal layouts, identified by their keys, and share one
 *             image.
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

/* One direction. */
struct tw_layout_side {
	TW_VEC(struct tw_layout_view) views; /* views[i] is view i + 1 */
	uint32_t own[2];
	uint8_t broadcast[TW_LOCAL_BITS_MAX + 8];
	TW_VEC(tw_u128)
	keys[2]; /* local tree of each family: from keys[i] on the view is values[i] */
	TW_VEC(uint32_t) values[2];
	bool near_known;  /* while being built: true once the port's rules have been picked */
	size_t n_entries; /* number of entries that concern the port */
};

struct tw_layout {
	const struct tw_vnic *vnic;
	struct tw_layout_side side[TW_DIR__MAX];
	struct tw_image_key key;
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
	bool wide; /* true if the rule matches any remote address, protocol and port */
};

/* The ordered rules of a direction, and for each set of local addresses the rules that use it. */
struct tw_rules_at {
	TW_VEC(struct tw_rule_at) all;
	uint32_t *first; /* by set index: of[first[i] … first[i + 1]) are indexes in `all` */
	uint32_t *of;
	uint64_t *picked; /* scratch: a bit for each rule in `all`; all 0 between uses */
	uint64_t *near;	  /* scratch: bits of the rules that concern the current port */
};

struct tw_compiler {
	const struct tw_policy *policy;
	const uint32_t *slots;
	struct tw_ends ends;
	TW_VEC(const struct tw_set *) locals;  /* distinct sets in the rules' from and to */
	struct tw_rules_at rules[TW_DIR__MAX]; /* rules enforced in each direction */
	struct tw_partition local[2];	       /* partition of each family */
	bool listed[2]; /* true if the partition lists the members of its classes */
	struct tw_class_memo *memo[2];
	struct tw_views *views;	   /* views of this policy or an earlier one, or NULL */
	size_t n_words;		   /* length of the last image, an estimate for the next */
	struct tw_sets cuts;	   /* restricted local sets; their ids follow those of `ends` */
	uint32_t *local_of;	   /* by set id of the policy: 1 + its index in `locals` */
	const struct tw_set **cut; /* by set id of the policy; NULL: not yet restricted */
	struct tw_ranges scratch;
};

/* Lists the entries of a view in order of match. Returns 0 or -ENOMEM. */
int tw_layout_entries(struct tw_compiler *c, enum tw_dir dir, const struct tw_layout_view *view,
	struct tw_entries *ret);

static inline int tw_family_index(uint32_t family)
{
	return family == TW_FAMILY_V6;
}
