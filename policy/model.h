/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* model.h: a policy inside the library, as written and as resolved.
 *
 * Why:        printing needs the policy as written (names, order), compiling needs its sets.
 * Invariants: 1. struct tw_policy owns everything: small things in its arena, lists in vectors,
 *                sets in its pool. If one policy was made from another, they share the memory of
 *                small things and sets, which never change after reading.
 *             2. Networks, workloads and groups share one name scope, so a name in `from` and `to`
 *                has one meaning. Services and rules have their own scopes.
 *             3. `rules` ends with the default, so that rule numbers index it directly.
 * Callers:    read.c and its helpers write; all others only read.
 */
#pragma once

#include "policy/arena.h"
#include "policy/files.h"
#include "policy/policy.h"
#include "policy/set.h"
#include "policy/table.h"

#define TW_POLICY_RULES_MAX	(TW_RULES_MAX - 1) /* one slot is for the default */
#define TW_POLICY_NAMES_MAX	65536 /* for each of networks, services, workloads, groups */
#define TW_POLICY_VNICS_MAX	65536
#define TW_POLICY_SPACES_MAX	256	/* named address spaces */
#define TW_POLICY_VIEWED_MAX	4194304 /* limit of rules times address spaces */
#define TW_POLICY_ADDRESSES_MAX 1048576 /* limit for networks, workloads and rules together */
#define TW_POLICY_PARTS_MAX	262144	/* limit of service parts in the whole policy */
#define TW_POLICY_RANGES_MAX	4194304 /* limit of ranges in all resolved sets */
#define TW_POLICY_WORK_MAX	((size_t)256 * 1024 * 1024) /* resolving steps, about 10 ns each */
#define TW_RULE_NOTE_MAX	255 /* limit of bytes of a rule's comment or owner */
#define TW_NAME_MAX		127 /* limit of bytes of a name or tag */
#define TW_TAGS_MAX		64  /* limit of tags of a workload */
#define TW_TAG_NODES_MAX	256 /* limit of nodes in a tag expression */
#define TW_TAG_DEPTH_MAX	32  /* limit of nested brackets and `!` */

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
	uint32_t family; /* TW_FAMILY_*: `icmp` is IPv4 only, `icmp6` IPv6 only */
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
	uint32_t service; /* TW_INDEX_NONE: `part` is used */
	struct tw_part part;
};

/* One entry of a rule's `from` or `to`, or of a group. */
enum tw_operand_kind { TW_OP_ANY, TW_OP_NETWORK, TW_OP_WORKLOAD, TW_OP_GROUP, TW_OP_PREFIX };

