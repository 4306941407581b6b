/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* sender.h: sends messages to a collector from a bounded queue, in a thread of its own.
 *
 * Why:        a collector may be away, slow or stopped. Neither the loop nor the recorder may wait for it.
 * How:        the thread connects (outlet.h), again and again with a growing, jittered pause. Over TCP and TLS, a
 *             message leaves the queue when the collector's TCP has acknowledged it; after a disconnection, the
 *             others are sent again, so a collector may see a message twice.
 * Invariants: 1. tw_sender_give() never waits. A message for which the queue has no room is lost and counted. The
 *                beginning and the end of a series of losses are logged.
 *             2. What was acknowledged may still be lost in a collector that dies, and a lost datagram is not noticed
 *                unless its host refuses it. RFC 5425 and RFC 7011 have no acknowledgement above the transport.
 * Bounds:     TW_SENDER_QUEUE_BYTES of queued messages; TW_SENDER_MESSAGE_MAX bytes of one.
 * Callers:    tw_sender_give() and tw_sender_get_facts() in any thread; `prepare` in the sender's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "slowpath/export/outlet.h"

#define TW_SENDER_QUEUE_BYTES ((size_t)8 << 20)
#define TW_SENDER_MESSAGE_MAX 8192u
#define TW_SENDER_PAUSE_NS    500000000u   /* before the second attempt to connect; then doubled */
#define TW_SENDER_PAUSE_MAX   30000000000u /* longest pause */
#define TW_SENDER_STOP_NS     1000000000u  /* time that tw_sender_free() has to send the queue */

struct tw_sender;

struct tw_sender_setup {
	const char *what; /* for the log, such as "IPFIX collector" */
	enum tw_outlet_kind kind;
	const char *where; /* HOST:PORT */
	const char *ca, *cert, *key;
	size_t queue_bytes; /* 0: TW_SENDER_QUEUE_BYTES */
	/* Called before a message is sent. `connection` is the number of the connection, counted from 1; with
	 * UDP, a refused datagram begins a new one. May change the message, and may send others before it by
	 * tw_sender_put(). Returns 0 or a negative errno. NULL: none. */
	int (*prepare)(void *arg, struct tw_sender *sender, uint64_t connection,
		unsigned char *message, size_t len, uint32_t n_records);
	void *arg;
};

struct tw_sender_facts {
	uint64_t records; /* records of the messages sent; those sent again count once */
	uint64_t lost;	  /* records lost, because the queue was full or a datagram was refused */
	uint64_t queued;  /* records that wait, or are not acknowledged yet */
	uint64_t connects;
	bool connected;
};

/* Starts the thread. `option` is the place of errors. Returns 0, or a negative errno with `err` filled in. */
int tw_sender_new(const struct tw_sender_setup *setup, const char *option, struct tw_sender **ret,
	struct tw_err *err);
/* Sends what is queued, if that takes less than TW_SENDER_STOP_NS, and ends the thread. NULL is fine. */
void tw_sender_free(struct tw_sender *sender);

/* Queues a copy of a message of `n_records` records. */
void tw_sender_give(struct tw_sender *sender, const void *message, size_t len, uint32_t n_records);
/* Counts records that could not be made into a message. */
void tw_sender_lose(struct tw_sender *sender, uint64_t n_records);
/* Only for `prepare`: sends bytes before the message. Returns 0 or a negative errno. */
int tw_sender_put(struct tw_sender *sender, const void *bytes, size_t len);
void tw_sender_get_facts(struct tw_sender *sender, struct tw_sender_facts *ret);
