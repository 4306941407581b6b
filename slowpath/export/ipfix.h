/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* ipfix.h: makes IPFIX messages of ended connections and denials.
 *
 * How:        rows become data records in messages of at most TW_IPFIX_MESSAGE_MAX bytes. tw_ipfix_stamp() completes
 *             each when it is sent: export time, sequence number, domain. It also says when templates must precede it:
 *             first, on a new connection, and with UDP every TW_IPFIX_TEMPLATE_NS (RFC 7011 §8.1, §8.4).
 * Records:    docs/export.md lists them. Both directions of a connection are in one (RFC 5103). firewallEvent is 2 at
 *             the end of a connection, 3 for a denied or rejected frame, and 4 for a frame that passed only
 *             because its workload is observed. A frame is one packet. Names longer than their fields are cut.
 * Domains:    each agent is an observation domain, and a record by the options template gives its name. The domain's
 *             number is a hash of that name, or the next one that is free.
 * Invariants: 1. Only information elements of IANA's registry are used, and their reverse (RFC 5103 §6.1).
 *             2. Names are valid UTF-8 without control characters, whatever the agent sent
 *                (tests/slowpath/export.c).
 * Callers:    tw_ipfix_take() in the recorder's thread, tw_ipfix_stamp() in the sender's. A domain is complete before
 *             its first message is queued.
 * Source:     RFC 7011, RFC 5103, RFC 7270 §4.12, IANA's registry of IPFIX entities.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/event_reader.h"
#include "link/stream.h"

#define TW_IPFIX_MESSAGE_MAX   1232u /* fits into IPv6's least MTU of 1280 bytes */
#define TW_IPFIX_TEMPLATE_NS   30000000000u
#define TW_IPFIX_PORT_BYTES    16u
#define TW_IPFIX_RULE_BYTES    64u
#define TW_IPFIX_NAME_MAX      127u /* bytes of a workload's or an agent's name */
#define TW_IPFIX_DOMAINS_MAX   1024u
#define TW_IPFIX_TEMPLATES_MAX 1024u /* longest message of templates, in bytes */

struct tw_ipfix;

/* Called with each message. */
typedef void tw_ipfix_put(void *arg, const void *message, size_t len, uint32_t n_records);

/* Returns 0 or -ENOMEM. */
int tw_ipfix_new(tw_ipfix_put *put, void *arg, struct tw_ipfix **ret);
void tw_ipfix_free(struct tw_ipfix *ipfix); /* NULL is fine */

/* Makes messages of the closes and denials among the rows. Returns the number of rows for which no
 * domain was free. */
size_t tw_ipfix_take(
	struct tw_ipfix *ipfix, const char *agent, const struct tw_event_reader *reader);

/* Time at which a message is sent, and its connection. */
struct tw_ipfix_stamp {
	uint64_t now_ns;
	uint32_t unix_s;
	uint64_t connection; /* a new connection has another number */
	bool is_stream; /* TCP: templates are sent once, and each connection counts its records from 0 */
};

/* Completes a message of tw_ipfix_take(), just before it is sent. If templates must be sent before it, writes a
 * message with them to `templates`. Returns that message's length; 0: none is needed. */
size_t tw_ipfix_stamp(struct tw_ipfix *ipfix, const struct tw_ipfix_stamp *stamp,
	unsigned char *message, uint32_t n_records,
	unsigned char templates[TW_IPFIX_TEMPLATES_MAX]);
