/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policy.h: the way of a policy, from text to what the fast path reads.
 *
 * Order:      tw_policy_read() (read, resolve, lower, check) → tw_policy_compile() per port;
 *             tw_policy_print() turns it back into text.
 * Invariants: 1. Pure: no I/O, no globals, no clock. The caller reads files and prints.
 *             2. A policy is immutable once read; any number of threads may use it.
 *             3. read → print → read gives an equal policy (tests/policy/unit/print.c).
 *             4. An invalid policy yields no policy at all, and every error that could be found.
 * Format:     docs/policy.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/vec.h"
#include "fastpath/abi/image.h"
#include "fastpath/abi/types.h"

/* ---- diagnostics ---- */

enum tw_severity { TW_SEV_ERROR, TW_SEV_WARNING };

struct tw_diag {
	enum tw_severity severity;
	unsigned int line;   /* from 1; 0 when the place is the whole file */
	unsigned int column; /* from 1 */
	char *text;	     /* what is wrong */
	char *hint;	     /* what to do, or NULL */
};

/* In order of line and column. Owned by the caller, freed with tw_diags_done(). After 100 errors
 * nothing more is looked for, and n_errors says 101. */
struct tw_diags {
	struct tw_diag *at;
	size_t n;
	size_t max;
	size_t n_errors;
};

void tw_diags_done(struct tw_diags *diags);

/* ---- the policy as an object ---- */

struct tw_policy; /* opaque; see policy/model.h inside the library */

/* A prefix: `addr` with host bits zero, `len` 0…128 counted in the mapped
 * address (an IPv4 /24 is 120). */
struct tw_prefix {
	struct tw_addr addr;
	uint8_t len;
};

/* What a port's guest may take of what all share: a second, or at once. The fields of struct tw_port
 * that they become say more. */
enum tw_limit {
	TW_LIMIT_PACKETS,	  /* frames sent, a second */
	TW_LIMIT_NEW_CONNECTIONS, /* opened, a second */
	TW_LIMIT_HALF_OPEN,
	TW_LIMIT_ESTABLISHED,
	TW_LIMIT_BROADCAST, /* frames sent to groups and to all, a second */
	TW_LIMIT__MAX
};

struct tw_limits {
	uint32_t at[TW_LIMIT__MAX]; /* 0: none */
	uint32_t said;		    /* bit per enum tw_limit: the policy speaks of it */
};

/* One virtual NIC of a workload. Strings are owned by the policy. */
struct tw_vnic {
	const char *workload; /* name */
	const char *port;     /* interface name, or NULL: found by `mac` */
	uint8_t mac[6];
	bool has_mac;			  /* without one, the MAC guard is off for this port */
	bool any;			  /* `addresses: [any]` */
	bool dhcp;			  /* `dhcp`: and what DHCP gives it; it has a MAC then */
	bool transit;			  /* some prefix is wider than a host */
	const struct tw_prefix *prefixes; /* none of IPv6 holds the v4-mapped range */
	size_t n_prefixes;
	size_t n_learned; /* of these, the last ones: from DHCP, not from the policy's text */
	struct tw_limits limits; /* its own, else its workload's, else the options' */
	size_t index;		 /* its place among all vNICs of the policy, from 0 */
};

struct tw_rule_info {
	const char *name; /* "default" for the last one */
	enum tw_verdict action;
	bool log;
	bool quiet;  /* `log: false`: its denials are not logged either */
	bool at_out; /* enforced at the from end */
	bool at_in;  /* enforced at the to end */
	unsigned int line;
};

/* A group, and what it stands for. Names are owned by the policy. */
#define TW_GROUP_TEXT_MAX 64
struct tw_group_info {
	const char *name;
	uint64_t n_addresses;	/* UINT64_MAX: so many or more */
	const char **workloads; /* each once, in the order of the policy */
	size_t n_workloads;
	const char **networks; /* names and prefixes, as written */
	size_t n_networks;
	char (*texts)[TW_GROUP_TEXT_MAX]; /* of prefixes; `networks` points there */
};

enum tw_unclaimed { TW_UNCLAIMED_IGNORE, TW_UNCLAIMED_DENY };

