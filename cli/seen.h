/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* seen.h: connections and denials that were seen, added up by both addresses and service.
 *
 *	struct tw_seen seen = {0};
 *	tw_seen_add(&seen, &conn);              once for each connection
 *	tw_seen_settle(&seen);                  equal ones become one entry, in a fixed order
 *	tw_vec_foreach (&seen.entries, entry) …
 *	tw_seen_done(&seen);
 *
 * Invariants: 1. After tw_seen_settle(), entries are in order of addresses, protocol and port, and no
 *                two are about the same.
 *             2. If a source tried many ports of a destination in vain, they are one entry, so that
 *                a port scan neither fills the table nor hides other services of the same pair
 *                (tests/cli/unit_propose.c).
 * Bounds:     TW_SEEN_MAX entries; what does not fit is counted in `n_beyond`.
 * Callers:    gather.h fills one; observe and propose read it. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "fastpath/abi/types.h"
#include "policy/table.h"

#define TW_SEEN_MAX	  262144u
#define TW_SEEN_PORTS_MAX 16u /* ports tried in vain that are kept apart for a pair of addresses */

/* A connection, or a frame without one. Ends are indexed by enum tw_dir: OUT is the source's. */
struct tw_seen_conn {
	struct tw_addr addr[TW_DIR__MAX];
	const char *workload[TW_DIR__MAX]; /* "": none; copied */
	const char *reason;		   /* copied */
	const char *rule;		   /* rule that decided; "": none; copied */
	enum tw_verdict verdict;
	uint16_t sport;
	uint16_t detail; /* destination port; for ICMP and ICMPv6 type << 8 | code; otherwise 0 */
	uint8_t proto;
	uint8_t ends;	/* set of 1 << enum tw_dir: ends that denied it or would do so */
	bool worked;	/* true if the service answered */
	uint64_t bytes; /* both ways */
	double first;	/* Unix time of its first and last packet, as far as known */
	double last;
};

struct tw_seen_entry {
	struct tw_addr addr[TW_DIR__MAX];
	uint32_t workload[TW_DIR__MAX]; /* see tw_seen_name() */
	uint32_t reason;
	uint32_t rule;
	bool scan; /* about more than TW_SEEN_PORTS_MAX ports, all tried in vain; `detail` is 0 */
	uint16_t sport; /* source port of the last one */
	uint16_t detail;
	uint8_t proto;
	uint8_t verdict; /* enum tw_verdict */
	uint8_t ends;
	uint64_t n;
	uint64_t n_worked;
	uint64_t bytes;
	double first;
	double last;
};

struct tw_seen {
	TW_VEC(struct tw_seen_entry) entries;
	struct tw_names names;
	TW_VEC(char *) texts; /* memory of the names */
	uint64_t n_beyond;    /* connections that were left out */
	size_t settled;	      /* number of entries after the last tw_seen_settle() */
};

void tw_seen_done(struct tw_seen *seen);
int tw_seen_add(struct tw_seen *seen, const struct tw_seen_conn *conn); /* 0 or -ENOMEM */
void tw_seen_settle(struct tw_seen *seen);
/* Returns a name of an entry; "" for 0. */
const char *tw_seen_name(const struct tw_seen *seen, uint32_t name);
/* Returns the number of a text, a new one if needed, in *ret; 0 for "". Returns 0 or -ENOMEM. */
int tw_seen_intern(struct tw_seen *seen, const char *text, uint32_t *ret);

/* True if a connection that ended in this state, or is in it, was answered. A TCP port that only
 * refuses has not answered. */
bool tw_seen_is_answered(
	uint8_t proto, const char *state, uint64_t packets_out, uint64_t packets_in);
