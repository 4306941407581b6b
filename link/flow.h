/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* flow.h: formats the ends and gates of a connection, as the agent sends them, as text and JSON. */
#pragma once

#include <jansson.h>
#include <stdint.h>

#include "link/link.h"

#define TW_FLOW_TEXT_MAX 320

/* A connection as text: "tcp", "icmp 8.0" and " id 7"; "web-1 10.0.0.11:40000", "[fd00::1]:443". */
struct tw_flow_words {
	char proto[96];
	char id[24]; /* identifier of an ICMP query; empty for other packets */
	char from[TW_FLOW_TEXT_MAX];
	char to[TW_FLOW_TEXT_MAX];
};

/* An end that is not known may be NULL. `icmp_type` is type << 8 | code. */
void tw_flow_words(const char *proto, uint32_t icmp_type, const Tapwall__V1__End *from,
	const Tapwall__V1__End *to, struct tw_flow_words *ret);

json_t *tw_flow_end_json(const Tapwall__V1__End *end);
json_t *tw_flow_gate_json(const Tapwall__V1__Gate *gate); /* JSON null if `gate` is NULL */

/* Adds "type" and "code" for ICMP. Takes `object` over. NULL if memory runs out. */
json_t *tw_flow_proto_json(json_t *object, const char *proto, uint32_t icmp_type);

/* Returns a connection as `flows --json` prints it, or NULL if memory runs out. */
json_t *tw_flow_json(const Tapwall__V1__Flow *flow);