/* How a vNIC that no port is named for, or that is not at that port, finds its port. */
enum tw_bind {
	TW_BIND_TAP_MAC,      /* by the tap's own MAC */
	TW_BIND_FIRST_SENDER, /* also by the first frame with the vNIC's MAC */
};

/* Reads `len` bytes of policy text (not NUL-terminated, any bytes). On success stores the policy,
 * which the caller frees, and returns 0; `diags` may then hold warnings. Otherwise returns -EINVAL
 * (invalid; at least one error in `diags`) or -ENOMEM, with *ret untouched. `diags` comes in empty. */
int tw_policy_read(const char *text, size_t len, struct tw_policy **ret, struct tw_diags *diags);

/* An address that DHCP gave to a vNIC with `dhcp`. */
struct tw_learned {
	size_t vnic;
	struct tw_addr addr;
};

/* The same policy while its guests have these addresses: all that names a vNIC means them too. Those
 * of a vNIC without `dhcp` are left out; who has an address is the caller's to see to. */
int tw_policy_read_learned(const char *text, size_t len, const struct tw_learned *learned, size_t n,
	struct tw_policy **ret, struct tw_diags *diags);
/* The same without the warnings of tw_policy_check(), which take most of the time when there are
 * thousands of rules. */
int tw_policy_read_unchecked(const char *text, size_t len, const struct tw_learned *learned,
	size_t n, struct tw_policy **ret, struct tw_diags *diags);
/* Warns of what is lawful but surely not meant: rules that can never match, groups that stand for
 * nothing. 0 or -ENOMEM. */
int tw_policy_check(const struct tw_policy *policy, struct tw_diags *diags);
/* The same as reading a text without learned addresses and unchecked, when `old` was read in this way
 * from a text that is nearly the same: the same policy and the same diagnostics. What stands in both
 * texts is taken over where it is sure to mean the same, else all is read. */
int tw_policy_reread(const struct tw_policy *old, const char *old_text, size_t old_len,
	const char *text, size_t len, struct tw_policy **ret, struct tw_diags *diags);
/* A policy that was read without learned addresses, while its guests have these. 0; -EINVAL when that
 * is too much to be worked out (see diags); -ENOMEM. */
int tw_policy_learn(const struct tw_policy *policy, const struct tw_learned *learned, size_t n,
	struct tw_policy **ret, struct tw_diags *diags);
struct tw_policy *tw_policy_ref(struct tw_policy *policy); /* given back by tw_policy_free() */
void tw_policy_free(struct tw_policy *policy);		   /* NULL is fine */
TW_DEFINE_AUTO(tw_policy)

/* Canonical text of the policy. Check out->failed afterwards. */
void tw_policy_print(const struct tw_policy *policy, struct tw_buf *out);
/* One rule as in the policy's text, `{name: …}`, without a newline; the default as `default: deny`. */
void tw_policy_print_rule(const struct tw_policy *policy, size_t index, struct tw_buf *out);
/* Writes what tells a rule from others, in this policy and the next ones: its name; of a rule without one a
 * digest of its text, which stays when others are put before it. Rules of one text have one key. 0 or
 * -ENOMEM. */
#define TW_RULE_KEY_MAX 128
int tw_policy_rule_key(const struct tw_policy *policy, size_t index, char key[TW_RULE_KEY_MAX]);

/* What a new policy changes. `each` is called for added and changed things in the order of the new
 * policy, for removed ones in the order of the old. A rule that only moved against the others has
 * changed, since order decides. Names are owned by the policies. `old` may be NULL: all is added.
 * 0; -ENOMEM, when `each` may not have been called for all. */
enum tw_change { TW_CHANGE_ADDED, TW_CHANGE_REMOVED, TW_CHANGE_CHANGED };
enum tw_changed {
	TW_CHANGED_NETWORK,
	TW_CHANGED_SERVICE,
	TW_CHANGED_WORKLOAD,
	TW_CHANGED_GROUP,
	TW_CHANGED_RULE, /* the default too, as `default` */
	TW_CHANGED_OPTION,
};
int tw_policy_diff(const struct tw_policy *old, const struct tw_policy *now,
	void (*each)(void *arg, enum tw_changed what, enum tw_change change, const char *name),
	void *arg);

