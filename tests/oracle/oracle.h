/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* oracle.h: the meaning of policies and the states of connections, in the simplest possible code.
 *
 * Why:        the product's classifier is compiled and optimized, and its connection table is built
 *             for one probe per packet. The oracle searches rules and connections linearly, so a
 *             disagreement (tests/diff) points at the optimized code.
 * Invariants: 1. Shares no code with policy/ or fastpath/ except the names of verdicts and reasons
 *                and the type of an address. Written from docs/policy.md and the RFCs.
 * Source:     RFC 9293 §3.3.2, §3.5 and §3.10.7, RFC 5961, RFC 7323 §2, RFC 792.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/types.h"

#define TW_ORACLE_CONNS_MAX 64

/* `len` counts the bits of the mapped form: an IPv4 /24 is 120. */
struct tw_oracle_prefix {
	struct tw_addr addr;
	uint8_t len;
};

/* The plain entries without the excluded ones; `any`: everything without the excluded ones. */
struct tw_oracle_set {
	bool any;
	struct tw_oracle_prefix *plus;
	size_t n_plus;
	struct tw_oracle_prefix *minus;
	size_t n_minus;
};

/* Bounds are inclusive. For ICMP `low` and `high` bound type << 8 | code. */
struct tw_oracle_service {
	uint8_t proto;
	uint16_t low;
	uint16_t high;
	uint16_t source_low;
	uint16_t source_high;
};

struct tw_oracle_rule {
	struct tw_oracle_set from;
	struct tw_oracle_set to;
	struct tw_oracle_service *services;
	size_t n_services; /* 0: any protocol */
	enum tw_verdict action;
	bool at_out;
	bool at_in;
	bool disabled; /* removed while a disagreement is being shrunk */
};

struct tw_oracle_nic {
	struct tw_oracle_prefix *prefixes;
	size_t n_prefixes;
	bool liberal;  /* `tcp: liberal` */
	bool observed; /* `mode: observe`: what rules would refuse passes as TW_V_WOULD_DENY */
};

struct tw_oracle_policy {
	struct tw_oracle_nic *nics;
	size_t n_nics;
	struct tw_oracle_rule *rules;
	size_t n_rules;
	enum tw_verdict fallback;
};

/* A connection's first packet. For ICMP `dport` is type << 8 | code, and `sport` 0. */
struct tw_oracle_tuple {
	struct tw_addr from;
	struct tw_addr to;
	uint8_t proto;
	uint16_t sport;
	uint16_t dport;
};

struct tw_oracle_end {
	int nic; /* -1: no protected port at this end */
	enum tw_verdict verdict;
	size_t rule; /* n_rules: the default */
};

struct tw_oracle_answer {
	struct tw_oracle_end end[TW_DIR__MAX];
	int decider; /* enum tw_dir; -1: neither end is protected */
};

/* The nic that owns an address, by the longest prefix, or -1. */
int tw_oracle_owner(const struct tw_oracle_policy *policy, const struct tw_addr *addr);
void tw_oracle_judge(const struct tw_oracle_policy *policy, const struct tw_oracle_tuple *tuple,
	struct tw_oracle_answer *ret);

/* ---- connections ---- */

/* The state of one end of a TCP connection, in sequence numbers. */
struct tw_oracle_end_state {
	uint32_t next; /* end of what it has sent */
	uint32_t una;  /* end of what the other end has acknowledged */
	uint32_t edge; /* right edge of the other end's window */
	int scale;     /* scale of its own windows; -1: none */
	bool spoke;    /* its SYN was seen */
	bool heard;    /* the other end's SYN was seen */
	bool behind;   /* the other end acknowledged less than it had sent */
	bool cut;      /* its RST had the sequence number `next` */
	bool twice;    /* it sent SYNs with different numbers */
	bool unbound;  /* no window of the other end was seen: `edge` is a guess */
};

struct tw_oracle_conn {
	struct tw_oracle_tuple tuple; /* tuple of its first packet */
	enum tw_state state;
	struct tw_oracle_end_state tcp[TW_WAY__MAX];
	bool fin[TW_WAY__MAX];
	bool syn_again; /* the originator's SYN was seen again, long after the first */
	bool adopted;	/* not seen from its beginning: no number is refused */
	bool alive;
	uint64_t seen_ns;
};

struct tw_oracle_host {
	const struct tw_oracle_policy *policy;
	struct tw_oracle_conn conns[TW_ORACLE_CONNS_MAX];
};

/* One packet between two ends. `flags` are TCP's. `answer` marks an ICMP echo reply; `sport` and
 * `dport` of its tuple are the identifier. */
struct tw_oracle_packet {
	struct tw_oracle_tuple tuple;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint32_t len; /* bytes of data */
	uint16_t window;
	int8_t scale; /* window scale of a SYN; -1: no such option */
	bool answer;
	uint64_t now_ns;
};

/* True if the packet passes from one end to the other. Else stores the reason: TW_R_POLICY (or
 * TW_R_ASK_UNAVAILABLE) if the rules refuse it, TW_R_TCP_* or TW_R_NO_CONNECTION if it does not fit
 * a connection. */
bool tw_oracle_passes(struct tw_oracle_host *host, const struct tw_oracle_packet *packet,
	enum tw_reason *ret_reason);
/* Applies a TCP packet to its connection (tcp.c); 0, or the reason for which it does not fit. */
enum tw_reason tw_oracle_tcp(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet);
void tw_oracle_tcp_open(struct tw_oracle_conn *c, const struct tw_oracle_packet *packet);
/* `tcp: liberal` (liberal.c). True if the ends of a connection are liberal. */
bool tw_oracle_liberal(const struct tw_oracle_policy *policy, const struct tw_oracle_tuple *tuple);
/* Fills a connection from a segment of its middle. Returns the segment's way. */
enum tw_way tw_oracle_pick_up(struct tw_oracle_conn *c, const struct tw_oracle_packet *packet);
/* Applies a segment other than a RST to a connection of which one direction has been seen. */
enum tw_reason tw_oracle_half_seen(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet);
/* Applies a segment that a strict port refuses for `reason`. */
enum tw_reason tw_oracle_misfit(struct tw_oracle_conn *c, enum tw_way way,
	const struct tw_oracle_packet *packet, enum tw_reason reason);
/* True if the rules refuse the connection that the packet would open, in either direction. */
bool tw_oracle_refuses(const struct tw_oracle_host *host, const struct tw_oracle_packet *packet);
