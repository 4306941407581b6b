/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* wire.h: rows in ClickHouse's format RowBinary: numbers little-endian, texts after their length.
 *
 * Why:        no byte of a text has a meaning, so nothing needs to be escaped.
 * Source:     ClickHouse documentation, "Formats for input and output data", RowBinary.
 * Callers:    writer.c writes; reader.c and schema.c read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "slowpath/history/row.h"

/* ---- writing ---- */

void tw_wire_add_number(struct tw_buf *buf, uint64_t number, size_t len); /* 1 … 8 bytes */
void tw_wire_add_length(struct tw_buf *buf, uint64_t length);
void tw_wire_add_text(struct tw_buf *buf, const char *text);

/* ---- reading ---- */

/* Bytes that are not read yet. After a read beyond them, `bad` is set, and all further values are 0. */
struct tw_wire {
	const uint8_t *at, *end;
	bool bad;
};

struct tw_wire tw_wire_of(const struct tw_buf *buf);
uint64_t tw_wire_number(struct tw_wire *wire, size_t len); /* 1 … 8 bytes */
uint64_t tw_wire_length(struct tw_wire *wire);
void tw_wire_bytes(struct tw_wire *wire, void *to, size_t len);
/* Reads a text into `to`, with a NUL after it. Truncates a text that is too long; a NUL in the text ends it early. */
void tw_wire_text(struct tw_wire *wire, char *to, size_t max);
/* True if no byte is left, or the bytes are bad. */
static inline bool tw_wire_is_at_end(const struct tw_wire *wire)
{
	return wire->bad || wire->at == wire->end;
}
