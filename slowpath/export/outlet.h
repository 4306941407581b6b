/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* outlet.h: a connection to a collector, by UDP, TCP or TLS.
 *
 * Why:        link/stream.h connects tapwall's own programs, which know each other by tapwall's CA. A collector is a
 *             foreign server, verified by the name in its certificate.
 * Invariants: 1. Nothing is sent to a TLS server unless a CA in the given file issued its certificate, for its host
 *                name or address, and for use as a TLS server.
 *             2. Every call that waits ends when `stop_fd` becomes readable.
 * Bounds:     TW_OUTLET_OPEN_NS for a connection and its handshake. Looking up a name may take longer.
 * Callers:    sender.c, in its thread.
 * Source:     RFC 5425 section 4.2, RFC 6125, RFC 8446.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define TW_OUTLET_OPEN_NS 10000000000u

enum tw_outlet_kind { TW_OUTLET_UDP, TW_OUTLET_TCP, TW_OUTLET_TLS };

/* Strings must outlive the connection. */
struct tw_outlet_setup {
	enum tw_outlet_kind kind;
	const char *where; /* HOST:PORT */
	const char *ca;	   /* PEM file of the CA of TLS servers */
	const char *cert;  /* PEM file of this end's certificate; NULL: none */
	const char *key;   /* PEM file of its key */
	int stop_fd;
};

struct tw_outlet;

/* Reads the files of a TLS connection. Returns 0, or a negative errno with `err` filled in. */
int tw_outlet_check(const struct tw_outlet_setup *setup, struct tw_err *err);
/* Connects. Returns 0, or a negative errno with `err` filled in. */
int tw_outlet_open(const struct tw_outlet_setup *setup, struct tw_outlet **ret, struct tw_err *err);
void tw_outlet_close(struct tw_outlet *outlet); /* NULL is fine */

int tw_outlet_fd(const struct tw_outlet *outlet);
/* Writes all bytes, or one datagram. Returns 0, -ECANCELED because of `stop_fd`, or another negative errno. After an
 * error, only a UDP connection can still be used. */
int tw_outlet_write(struct tw_outlet *outlet, const void *bytes, size_t len);
/* Reads and ignores input. Returns 0, or a negative errno if the connection has ended or a datagram was refused. */
int tw_outlet_look(struct tw_outlet *outlet);

/* Return the number of bytes given to the socket, and how many of them the other end's TCP has acknowledged. All
 * datagrams count as acknowledged. */
uint64_t tw_outlet_written(const struct tw_outlet *outlet);
uint64_t tw_outlet_acked(const struct tw_outlet *outlet);
