/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "policy/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "policy/text.h"

static const struct tw_proto protos[] = {
	{"tcp", TW_PROTO_TCP, TW_FAMILY_ANY, TW_PROTO_PORTS},
	{"udp", TW_PROTO_UDP, TW_FAMILY_ANY, TW_PROTO_PORTS},
	{"icmp", TW_PROTO_ICMP, TW_FAMILY_V4, TW_PROTO_TYPES},
	{"icmp6", TW_PROTO_ICMP6, TW_FAMILY_V6, TW_PROTO_TYPES},
};

/* Well-known protocols that the format identifies by number only, for hints. */
static const struct {
	const char *name;
	unsigned int number;
} numbered[] = {
	{"igmp", 2},
	{"ipip", 4},
	{"egp", 8},
	{"dccp", 33},
	{"gre", 47},
	{"esp", 50},
	{"ah", 51},
	{"ospf", 89},
	{"pim", 103},
	{"vrrp", 112},
	{"sctp", 132},
	{"udplite", 136},
};

const struct tw_proto *tw_proto_find(const char *name, size_t len)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (strlen(protos[i].name) == len && !memcmp(protos[i].name, name, len))
			return &protos[i];
	return NULL;
}

const char *tw_proto_hint(const char *name, char *hint, size_t hint_len)
{
	size_t len = strcspn(name, "/");

	for (size_t i = 0; i < sizeof(numbered) / sizeof(numbered[0]); i++)
		if (strlen(numbered[i].name) == len && !strncasecmp(numbered[i].name, name, len)) {
			snprintf(hint, hint_len, "%s is written proto/%u", numbered[i].name,
				numbered[i].number);
			return hint;
		}
	return NULL;
}

struct tw_part tw_part_of(const struct tw_proto *proto, uint32_t lo, uint32_t hi)
{
	struct tw_part part = TW_PART_ANY;

	part.family = proto->family;
	part.key_lo = proto->number << TW_PROTO_SHIFT | lo;
	part.key_hi = proto->number << TW_PROTO_SHIFT | hi;
	return part;
}

int tw_service_types_parse(const char *text, uint32_t *ret_lo, uint32_t *ret_hi)
{
	const char *dot = strchr(text, '.');
	uint32_t type, code;
	char scratch[8];
	int err;

	if (!dot) {
		err = tw_text_number(text, 255, &type);
		if (err)
			return err;
		*ret_lo = type << 8;
		*ret_hi = type << 8 | 255;
		return 0;
	}
	if ((size_t)(dot - text) >= sizeof(scratch))
		return -EINVAL;
	memcpy(scratch, text, (size_t)(dot - text));
	scratch[dot - text] = '\0';
	err = tw_text_number(scratch, 255, &type);
	if (!err)
		err = tw_text_number(dot + 1, 255, &code);
	if (err)
		return err;
	*ret_lo = *ret_hi = type << 8 | code;
	return 0;
}

struct tw_part tw_part_of_number(uint32_t number)
{
	struct tw_part part = TW_PART_ANY;

	part.key_lo = number << TW_PROTO_SHIFT;
	part.key_hi = part.key_lo | TW_PORT_MAX;
	return part;
}

int tw_service_parse(const char *text, struct tw_part *ret, const char **ret_hint)
{
	size_t len = strcspn(text, "/");
	const char *detail = text[len] ? text + len + 1 : NULL;
	const struct tw_proto *proto = tw_proto_find(text, len);
	uint32_t lo = 0, hi = TW_PORT_MAX;
	int err;

	if (!strcmp(text, "any")) {
		*ret = TW_PART_ANY;
		return 0;
	}
	if (len == 5 && !memcmp(text, "proto", 5)) {
		*ret_hint = "write proto/47: a protocol number, 0 to 255";
		err = detail ? tw_text_number(detail, 255, &lo) : -EINVAL;
		if (!err)
			*ret = tw_part_of_number(lo);
		return err;
	}
	if (!proto)
		return -ENOENT;
	if (detail && proto->details == TW_PROTO_PORTS) {
		*ret_hint =
			"write tcp/443 or udp/5000-5100; ports are 0 to 65535, the lower one first";
		err = tw_text_range(detail, TW_PORT_MAX, &lo, &hi);
	} else if (detail) {
		*ret_hint = "write icmp/8 or icmp/3.4: a type, or type.code, each 0 to 255";
		err = tw_service_types_parse(detail, &lo, &hi);
	} else {
		err = 0;
	}
	if (!err)
		*ret = tw_part_of(proto, lo, hi);
	return err;
}

static void print_range(uint32_t lo, uint32_t hi, struct tw_buf *out)
{
	if (lo == hi)
		tw_buf_addf(out, "%u", lo);
	else
		tw_buf_addf(out, "%u-%u", lo, hi);
}

static const struct tw_proto *proto_of(const struct tw_part *part)
{
	for (size_t i = 0; i < sizeof(protos) / sizeof(protos[0]); i++)
		if (protos[i].number == part->key_lo >> TW_PROTO_SHIFT &&
			protos[i].family == part->family)
			return &protos[i];
	return NULL;
}

static void print_types(uint32_t lo, uint32_t hi, struct tw_buf *out)
{
	if (lo == hi)
		tw_buf_addf(out, "%u.%u", lo >> 8, lo & 255);
	else
		tw_buf_addf(out, "%u", lo >> 8);
}

void tw_part_print(const struct tw_part *part, struct tw_buf *out)
{
	const struct tw_proto *proto = proto_of(part);
	uint32_t lo = part->key_lo & TW_PORT_MAX, hi = part->key_hi & TW_PORT_MAX;
	bool has_detail = lo != 0 || hi != TW_PORT_MAX;
	bool has_sport = part->sport_lo != 0 || part->sport_hi != TW_PORT_MAX;

	if (part->key_lo == 0 && part->key_hi == TW_KEY_MAX) {
		tw_buf_adds(out, "any");
	} else if (!proto) {
		tw_buf_addf(out, "proto/%u", part->key_lo >> TW_PROTO_SHIFT);
	} else if (has_sport) {
		tw_buf_addf(out, "{proto: %s", proto->name);
		if (has_detail) {
			tw_buf_adds(out, ", port: ");
			print_range(lo, hi, out);
		}
		tw_buf_adds(out, ", source-port: ");
		print_range(part->sport_lo, part->sport_hi, out);
		tw_buf_adds(out, "}");
	} else {
		tw_buf_adds(out, proto->name);
		tw_buf_adds(out, has_detail ? "/" : "");
		if (has_detail && proto->details == TW_PROTO_PORTS)
			print_range(lo, hi, out);
		else if (has_detail)
			print_types(lo, hi, out);
	}
}
