/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* event_reader.h: reads the rows of EventBatch messages (link.proto), which are not trusted.
 *
 *	struct tw_event_reader reader = {0};
 *	…	for each response with a batch:
 *	if (tw_event_reader_take(&reader, response->events) < 0) …
 *	for (size_t i = 0; i < reader.n; i++)
 *		puts(tw_dictionary_text(&reader.dictionary, reader.rows[i].rule));
 *	…
 *	tw_event_reader_done(&reader);
 *
 * Invariants: 1. Every name of a row is defined, numbers of rows ascend, and every column has the
 *                length that its rows require (tests/cli/unit_events.c, tests/cli/fuzz_events.c).
 *             2. `generation` changes when ids become invalid. A caller that stores ids must look
 *                up the names again.
 *             3. Lost events are reported by the next row or, until it arrives, by `lost`.
 * Bounds:     TW_EVENT_READER_ROWS rows in a batch, and the bounds of the dictionary.
 * Callers:    one thread.
 */
#pragma once

#include <stddef.h>

#include "link/event_row.h"

#define TW_EVENT_READER_ROWS 4096

struct tw_event_reader {
	struct tw_event_row *rows; /* rows of the last batch */
	size_t n;
	struct tw_dictionary dictionary;
	uint32_t generation; /* generation of the dictionary */
	uint64_t lost;	     /* events lost after the last row */
	/* Fields of EventsRequest, to continue after a disconnection. */
	uint64_t journal;
	uint64_t next;

	size_t max; /* capacity of `rows` */
};

void tw_event_reader_done(struct tw_event_reader *reader);

/* Replaces the rows by those of a batch. Returns 0, -EBADMSG if the batch violates a rule of
 * link.proto, or -ENOMEM. After an error there are no rows, and the stream cannot be used any
 * more. */
int tw_event_reader_take(struct tw_event_reader *reader, const Tapwall__V1__EventBatch *batch);
