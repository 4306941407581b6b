/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* row.h: a row of the history: a connection that ended or goes on, or a frame that was denied.
 *
 * Names (workloads, rules, ports, hosts) are numbers from tw_history_name(); 0 means none.
 */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

/* Kinds of names. The values are stored: append only. */
enum tw_history_noun {
	TW_HISTORY_WORKLOAD,
	TW_HISTORY_RULE,
	TW_HISTORY_TAP,
	TW_HISTORY_HOSTNAME,
	TW_HISTORY_NOUN__MAX
};

enum tw_history_kind {
	TW_HISTORY_CLOSE, /* a connection ended */
	TW_HISTORY_DENY,  /* a frame was denied or rejected */
	TW_HISTORY_LIVE,  /* a connection goes on; left out of sums, which count its close */
	TW_HISTORY_KIND__MAX
};

/* Stands for a reason or state that this version does not know, and for no state. */
#define TW_HISTORY_UNKNOWN 255

/* Ends are indexed by enum tw_dir: TW_DIR_OUT is the source's end, TW_DIR_IN the destination's.
 * Counters are indexed by the sender's enum tw_way. */
struct tw_history_row {
	uint64_t time_us;     /* Unix time of the report, by which rows are ordered */
	uint64_t idle_ms;     /* from the last packet to the report */
	uint64_t duration_ms; /* from the first packet to the last */
	struct tw_addr addr[TW_DIR__MAX];
	uint64_t packets[TW_WAY__MAX];
	uint64_t bytes[TW_WAY__MAX];
	uint32_t workload[TW_DIR__MAX];	   /* names */
	uint32_t tap[TW_DIR__MAX];	   /* names of the ports of this host */
	uint32_t rule[TW_DIR__MAX];	   /* names; the rule that decided at that end */
	uint32_t host;			   /* name of the reporting agent's host */
	uint16_t port[TW_DIR__MAX];	   /* TCP, UDP; ICMP: identifier, type << 8 | code */
	uint8_t gate_verdict[TW_DIR__MAX]; /* enum tw_verdict; none: that end did not decide */
	uint8_t proto;
	uint8_t kind;	 /* enum tw_history_kind */
	uint8_t verdict; /* enum tw_verdict */
	uint8_t reason;	 /* enum tw_reason, or TW_HISTORY_UNKNOWN */
	uint8_t state;	 /* enum tw_state when it ended, or TW_HISTORY_UNKNOWN */
	uint8_t dir;	 /* enum tw_dir of a denied frame */
};