struct tw_operand {
	enum tw_operand_kind kind; /* also the kind in the table of names */
	bool negate;
	uint32_t index; /* index among its kind */
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

/* Place of an address: lines after the vNIC's own line, and column. */
struct tw_place {
	unsigned int line;
	unsigned int column;
};

/* A vNIC in its public form, and its addresses as written. An IPv6 prefix that spans the
 * v4-mapped range is split in `pub`, so that it never includes IPv4. */
struct tw_nic {
	struct tw_vnic pub; /* must be first: tw_policy_vnic() returns it */
	const struct tw_prefix *written;
	size_t n_written;
	const struct tw_prefix *shared; /* addresses as written under `shared` */
	size_t n_shared;
	const struct tw_place *places; /* of `written`; NULL if it has no CIDR */
	struct tw_limits limits;       /* limits at the vNIC itself, in a list `ports` */
	unsigned int line;
};

struct tw_workload {
	const char *name;
	const uint32_t *tags; /* indexes in tag_names */
	size_t n_tags;
	size_t first_nic;
	size_t n_nics;
	uint32_t space;		 /* address space as written; vNICs may have others */
	struct tw_limits limits; /* as written */
	enum tw_mode mode;	 /* as written */
	enum tw_tcp_checks tcp;	 /* as written */
	unsigned int line;
	bool learns; /* true if a vNIC learns addresses, so the set may change */
	bool any;    /* true if a vNIC has `addresses: [any]` */
	const struct tw_set *set;
};

/* A tag expression as a tree. */
enum tw_tag_op { TW_TAG_IS, TW_TAG_NOT, TW_TAG_AND, TW_TAG_OR };

struct tw_tag_expr {
	enum tw_tag_op op;
	uint32_t tag;
	const struct tw_tag_expr *left; /* the only operand of NOT */
	const struct tw_tag_expr *right;
};

struct tw_group {
	const char *name;
	const struct tw_tag_expr *tags; /* NULL: no `tags` */
	struct tw_operands networks;	/* networks and prefixes */
	struct tw_operands workloads;	/* workloads by name */
	const char *const *patterns;	/* name patterns, with * and ? */
	size_t n_patterns;
	unsigned int line;
	unsigned int column;
	bool learns; /* true if a workload in the group learns addresses */
	bool any;    /* true if a workload in the group has `any` */
	const struct tw_set *set;
};

/* Lowered services of a rule: products of a key set and a source port set. */
struct tw_cell {
	uint32_t family;
	const struct tw_set *keys;
	const struct tw_set *sports;
};

/* `joined` omits the families, because the packet parser refuses ICMP in IPv6 and ICMPv6 in IPv4
 * before any rule is looked up. */
struct tw_cells {
	const struct tw_cell *at;
	size_t n;
	const struct tw_cell *joined;
	size_t n_joined;
};

/* An end of a rule at the ports of vNICs with `any`, whose workloads it names (policy/named.h). */
struct tw_port_end {
	const struct tw_set *set; /* local addresses there; NULL: it names none without `!` */
	bool spares;		  /* true if a `!` entry names one */
};

struct tw_rule {
	struct tw_rule_info info;
	bool named;	/* true if the text names the rule; false: named by its number */
	bool wants_out; /* `at` as written includes the from end, even if the rule is disabled */
	bool wants_in;	/* `at` as written includes the to end, even if the rule is disabled */
	unsigned int column;
	uint32_t space;		 /* address space of its `network`; 0: it names none */
	struct tw_operands from; /* none: any */
	struct tw_operands to;
	const struct tw_service_ref *services; /* none: any */
	size_t n_services;
	/* resolved */
	const struct tw_set *from_set;
	const struct tw_set *to_set;
	struct tw_port_end from_port;
	struct tw_port_end to_port;
	const struct tw_cells *cells;
};

/* Returns the addresses that an end of a rule (TW_DIR_OUT: `from`) can contain at some port. */
static inline const struct tw_set *tw_rule_reach(const struct tw_rule *rule, enum tw_dir end)
{
	const struct tw_port_end *port = end == TW_DIR_OUT ? &rule->from_port : &rule->to_port;

	if (port->set)
		return port->set;
	return end == TW_DIR_OUT ? rule->from_set : rule->to_set;
}

/* An owned prefix, to find the owner of an address. */
struct tw_owner_row {
	struct tw_prefix prefix;
	uint32_t nic;
};

/* A warning from reading the text, stored so that rereading a similar text need not find it
 * again. */
struct tw_said {
	unsigned int line;
	unsigned int column;
	const char *text;
	const char *hint; /* NULL: none */
};

#define TW_SECTIONS_MAX 8

/* Facts for reread.c about a policy's text and about reading it. */
struct tw_policy_text {
	unsigned int sections[TW_SECTIONS_MAX]; /* lines in which sections begin, ascending */
	size_t n_sections;
	bool plain;	  /* sections begin at the left margin, and lines end in newlines */
	bool block_rules; /* `rules` is not in brackets */
	bool block_workloads;
	TW_VEC(struct tw_said) said;
	struct tw_files files;
	size_t n_strange_tags; /* number of tags that groups name but no workload has */
	size_t n_addresses;
	size_t n_parts;
	size_t work;  /* steps of resolving */
	size_t bytes; /* memory that reading took, in bytes */
};

struct tw_policy {
	_Atomic unsigned int refs; /* first: it is not copied */
	uint64_t seed;
	struct tw_arena arena;
	struct tw_arena
		kept[2]; /* arenas of the policy that this one was made from, if different */
	struct tw_sets sets;
	struct tw_names names; /* networks, workloads, groups; kind is enum tw_operand_kind */
	struct tw_names service_names;
	struct tw_names rule_names;
	struct tw_names tag_names;
	struct tw_names space_names; /* address spaces, from 1 */
	struct tw_policy **views;    /* by address space: spaces.c; NULL: there is only one */
	uint32_t view_of;	     /* a view: its address space */
	bool is_view;
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
	enum tw_mode mode;	/* options.mode; unsaid means enforce */
	enum tw_tcp_checks tcp; /* options.tcp; unsaid means strict */
	bool has_inspection;	/* options.inspection is there */
	bool applications;	/* options.inspection.applications */
	enum tw_bind bind;
	bool has_bind;
	uint32_t timeout[TW_S__MAX]; /* seconds; 0: the built-in one */
	uint32_t adopt_seconds;
	bool has_adopt;
	uint32_t refusals; /* per second and port; 0: no limit */
	bool has_refusals;
	bool has_ask;
	bool ask_allows; /* options.ask.on-timeout */
	uint32_t ask_ms; /* options.ask.timeout; 0: TW_ASK_MS_DEFAULT */
	struct tw_addr reserved[TW_POLICY_RESERVED_MAX]; /* options.reserved */
	size_t n_reserved;
	struct tw_limits limits;
	struct tw_policy_text text;
};

/* ---- model.c: making and freeing one ---- */

int tw_policy_new(uint64_t seed, struct tw_policy **ret); /* an empty policy; 0 or -ENOMEM */
/* Copies a policy without its rules, with everything at the same index, so that a few things can
 * be changed. If `apart`, new things are allocated in separate memory. Otherwise they are allocated
 * in the memory of `old`, which then lives until both policies are freed. Returns 0 or -ENOMEM. */
int tw_policy_copy(const struct tw_policy *old, bool apart, struct tw_policy **ret);
/* Adds all rules of `old` to its copy `policy`. Returns 0 or -ENOMEM. */
int tw_policy_copy_rules(struct tw_policy *policy, const struct tw_policy *old);

/* Stores a warning from reading the text. Returns 0 or -ENOMEM. */
int tw_policy_said(struct tw_policy *policy, const struct tw_diag *diag);

/* ---- resolve.c: names become sets ---- */

/* Resolves a policy. Returns 0; -EINVAL if it is too large (see diags); -ENOMEM. */
int tw_policy_resolve(struct tw_policy *policy, struct tw_diags *diags);
/* Resolves a copy of `old` with its own rules, in which some workloads, given by number, have
 * other addresses or tags. Everything that these do not affect is taken over. A rule whose cells
 * are not NULL is an old one. `changed` may be NULL: none. */
int tw_policy_resolve_again(struct tw_policy *policy, const struct tw_policy *old,
	const bool *changed, struct tw_diags *diags);
/* True if an entry of a list names a workload with `any`, by its name or by a group. */
bool tw_operand_names_any(const struct tw_policy *policy, const struct tw_operand *operand);
/* True if a group's tags or one of its patterns select a workload. */
bool tw_policy_selects(const struct tw_group *group, const struct tw_workload *workload);
/* True if a workload, by its number, is in a group. */
bool tw_group_has(
	const struct tw_group *group, const struct tw_workload *workload, uint32_t number);

/* ---- spaces.c: address spaces, which may have equal addresses ---- */

/* Makes the view of each address space: the policy as ports of that space see it. There, workloads
 * of other spaces have no addresses, and rules of other spaces are disabled. Policies without
 * `network` have none. The views belong to the policy. Returns 0; -EINVAL if there are too many
 * rules for it (see diags); -ENOMEM. */
int tw_spaces_make(struct tw_policy *policy, struct tw_diags *diags);
void tw_spaces_done(struct tw_policy *policy);
/* Returns the number of views, or 1 if there are none. */
size_t tw_spaces_n(const struct tw_policy *policy);
/* Returns the view of an address space; the policy itself if it has none. */
const struct tw_policy *tw_spaces_view(const struct tw_policy *policy, uint32_t space);

/* ---- lower.c: a rule's services become cells ---- */

/* Returns the cells of a list of services, or NULL if out of memory. */
const struct tw_cells *tw_policy_cells(
	struct tw_policy *policy, const struct tw_service_ref *services, size_t n_services);

/* ---- find.c ---- */

/* Fills the indexes of ports, MACs and addresses. If entries are equal, lookups find the first one.
 * Returns 0 or -ENOMEM. */
int tw_policy_index(struct tw_policy *policy);

/* ---- concern.c: which addresses a port can be judged for ---- */

/* Adds to `ret` the possible local addresses of a frame at this port, and makes `ret` normal. */
int tw_vnic_concern(const struct tw_vnic *vnic, enum tw_dir dir, struct tw_ranges *ret);
/* True if `ranges`, a normal list, contains an address that can be local at every port. */
bool tw_concern_meets(enum tw_dir dir, const struct tw_ranges *ranges);
/* True if `ranges`, a normal list, contains an address that can be local at this port. */
bool tw_vnic_meets(const struct tw_vnic *vnic, enum tw_dir dir, const struct tw_ranges *ranges);

/* ---- text.c: small notations ---- */

tw_u128 tw_prefix_last(const struct tw_prefix *prefix);
/* Adds the addresses of a prefix; an IPv6 prefix never adds IPv4 addresses. Returns 0 or
 * -ENOMEM. */
int tw_prefix_add_to(const struct tw_prefix *prefix, struct tw_ranges *ret);
