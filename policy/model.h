/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* model.h: a policy inside the library: as written, and as resolved.
 *
 * Why:        printing needs what was written (names, order), compiling what it stands for (sets).
 * Invariants: 1. Everything hangs on struct tw_policy: small things in its arena, lists in vectors,
 *                sets in its pool. Policies share the memory of small things and of sets where one was
 *                made from the other, and nothing else; none of it changes once it is read.
 *             2. Names of networks, workloads and groups are one scope: in `from` and `to` a name
 *                has one meaning. Services and rules have scopes of their own.
 *             3. `rules` ends with the default, so that rule numbers index it directly.
 * Callers:    read.c and its helpers write; all others only read.
 */
#pragma once

#include "policy/arena.h"
#include "policy/policy.h"
#include "policy/set.h"
#include "policy/table.h"

#define TW_POLICY_RULES_MAX	(TW_RULES_MAX - 1) /* one slot is the default's */
#define TW_POLICY_NAMES_MAX	65536 /* of each kind: networks, services, workloads, groups */
#define TW_POLICY_VNICS_MAX	65536
#define TW_POLICY_ADDRESSES_MAX 1048576 /* in networks, workloads and rules together */
#define TW_POLICY_PARTS_MAX	262144	/* service parts in the whole policy */
#define TW_POLICY_RANGES_MAX	4194304 /* in all resolved sets */
#define TW_POLICY_WORK_MAX	((size_t)256 * 1024 * 1024) /* steps of resolving, some 10 ns each */
#define TW_NAME_MAX		127			    /* bytes of a name or tag */
#define TW_TAGS_MAX		64			    /* of one workload */
#define TW_TAG_NODES_MAX	256			    /* in one tag expression */
#define TW_TAG_DEPTH_MAX	32 /* brackets and `!` within one another */

/* Keys of the protocol dimension: proto << 16 | destination port, or type << 8 | code. */
#define TW_PROTO_SHIFT 16
#define TW_PORT_MAX    0xffffu
#define TW_KEY_MAX     (255u << TW_PROTO_SHIFT | TW_PORT_MAX)
#define TW_PROTO_ICMP  1u
#define TW_PROTO_TCP   6u
#define TW_PROTO_UDP   17u
#define TW_PROTO_ICMP6 58u

/* One protocol with one range of ports: a service is a union of these. */
struct tw_part {
	uint32_t family; /* TW_FAMILY_*: `icmp` is of IPv4 only, `icmp6` of IPv6 only */
	uint32_t key_lo;
	uint32_t key_hi;
	uint32_t sport_lo;
	uint32_t sport_hi;
};

#define TW_PART_ANY                                                                    \
	(struct tw_part)                                                               \
	{                                                                              \
		.family = TW_FAMILY_ANY, .key_hi = TW_KEY_MAX, .sport_hi = TW_PORT_MAX \
	}

/* One entry of a rule's `service`: a name, or a part. */
struct tw_service_ref {
	uint32_t service; /* TW_INDEX_NONE: the part counts */
	struct tw_part part;
};

/* One entry of a rule's `from` or `to`, or of a group. */
enum tw_operand_kind { TW_OP_ANY, TW_OP_NETWORK, TW_OP_WORKLOAD, TW_OP_GROUP, TW_OP_PREFIX };

struct tw_operand {
	enum tw_operand_kind kind; /* also the kind in the table of names */
	bool negate;
	uint32_t index; /* among its kind */
	struct tw_prefix prefix;
};

struct tw_operands {
	const struct tw_operand *at;
	size_t n;
};

struct tw_network {
	const char *name;
	const struct tw_prefix *prefixes;
	size_t n_prefixes;
	const struct tw_set *set;
};

struct tw_service {
	const char *name;
	const struct tw_part *parts;
	size_t n_parts;
};

/* A vNIC as others see it, and how its addresses were written: an IPv6 prefix that spans the
 * v4-mapped range is split in `pub`, so that it never means IPv4. */
