/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* oracle.h: what a policy means and how a connection lives, in the plainest code that can say it.
 *
 * Why:        the product's classifier is compiled, projected and clever, its tracker made for one
 *             probe a packet. Here rules are looked at one by one and connections stand in a list,
 *             so that a disagreement (tests/diff) points at the clever code.
 * Invariants: 1. Shares no code with policy/ or fastpath/ but the names of verdicts, reasons and
 *                the form of an address. Written from docs/policy.md and the RFCs.
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

/* The plain entries, less the taken-away ones; `any`: starts from everything. */
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
	bool disabled; /* left out, while a disagreement is being shrunk */
};

struct tw_oracle_nic {
	struct tw_oracle_prefix *prefixes;
	size_t n_prefixes;
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

/* What is known of one end of a TCP connection, by its sequence numbers. */
struct tw_oracle_end_state {
	uint32_t next; /* behind all that it sent */
	uint32_t una;  /* behind all that the other end acknowledged */
	uint32_t edge; /* the other end takes what is below */
	int scale;     /* of its own windows; -1: none */
	bool spoke;    /* its SYN was seen */
	bool heard;    /* so was the other end's */
	bool behind;   /* it was acknowledged less than it had sent */
	bool cut;      /* its RST stood at `next` */
	bool twice;    /* it began at more than one number */
	bool unbound;  /* the other end's offer was not seen: `edge` is only as good as a guess */
};

struct tw_oracle_conn {
	struct tw_oracle_tuple tuple; /* as its first packet said */
	enum tw_state state;
	struct tw_oracle_end_state tcp[TW_WAY__MAX];
	bool fin[TW_WAY__MAX];
	bool syn_again; /* the originator's SYN was seen, long after the first */
	bool alive;
	uint64_t seen_ns;
};

struct tw_oracle_host {
	const struct tw_oracle_policy *policy;
	struct tw_oracle_conn conns[TW_ORACLE_CONNS_MAX];
};

/* One packet between two ends; `flags` are TCP's, `answer` marks an ICMP echo reply, whose `sport`
 * and `dport` in the tuple are the identifier. */
struct tw_oracle_packet {
	struct tw_oracle_tuple tuple;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	uint32_t len; /* of data */
	uint16_t window;
	int8_t scale; /* of a SYN; -1: it has no such option */
	bool answer;
	uint64_t now_ns;
};

/* Whether the packet gets from one end to the other, and if not, why: TW_R_POLICY (or
 * TW_R_ASK_UNAVAILABLE) for what the rules refuse, TW_R_TCP_* and TW_R_NO_CONNECTION for what has
 * no place. */
bool tw_oracle_passes(struct tw_oracle_host *host, const struct tw_oracle_packet *packet,
	enum tw_reason *ret_reason);
/* TCP, in tcp.c: what a packet does to its connection; 0 or why it has no place there. */
enum tw_reason tw_oracle_tcp(
	struct tw_oracle_conn *c, enum tw_way way, const struct tw_oracle_packet *packet);
void tw_oracle_tcp_open(struct tw_oracle_conn *c, const struct tw_oracle_packet *packet);
/* Whether the rules refuse the connection that the packet would open, in either direction. */
bool tw_oracle_refuses(const struct tw_oracle_host *host, const struct tw_oracle_packet *packet);
