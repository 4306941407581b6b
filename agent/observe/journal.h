/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* journal.h: the last entries of the log, in memory, ready to be sent.
 *
 * Entries are numbered from 1; the oldest goes when there is no room. A reader keeps the number of
 * the entry it wants next and finds out by itself how many it missed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link/link.h"

#define TW_JOURNAL_ENTRIES 4096

struct tw_journal_entry {
	uint8_t *packed; /* a LogEntry */
	uint32_t len;
	bool notable; /* shown without being asked for everything */
};

struct tw_journal {
	struct tw_journal_entry *ring; /* TW_JOURNAL_ENTRIES */
	uint64_t next;		       /* number of the entry to come, from 1 */
	uint64_t lost;		       /* losses to be told with the entry to come */
};

int tw_journal_init(struct tw_journal *journal);
void tw_journal_done(struct tw_journal *journal);

/* Adds a copy; entry->lost_before is filled in. Without memory the entry counts as lost. */
void tw_journal_add(struct tw_journal *journal, Tapwall__V1__LogEntry *entry, bool notable);
void tw_journal_lose(struct tw_journal *journal, uint64_t n);

uint64_t tw_journal_oldest(const struct tw_journal *journal);
/* Entry number `number`, NULL when it is gone or not there yet. Freed by the caller with
 * tapwall__v1__log_entry__free_unpacked(). */
Tapwall__V1__LogEntry *tw_journal_get(
	const struct tw_journal *journal, uint64_t number, bool *ret_notable);
