/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* world.h: random policies whose meaning is known without the policy library.
 *
 * What:       a world is drawn from a seed, written as policy text, and can say itself which rule
 *             is the first to match, by going through rules and entries one by one.
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

uint64_t world_random(uint64_t *state);		       /* the next number of a sequence */
uint32_t world_below(uint64_t *state, uint32_t limit); /* 0 … limit - 1 */

struct world_prefix {
	struct tw_addr addr;
	unsigned int len; /* of the address family: 0…32 or 0…128 */
	bool v6;
};

struct world_workload {
	struct world_prefix addrs[WORLD_LIST_MAX];
	unsigned int n_addrs;
	unsigned int tags; /* bits */
	bool any;
};

struct world_group {
	unsigned int tags_kind; /* enum in world.c */
	unsigned int tag_a, tag_b;
	int network;	   /* -1: no such line */
	int workload_glob; /* -1: none; else "w<n>" or, from WORLD_WORKLOADS on, a pattern */
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
	unsigned int n; /* 0: left out */
};

struct world_rule {
	struct world_ends from, to;
	int service; /* -1: any; from WORLD_SERVICES on: `part` */
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

/* A connection's first packet, as a rule sees it. */
struct world_tuple {
	struct tw_addr from, to;
	bool v6;
	unsigned int proto;
	unsigned int sport, dport; /* 0 where there are none; ICMP: dport = type << 8 | code */
};

void world_make(struct world *world, uint64_t seed, unsigned int n_rules);
void world_print(const struct world *world, struct tw_buf *out);
/* A tuple that the world's rules are likely to tell apart. */
struct world_tuple world_tuple(const struct world *world, uint64_t *random);
/* An address of a workload's own; false when it has none (addresses: any). */
bool world_own(const struct world *world, unsigned int workload, bool v6, uint64_t *random,
	struct tw_addr *ret);
/* The number of the first rule that matches at that end; n_rules: the default. */
unsigned int world_decide(const struct world *world, enum tw_dir end, const struct world_tuple *t);
/* The workload with the longest prefix that holds the address; -1: nobody's. */
int world_owner(const struct world *world, const struct tw_addr *addr, bool v6);
