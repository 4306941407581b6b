/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* end.h: the ends of a connection and its gates, as the agent tells them, in text and JSON. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "link/link.h"

#define TW_END_TEXT_MAX 320

/* "web-1 10.0.0.11:40000", "[fd00::1]:443", "10.0.0.9" (port 0). Writes at most TW_END_TEXT_MAX
 * bytes to `text` and returns it. `end` may be NULL. */
const char *tw_end_text(const Tapwall__V1__End *end, char *text);
json_t *tw_end_json(const Tapwall__V1__End *end);
json_t *tw_gate_json(const Tapwall__V1__Gate *gate); /* null without one */

/* "tcp", or for ICMP its type and code too: "icmp 8.0". Same size and return. */
const char *tw_proto_text(const char *proto, uint32_t icmp_type, char *text);
/* Adds "type" and "code" for ICMP; `object` is taken over, NULL when there is no memory. */
json_t *tw_proto_json(json_t *object, const char *proto, uint32_t icmp_type);

/* A connection as `flows --json` has it; NULL when there is no memory. */
json_t *tw_flow_json(const Tapwall__V1__Flow *flow);
