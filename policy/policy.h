/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* policy.h: turns policy text into the images that the fast path reads.
 *
 * Order:      tw_policy_read() (read, resolve, lower, check) → tw_policy_compile() per port;
 *             tw_policy_print() converts it back to text.
 * Invariants: 1. Pure: no I/O, no globals, no clock. The caller reads files and prints.
 *             2. A policy is immutable once read; any number of threads may use it.
 *             3. read → print → read gives an equal policy (tests/policy/unit/print.c).
 *             4. An invalid text gives no policy, and every error that can be found.
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
	unsigned int line;   /* from 1; 0 means the whole file */
	unsigned int column; /* from 1 */
	char *text;	     /* text of the error */
	char *hint;	     /* advice, or NULL */
	/* Place in the file of a joined text: files.h. NULL: none, or not looked up. */
	char *file;
	unsigned int file_line;
};

/* In order of line and column. Owned by the caller and freed with tw_diags_done(). Reading stops
 * after 100 errors; n_errors is then 101. */
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

/* Limits of a port's guest on shared resources: rates per second, or counts. The corresponding
 * fields of struct tw_port say more. */
enum tw_limit {
	TW_LIMIT_PACKETS,	  /* frames sent per second */
	TW_LIMIT_NEW_CONNECTIONS, /* connections opened per second */
	TW_LIMIT_HALF_OPEN,
	TW_LIMIT_ESTABLISHED,
	TW_LIMIT_BROADCAST, /* multicast and broadcast frames sent per second */
	TW_LIMIT__MAX
};

struct tw_limits {
	uint32_t at[TW_LIMIT__MAX]; /* 0: none */
	uint32_t said;		    /* bit per enum tw_limit: given in the policy */
};

/* One virtual NIC of a workload. Strings are owned by the policy. */
struct tw_vnic {
	const char *workload; /* name */
	const char *port;     /* interface name; NULL: the port is found by `mac` */
	const char *network;  /* name of its address space; NULL: the unnamed one */
	uint32_t space;	      /* number of its address space; 0: the unnamed one */
	uint8_t mac[6];
	bool has_mac;			  /* without one, the MAC guard is off for this port */
	bool any;			  /* `addresses: [any]` */
	bool dhcp;			  /* `dhcp`: addresses from DHCP; then it has a MAC */
	bool slaac;			  /* `slaac`: addresses that it forms; then it has a MAC */
	bool transit;			  /* true if a prefix is wider than a single host */
	bool observed;			  /* `mode: observe`: rules and default deny nothing */
	bool looks;			  /* options.inspection.applications */
	bool liberal;			  /* `tcp: liberal`: TCP state and windows deny nothing */
	const struct tw_grants *grants;	  /* rights beyond its MAC and addresses; NULL: none */
	const struct tw_prefix *prefixes; /* no IPv6 prefix contains the v4-mapped range */
	size_t n_prefixes;
	size_t n_shared;  /* number of shared prefixes, the last of those from the text */
	size_t n_learned; /* number of learned addresses, which come after those of the text */
	const struct tw_prefix *formed_in; /* prefixes of `slaac`, of 64 bits */
	size_t n_formed_in;		   /* 0: those that routers announce */
	struct tw_limits
		limits; /* limits of the vNIC, otherwise of the workload, otherwise of the options */
	size_t index;	/* index among all vNICs of the policy */
};

struct tw_rule_info {
	const char *name; /* "default" for the last one */
	enum tw_verdict action;
	bool log;
	bool quiet;	     /* `log: false`: not even denials are logged */
	bool at_out;	     /* enforced at the from end */
	bool at_in;	     /* enforced at the to end */
	bool disabled;	     /* `enabled: false`: enforced at no end */
	bool expired;	     /* `until` is over: enforced at no end */
	int64_t until_s;     /* Unix time at which it ends; 0: never */
	const char *comment; /* NULL: none */
	const char *owner;   /* NULL: none */
	const char *network; /* the address space whose ports enforce it; NULL: all */
	unsigned int line;
};

/* A group and its members. Names are owned by the policy. */
#define TW_GROUP_TEXT_MAX 64
struct tw_group_info {
	const char *name;
	uint64_t n_addresses;	/* UINT64_MAX: that many or more */
	const char **workloads; /* without duplicates, in the order of the policy */
	size_t n_workloads;
	const char **networks; /* names and prefixes, as written */
	size_t n_networks;
	char (*texts)[TW_GROUP_TEXT_MAX]; /* texts of prefixes; `networks` points to them */
};

