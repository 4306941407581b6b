/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* conntrack_reasons.h: why tapwall and nf_conntrack may differ about a packet, the closed list.
 *
 * Each entry of conntrack_reasons.c says what has to be true of a packet and of what went before for
 * the difference to be that one, and which standard is behind it. docs/conformance.md tells the same
 * in words. What fits no entry fails the test.
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

/* What went before in the conversation. */
struct tw_ct_history {
	bool spoke[TW_CT__KINDS][2]; /* passed packets of each kind but TCP, by end */
	bool begun;
	bool turned;	     /* it was opened anew by the end that answered before */
	bool answered;	     /* the other end has spoken */
	uint32_t first[2];   /* sequence numbers */
	bool reset;	     /* a RST closed our record */
	bool challenged[2];  /* a RST passed and closed nothing here, by its sender */
	uint32_t rst[2];     /* the highest number of such a RST */
	bool syn_acked;	     /* a SYN-ACK passed that acknowledges another SYN */
	uint32_t syn_window; /* of the SYN that opened it */
	bool fin[2];	     /* a FIN passed */
	bool aged[2]; /* a segment passed whose acknowledgement was old, and how far it reached */
	uint32_t aged_end[2];
	bool acks[2]; /* it has acknowledged, and the highest that it did, in whatever segment */
	uint32_t highest_ack[2];
};

/* One packet, judged by both. */
struct tw_ct_case {
	const struct tw_ct_segment *segment; /* NULL: not TCP, but … */
	enum tw_ct_kind kind;
	bool reply; /* … from the other end */
	const struct tw_ct_history *history;
	struct tw_conn record; /* ours, before the packet; all zero: none */
	int their_state; /* of TCP, before the packet, as linux/netfilter/nf_conntrack_tcp.h; -1: none */
	enum tw_ct_class theirs;
	enum tw_ct_class ours;
	enum tw_reason reason;
	enum tw_state state; /* ours, behind the packet */
};

enum tw_ct_why tw_ct_explain(const struct tw_ct_case *k);
/* Whether what comes next cannot be compared, as the two take the connection for different ones now. */
bool tw_ct_parts_ways(enum tw_ct_why why);
void tw_ct_remember(struct tw_ct_history *history, const struct tw_ct_case *k);
const char *tw_ct_why_name(enum tw_ct_why why);
const char *tw_ct_class_name(enum tw_ct_class class);
