/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* describe.h: describes the fast path's connections and events by names and text.
 *
 * The description of a connection points into itself and into the agent, so it must be used at once and not
 * copied. An event becomes a row of numbers and ids, which link/event_row.h puts into words.
 */
#pragma once

#include <arpa/inet.h>

#include "agent/observe/journal.h"
#include "fastpath/abi/ask.h"
#include "fastpath/abi/event.h"
#include "link/event_row.h"

struct tw_telemetry;

struct tw_described_ends {
	Tapwall__V1__End from;
	Tapwall__V1__End to;
	char from_text[INET6_ADDRSTRLEN];
	char to_text[INET6_ADDRSTRLEN];
	char proto[TW_EVENT_PROTO_TEXT];
};

struct tw_described_flow {
	Tapwall__V1__Flow flow;
	struct tw_described_ends ends;
	Tapwall__V1__Gate gate[TW_DIR__MAX];
	char network[24];
};

void tw_describe_flow(const struct tw_telemetry *telemetry, const struct tw_key *key,
	const struct tw_conn *conn, uint32_t now_tick, struct tw_described_flow *ret);

/* Describes the connection of a question or an answer, as if it had a record that has seen no packets. */
void tw_describe_asked(const struct tw_telemetry *telemetry, const struct tw_ask_key *about,
	struct tw_described_flow *ret);

/* Looks up the current names of an event. */
void tw_describe_names(const struct tw_telemetry *telemetry, const struct tw_event *event,
	struct tw_event_names *ret);
/* Returns the names of an entry of the journal; if it has none yet, the current ones are stored with it. */
const struct tw_event_names *tw_describe_names_of(
	const struct tw_telemetry *telemetry, uint64_t number);

/* Returns the kind of the row of an event. */
enum tw_event_row_kind tw_describe_kind(const struct tw_event *event);
/* Fills the row of an entry of the journal. The names are ids of the journal's dictionary. */
void tw_describe_row(
	const struct tw_telemetry *telemetry, uint64_t number, struct tw_event_row *ret);

/* Fills the row of a live connection. `event` is the event that its end would cause now. The names are ids of the
 * journal's dictionary. */
void tw_describe_live(const struct tw_telemetry *telemetry, const struct tw_event *event,
	int64_t unix_ns, struct tw_event_row *ret);

/* True if the event is shown without --all: a denial, unless its rule has `log: false`, or an event
 * of a rule with `log: true`. */
bool tw_describe_is_notable(const struct tw_telemetry *telemetry, const struct tw_event *event);

/* Returns the name of the rule that decided, or "?" if it is not known. */
const char *tw_describe_rule(const struct tw_telemetry *telemetry, uint32_t decision);
