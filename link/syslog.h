/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* syslog.h: makes syslog messages of denials, of connections, and of a program's own log.
 *
 * Format:     RFC 5424. In streams, each message has an octet count (RFC 5425 §4.3); a datagram is one message.
 *             Facility local0. MSGID is `deny`, `reject`, `would-deny`, `open`, `close` or `log`. Facts of an event
 *             are parameters of the structured data TW_SYSLOG_ID; the text adds no further facts. docs/export.md
 *             lists them.
 * Invariants: 1. No byte that an agent, a policy or a guest chose ends a parameter, an element or a message: values
 *                are cleaned (base/clean.h), cut, and escaped (RFC 5424 §6.3.3; tests/slowpath/export.c).
 *             2. `sequenceId` of the element `meta` counts all messages, also those that are lost before they are
 *                sent, so a gap shows how many.
 * Callers:    tapwall-slowd: tw_syslog_take() in the recorder's thread, tw_syslog_log() in any.
 *             tapwalld: the loop's thread.
 * Source:     RFC 5424, RFC 5425.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "link/event_reader.h"

/* tapwall has no enterprise number of its own. 32473 is the number for examples (RFC 5612), which no other
 * product may use either. */
#define TW_SYSLOG_ID	       "tapwall@32473"
#define TW_SYSLOG_VALUE_MAX    255u /* bytes of a value before it is escaped */
#define TW_SYSLOG_SENTENCE_MAX 256
#define TW_SYSLOG_MAX	       8192u /* longest message, in bytes */

/* What is sent. */
struct tw_syslog_what {
	bool denials;
	bool connections;
	bool log;
};

struct tw_syslog;

/* Called with each message, in the thread that made it. */
typedef void tw_syslog_put(void *arg, const void *message, size_t len);

/* Reads words separated by commas: denials, connections, log. False if there is another one, or none. */
bool tw_syslog_parse(const char *text, struct tw_syslog_what *ret);

struct tw_syslog_sender {
	const char *host; /* name of this host */
	const char *app;  /* name of the program; lives as long as the messages are made */
	int pid;	  /* of this process */
	bool stream;	  /* with octet counts */
};

/* Returns 0 or -ENOMEM. */
int tw_syslog_new(const struct tw_syslog_what *what, const struct tw_syslog_sender *sender,
	tw_syslog_put *put, void *arg, struct tw_syslog **ret);
void tw_syslog_free(struct tw_syslog *syslog); /* NULL is fine */

/* Makes messages of the rows of a batch that `what` names. */
void tw_syslog_take(
	struct tw_syslog *syslog, const char *agent, const struct tw_event_reader *reader);
/* Makes a message of one row of any kind. If `agent` is "", the message has none. */
void tw_syslog_row(struct tw_syslog *syslog, const char *agent, const struct tw_dictionary *names,
	const struct tw_event_row *row);
/* Writes a row in words, such as `deny tcp 10.0.0.1 40000 to 10.0.0.2 80`. The text is ASCII, with no word that a
 * guest chose. */
void tw_syslog_sentence(const struct tw_event_row *row, char ret[TW_SYSLOG_SENTENCE_MAX]);
/* Makes a message of an entry of the log. `unix_ns` is the entry's time. */
void tw_syslog_log(
	struct tw_syslog *syslog, enum tw_log_level level, uint64_t unix_ns, const char *text);
