/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* journal.h: the last entries of the log, in memory, as the ring buffer delivered them.
 *
 * Why:        storing an event costs one copy, and most are never read. They are described
 *             (describe.h) when a client reads them.
 * How:        entries are numbered from 1, and the oldest is overwritten first. A reader keeps the
 *             number of its next entry, which shows how many it missed. The names in an entry
 *             (workloads, rules, interfaces) are those at the time of the event: before any of them
 *             may change, tw_events_settle() stores them with the entries (tests/agent/unit.c).
 *             They are stored as ids: a dictionary holds each text once.
 * Bounds:     TW_JOURNAL_ENTRIES records. Once the dictionary has more than TW_JOURNAL_NAMES names, it is
 *             rebuilt from the names that entries still have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fastpath/abi/event.h"
#include "link/dictionary.h"

#define TW_JOURNAL_ENTRIES \
	(1u << 15) /* 7.5 MiB; a longer one costs each event more (decision 015) */
#define TW_JOURNAL_NAMES (TW_DICTIONARY_MAX / 2)

/* The names in an event: ids of the journal's dictionary, 0 if there is none. */
struct tw_event_names {
	uint32_t port;
	uint32_t workload;	   /* workload of the port */
	uint32_t other_port;	   /* port of the other end of a connection that ended */
	uint32_t entered_by;	   /* interface where a denied frame entered the host */
	uint32_t end[TW_DIR__MAX]; /* workloads: OUT is the source, IN the destination */
	uint32_t rule;		   /* rule that decided */
	uint32_t gate_rule[TW_DIR__MAX];
};

struct tw_journal_record {
	struct tw_event event;
	int64_t unix_ns;      /* offset from the event's time to Unix time */
	uint64_t lost_before; /* entries lost between the previous one and this one */
	struct tw_event_names names;
	bool named;   /* `names` is set; until then the current names apply */
	bool notable; /* shown without --all */
};

#define TW_JOURNAL_RECENT 256 /* a power of 2 */

struct tw_journal {
	struct tw_journal_record *ring; /* TW_JOURNAL_ENTRIES */
	uint64_t next;			/* number of the next entry, from 1 */
	uint64_t settled;		/* entries before this number have their names */
	uint64_t lost;			/* losses to report with the next entry */
	uint64_t id;			/* differs from other agents' ids; never 0 */
	struct tw_dictionary names;
	uint32_t generation; /* changes when the dictionary is rebuilt with new ids */
	uint32_t recent[TW_JOURNAL_RECENT]; /* ids, by a hash of the name's address */
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

/* Returns the id of a name; 0 if it is NULL or "", or if memory runs out. */
uint32_t tw_journal_name(struct tw_journal *journal, const char *text);

/* Returns the number of the next entry whose names must be stored, or 0. */
uint64_t tw_journal_unsettled(struct tw_journal *journal);
/* Stores an entry's names. */
void tw_journal_settle(
	struct tw_journal *journal, uint64_t number, const struct tw_event_names *names);
/* Rebuilds the dictionary if it has more than `max` names. All entries must be settled. If it is rebuilt, earlier
 * ids become invalid and `generation` changes. */
void tw_journal_tidy(struct tw_journal *journal, uint32_t max);