enum tw_unclaimed { TW_UNCLAIMED_IGNORE, TW_UNCLAIMED_DENY };

/* Whether rules and default are enforced at a workload. */
enum tw_mode { TW_MODE_UNSAID, TW_MODE_ENFORCE, TW_MODE_OBSERVE };

/* What happens at a workload to TCP segments that do not fit their connection. */
enum tw_tcp_checks { TW_TCP_CHECKS_UNSAID, TW_TCP_CHECKS_STRICT, TW_TCP_CHECKS_LIBERAL };

/* How a vNIC finds its port if the policy names none, or if it is not at the named one. */
enum tw_bind {
	TW_BIND_TAP_MAC,      /* by the tap's own MAC */
	TW_BIND_FIRST_SENDER, /* bound also by the first frame with the vNIC's MAC */
};

/* Reads `len` bytes of policy text (not NUL-terminated, any bytes). On success stores the policy,
 * which the caller frees, and returns 0; `diags` may then hold warnings. Otherwise returns -EINVAL
 * (invalid; at least one error in `diags`) or -ENOMEM, with *ret untouched. `diags` must be
 * empty. */
int tw_policy_read(const char *text, size_t len, struct tw_policy **ret, struct tw_diags *diags);

/* An address that a vNIC's guest has from DHCP or formed by SLAAC. */
struct tw_learned {
	size_t vnic;
	struct tw_addr addr;
};

/* Reads a policy as tw_policy_read() does, with these addresses added to its vNICs and to
 * everything that names them. Addresses of a vNIC that learns none are ignored. The caller makes sure
 * that each address has one owner. */
int tw_policy_read_learned(const char *text, size_t len, const struct tw_learned *learned, size_t n,
	struct tw_policy **ret, struct tw_diags *diags);
/* Reads a policy as tw_policy_read() does, without the warnings of tw_policy_check(), which take
 * most of the time if there are thousands of rules. */
int tw_policy_read_unchecked(const char *text, size_t len, const struct tw_learned *learned,
	size_t n, struct tw_policy **ret, struct tw_diags *diags);
/* Returns the name of the file that has a line of a text of several files, and stores the line in that
 * file. Returns NULL, and stores the line itself, if the text is one file. */
const char *tw_policy_file_of(
	const struct tw_policy *policy, unsigned int line, unsigned int *ret_line);
/* Warns of valid but probably unintended parts: rules that can never match, groups without
 * addresses. Returns 0 or -ENOMEM. */
int tw_policy_check(const struct tw_policy *policy, struct tw_diags *diags);
/* Reads a text without learned addresses and unchecked, given a policy `old` that was read in
 * the same way from a similar text. The policy and the diagnostics equal those of a full
 * reading. Parts that are the same in both texts are taken over if they certainly mean the same;
 * otherwise everything is read. */
int tw_policy_reread(const struct tw_policy *old, const char *old_text, size_t old_len,
	const char *text, size_t len, struct tw_policy **ret, struct tw_diags *diags);
/* Makes a policy with these learned addresses from one that was read without any. Returns 0;
 * -EINVAL if it is too large to resolve (see diags); -ENOMEM. */
int tw_policy_learn(const struct tw_policy *policy, const struct tw_learned *learned, size_t n,
	struct tw_policy **ret, struct tw_diags *diags);
struct tw_policy *tw_policy_ref(struct tw_policy *policy); /* released by tw_policy_free() */
void tw_policy_free(struct tw_policy *policy);		   /* NULL is fine */
TW_DEFINE_AUTO(tw_policy)

/* Prints the canonical text of the policy. Check out->failed afterwards. */
void tw_policy_print(const struct tw_policy *policy, struct tw_buf *out);
/* Prints one rule as in the policy's text, `{name: …}`, without a newline; the default as
 * `default: deny`. */
void tw_policy_print_rule(const struct tw_policy *policy, size_t index, struct tw_buf *out);
/* Writes a key that identifies a rule in this policy and later ones: its name or, without one, a
 * digest of its text, which does not change if rules are inserted before it. Rules with equal
 * text have equal keys. Returns 0 or -ENOMEM. */
