/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* propose.h: drafts a policy from what was seen.
 *
 *	entries of seen.h ─► pairs of ends with a service ─► rules ─► text
 *	            propose_ends.c                propose_merge.c  propose_print.c
 *
 * Why:        a list of a thousand connections is not a policy. People read groups and services.
 * Invariants: 1. A rule covers the pairs that it was made of, and no others, unless it is `wide`, which its
 *                comment says (tests/cli/unit_propose.c).
 *             2. The draft depends only on the policy and on what was seen.
 *             3. Texts come from the policy. Packets add only numbers to the draft.
 *             4. A guest alone cannot cause another guest's pair to be switched off.
 * Bounds:     those of seen.h; TW_PROPOSE_ADDRESSES addresses of one service at an end, and
 *             TW_PROPOSE_SERVICES services of one source to addresses outside.
 * Callers:    propose.c; tests. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cli/seen.h"
#include "policy/model.h"

#define TW_PROPOSE_ADDRESSES 16u /* addresses outside that are kept apart */
#define TW_PROPOSE_SERVICES  32u /* services of one source to addresses outside, kept apart */
#define TW_PROPOSE_PORTS     16u /* services of one pair that are kept apart */
#define TW_PROPOSE_DYNAMIC \
	32768u /* first port that is usually assigned dynamically (RFC 6056 §3.2) */

/* Reasons why a rule is switched off. If there are several, the first of them counts. */
enum tw_propose_why {
	TW_PROPOSE_ON,
	TW_PROPOSE_UNANSWERED,
	TW_PROPOSE_RARE,
	TW_PROPOSE_PORTS_DYNAMIC,
	TW_PROPOSE_PORTS_MANY,
	TW_PROPOSE_WHY__MAX
};

/* A workload, or a prefix outside of workloads. */
struct tw_propose_end {
	uint32_t workload; /* TW_INDEX_NONE: `prefix` is used */
	struct tw_prefix prefix;
	uint32_t n_seen; /* addresses that were seen in the prefix; 1: it is an address */
};

struct tw_propose_service {
	uint8_t proto;
	uint16_t lo; /* destination ports; ICMP: type << 8 | code */
	uint16_t hi;
};

struct tw_propose_pair {
	enum tw_propose_why why;
	struct tw_propose_service service;
	struct tw_propose_end end[TW_DIR__MAX];
	uint64_t n;
	uint64_t n_worked;
	double last;
};

typedef TW_VEC(struct tw_propose_pair) tw_propose_pairs;

struct tw_propose_rule {
	enum tw_propose_why why;
	TW_VEC(struct tw_propose_end) end[TW_DIR__MAX];
	TW_VEC(struct tw_propose_service) services;
	uint64_t n;
	uint64_t n_pairs;
	double last;
	struct tw_propose_pair fewest;
};

/* A connection that was left out because a rule refuses it. */
struct tw_propose_refused {
	size_t rule;
	uint64_t n;
};

struct tw_propose {
	const struct tw_policy *policy; /* in force */
	const struct tw_seen *seen;
	bool fresh; /* rules of the policy in force are not kept */
	bool observe;
	bool granted; /* workloads of `policy` have rights that its text does not have */
	uint64_t min;
	const char *head; /* comment lines that the draft begins with */

	tw_propose_pairs pairs;
	TW_VEC(struct tw_propose_rule) rules;
	TW_VEC(struct tw_propose_refused) refused;
	uint64_t n_allowed; /* connections that the kept rules allow */
	uint64_t
		n_always; /* frames that are denied at any port, or were denied by an enforced one */
};

void tw_propose_done(struct tw_propose *propose);
/* Run the three steps. Return 0 or -ENOMEM. */
int tw_propose_pair_up(struct tw_propose *propose);
int tw_propose_merge(struct tw_propose *propose);
/* Prints the draft. `text` is that of the policy in force. */
int tw_propose_print(
	const struct tw_propose *propose, const char *text, size_t len, struct tw_buf *out);

/* Writes a service as a part of a name: tcp-5432, icmp-8, proto-47. */
void tw_propose_label(const struct tw_propose_service *service, char *ret, size_t max);
int tw_propose_compare_services(
	const struct tw_propose_service *a, const struct tw_propose_service *b);
int tw_propose_compare_ends(const struct tw_propose_end *a, const struct tw_propose_end *b);
/* True if an end is a prefix with more addresses than were seen. */
bool tw_propose_is_wide(const struct tw_propose_end *end);
/* True if all addresses of a prefix are of multicast or the broadcast address. */
bool tw_propose_is_group(const struct tw_prefix *prefix);
/* True if a workload may have addresses in prefixes, so that rules cannot name it without also naming them. */
bool tw_propose_is_router(const struct tw_policy *policy, uint32_t workload);

/* Finds the rule that decides at each end of an entry. Fills its number, or SIZE_MAX if no protected port
 * judges at that end. */
void tw_propose_judge(const struct tw_policy *policy, const struct tw_seen_entry *entry,
	size_t ret_rule[TW_DIR__MAX]);
/* True if an address may be one of a guest with `addresses: any`. Rules find such a guest by its port, which
 * tw_propose_judge() does not know. */
bool tw_propose_is_unsure(const struct tw_policy *policy, const struct tw_seen_entry *entry);
