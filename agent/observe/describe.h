/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* describe.h: describes the fast path's connections and events by names and text.
 *
 * A description points into itself and into the agent, so it must be used at once and not
 * copied.
 */
#pragma once

#include <arpa/inet.h>

#include "agent/observe/journal.h"
#include "fastpath/abi/event.h"
#include "link/link.h"

struct tw_telemetry;

struct tw_described_ends {
	Tapwall__V1__End from;
	Tapwall__V1__End to;
	char from_text[INET6_ADDRSTRLEN];
	char to_text[INET6_ADDRSTRLEN];
	char proto[16];
};

struct tw_described_flow {
	Tapwall__V1__Flow flow;
	struct tw_described_ends ends;
	Tapwall__V1__Gate gate[TW_DIR__MAX];
	char network[24];
};

void tw_describe_flow(const struct tw_telemetry *telemetry, const struct tw_key *key,
	const struct tw_conn *conn, uint32_t now_tick, struct tw_described_flow *ret);

struct tw_described_entry {
	Tapwall__V1__LogEntry entry;
	struct tw_described_ends ends;
	Tapwall__V1__Gate gate[TW_DIR__MAX];
	Tapwall__V1__Segment segment;
	char src_mac[18];
	char dst_mac[18];
};

void tw_describe_record(const struct tw_telemetry *telemetry,
	const struct tw_journal_record *record, struct tw_described_entry *ret);

/* Looks up the current names of an event. They point into the agent. */
void tw_describe_names(const struct tw_telemetry *telemetry, const struct tw_event *event,
	struct tw_event_names *ret);
/* Returns the names of a journal entry: the ones stored with it or, in `now`, the current ones. */
const struct tw_event_names *tw_describe_names_of(const struct tw_telemetry *telemetry,
	const struct tw_journal_record *record, struct tw_event_names *now);

/* True if the event is shown without --all: a denial, unless its rule has `log: false`, or an event
 * of a rule with `log: true`. */
bool tw_describe_is_notable(const struct tw_telemetry *telemetry, const struct tw_event *event);

/* Returns the name of the rule that decided, or "?" if it is not known. */
const char *tw_describe_rule(const struct tw_telemetry *telemetry, uint32_t decision);
