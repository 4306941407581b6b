/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* messages.h: first messages of connections that ask for a name, for tests.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct message {
	size_t len;
	uint8_t bytes[8192];
};

static inline void add(struct message *m, const void *bytes, size_t len)
{
	if (m->len + len > sizeof(m->bytes))
		abort();
	memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
}

static inline void add_number(struct message *m, size_t value, int size)
{
	for (int i = size - 1; i >= 0; i--)
		add(m, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

/* Makes a ClientHello with a server name, NULL for none, among `others` extensions before and after it. */
static inline struct message hello(const char *name, int others)
{
	struct message extensions = {0}, body = {0}, m = {0};
	size_t len = name ? strlen(name) : 0;
	uint8_t zeros[200] = {0};

	for (int i = 0; i < 2 * others + 1; i++) {
		if (i == others) {
			if (!name)
				continue;
			add_number(&extensions, 0, 2);
			add_number(&extensions, len + 5, 2);
			add_number(&extensions, len + 3, 2);
			add_number(&extensions, 0, 1);
			add_number(&extensions, len, 2);
			add(&extensions, name, len);
			continue;
		}
		add_number(&extensions, 0x0a + (size_t)i, 2);
		add_number(&extensions, (size_t)i * 7, 2);
		add(&extensions, zeros, (size_t)i * 7);
	}
	add_number(&body, 0x0303, 2);
	add(&body, zeros, 32);
	add_number(&body, 32, 1);
	add(&body, zeros, 32);
	add_number(&body, 6, 2);
	add(&body, zeros, 6);
	add_number(&body, 1, 1);
	add(&body, zeros, 1);
	add_number(&body, extensions.len, 2);
	add(&body, extensions.bytes, extensions.len);
	add_number(&m, 22, 1);
	add_number(&m, 0x0301, 2);
	add_number(&m, body.len + 4, 2);
	add_number(&m, 1, 1);
	add_number(&m, body.len, 3);
	add(&m, body.bytes, body.len);
	return m;
}

/* Puts the handshake message of a record into records of `size` bytes. */
static inline struct message in_records(const struct message *whole, size_t size)
{
	struct message m = {0};

	for (size_t at = 5; at < whole->len; at += size) {
		size_t len = whole->len - at < size ? whole->len - at : size;

		add(&m, whole->bytes, 3);
		add_number(&m, len, 2);
		add(&m, whole->bytes + at, len);
	}
	return m;
}

static inline struct message text(const char *bytes)
{
	struct message m = {0};

	add(&m, bytes, strlen(bytes));
	return m;
}

/* Makes a query for a name. */
static inline struct message query(const char *name, bool tcp)
{
	struct message m = {0};
	size_t len = strlen(name);

	if (tcp)
		add_number(&m, len + 18, 2);
	add_number(&m, 0x1234, 2);
	add_number(&m, 0x0100, 2);
	add_number(&m, 1, 2);
	add_number(&m, 0, 6);
	while (*name) {
		len = strcspn(name, ".");
		add_number(&m, len, 1);
		add(&m, name, len);
		name += len + (name[len] == '.');
	}
	add_number(&m, 0, 1);
	add_number(&m, 1, 2);
	add_number(&m, 1, 2);
	return m;
}