#define TW_RULE_KEY_MAX 128
int tw_policy_rule_key(const struct tw_policy *policy, size_t index, char key[TW_RULE_KEY_MAX]);

/* Lists the changes of a new policy. Calls `each` for added and changed things in the order of
 * the new policy, and for removed ones in the order of the old. A rule that only moved has
 * changed, because order decides. Names are owned by the policies. If `old` is NULL, everything
 * is added. Returns 0, or -ENOMEM, after which calls may be missing. */
enum tw_change { TW_CHANGE_ADDED, TW_CHANGE_REMOVED, TW_CHANGE_CHANGED };
enum tw_changed {
	TW_CHANGED_NETWORK,
	TW_CHANGED_SERVICE,
	TW_CHANGED_WORKLOAD,
	TW_CHANGED_GROUP,
	TW_CHANGED_RULE, /* includes the default, named `default` */
	TW_CHANGED_OPTION,
};
int tw_policy_diff(const struct tw_policy *old, const struct tw_policy *now,
	void (*each)(void *arg, enum tw_changed what, enum tw_change change, const char *name),
	void *arg);

size_t tw_policy_n_workloads(const struct tw_policy *policy);
size_t tw_policy_n_groups(const struct tw_policy *policy);
/* Returns the number of a vNIC's prefixes from the policy's text, which come first. */
static inline size_t tw_vnic_n_given(const struct tw_vnic *vnic)
{
	return vnic->n_prefixes - vnic->n_learned;
}

/* True if the guest may have addresses that the text does not list. */
static inline bool tw_vnic_learns(const struct tw_vnic *vnic)
{
	return vnic->dhcp || vnic->slaac;
}

/* True if other vNICs may have prefix number `i`, too. */
static inline bool tw_vnic_shares(const struct tw_vnic *vnic, size_t i)
{
	return i < tw_vnic_n_given(vnic) && i >= tw_vnic_n_given(vnic) - vnic->n_shared;
}

/* Returns the value of prefix number `i` in the map `addrs`. */
static inline uint32_t tw_vnic_addr_kind(const struct tw_vnic *vnic, size_t i)
{
	return tw_vnic_shares(vnic, i) ? TW_ADDR_SHARED : TW_ADDR_OWN;
}

size_t tw_policy_n_vnics(const struct tw_policy *policy);
const struct tw_vnic *tw_policy_vnic(const struct tw_policy *policy, size_t index);

/* Rules are numbered in order; the default is number n_rules. */
size_t tw_policy_n_rules(const struct tw_policy *policy);
const struct tw_rule_info *tw_policy_rule(const struct tw_policy *policy, size_t index);
/* Ends the rules whose `until` is not after `now_s`, Unix time: from then on, they are enforced at no end.
 * Called before the policy is compiled. Returns the number of rules that have ended now. */
size_t tw_policy_expire(struct tw_policy *policy, int64_t now_s);
/* Returns the Unix time at which the next rule ends; 0: none will end. */
int64_t tw_policy_next_until(const struct tw_policy *policy);
/* `index` is below tw_policy_n_groups(). Returns 0 with *ret to be freed by
 * tw_group_info_done(), or -ENOMEM with *ret untouched. */
int tw_policy_group(const struct tw_policy *policy, size_t index, struct tw_group_info *ret);
void tw_group_info_done(struct tw_group_info *info);
/* Returns the treatment of ports without a workload. If options.mode is observe, they are not filtered. */
enum tw_unclaimed tw_policy_unclaimed(const struct tw_policy *policy);
/* True if options.mode is observe. A workload may still be enforced. */
bool tw_policy_observes(const struct tw_policy *policy);
/* True if options.tcp is liberal. A workload may still be strict. */
bool tw_policy_liberal(const struct tw_policy *policy);
enum tw_bind tw_policy_bind(const struct tw_policy *policy);

/* Settings from `options`: idle seconds per connection state (0: the default of states.def); and
 * seconds for which a port that has become protected adopts mid-stream TCP (0: never). */
