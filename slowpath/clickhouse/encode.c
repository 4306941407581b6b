/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/encode.h"

#include <errno.h>
#include <string.h>

#include "fastpath/abi/names.h"
#include "slowpath/feed/translate.h"

_Static_assert(TW_V__MAX == 6, "a new verdict needs a migration of the Enum8 columns");
_Static_assert(TW_HISTORY_KIND__MAX == 3, "a new kind needs a migration of the column event");

const char *tw_encode_text(const struct tw_history_names *names, uint32_t number)
{
	/* Numbers are given in order, from 1. */
	return number && number <= names->texts.n ? names->texts.at[number - 1].text : "";
}

void tw_encode_row(
	struct tw_buf *buf, const struct tw_history_row *row, const struct tw_history_names *names)
{
	bool known = row->reason < TW_R__MAX;
	bool has_state = row->state < TW_S__MAX;

	tw_wire_add_number(buf, row->time_us, 8);
	tw_wire_add_number(buf, row->kind, 1);
	tw_wire_add_number(buf, row->verdict, 1);
	tw_wire_add_number(buf, row->dir, 1);
	tw_wire_add_text(buf, known ? tw_reason_name(row->reason) : "");
	tw_wire_add_text(buf, has_state ? tw_state_name(row->state) : "");
	tw_wire_add_text(buf, tw_encode_text(names, row->host));
	tw_wire_add_number(buf, row->proto, 1);
	tw_buf_add(buf, &row->addr[TW_DIR_OUT], sizeof(row->addr[0]));
	tw_buf_add(buf, &row->addr[TW_DIR_IN], sizeof(row->addr[0]));
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_wire_add_number(buf, row->port[dir], 2);
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_wire_add_text(buf, tw_encode_text(names, row->workload[dir]));
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_wire_add_text(buf, tw_encode_text(names, row->tap[dir]));
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_wire_add_text(buf, tw_encode_text(names, row->rule[dir]));
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		tw_wire_add_number(buf, row->gate_verdict[dir], 1);
	for (int way = 0; way < TW_WAY__MAX; way++)
		tw_wire_add_number(buf, row->packets[way], 8);
	for (int way = 0; way < TW_WAY__MAX; way++)
		tw_wire_add_number(buf, row->bytes[way], 8);
	tw_wire_add_number(buf, row->duration_ms, 8);
	tw_wire_add_number(buf, row->idle_ms, 8);
}

/* ---- reading ---- */

static int read_name(struct tw_wire *wire, struct tw_history_names *names,
	enum tw_history_noun noun, uint32_t *ret)
{
	char text[TW_TRANSLATE_NAME_MAX + 1];

	tw_wire_text(wire, text, sizeof(text));
	return tw_history_names_find(names, noun, text, ret);
}

static int read_names(struct tw_wire *wire, struct tw_history_names *names,
	enum tw_history_noun noun, uint32_t ret[TW_DIR__MAX])
{
	int code = read_name(wire, names, noun, &ret[TW_DIR_OUT]);

	return code ? code : read_name(wire, names, noun, &ret[TW_DIR_IN]);
}

static uint8_t read_reason(struct tw_wire *wire)
{
	char text[TW_TRANSLATE_NAME_MAX + 1];
	int reason;

	tw_wire_text(wire, text, sizeof(text));
	reason = tw_reason_from_name(text);
	return reason < 0 ? TW_HISTORY_UNKNOWN : (uint8_t)reason;
}

static uint8_t read_state(struct tw_wire *wire)
{
	char text[TW_TRANSLATE_NAME_MAX + 1];

	tw_wire_text(wire, text, sizeof(text));
	for (unsigned int state = 0; state < TW_S__MAX; state++)
		if (!strcmp(tw_state_name(state), text))
			return (uint8_t)state;
	return TW_HISTORY_UNKNOWN;
}

/* Reads the texts and numbers of both ends. */
static int read_ends(
	struct tw_wire *wire, struct tw_history_names *names, struct tw_history_row *ret)
{
	int code;

	ret->proto = (uint8_t)tw_wire_number(wire, 1);
	tw_wire_bytes(wire, &ret->addr[TW_DIR_OUT], sizeof(ret->addr[0]));
	tw_wire_bytes(wire, &ret->addr[TW_DIR_IN], sizeof(ret->addr[0]));
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		ret->port[dir] = (uint16_t)tw_wire_number(wire, 2);
	code = read_names(wire, names, TW_HISTORY_WORKLOAD, ret->workload);
	if (!code)
		code = read_names(wire, names, TW_HISTORY_TAP, ret->tap);
	if (!code)
		code = read_names(wire, names, TW_HISTORY_RULE, ret->rule);
	return code;
}

int tw_encode_read(struct tw_wire *wire, struct tw_history_names *names, struct tw_history_row *ret)
{
	int code;

	*ret = (struct tw_history_row){0};
	ret->time_us = tw_wire_number(wire, 8);
	ret->kind = (uint8_t)tw_wire_number(wire, 1);
	ret->verdict = (uint8_t)tw_wire_number(wire, 1);
	ret->dir = (uint8_t)tw_wire_number(wire, 1);
	ret->reason = read_reason(wire);
	ret->state = read_state(wire);
	code = read_name(wire, names, TW_HISTORY_HOSTNAME, &ret->host);
	if (!code)
		code = read_ends(wire, names, ret);
	for (int dir = 0; dir < TW_DIR__MAX; dir++)
		ret->gate_verdict[dir] = (uint8_t)tw_wire_number(wire, 1);
	for (int way = 0; way < TW_WAY__MAX; way++)
		ret->packets[way] = tw_wire_number(wire, 8);
	for (int way = 0; way < TW_WAY__MAX; way++)
		ret->bytes[way] = tw_wire_number(wire, 8);
	ret->duration_ms = tw_wire_number(wire, 8);
	ret->idle_ms = tw_wire_number(wire, 8);
	if (!code && (wire->bad || ret->kind >= TW_HISTORY_KIND__MAX || ret->dir >= TW_DIR__MAX))
		code = -EPROTO;
	return code;
}