size_t tw_policy_n_workloads(const struct tw_policy *policy);
size_t tw_policy_n_groups(const struct tw_policy *policy);
/* How many of a vNIC's prefixes stand in the policy's text: the first ones. */
static inline size_t tw_vnic_n_given(const struct tw_vnic *vnic)
{
	return vnic->n_prefixes - vnic->n_learned;
}

size_t tw_policy_n_vnics(const struct tw_policy *policy);
const struct tw_vnic *tw_policy_vnic(const struct tw_policy *policy, size_t index);

/* Rules in order, then the default as number n_rules. */
size_t tw_policy_n_rules(const struct tw_policy *policy);
const struct tw_rule_info *tw_policy_rule(const struct tw_policy *policy, size_t index);
/* `index` is below tw_policy_n_groups(). 0 with *ret to be freed by tw_group_info_done(), or -ENOMEM with
 * *ret untouched. */
int tw_policy_group(const struct tw_policy *policy, size_t index, struct tw_group_info *ret);
void tw_group_info_done(struct tw_group_info *info);
enum tw_unclaimed tw_policy_unclaimed(const struct tw_policy *policy);
enum tw_bind tw_policy_bind(const struct tw_policy *policy);

/* What `options` says: idle seconds per connection state, 0 = the built-in default of states.def;
 * and for how long after a port is first protected mid-stream TCP is taken up, 0 = never. */
#define TW_ADOPT_SECONDS_DEFAULT 30
#define TW_ADOPT_SECONDS_MAX	 3600
uint32_t tw_policy_timeout(const struct tw_policy *policy, enum tw_state state);
uint32_t tw_policy_adopt_seconds(const struct tw_policy *policy);
/* Fills the policy's part of the settings, which is the same for the kernel and on paper: the timeouts and the
 * rate of refusals. */
#define TW_REFUSALS_DEFAULT 1000 /* a second and port */
#define TW_REFUSALS_BURST   1000 /* at once, of a higher rate */
void tw_policy_fill_config(const struct tw_policy *policy, struct tw_config *ret);
/* Calls `each` for every link-local address that no guest may claim but one that it is given to: those of
 * options.reserved and of workloads. Ends early with what `each` returns, if that is not 0. */
#define TW_POLICY_RESERVED_MAX 64 /* in options.reserved */
int tw_policy_each_reserved(const struct tw_policy *policy,
	int (*each)(void *arg, const struct tw_addr *addr), void *arg);

/* The number of the rule of that name, `default` included; -ENOENT. */
long tw_policy_rule_index(const struct tw_policy *policy, const char *name);

/* Finders; NULL when nobody fits. By address: the longest prefix wins, `any` vNICs never own. */
const struct tw_vnic *tw_policy_find_workload(const struct tw_policy *policy, const char *name);
const struct tw_vnic *tw_policy_find_port(const struct tw_policy *policy, const char *ifname);
const struct tw_vnic *tw_policy_find_mac(const struct tw_policy *policy, const uint8_t mac[6]);
const struct tw_vnic *tw_policy_find_owner(
	const struct tw_policy *policy, const struct tw_addr *addr);

/* ---- for the fast path ---- */

/* Lowered rules as text, one line each: the form of tests/policy/golden and of
 * `check --lowered`. */
void tw_policy_print_lowered(const struct tw_policy *policy, struct tw_buf *out);

/* One view of an image, for those who ask what it came to. */
struct tw_image_facts {
	enum tw_dir dir;
	uint32_t family; /* TW_FAMILY_* */
	bool wide;	 /* it looks local addresses up, as those of its port are of many classes */
	enum tw_image_engine engine;
	uint32_t n_entries;
	uint32_t classes[TW_DIM__MAX];
	uint32_t services; /* service classes, with cells */
	uint32_t rows;	   /* distinct ones */
	uint32_t groups;   /* whose members are told of apart */
	size_t bytes;
	const char *why; /* the engine is not the first choice, NULL: it is */
};

/* An image: words as abi/image.h has them, freed with tw_image_free(). */
struct tw_image {
	uint32_t *words;
	size_t n_words;
	size_t n_entries[TW_DIR__MAX]; /* rules times services that can concern the port */
	struct tw_image_facts *views;
	size_t n_views;
	bool resolved; /* it holds members of groups that its layout's key says nothing of */
};

