/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* journal.h: the last entries of the log, in memory, as the ring buffer brought them.
 *
 * Why:        storing an event costs a copy; most are never read. A client that reads pays for the words
 *             (describe.h).
 * How:        entries are numbered from 1; the oldest goes when there is no room. A reader keeps the number
 *             of the entry it wants next, and finds out by itself how many it missed. The names in an entry
 *             (workloads, rules, interfaces) are those at the time of the event: before any of them may
 *             change, tw_events_settle() keeps them with the entries (tests/agent/unit.c).
 * Bounds:     TW_JOURNAL_ENTRIES records.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/event.h"

#define TW_JOURNAL_ENTRIES 4096

/* The names that an event speaks of; "" where there is none, NULL for a rule that is none. */
struct tw_event_names {
	const char *port;
	const char *workload;	      /* of the port */
	const char *entered_by;	      /* the interface where a denied frame entered the host */
	const char *end[TW_DIR__MAX]; /* workloads: OUT is the source, IN the destination */
	const char *rule;	      /* that decided */
	const char *gate_rule[TW_DIR__MAX];
};

struct tw_journal_record {
	struct tw_event event;
	int64_t unix_ns;	      /* to be added to the event's time */
	uint64_t lost_before;	      /* entries lost between the one before and this one */
	struct tw_event_names *names; /* kept with the entry; NULL: as they are now */
	bool notable;		      /* shown without being asked for everything */
};

struct tw_journal {
	struct tw_journal_record *ring; /* TW_JOURNAL_ENTRIES */
	uint64_t next;			/* number of the entry to come, from 1 */
	uint64_t settled;		/* entries before this number have their names */
	uint64_t lost;			/* losses to be told with the entry to come */
};

/* 0 or -ENOMEM. */
int tw_journal_init(struct tw_journal *journal);
void tw_journal_done(struct tw_journal *journal);

/* Adds a copy of the event. */
void tw_journal_add(
	struct tw_journal *journal, const struct tw_event *event, int64_t unix_ns, bool notable);
void tw_journal_lose(struct tw_journal *journal, uint64_t n);

uint64_t tw_journal_oldest(const struct tw_journal *journal);
/* Entry number `number`, NULL when it is gone or not there yet; valid until the next one is added. */
const struct tw_journal_record *tw_journal_at(const struct tw_journal *journal, uint64_t number);

/* The number of an entry whose names are to be kept next, 0: all have theirs. */
uint64_t tw_journal_unsettled(struct tw_journal *journal);
/* Keeps a copy of an entry's names. Without memory they are empty. */
void tw_journal_settle(
	struct tw_journal *journal, uint64_t number, const struct tw_event_names *names);
