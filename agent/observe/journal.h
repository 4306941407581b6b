/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* journal.h: the last entries of the log, in memory, as the ring buffer brought them.
 *
 * Why:        storing an event costs one copy, and most are never read. They are described
 *             (describe.h) when a client reads them.
 * How:        entries are numbered from 1, and the oldest is overwritten first. A reader keeps the
 *             number of its next entry, which shows how many it missed. The names in an entry
 *             (workloads, rules, interfaces) are those at the time of the event: before any of them
 *             may change, tw_events_settle() stores them with the entries (tests/agent/unit.c).
 * Bounds:     TW_JOURNAL_ENTRIES records.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/event.h"

#define TW_JOURNAL_ENTRIES 4096

/* The names in an event; "" if there is none. `rule` is NULL if no rule decided. */
struct tw_event_names {
	const char *port;
	const char *workload;	      /* workload of the port */
	const char *entered_by;	      /* interface where a denied frame entered the host */
	const char *end[TW_DIR__MAX]; /* workloads: OUT is the source, IN the destination */
	const char *rule;	      /* rule that decided */
	const char *gate_rule[TW_DIR__MAX];
};

struct tw_journal_record {
	struct tw_event event;
	int64_t unix_ns;	      /* offset from the event's time to Unix time */
	uint64_t lost_before;	      /* entries lost between the one before and this one */
	struct tw_event_names *names; /* names stored with the entry; NULL: use the current ones */
	bool notable;		      /* shown without --all */
};

struct tw_journal {
	struct tw_journal_record *ring; /* TW_JOURNAL_ENTRIES */
	uint64_t next;			/* number of the next entry, from 1 */
	uint64_t settled;		/* entries before this number have their names */
	uint64_t lost;			/* losses to report with the next entry */
};

/* Returns 0 or -ENOMEM. */
int tw_journal_init(struct tw_journal *journal);
void tw_journal_done(struct tw_journal *journal);

/* Adds a copy of the event. */
void tw_journal_add(
	struct tw_journal *journal, const struct tw_event *event, int64_t unix_ns, bool notable);
void tw_journal_lose(struct tw_journal *journal, uint64_t n);

uint64_t tw_journal_oldest(const struct tw_journal *journal);
/* Returns entry `number`, or NULL if it is overwritten or does not exist yet. Valid until the
 * next entry is added. */
const struct tw_journal_record *tw_journal_at(const struct tw_journal *journal, uint64_t number);

/* Returns the number of the next entry whose names must be stored, or 0. */
uint64_t tw_journal_unsettled(struct tw_journal *journal);
/* Stores a copy of an entry's names. If memory runs out, they are empty. */
void tw_journal_settle(
	struct tw_journal *journal, uint64_t number, const struct tw_event_names *names);