/* Tells images apart: equal keys, equal content, in this policy or any other. */
struct tw_image_key {
	uint64_t word[2];
};

/* Compiles images of one policy, for ports one after the other: what they have in common is worked
 * out once. `slots` maps rule number (0 … n_rules, the last for the default) to its rule slot; NULL
 * means slot = number. Policy and slots must outlive it. One thread. 0 or -ENOMEM. */
struct tw_compiler;
int tw_compiler_new(
	const struct tw_policy *policy, const uint32_t *slots, struct tw_compiler **ret);
/* From here on what was built for another policy serves this one, too, where it would come out the
 * same. To be called before any image is made. */
void tw_compiler_follow(struct tw_compiler *compiler, const struct tw_compiler *old);
void tw_compiler_free(struct tw_compiler *compiler);
TW_DEFINE_AUTO(tw_compiler)

/* What the image of a vNIC will be, without making it: cheap, and enough to know whether one like it
 * exists. Lives no longer than its compiler. 0 or -ENOMEM. */
struct tw_layout;
int tw_layout_new(struct tw_compiler *compiler, const struct tw_vnic *vnic, struct tw_layout **ret);
void tw_layout_free(struct tw_layout *layout);
TW_DEFINE_AUTO(tw_layout)
const struct tw_image_key *tw_layout_key(const struct tw_layout *layout);
/* The same over what all groups hold now: for an image that says `resolved`. */
struct tw_image_key tw_layout_resolved_key(
	const struct tw_compiler *compiler, const struct tw_layout *layout);
/* Whether the image depends on who is in which group, though the vNIC itself changes none. */
bool tw_layout_is_resolved(const struct tw_layout *layout);

/* Makes the image. 0; -E2BIG when the port's rules exceed what every engine takes (`diags` says
 * whose port, and what is possible); -ENOMEM. */
int tw_layout_compile(struct tw_compiler *compiler, const struct tw_layout *layout,
	struct tw_image **ret, struct tw_diags *diags);
void tw_image_free(struct tw_image *image);
TW_DEFINE_AUTO(tw_image)

/* What images a new policy shares with an old one, found out without making any. Both compilers must
 * outlive it. 0 or -ENOMEM. */
struct tw_delta;
int tw_delta_new(
	const struct tw_compiler *old, const struct tw_compiler *now, struct tw_delta **ret);
void tw_delta_free(struct tw_delta *delta);
TW_DEFINE_AUTO(tw_delta)
/* The index of a vNIC of the old policy whose layout is that of this one of the new policy, too;
 * negative when that is not so, or not known. `resolved`: the image was one that depends on who is in
 * which group. */
long tw_delta_find(struct tw_delta *delta, const struct tw_vnic *vnic, bool resolved);

/* All of this for one vNIC. */
int tw_policy_compile(const struct tw_policy *policy, const struct tw_vnic *vnic,
	const uint32_t *slots, struct tw_image **ret, struct tw_diags *diags);

/* Which addresses are in which groups, as far as images leave that to a table apart (`members`):
 * images and this list are of one policy or of none. */
struct tw_member {
	struct tw_addr addr;
	struct tw_group_set in;
};

struct tw_members {
	TW_VEC(struct tw_member) all; /* ascending by address */
};

/* 0, or -ENOMEM with *ret untouched. */
int tw_policy_members(const struct tw_policy *policy, struct tw_members *ret);
void tw_members_done(struct tw_members *members);
/* The same as a compiler has it. */
const struct tw_members *tw_compiler_members(const struct tw_compiler *compiler);

#define TW_BROADCAST_RATE_DEFAULT 1000

/* Fills the policy's part of a port: mac, guard flags, inline addresses, the limits it speaks of (of the
 * others, broadcast comes out as its default, the rest as none); the caller adds id, network, pvid, image, adopt_until. Prefixes that are no host address, or do not fit inline, go
 * to `addrs` and set TW_PORT_F_MORE: the caller writes every vnic->prefixes entry there then. */
void tw_policy_fill_port(const struct tw_vnic *vnic, struct tw_port *ret);
