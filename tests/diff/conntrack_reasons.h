/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_reasons.h: the closed list of reasons for which tapwall and nf_conntrack may differ
 * about a packet.
 *
 * Each entry of conntrack_reasons.c is a condition on the packet and the conversation before it,
 * with the standard that justifies the difference. docs/conformance.md describes the same list in
 * prose. A difference that no entry explains fails the test.
 */
#pragma once

#include <stdbool.h>

#include "fastpath/abi/types.h"
#include "tests/diff/conntrack_net.h"
#include "tests/diff/conntrack_talk.h"

enum tw_ct_why {
	TW_CT_WHY_NOT, /* not explained */
	TW_CT_WHY_SYN_CHALLENGED,
	TW_CT_WHY_RST_OUTSIDE,
	TW_CT_WHY_RST_BEFORE_ACK,
	TW_CT_WHY_RST_NO_DATA,
	TW_CT_WHY_ACK_AGE,
	TW_CT_WHY_BEYOND_WINDOW,
	TW_CT_WHY_SACK_UNSENT,
	TW_CT_WHY_CLOSED_REOPENS,
	TW_CT_WHY_RST_CHALLENGED,
	TW_CT_WHY_RST_BEHIND_DATA,
	TW_CT_WHY_RST_STALE,
	TW_CT_WHY_RST_REJECTED,
	TW_CT_WHY_OLD_ACKS,
	TW_CT_WHY_BEGUN_ANEW,
	TW_CT_WHY_RST_TO_SYN,
	TW_CT_WHY_SYN_ACK_OF_ANOTHER,
	TW_CT_WHY_SIMULTANEOUS,
	TW_CT_WHY_EDGE_ROUNDED,
	TW_CT_WHY_FIN_UNACKED,
	TW_CT_WHY_SENT_BEFORE,
	TW_CT_WHY_SYN_OFFERS,
	TW_CT_WHY_UNANSWERED,
	TW_CT_WHY__MAX
};

enum tw_ct_kind { TW_CT_TCP, TW_CT_UDP, TW_CT_ECHO, TW_CT_ERROR, TW_CT__KINDS };

/* The conversation before the packet. */
struct tw_ct_history {
	bool spoke[TW_CT__KINDS][2]; /* a packet of this kind (TCP excepted) passed, by end */
	bool begun;
	bool turned;		 /* the end that answered before has reopened it */
	bool answered;		 /* the other end has spoken */
	uint32_t first[2];	 /* initial sequence numbers, by end */
	bool reset;		 /* a RST closed our record */
	bool challenged[2];	 /* a RST passed without closing our record, by its sender */
	uint32_t rst[2];	 /* the highest sequence number of such a RST */
	bool syn_acked;		 /* a SYN-ACK passed that acknowledges a different SYN */
	uint32_t syn_window;	 /* window of the SYN that opened the connection */
	bool fin[2];		 /* a FIN passed */
	bool aged[2];		 /* a segment with an old acknowledgement passed, by its sender */
	uint32_t aged_end[2];	 /* end of the data in such segments */
	bool acks[2];		 /* the end has acknowledged something */
	uint32_t highest_ack[2]; /* highest acknowledgement of the end */
};

/* One packet with both outcomes. */
struct tw_ct_case {
	const struct tw_ct_segment *segment; /* NULL: not TCP, see `kind` */
	enum tw_ct_kind kind;
	bool reply; /* sent by the end that did not open the conversation */
	const struct tw_ct_history *history;
	struct tw_conn record; /* our record before the packet; all zero: none */
	int their_state; /* nf_conntrack's TCP state before the packet (linux/netfilter/nf_conntrack_tcp.h); -1: none */
	enum tw_ct_class theirs;
	enum tw_ct_class ours;
	enum tw_reason reason;
	enum tw_state state; /* our state after the packet */
};

enum tw_ct_why tw_ct_explain(const struct tw_ct_case *k);
/* True if the rest of the conversation cannot be compared, because the two now track different
 * connections. */
bool tw_ct_parts_ways(enum tw_ct_why why);
void tw_ct_remember(struct tw_ct_history *history, const struct tw_ct_case *k);
const char *tw_ct_why_name(enum tw_ct_why why);
const char *tw_ct_class_name(enum tw_ct_class class);