#define TW_ADOPT_SECONDS_DEFAULT 30
#define TW_ADOPT_SECONDS_MAX	 86400
uint32_t tw_policy_timeout(const struct tw_policy *policy, enum tw_state state);
uint32_t tw_policy_adopt_seconds(const struct tw_policy *policy);
/* Fills the policy's part of the settings: the timeouts, equal for the kernel and for explain. */
#define TW_ASK_MS_DEFAULT   1000 /* time that a question of a rule with `ask` waits */
#define TW_REFUSALS_DEFAULT 1000 /* per second and port */
#define TW_REFUSALS_BURST   1000 /* largest burst, for higher rates too */
/* True if options.ask lets unanswered connections pass. */
bool tw_policy_ask_allows(const struct tw_policy *policy);
void tw_policy_fill_config(const struct tw_policy *policy, struct tw_config *ret);
/* Calls `each` for every reserved link-local address: those of options.reserved and of
 * workloads, which no other guest may claim. If `each` returns non-zero, stops and returns that. */
#define TW_POLICY_RESERVED_MAX 64 /* limit of addresses in options.reserved */
int tw_policy_each_reserved(const struct tw_policy *policy,
	int (*each)(void *arg, const struct tw_addr *addr), void *arg);

/* Returns the number of the rule with this name, including `default`, or -ENOENT. */
long tw_policy_rule_index(const struct tw_policy *policy, const char *name);

/* Find a vNIC, or return NULL. By address, the longest prefix wins; `any` vNICs own no address. An
 * address that vNICs of several address spaces have is found only within one of these. */
const struct tw_vnic *tw_policy_find_workload(const struct tw_policy *policy, const char *name);
const struct tw_vnic *tw_policy_find_port(const struct tw_policy *policy, const char *ifname);
const struct tw_vnic *tw_policy_find_mac(const struct tw_policy *policy, const uint8_t mac[6]);
const struct tw_vnic *tw_policy_find_owner(
	const struct tw_policy *policy, const struct tw_addr *addr);
const struct tw_vnic *tw_policy_find_owner_in(
	const struct tw_policy *policy, uint32_t space, const struct tw_addr *addr);
/* Returns the number of address spaces, with the unnamed one: 1 without `network`. */
size_t tw_policy_n_spaces(const struct tw_policy *policy);
/* True if vNICs of several address spaces have the address. */
bool tw_policy_is_shared(const struct tw_policy *policy, const struct tw_addr *addr);

/* The first packet of a connection, as rules judge it. Both addresses are of one family. */
struct tw_first_packet {
	struct tw_addr from;
	struct tw_addr to;
	uint8_t proto;
	uint16_t sport;	 /* 0 without ports */
	uint16_t detail; /* destination port; for ICMP and ICMPv6 type << 8 | code; otherwise 0 */
};

/* Returns the number of the first rule that matches at this end, at a port of an address space, or
 * that of the default. Searches all rules. */
size_t tw_policy_match(const struct tw_policy *policy, uint32_t space, enum tw_dir end,
	const struct tw_first_packet *about);

/* ---- for the fast path ---- */

/* Prints lowered rules, one line each, in the form of tests/policy/golden and of `check
 * --lowered`. */
void tw_policy_print_lowered(const struct tw_policy *policy, struct tw_buf *out);

/* Facts about one view of an image, for `check --stats`. */
struct tw_image_facts {
	enum tw_dir dir;
	uint32_t family; /* TW_FAMILY_* */
	bool wide; /* true if the view looks up local addresses, because they fall into many classes */
	enum tw_image_engine engine;
	uint32_t n_entries;
	uint32_t classes[TW_DIM__MAX];
	uint32_t services; /* number of service classes, with cells */
	uint32_t rows;	   /* number of distinct rows */
	uint32_t groups;   /* number of groups in the table of members */
	size_t bytes;
	const char *why; /* reason why the engine is not cells; NULL: the engine is cells */
};

/* An image: words as described in abi/image.h, freed with tw_image_free(). */
struct tw_image {
	uint32_t *words;
	size_t n_words;
	size_t n_entries[TW_DIR__MAX]; /* rules times services that can concern the port */
	struct tw_image_facts *views;
	size_t n_views;
	bool resolved; /* true if the image contains members of groups, which are not in its layout's key */
};

/* Identifies an image: equal keys mean equal content, in this policy or any other. */
struct tw_image_key {
	uint64_t word[2];
};

