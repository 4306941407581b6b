/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* world.h: random policies, and their meaning computed without the policy library.
 *
 * What:       a world is drawn from a seed and printed as policy text. It finds the first matching
 *             rule by a linear search through rules and entries.
 * Invariants: nothing here uses the library's sets, images or readers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "fastpath/abi/types.h"

#define WORLD_WORKLOADS 6
#define WORLD_NETWORKS	4
#define WORLD_GROUPS	5
#define WORLD_SERVICES	4
#define WORLD_RULES_MAX 64
#define WORLD_LIST_MAX	4
#define WORLD_TAGS	4

uint64_t world_random(uint64_t *state);		       /* returns the next number of the sequence */
uint32_t world_below(uint64_t *state, uint32_t limit); /* returns a number from 0 to limit - 1 */

struct world_prefix {
	struct tw_addr addr;
	unsigned int len; /* prefix length of the address family: 0 to 32, or 0 to 128 */
	bool v6;
};

struct world_workload {
	struct world_prefix addrs[WORLD_LIST_MAX];
	unsigned int n_addrs;
	unsigned int tags; /* one bit per tag */
	bool any;
};

struct world_group {
	unsigned int tags_kind; /* enum in world.c */
	unsigned int tag_a, tag_b;
	int network;	   /* -1: the group has no such line */
	int workload_glob; /* -1: none; else "w<n>", or a pattern from WORLD_WORKLOADS on */
};

struct world_part {
	unsigned int kind; /* enum in world.c */
	unsigned int lo, hi;
	unsigned int sport_lo, sport_hi;
};

struct world_service {
	struct world_part parts[WORLD_LIST_MAX];
	unsigned int n;
};

struct world_operand {
	unsigned int kind; /* enum in world.c */
	bool negate;
	unsigned int index;
	struct world_prefix prefix;
};

struct world_ends {
	struct world_operand at[WORLD_LIST_MAX];
	unsigned int n; /* 0: the list is omitted */
};

struct world_rule {
	struct world_ends from, to;
	int service; /* -1: any; WORLD_SERVICES or more: `part` */
	struct world_part part;
	enum tw_verdict action;
	bool log, named;
	bool at_out, at_in;
};

struct world {
	struct world_workload workloads[WORLD_WORKLOADS];
	struct world_prefix networks[WORLD_NETWORKS][WORLD_LIST_MAX];
	unsigned int n_prefixes[WORLD_NETWORKS];
	struct world_group groups[WORLD_GROUPS];
	struct world_service services[WORLD_SERVICES];
	struct world_rule rules[WORLD_RULES_MAX];
	unsigned int n_rules;
	bool default_allow;
};

/* A connection's first packet, as a rule judges it. */
struct world_tuple {
	struct tw_addr from, to;
	bool v6;
	unsigned int proto;
	unsigned int sport,
		dport; /* 0 for protocols without ports; ICMP: dport = type << 8 | code */
};

void world_make(struct world *world, uint64_t seed, unsigned int n_rules);
void world_print(const struct world *world, struct tw_buf *out);
/* Draws a tuple about which the world's rules are likely to differ. */
struct world_tuple world_tuple(const struct world *world, uint64_t *random);
/* Draws an address of a workload; false if it has none of its own (addresses: any). */
bool world_own(const struct world *world, unsigned int workload, bool v6, uint64_t *random,
	struct tw_addr *ret);
/* Returns the number of the first rule that matches at that end; n_rules: the default. */
unsigned int world_decide(const struct world *world, enum tw_dir end, const struct world_tuple *t);
/* As world_decide(), at the port of `workload`; -1: at a port that is known by its addresses. */
unsigned int world_decide_at(
	const struct world *world, int workload, enum tw_dir end, const struct world_tuple *t);
/* Returns the workload whose prefix of the address is the longest; -1: none. */
int world_owner(const struct world *world, const struct tw_addr *addr, bool v6);
