/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* question.h: what rows of the history are asked for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "slowpath/history/row.h"

/* An end of a connection: all that is set must be so. */
struct tw_history_end {
	const char *workload; /* NULL: any */
	bool has_prefix;
	struct tw_addr prefix;
	uint8_t prefix_len; /* of IPv4 as of the mapped address: 96 … 128 */
};

/* What rows are asked for: all that is set must be so; all zero is every row. */
struct tw_history_filter {
	uint64_t since_us, until_us; /* from the first until before the last; 0: no bound */
	struct tw_history_end either, from, to;
	const char *rule; /* at either end; NULL: any */
	const char *host;
	bool has_proto, has_port, has_reason, has_kind;
	uint8_t proto;
	uint8_t verdict; /* TW_V_NONE: any */
	uint8_t reason;
	uint8_t kind;
	uint16_t port; /* destination; without a protocol: of TCP, UDP and SCTP */
};
