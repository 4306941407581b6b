/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "agent/observe/journal.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

int tw_journal_init(struct tw_journal *journal)
{
	*journal = (struct tw_journal){.next = 1};
	journal->ring = tw_alloc_array(TW_JOURNAL_ENTRIES, sizeof(*journal->ring));
	return journal->ring ? 0 : -ENOMEM;
}

void tw_journal_done(struct tw_journal *journal)
{
	for (size_t i = 0; journal->ring && i < TW_JOURNAL_ENTRIES; i++)
		free(journal->ring[i].packed);
	free(journal->ring);
	journal->ring = NULL;
}

void tw_journal_add(struct tw_journal *journal, Tapwall__V1__LogEntry *entry, bool notable)
{
	struct tw_journal_entry *place = &journal->ring[journal->next % TW_JOURNAL_ENTRIES];
	uint8_t *packed;
	size_t len;

	entry->lost_before = journal->lost;
	len = tapwall__v1__log_entry__get_packed_size(entry);
	packed = tw_alloc(len);
	if (!packed) {
		journal->lost++;
		return;
	}
	tapwall__v1__log_entry__pack(entry, packed);
	free(place->packed);
	*place = (struct tw_journal_entry){
		.packed = packed, .len = (uint32_t)len, .notable = notable};
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

Tapwall__V1__LogEntry *tw_journal_get(
	const struct tw_journal *journal, uint64_t number, bool *ret_notable)
{
	const struct tw_journal_entry *place = &journal->ring[number % TW_JOURNAL_ENTRIES];

	if (number < tw_journal_oldest(journal) || number >= journal->next)
		return NULL;
	*ret_notable = place->notable;
	return tapwall__v1__log_entry__unpack(NULL, place->len, place->packed);
}
