/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* generate.h: random policies, both as text for the product and as sets for the oracle.
 *
 * What:       networks, services, workloads (hosts and transit), tags, groups by tag expression,
 *             name pattern and network, rules with lists, `!`, ranges and `at:`.
 * Invariants: the same seed gives the same policy and tuples.
 */
#pragma once

#include "base/buf.h"
#include "base/cleanup.h"
#include "tests/diff/random.h"
#include "tests/oracle/oracle.h"

#define TW_GEN_NAMES_MAX 64 /* limit for each of networks, services, workloads and groups */

/* A named object of the policy, and its addresses. */
struct tw_gen_named {
	char name[16];
	struct tw_buf text; /* value in YAML */
	struct tw_oracle_prefix *prefixes;
	size_t n_prefixes;
	struct tw_oracle_service *services;
	size_t n_services;
	uint32_t tags; /* a workload's tags, one bit each */
};

struct tw_gen_rule {
	char *text; /* the rule in YAML, without its name */
};

struct tw_gen {
	struct tw_random random;
	struct tw_gen_named networks[TW_GEN_NAMES_MAX];
	struct tw_gen_named services[TW_GEN_NAMES_MAX];
	struct tw_gen_named workloads[TW_GEN_NAMES_MAX];
	struct tw_gen_named groups[TW_GEN_NAMES_MAX];
	size_t n_networks, n_services, n_workloads, n_groups;
	struct tw_gen_rule *rules;
	struct tw_oracle_policy oracle;
	/* Values that occur in the policy: faults are most likely near them. */
	struct tw_addr *addrs;
	size_t n_addrs, addrs_max;
	uint16_t ports[256];
	size_t n_ports;
	bool failed; /* out of memory */
};

/* Generates a policy with `n_rules` rules; NULL if there is no memory. */
struct tw_gen *tw_gen_new(uint64_t seed, size_t n_rules);
/* Gives about every third workload `mode: observe`. */
void tw_gen_observe(struct tw_gen *gen, uint64_t seed);
/* Gives every second workload `tcp: liberal`. */
void tw_gen_liberal(struct tw_gen *gen, uint64_t seed);
void tw_gen_free(struct tw_gen *gen);
TW_DEFINE_AUTO(tw_gen)

/* Prints the policy as text, without the disabled rules. */
void tw_gen_print(const struct tw_gen *gen, struct tw_buf *out);
/* Draws a random possible connection: addresses of one family, unicast, different; not DHCP. */
void tw_gen_tuple(struct tw_gen *gen, struct tw_oracle_tuple *ret);
/* Draws an address in the same way as the addresses of the policy. */
void tw_gen_addr(struct tw_gen *gen, bool v6, struct tw_addr *ret);
const char *tw_gen_rule_name(const struct tw_gen *gen, size_t rule, char text[16]);
