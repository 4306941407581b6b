/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* tuple.h: the first packet of a connection, described in words.
 *
 * Out:        both addresses, the vNICs behind them, protocol, ports or type and code.
 * Invariants: both addresses are of one family.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fastpath/abi/types.h"
#include "fastpath/path/bytes.h"
#include "policy/policy.h"

/* The ends are indexed by enum tw_dir: OUT is the source, IN the destination. */
struct tw_query {
	struct tw_addr addr[TW_DIR__MAX];
	const struct tw_vnic *vnic[TW_DIR__MAX]; /* NULL: not in the policy */
	uint8_t proto;
	uint8_t type; /* for ICMP and ICMPv6 */
	uint8_t code;
	bool sport_chosen; /* true if `sport` was not given but chosen */
	uint16_t sport;
	uint16_t dport;
};

/* The words that describe a tuple. NULL: not given. */
struct tw_tuple_words {
	const char *end[TW_DIR__MAX]; /* address, workload, or workload@address */
	const char *proto;	      /* tcp, udp, icmp, icmp6, or a number */
	const char *sport;
	const char *dport;
	const char *type;
	const char *code;
};

/* Fills *ret. Returns 0, or -EINVAL with `err` filled and *ret untouched. The place of the error
 * is the word in question ("from", "dport", …). */
int tw_tuple_read(const struct tw_policy *policy, const struct tw_tuple_words *words,
	struct tw_query *ret, struct tw_err *err);

bool tw_tuple_has_ports(uint8_t proto);
bool tw_tuple_is_icmp(uint8_t proto); /* ICMP or ICMPv6 */

/* Returns "tcp", "udp", "icmp" or "icmp6", or else the number, written to `text` of at least 4
 * bytes. */
const char *tw_tuple_proto_name(uint8_t proto, char *text);
