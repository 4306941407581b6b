/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* names.h: the names of the closed lists, as CLI, API and docs write them (user space only). Names
 * and texts are static strings; a value outside the list gives "?". */
#pragma once

#include <stdint.h>

#include "fastpath/abi/types.h"

const char *tw_reason_name(unsigned int reason);
const char *tw_reason_text(unsigned int reason); /* explanation of the reason */
enum tw_stage tw_reason_stage(unsigned int reason);
const char *tw_stage_name(unsigned int stage);
const char *tw_stage_text(unsigned int stage);
const char *tw_state_name(unsigned int state);
unsigned int tw_state_seconds(unsigned int state); /* default idle timeout */
/* Sets the idle timeouts of all states, in ticks, to their defaults. */
void tw_state_timeouts(struct tw_config *config);
const char *tw_verdict_name(unsigned int verdict);
/* NULL for TW_APP_NONE and outside the list. */
const char *tw_app_name(unsigned int app);
const char *tw_dir_name(unsigned int dir);
int tw_reason_from_name(const char *name); /* enum tw_reason, or -ENOENT */
int tw_verdict_from_name(const char *name);

/* Formats an address: IPv4-mapped as dotted quad, else by RFC 5952. `text` holds at least
 * INET6_ADDRSTRLEN bytes; returns it. */
const char *tw_addr_format(const struct tw_addr *addr, char *text);
/* Reads an IPv4 or IPv6 address (no prefix). 0, or -EINVAL with `ret` untouched. */
int tw_addr_parse(const char *text, struct tw_addr *ret);

struct tw_tcp_flags {
	char text[9];
};
/* Formats TCP flags, as in the header, by their first letters (FSRPAUEC), such as "SA". */
struct tw_tcp_flags tw_tcp_flags_text(uint32_t flags);