struct tw_nic {
	struct tw_vnic pub; /* first: tw_policy_vnic() hands it out */
	const struct tw_prefix *written;
	size_t n_written;
	struct tw_limits limits; /* as written at the vNIC itself, in a list `ports` */
	unsigned int line;
};

struct tw_workload {
	const char *name;
	const uint32_t *tags; /* numbers into tag_names */
	size_t n_tags;
	size_t first_nic;
	size_t n_nics;
	struct tw_limits limits; /* as written */
	unsigned int line;
	bool learns; /* some vNIC has `dhcp`: the set is what it is now */
	const struct tw_set *set;
};

/* A tag expression as a tree. */
enum tw_tag_op { TW_TAG_IS, TW_TAG_NOT, TW_TAG_AND, TW_TAG_OR };

struct tw_tag_expr {
	enum tw_tag_op op;
	uint32_t tag;
	const struct tw_tag_expr *left; /* NOT has only this one */
	const struct tw_tag_expr *right;
};

struct tw_group {
	const char *name;
	const struct tw_tag_expr *tags; /* NULL: no such line */
	struct tw_operands networks;	/* networks and prefixes */
	struct tw_operands workloads;	/* by their names */
	const char *const *patterns;	/* of names, with * and ? */
	size_t n_patterns;
	unsigned int line;
	unsigned int column;
	bool learns; /* some workload in it does */
	const struct tw_set *set;
};

/* What a rule's services come to: products of a key set and a source port set. */
struct tw_cell {
	uint32_t family;
	const struct tw_set *keys;
	const struct tw_set *sports;
};

/* `joined` leaves the families out, as a packet's parser sees to them: ICMP in IPv6 and ICMPv6 in IPv4
 * are refused before any rule is looked at. */
struct tw_cells {
	const struct tw_cell *at;
	size_t n;
	const struct tw_cell *joined;
	size_t n_joined;
};

struct tw_rule {
	struct tw_rule_info info;
	bool named; /* by the author, not by its number */
	unsigned int column;
	struct tw_operands from; /* none: any */
	struct tw_operands to;
	const struct tw_service_ref *services; /* none: any */
	size_t n_services;
	/* resolved */
	const struct tw_set *from_set;
	const struct tw_set *to_set;
	const struct tw_cells *cells;
};

/* An owned prefix, for finding who has an address. */
struct tw_owner_row {
	struct tw_prefix prefix;
	uint32_t nic;
};

/* A warning from reading the text, so that who reads nearly the same text need not find it again. */
struct tw_said {
	unsigned int line;
	unsigned int column;
	const char *text;
	const char *hint; /* or NULL */
};

#define TW_SECTIONS_MAX 8

/* What reread.c needs to know of the text that a policy was read from, and of what reading it took. */
struct tw_policy_text {
	unsigned int sections[TW_SECTIONS_MAX]; /* lines in which they begin, ascending */
	size_t n_sections;
	bool plain;	  /* sections begin at the left, and lines are what they seem */
	bool block_rules; /* these do not stand in brackets */
	bool block_workloads;
	TW_VEC(struct tw_said) said;
	size_t n_strange_tags; /* of groups, which no workload has */
	size_t n_addresses;
	size_t n_parts;
	size_t work;  /* of resolving */
	size_t bytes; /* of memory that the whole reading took */
};

