/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* asked.h: the names that a capture's connections ask for (fastpath/path/app/name.h).
 *
 * What:       puts the bytes of each direction in order, and has the first message read. A retransmitted
 *             or reordered segment does not change the answer: the first copy of a byte counts, and
 *             bytes behind a gap wait for it.
 * Bounds:     the first TW_ASKED_BYTES bytes of a direction; a few kilobytes for each connection whose
 *             first message is not complete.
 * Callers:    replay, tests. One thread per object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "fastpath/abi/types.h"
#include "fastpath/path/app/name.h"
#include "sim/glance.h"

#define TW_ASKED_BYTES 4096

/* A name that was asked for. */
struct tw_asked_name {
	enum tw_name_kind kind;
	const char *text; /* lower case; until the connection is forgotten */
};

struct tw_asked_names;

/* Creates an object for at most `max` connections. 0 or -ENOMEM. */
int tw_asked_new(struct tw_asked_names **ret, size_t max);
void tw_asked_names_free(struct tw_asked_names *asked); /* NULL is fine */
TW_DEFINE_AUTO(tw_asked_names)

/* Looks at a frame of a connection. `opens`: it is the first one, and what is known by this key is
 * forgotten. True if the name is known, then `ret` is set. */
bool tw_asked_see(struct tw_asked_names *asked, const struct tw_key *key, bool opens,
	const struct tw_glance *glance, const uint8_t *data, struct tw_asked_name *ret);

/* Forgets all connections. */
void tw_asked_forget(struct tw_asked_names *asked);

/* Gives the next bytes of a stream, or a datagram, to a reader. */
void tw_asked_read(struct tw_name_reader *name, const uint8_t *bytes, size_t len);

/* Returns the kind of message that a payload begins, by its first byte and the port of its receiver;
 * -1: none. */
int tw_asked_kind(bool tcp, uint16_t port, uint8_t first);
