/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "cli/journal.h"

#include <string.h>

#include "cli/agent.h"
#include "cli/report.h"
#include "link/event_reader.h"

struct reading {
	const char *socket;
	struct tw_journal_call *journal;
	struct tw_event_reader reader;
};

static int take_batch(struct reading *reading, const Tapwall__V1__EventBatch *batch)
{
	struct tw_event_reader *reader = &reading->reader;
	struct tw_event_words words;
	int ret = tw_event_reader_take(reader, batch), code = TW_EXIT_OK;

	if (ret < 0)
		return tw_report_error(TW_EXIT_INTERNAL, reading->socket,
			"use a client of this agent's version",
			"cannot read the agent's events: %s", strerror(-ret));
	for (size_t i = 0; i < reader->n && !code; i++) {
		reading->journal->lost += reader->rows[i].lost_before;
		if (reader->rows[i].kind > TW_EVENT_ROW_DENY)
			continue;
		tw_event_row_describe(&reader->rows[i], &reader->dictionary, &words);
		code = reading->journal->take(reading->journal->arg, &words.entry);
	}
	return code;
}

static int on_event(void *arg, const Tapwall__V1__Response *response)
{
	struct reading *reading = arg;

	if (response->body_case == TAPWALL__V1__RESPONSE__BODY_LOG_STATE)
		reading->journal->since = response->log_state->since;
	if (response->body_case != TAPWALL__V1__RESPONSE__BODY_EVENTS)
		return TW_EXIT_OK;
	return take_batch(reading, response->events);
}

int tw_journal_read(const char *socket, struct tw_journal_call *journal)
{
	struct reading reading = {.socket = socket, .journal = journal};
	Tapwall__V1__EventsRequest body = TAPWALL__V1__EVENTS_REQUEST__INIT;
	Tapwall__V1__Request request = TAPWALL__V1__REQUEST__INIT;
	struct tw_agent_call call = {.socket = socket, .answer = on_event, .arg = &reading};
	int code;

	body.all = true;
	request.body_case = TAPWALL__V1__REQUEST__BODY_EVENTS;
	request.events = &body;
	code = tw_agent_ask(&call, &request);
	journal->lost += reading.reader.lost;
	tw_event_reader_done(&reading.reader);
	return code;
}