struct tw_policy {
	unsigned int refs;
	uint64_t seed;
	struct tw_arena arena;
	struct tw_arena kept[2]; /* of the policy that this one was made from, if it has others */
	struct tw_sets sets;
	struct tw_names names; /* networks, workloads, groups; kind is enum tw_operand_kind */
	struct tw_names service_names;
	struct tw_names rule_names;
	struct tw_names tag_names;
	TW_VEC(struct tw_network) networks;
	TW_VEC(struct tw_service) services;
	TW_VEC(struct tw_workload) workloads;
	TW_VEC(struct tw_nic) nics;
	TW_VEC(struct tw_group) groups;
	TW_VEC(struct tw_rule) rules;
	TW_VEC(struct tw_owner_row) owned;
	struct tw_index owned_index;
	struct tw_index port_index;
	struct tw_index mac_index;
	uint8_t owned_lens[129]; /* prefix lengths in use, longest first */
	size_t n_owned_lens;
	enum tw_unclaimed unclaimed;
	enum tw_bind bind;
	bool has_bind;
	uint32_t timeout[TW_S__MAX]; /* seconds; 0: the built-in one */
	uint32_t adopt_seconds;
	bool has_adopt;
	uint32_t refusals; /* a second and port; 0: no limit */
	bool has_refusals;
	struct tw_addr reserved[TW_POLICY_RESERVED_MAX]; /* options.reserved */
	size_t n_reserved;
	struct tw_limits limits;
	struct tw_policy_text text;
};

/* ---- policy.c: making and freeing one ---- */

int tw_policy_new(uint64_t seed, struct tw_policy **ret); /* an empty one; 0 or -ENOMEM */
/* One with each thing at the same place, for somebody to change a few of them. The rules are left out:
 * there are none. What is added goes to the memory of `old`, where it stays as long as either lives, or
 * if it is to live `apart`, to memory of its own. 0 or -ENOMEM. */
int tw_policy_copy(const struct tw_policy *old, bool apart, struct tw_policy **ret);
/* Gives such a copy all the rules, too. */
int tw_policy_copy_rules(struct tw_policy *policy, const struct tw_policy *old);

/* Notes a warning from reading the text. 0 or -ENOMEM. */
int tw_policy_said(struct tw_policy *policy, const struct tw_diag *diag);

/* ---- resolve.c: names become sets ---- */

/* 0; -EINVAL when the policy is too large to be worked out (see diags); -ENOMEM. */
int tw_policy_resolve(struct tw_policy *policy, struct tw_diags *diags);
/* The same for a copy of `old` in which some workloads, by number, have other addresses or tags, and
 * which has rules of its own: all that these have nothing to do with is as it was. A rule whose cells
 * are not NULL is one of the old ones. `changed` may be NULL: none. */
int tw_policy_resolve_again(struct tw_policy *policy, const struct tw_policy *old,
	const bool *changed, struct tw_diags *diags);
/* True if a group's tags or one of its patterns select a workload. */
bool tw_policy_selects(const struct tw_group *group, const struct tw_workload *workload);

/* ---- lower.c: a rule's services become cells ---- */

/* The cells of a list of services. NULL when there is no memory. */
const struct tw_cells *tw_policy_cells(
	struct tw_policy *policy, const struct tw_service_ref *services, size_t n_services);

/* ---- find.c ---- */

/* Fills the indexes of ports, MACs and addresses. Who comes first is found. 0 or -ENOMEM. */
int tw_policy_index(struct tw_policy *policy);

/* ---- concern.c: which addresses a port can be judged for ---- */

/* Adds to `ret` (and makes it normal) what a frame's local address may be at this port. */
int tw_vnic_concern(const struct tw_vnic *vnic, enum tw_dir dir, struct tw_ranges *ret);
/* Whether some of these addresses, normal, may be local ones of every port; of this one. */
bool tw_concern_meets(enum tw_dir dir, const struct tw_ranges *ranges);
bool tw_vnic_meets(const struct tw_vnic *vnic, enum tw_dir dir, const struct tw_ranges *ranges);

/* ---- text.c: small notations ---- */

tw_u128 tw_prefix_last(const struct tw_prefix *prefix);
/* Adds the addresses of a prefix; an IPv6 one never means IPv4 addresses. 0 or -ENOMEM. */
int tw_prefix_add_to(const struct tw_prefix *prefix, struct tw_ranges *ret);
