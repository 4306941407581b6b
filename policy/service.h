/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* service.h: protocols and ports as written: tcp/443, udp/5000-5100, icmp/3.4, proto/47. */
#pragma once

#include "base/buf.h"
#include "policy/model.h"

enum tw_proto_details { TW_PROTO_PORTS, TW_PROTO_TYPES };

struct tw_proto {
	const char *name;
	uint32_t number;
	uint32_t family; /* TW_FAMILY_* */
	enum tw_proto_details details;
};

/* Returns the protocol with this name, or NULL. */
const struct tw_proto *tw_proto_find(const char *name, size_t len);
/* Returns a hint for a protocol that the format identifies by number only, or NULL. */
const char *tw_proto_hint(const char *name, char *hint, size_t hint_len);
struct tw_part tw_part_of(const struct tw_proto *proto, uint32_t lo, uint32_t hi);
struct tw_part tw_part_of_number(uint32_t number);
/* Parses `8` or `3.4` to a range of type << 8 | code. Returns 0, -EINVAL or -ERANGE. */
int tw_service_types_parse(const char *text, uint32_t *ret_lo, uint32_t *ret_hi);
/* Parses a literal service. Returns 0; -ENOENT if it is not a literal, so perhaps a name;
 * -EINVAL or -ERANGE with *ret_hint saying how to write it. */
int tw_service_parse(const char *text, struct tw_part *ret, const char **ret_hint);
void tw_part_print(const struct tw_part *part, struct tw_buf *out);
