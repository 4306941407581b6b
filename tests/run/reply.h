/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* reply.h: checks a refusal, a TCP reset or an ICMP unreachable message.
 *
 * Source: RFC 9293 §3.5.2 (resets), RFC 792, 1122 §3.2.2, 1812 §4.3.2 (ICMP), 4443 §2.4 and §3.1.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

/* Checks every header of `reply` against the refused frame (`super`: a super-frame, whose headers
 * may omit the length), and appends its description to `text`: "tcp 23 > 40000 RA seq=0 ack=101",
 * "icmp 3.13", "icmp6 1.1". -EINVAL with `err` if a field is wrong. */
int tw_reply_check(const uint8_t *frame, size_t len, bool super, const uint8_t *reply,
	size_t reply_len, struct tw_buf *text, struct tw_err *err);
