/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/export/terms.h"

#include <string.h>

#include "fastpath/abi/names.h"

#define FORWARDED 64
#define DROPPED	  128
#define ACL_DENY  129
#define ACL_DROP  130
#define POLICER	  138
#define RPF	  140 /* reverse path: the source cannot be there */

static uint8_t dropped_for(int reason)
{
	switch (reason) {
	case TW_R_BAD_CHECKSUM:
		return 134; /* bad header checksum */
	case TW_R_BAD_LENGTH:
	case TW_R_TRUNCATED:
		return 135; /* bad total length */
	case TW_R_BAD_HEADER:
		return 136; /* bad header length */
	case TW_R_RATE_LIMIT:
	case TW_R_QUOTA:
	case TW_R_TABLE_FULL:
		return POLICER;
	case TW_R_SPOOFED_MAC:
	case TW_R_SPOOFED_ADDRESS:
	case TW_R_SPOOFED_ARP:
	case TW_R_SPOOFED_ND:
	case TW_R_FOREIGN_SOURCE:
	case TW_R_WORKLOAD_MAC:
		return RPF;
	default:
		return DROPPED;
	}
}

uint8_t tw_terms_forwarding(const struct tw_event_row *row, const char *reason)
{
	if (row->kind != TW_EVENT_ROW_DENY || row->verdict == TW_V_WOULD_DENY)
		return FORWARDED;
	if (row->verdict == TW_V_REJECT)
		return ACL_DENY;
	return row->rule ? ACL_DROP : dropped_for(tw_reason_from_name(reason));
}

uint8_t tw_terms_end(const char *reason, const char *state)
{
	static const char *const forced[] = {"port-gone", "removed", "tcp-revoked", "quarantined"};
	static const char *const seen[] = {"closed", "time-wait"};

	for (size_t i = 0; i < sizeof(forced) / sizeof(forced[0]); i++)
		if (!strcmp(reason, forced[i]))
			return 4;
	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++)
		if (!strcmp(state, seen[i]))
			return 3;
	return 1;
}
