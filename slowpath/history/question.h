/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* question.h: a query for rows of the history. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slowpath/history/row.h"

/* Conditions for an end of a connection. All that are set must hold. */
struct tw_history_end {
	const char *workload; /* NULL: any */
	bool has_prefix;
	struct tw_addr prefix;
	uint8_t prefix_len; /* for IPv4, the length in the mapped address: 96 … 128 */
};

/* Conditions for rows. All that are set must hold; an all-zero filter matches every row. */
struct tw_history_filter {
	uint64_t since_us, until_us; /* since ≤ time < until; 0: no bound */
	struct tw_history_end either, from, to;
	const char *rule; /* at either end; NULL: any */
	const char *host;
	bool has_proto, has_port, has_reason, has_kind;
	bool no_live; /* leave out TW_HISTORY_LIVE; sums always do */
	uint8_t proto;
	uint8_t verdict; /* TW_V_NONE: any */
	uint8_t reason;
	uint8_t kind;
	uint16_t port; /* destination port; without a protocol, that of TCP, UDP or SCTP */
};
