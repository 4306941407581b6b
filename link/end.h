/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* end.h: the ends of a connection and its gates, as the agent tells them, in text and JSON. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "link/link.h"

#define TW_END_TEXT_MAX 320

/* A connection in words: "tcp", "icmp 8.0" and " id 7"; "web-1 10.0.0.11:40000",
 * "[fd00::1]:443". */
struct tw_flow_words {
	char proto[96];
	char id[24]; /* of ICMP queries, else empty */
	char from[TW_END_TEXT_MAX];
	char to[TW_END_TEXT_MAX];
};

/* Ends may be NULL: nothing is known of them. `icmp_type` is type << 8 | code. */
void tw_flow_words(const char *proto, uint32_t icmp_type, const Tapwall__V1__End *from,
	const Tapwall__V1__End *to, struct tw_flow_words *ret);

json_t *tw_end_json(const Tapwall__V1__End *end);
json_t *tw_gate_json(const Tapwall__V1__Gate *gate); /* null without one */

/* Adds "type" and "code" for ICMP; `object` is taken over, NULL when there is no memory. */
json_t *tw_proto_json(json_t *object, const char *proto, uint32_t icmp_type);

/* A connection as `flows --json` has it; NULL when there is no memory. */
json_t *tw_flow_json(const Tapwall__V1__Flow *flow);
