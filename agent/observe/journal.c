/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define N_NAMES (sizeof(struct tw_event_names) / sizeof(const char *))

/* Names of entries for which memory ran out. */
static struct tw_event_names unknown = {
	.port = "", .workload = "", .entered_by = "", .end = {"", ""}};

int tw_journal_init(struct tw_journal *journal)
{
	*journal = (struct tw_journal){.next = 1, .settled = 1};
	journal->ring = tw_alloc_array(TW_JOURNAL_ENTRIES, sizeof(*journal->ring));
	return journal->ring ? 0 : -ENOMEM;
}

static void forget_names(struct tw_journal_record *record)
{
	if (record->names != &unknown)
		free(record->names);
	record->names = NULL;
}

void tw_journal_done(struct tw_journal *journal)
{
	for (size_t i = 0; journal->ring && i < TW_JOURNAL_ENTRIES; i++)
		forget_names(&journal->ring[i]);
	free(journal->ring);
	journal->ring = NULL;
}

static struct tw_journal_record *place_of(const struct tw_journal *journal, uint64_t number)
{
	return &journal->ring[number % TW_JOURNAL_ENTRIES];
}

void tw_journal_add(
	struct tw_journal *journal, const struct tw_event *event, int64_t unix_ns, bool notable)
{
	struct tw_journal_record *record = place_of(journal, journal->next);

	if (record->names)
		forget_names(record);
	record->event = *event;
	record->unix_ns = unix_ns;
	record->lost_before = journal->lost;
	record->notable = notable;
	journal->next++;
	journal->lost = 0;
}

void tw_journal_lose(struct tw_journal *journal, uint64_t n)
{
	journal->lost += n;
}

uint64_t tw_journal_oldest(const struct tw_journal *journal)
{
	return journal->next > TW_JOURNAL_ENTRIES ? journal->next - TW_JOURNAL_ENTRIES : 1;
}

const struct tw_journal_record *tw_journal_at(const struct tw_journal *journal, uint64_t number)
{
	if (number < tw_journal_oldest(journal) || number >= journal->next)
		return NULL;
	return place_of(journal, number);
}

uint64_t tw_journal_unsettled(struct tw_journal *journal)
{
	uint64_t oldest = tw_journal_oldest(journal);

	if (journal->settled < oldest)
		journal->settled = oldest;
	return journal->settled < journal->next ? journal->settled++ : 0;
}

/* Copies names to one allocation: the pointers, then the texts. */
static struct tw_event_names *copy_names(const struct tw_event_names *names)
{
	const char *from[N_NAMES], *to[N_NAMES];
	struct tw_event_names *copy;
	size_t len[N_NAMES], total = sizeof(*names);
	char *at;

	memcpy(from, names, sizeof(from));
	for (size_t i = 0; i < N_NAMES; i++) {
		len[i] = from[i] ? strlen(from[i]) + 1 : 0;
		total += len[i];
	}
	copy = tw_alloc(total);
	if (!copy)
		return NULL;
	at = (char *)(copy + 1);
	for (size_t i = 0; i < N_NAMES; i++) {
		to[i] = from[i] ? memcpy(at, from[i], len[i]) : NULL;
		at += len[i];
	}
	memcpy(copy, to, sizeof(to));
	return copy;
}

void tw_journal_settle(
	struct tw_journal *journal, uint64_t number, const struct tw_event_names *names)
{
	struct tw_journal_record *record = place_of(journal, number);

	record->names = copy_names(names);
	if (!record->names)
		record->names = &unknown;
}
