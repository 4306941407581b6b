/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "slowpath/clickhouse/wire.h"

#include <string.h>

#define LENGTH_BITS 7u /* of each byte of a length */

void tw_wire_add_number(struct tw_buf *buf, uint64_t number, size_t len)
{
	uint8_t bytes[sizeof(number)];

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(number >> 8 * i);
	tw_buf_add(buf, bytes, len);
}

void tw_wire_add_length(struct tw_buf *buf, uint64_t length)
{
	uint8_t bytes[10];
	size_t n = 0;

	for (; length >> LENGTH_BITS; length >>= LENGTH_BITS)
		bytes[n++] = (uint8_t)(length | 1u << LENGTH_BITS);
	bytes[n++] = (uint8_t)length;
	tw_buf_add(buf, bytes, n);
}

void tw_wire_add_text(struct tw_buf *buf, const char *text)
{
	size_t len = strlen(text);

	tw_wire_add_length(buf, len);
	tw_buf_add(buf, text, len);
}

struct tw_wire tw_wire_of(const struct tw_buf *buf)
{
	const uint8_t *data = (const uint8_t *)buf->data;

	return (struct tw_wire){.at = data, .end = data ? data + buf->len : data};
}

/* Returns the next `len` bytes, or NULL if there are fewer. */
static const uint8_t *take_bytes(struct tw_wire *wire, uint64_t len)
{
	const uint8_t *at = wire->at;

	if (wire->bad || len > (uint64_t)(wire->end - wire->at)) {
		wire->bad = true;
		return NULL;
	}
	wire->at += len;
	return at;
}

uint64_t tw_wire_number(struct tw_wire *wire, size_t len)
{
	const uint8_t *at = take_bytes(wire, len);
	uint64_t number = 0;

	for (size_t i = 0; at && i < len; i++)
		number |= (uint64_t)at[i] << 8 * i;
	return number;
}

uint64_t tw_wire_length(struct tw_wire *wire)
{
	uint64_t length = 0;

	for (unsigned int shift = 0; shift < 64; shift += LENGTH_BITS) {
		uint64_t byte = tw_wire_number(wire, 1);

		length |= (byte & ((1u << LENGTH_BITS) - 1)) << shift;
		if (!(byte >> LENGTH_BITS))
			return length;
	}
	wire->bad = true;
	return 0;
}

void tw_wire_bytes(struct tw_wire *wire, void *to, size_t len)
{
	const uint8_t *at = take_bytes(wire, len);

	if (at)
		memcpy(to, at, len);
	else
		memset(to, 0, len);
}

void tw_wire_text(struct tw_wire *wire, char *to, size_t max)
{
	uint64_t len = tw_wire_length(wire);
	const uint8_t *at = take_bytes(wire, len);

	if (!at)
		len = 0;
	if (len > max - 1)
		len = max - 1;
	if (len)
		memcpy(to, at, len);
	to[len] = '\0';
}