/* Compiles the images of one policy, port by port; common work is done once. `slots` maps each
 * rule number (0 … n_rules, the last for the default) to its rule slot; NULL means slot =
 * number. Policy and slots must outlive it. One thread. Returns 0 or -ENOMEM. */
struct tw_compiler;
int tw_compiler_new(
	const struct tw_policy *policy, const uint32_t *slots, struct tw_compiler **ret);
/* Lets the compiler reuse what was built for another policy where the result is the same. Must
 * be called before any image is made. */
void tw_compiler_follow(struct tw_compiler *compiler, const struct tw_compiler *old);
void tw_compiler_free(struct tw_compiler *compiler);
TW_DEFINE_AUTO(tw_compiler)

/* Layout of a vNIC's image, without the image: cheap, and enough to know whether an equal image
 * exists. Must not outlive its compiler. Returns 0 or -ENOMEM. */
struct tw_layout;
int tw_layout_new(struct tw_compiler *compiler, const struct tw_vnic *vnic, struct tw_layout **ret);
void tw_layout_free(struct tw_layout *layout);
TW_DEFINE_AUTO(tw_layout)
const struct tw_image_key *tw_layout_key(const struct tw_layout *layout);
/* Returns the key of an image that is `resolved`: it also covers the current members of all
 * groups. */
struct tw_image_key tw_layout_resolved_key(
	const struct tw_compiler *compiler, const struct tw_layout *layout);
/* True if the image depends on the members of groups. */
bool tw_layout_is_resolved(const struct tw_layout *layout);

/* Makes the image. Returns 0; -E2BIG if no engine can hold the port's rules (`diags` names the
 * port and the limit); -ENOMEM. */
int tw_layout_compile(struct tw_compiler *compiler, const struct tw_layout *layout,
	struct tw_image **ret, struct tw_diags *diags);
void tw_image_free(struct tw_image *image);
TW_DEFINE_AUTO(tw_image)

/* Finds the images that a new policy shares with an old one, without making any. Both compilers
 * must outlive it. Returns 0 or -ENOMEM. */
struct tw_delta;
int tw_delta_new(
	const struct tw_compiler *old, const struct tw_compiler *now, struct tw_delta **ret);
void tw_delta_free(struct tw_delta *delta);
TW_DEFINE_AUTO(tw_delta)
/* Returns the index of a vNIC of the old policy with the same layout as this vNIC of the new
 * one, or a negative number if there is none or it is unknown. `resolved`: the image depended on
 * the members of groups. */
long tw_delta_find(struct tw_delta *delta, const struct tw_vnic *vnic, bool resolved);

/* Compiles the image of one vNIC, with a compiler of its own. */
int tw_policy_compile(const struct tw_policy *policy, const struct tw_vnic *vnic,
	const uint32_t *slots, struct tw_image **ret, struct tw_diags *diags);

/* The groups of each address, for the groups that images leave to the table `members`. Images
 * and this list must be from the same policy. */
struct tw_member {
	struct tw_addr addr;
	struct tw_group_set in;
};

struct tw_members {
	TW_VEC(struct tw_member) all; /* ascending by address */
};

/* Returns 0, or -ENOMEM with *ret untouched. */
int tw_policy_members(const struct tw_policy *policy, struct tw_members *ret);
void tw_members_done(struct tw_members *members);
/* Returns the members that a compiler's images rely on. */
const struct tw_members *tw_compiler_members(const struct tw_compiler *compiler);

#define TW_BROADCAST_RATE_DEFAULT 1000

/* Fills the policy's part of a port: mac, guard flags, inline addresses and limits. If the policy
 * gives no broadcast limit, the default applies, unless the vNIC is observed. Any other limit that is
 * not given is 0 (none). The caller adds id, network, pvid, image and adopt_until. If a prefix is not a
 * host address or does not fit inline, TW_PORT_F_MORE is set: the caller then writes every
 * vnic->prefixes entry to `addrs`. */
void tw_policy_fill_port(const struct tw_vnic *vnic, struct tw_port *ret);
/* True if a network or rule of the policy has this single address. */
bool tw_policy_names_address(const struct tw_policy *policy, const struct tw_addr *addr);

/* Writes the prefixes that the policy names for a vNIC's addresses to the state of its port, or
 * removes them. The fast path may read meanwhile. */
void tw_policy_fill_announced(const struct tw_vnic *vnic, struct tw_leases *ret);
