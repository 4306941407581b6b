/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* rules.h: generates realistic lists of rules, and writes them in the languages of all systems.
 *
 * Why:        the cost of a new connection must be measured with realistic rule lists, and with the
 *             same list for each system.
 * What:       a generator with the structure that ClassBench (Taylor and Turner, INFOCOM 2005)
 *             found in filter sets: few popular networks, with subnets and hosts within them, whose
 *             prefixes nest; pairs of prefix lengths; the five port classes (any, 0-1023,
 *             1024-65535, a range, one port); mostly TCP. The seed also determines the
 *             distributions, so that no two lists have the same shape. Lists in ClassBench's own
 *             format can be read.
 * Invariants: 1. The first rule that matches decides. If none matches, the verdict is deny.
 *             2. The connections that the benchmark opens are decided in the last tenth of the
 *                list, by ten rules, one for each port, a hundredth of the list apart. The last one
 *                ends the list. No earlier rule matches them.
 *             3. No two rules are equal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "base/vec.h"

#define TW_BENCH_PORT_OPEN 5432 /* every list allows 5432 … 5441 from guest a to guest b */
#define TW_BENCH_N_OPEN	   10
#define TW_BENCH_PORT_SHUT 23
#define TW_BENCH_SPORT_MIN 1024 /* clients' ports */

struct tw_bench_prefix {
	uint32_t address; /* host order, no bits beyond `len` */
	uint8_t len;
};

struct tw_bench_range {
	uint16_t from;
	uint16_t to;
};

struct tw_bench_rule {
	struct tw_bench_prefix from;
	struct tw_bench_prefix to;
	uint8_t protocol;	     /* 0: any protocol, and then any port */
	struct tw_bench_range sport; /* 0 … 65535 unless TCP or UDP */
	struct tw_bench_range dport;
	bool allow;
};

struct tw_bench_tuple {
	uint32_t from;
	uint32_t to;
	uint8_t protocol;
	uint16_t sport;
	uint16_t dport;
};

struct tw_bench_rules {
	TW_VEC(struct tw_bench_rule) list;
	uint64_t seed;
};

/* Fills an empty `ret` with `n` rules, at least 10 * TW_BENCH_N_OPEN. Returns 0 or -ENOMEM. */
int tw_bench_rules_generate(struct tw_bench_rules *ret, size_t n, uint64_t seed);
void tw_bench_rules_done(struct tw_bench_rules *rules);

/* Reads a list in ClassBench's format, with lines `@SRC/LEN DST/LEN A : B C : D PROTO/MASK …`, into
 * an empty `ret`. The format has no verdicts and no guests: the seed chooses verdicts, and two
 * addresses of the list that become the guests'. Rules that would decide the opened connections too
 * early are left out, and the ten deciding rules are added. */
int tw_bench_rules_read(
	struct tw_bench_rules *ret, const char *path, uint64_t seed, struct tw_err *err);

/* True if a connection that the benchmark opens could match the rule. */
bool tw_bench_rule_concerns_opened(const struct tw_bench_rule *rule);
/* True if the rule at `place`, counted from the end of a list of `n`, must decide connections that the
 * benchmark opens. *ret is then that rule. */
bool tw_bench_rule_deciding(size_t n, size_t place, struct tw_bench_rule *ret);

/* Returns the verdict by linear first match, the reference for all systems. */
bool tw_bench_rules_allow(const struct tw_bench_rules *rules, const struct tw_bench_tuple *tuple);
/* Returns the n-th of a series of tuples between the guests, at the edges of rules. */
struct tw_bench_tuple tw_bench_rules_probe(const struct tw_bench_rules *rules, size_t n);

/* Write the list as a policy for tapwall, a ruleset for nft, or flows for `ovs-ofctl add-flows`.
 * Errors show in ferror(). */
void tw_bench_rules_policy(const struct tw_bench_rules *rules, FILE *out);
void tw_bench_rules_nft(const struct tw_bench_rules *rules, FILE *out);
void tw_bench_rules_flows(const struct tw_bench_rules *rules, FILE *out);
