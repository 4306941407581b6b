/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

/* The kernel takes advice about whole pages only. */
static void advise_huge(void *memory, size_t len)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)memory + page - 1) & ~(page - 1);

	madvise((void *)begin, len - (begin - (uintptr_t)memory), MADV_HUGEPAGE);
}

int tw_journal_init(struct tw_journal *journal)
{
	*journal = (struct tw_journal){.next = 1, .settled = 1, .generation = 1};
	journal->id = tw_clock_unix_ns(tw_clock_ns()) | 1;
	journal->ring = tw_alloc_array(TW_JOURNAL_ENTRIES, sizeof(*journal->ring));
	if (!journal->ring)
		return -ENOMEM;
	/* With huge pages, a page fault maps memory for 8,700 events instead of 17. */
	advise_huge(journal->ring, TW_JOURNAL_ENTRIES * sizeof(*journal->ring));
	return 0;
}

void tw_journal_done(struct tw_journal *journal)
{
	tw_dictionary_clear(&journal->names);
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

	record->event = *event;
	record->unix_ns = unix_ns;
	record->lost_before = journal->lost;
	record->named = false;
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

/* ---- names ---- */

/* A name usually comes from the same address as before, so the id last returned for that address is tried first.
 * Comparing the texts is cheaper than hashing, and detects if another text is at the address now. */
uint32_t tw_journal_name(struct tw_journal *journal, const char *text)
{
	uintptr_t place = (uintptr_t)text;
	uint32_t *recent = &journal->recent[(place >> 2 ^ place >> 10) % TW_JOURNAL_RECENT];

	if (!text || !text[0])
		return 0;
	if (strcmp(tw_dictionary_text(&journal->names, *recent), text) != 0)
		*recent = tw_dictionary_intern(&journal->names, text);
	return *recent;
}

uint64_t tw_journal_unsettled(struct tw_journal *journal)
{
	uint64_t oldest = tw_journal_oldest(journal);

	if (journal->settled < oldest)
		journal->settled = oldest;
	return journal->settled < journal->next ? journal->settled++ : 0;
}

void tw_journal_settle(
	struct tw_journal *journal, uint64_t number, const struct tw_event_names *names)
{
	struct tw_journal_record *record = place_of(journal, number);

	record->names = *names;
	record->named = true;
}

/* Replaces the ids of one dictionary by those of another. */
static void move_names(
	struct tw_event_names *names, const struct tw_dictionary *from, struct tw_dictionary *to)
{
	uint32_t ids[sizeof(*names) / sizeof(uint32_t)];

	memcpy(ids, names, sizeof(ids));
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		ids[i] = tw_dictionary_intern(to, tw_dictionary_text(from, ids[i]));
	memcpy(names, ids, sizeof(ids));
}

void tw_journal_tidy(struct tw_journal *journal, uint32_t max)
{
	struct tw_dictionary old = journal->names;

	if (old.n <= max)
		return;
	journal->names = (struct tw_dictionary){0};
	journal->generation++;
	for (uint64_t at = tw_journal_oldest(journal); at < journal->next; at++)
		move_names(&place_of(journal, at)->names, &old, &journal->names);
	tw_dictionary_clear(&old);
}
