/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ask.h: questions about connections that a rule with `action: ask` decides, and their answers.
 *
 * Why:        separate from types.h, as only classification and the agent use it.
 * Callers:    path/ask.h asks and reads answers; the agent (agent/observe/asks.c) writes answers.
 */
#pragma once

#include "fastpath/abi/types.h"

#define TW_ANSWERS_MAX	262144 /* answers and pending questions of all ports */
#define TW_ANSWERS_PORT 65536  /* entries that one port may pay for while at most half are used */
#define TW_ASKS_BYTES	(2 << 20) /* ring buffer of questions */

/* Longest frame whose copy is held. BPF_PROG_TEST_RUN accepts a page minus room for metadata. */
#define TW_ASK_FRAME_MAX 3408

#define TW_ASK_RATE_DEFAULT 5000 /* questions a second that one port pays for */

/* Time until a decider's lease ends, unless the agent renews it. */
#define TW_ASK_LEASE_TICKS (2 * TW_TICKS_PER_SECOND)

enum tw_ask_scope {
	TW_ASK_CONNECTION, /* one 5-tuple */
	TW_ASK_PAIR,	   /* any source port: source, destination and service */
	TW_ASK_POLICY,	   /* as TW_ASK_PAIR, until the policy changes */
	TW_ASK__MAX
};

/* Key of `answers`: what an answer is about. Addresses and ports are those of the connection's
 * originator. An answer counts only at the port and for the rule that asked. */
struct tw_ask_key {
	struct tw_addr src;
	struct tw_addr dst;
	__be16 sport; /* TW_ASK_PAIR: 0 */
	__be16 dport; /* ICMP: type << 8 | code of the first packet */
	__u16 network;
	__u16 owner; /* as in struct tw_key */
	__u32 tags;  /* tw_key_tags() */
	__u32 rule;  /* slot */
	__u16 port_id;
	__u8 end;   /* enum tw_dir: the gate that asks */
	__u8 scope; /* TW_ASK_CONNECTION or TW_ASK_PAIR */
	__u32 pad;  /* always 0 */
};

/* An answer, or a question without one. `word` changes as a whole: tick when it was asked or answered,
 * enum tw_verdict (TW_V_ASK: no answer yet; TW_V_NONE: void), and the id of the port that pays. */
struct tw_answer {
	__u64 word;
	__u32 until; /* tick when an answer ends */
	__u32 epoch; /* policy epoch that it is limited to; 0: none */
};

static inline __u64 tw_answer_word(enum tw_verdict verdict, __u32 payer_id, __u32 tick)
{
	return (__u64)payer_id << 40 | (__u64)verdict << 32 | tick;
}

static inline enum tw_verdict tw_answer_verdict(__u64 word)
{
	return (enum tw_verdict)(word >> 32 & 0xff);
}

static inline __u32 tw_answer_tick(__u64 word)
{
	return (__u32)word;
}

static inline __u32 tw_answer_payer(__u64 word)
{
	return (__u32)(word >> 40) & (TW_PORTS_MAX - 1);
}

/* Account of the questions and answers that one port pays for. */
struct tw_asker {
	__u64 due_ns;  /* time when the next question is due at an even rate (path/limit.h) */
	__u32 entries; /* entries of `answers` that the port pays for */
	__u32 pad;
};

/* A question in the ring buffer `asks`: this head, then `cap_len` bytes of the frame as it came. The
 * rest of the record is undefined. */
struct tw_asked {
	__u64 time_ns; /* monotonic */
	struct tw_ask_key key;
	__u32 since; /* tick of its entry in `answers` */
	__u32 decision;
	__u32 ifindex; /* interface of the port that asks */
	__u32 origin;  /* interface where the frame entered the host; 0: host-made */
	__u32 mark;
	__u32 len;	  /* bytes of the frame */
	__u32 cap_len;	  /* bytes held; 0: the frame cannot be held */
	__u16 vlan_tci;	  /* host order; tag kept outside the frame */
	__be16 vlan_type; /* TPID of that tag; 0: none */
	__u32 csum_start; /* frame offset where an incomplete checksum starts; 0: complete */
	__u16 csum_offset;
	__u16 payer_id;
	__u8 dir; /* enum tw_dir */
	__u8 pad[7];
};

_Static_assert(sizeof(struct tw_ask_key) == 56, "no padding: keys are compared bytewise");
_Static_assert(sizeof(struct tw_answer) == 16, "answers value is pinned");
_Static_assert(sizeof(struct tw_asker) == 16, "askers value is pinned, and mapped by the agent");
_Static_assert(sizeof(struct tw_asked) % 8 == 0, "ring buffer records are 8-aligned");
